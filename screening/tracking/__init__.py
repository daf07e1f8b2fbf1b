"""MLflow: the only place that imports mlflow."""
