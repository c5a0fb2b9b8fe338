"""The Celery app, its tasks, the stages behind them, and scoring."""
