"""Scoring: language, sentiment, anxiety, complaint, themes, and why. `open_scorer` gives the shipped model."""

from workers.scoring.scorer import TrainedScorer, open_scorer

__all__ = ["TrainedScorer", "open_scorer"]
