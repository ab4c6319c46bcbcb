"""MLflow: runs of nights and their steps, and the registry of bundles."""

import logging
import os

# MLflow reads these when it is imported, and every module here is imported after this one. A server that is down must
# not be waited for by seven retries of two minutes each, and nobody has asked for MLflow's own talk.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
for _name in ("mlflow", "alembic"):
    logging.getLogger(_name).setLevel(logging.ERROR)
