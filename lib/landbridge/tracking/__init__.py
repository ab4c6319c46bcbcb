"""MLflow: runs of nights and their steps, and the registry of bundles."""
