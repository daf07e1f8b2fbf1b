"""MLflow: the only place that imports mlflow."""

from screening.tracking.training import track_training

__all__ = ["track_training"]
