"""Scoring: language, sentiment, anxiety, complaint, themes, and why. `open_scorer` gives the shipped model."""

from workers.scoring.scorer import LexiconScorer, open_scorer

__all__ = ["LexiconScorer", "open_scorer"]
