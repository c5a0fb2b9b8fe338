"""Builds the model files; not part of the installed package. `python -m workers.scoring.training`."""
