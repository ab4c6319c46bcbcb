"""A bundle as MLflow keeps models: from code, with the package beside it, nothing pickled, requirements pinned."""

from __future__ import annotations

import json
import shutil
import warnings
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pandas as pd
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import AnyType, Array

import landbridge
from landbridge.lake.contracts import NEW_USER

_PACKAGE = Path(landbridge.__file__).parent
_SERVED = {"": "landbridge.contenders.served", "pointwise": "landbridge.contenders.served_points"}
"""The module that is the model, by the kind of the bundle; named, not imported: it stands on a higher floor."""
_NEEDS = (
    "mlflow",
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "pydantic",
    "pyyaml",
    "deltalake",
    "safetensors",
    "torch",
    "tzdata",
)


def save(folder: Path, bundle: Path, model: Model) -> None:
    """Write the pyfunc: models from code, the package beside it, nothing pickled, requirements pinned, not guessed."""
    routes = json.loads((bundle / "routes.json").read_text(encoding="utf-8"))
    code = folder.with_name("code") / "landbridge"
    shutil.copytree(_PACKAGE, code, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    with warnings.catch_warnings():
        # The example is written below, by hand: MLflow would load the model and ask it, which is the tests' work.
        warnings.filterwarnings("ignore", message=".*input example.*")
        mlflow.pyfunc.save_model(
            str(folder),
            python_model=str(code.parent / f"{_SERVED[_kind(routes)].replace('.', '/')}.py"),
            artifacts={"bundle": str(bundle)},
            code_paths=[str(code)],
            signature=signature_of(routes),
            pip_requirements=_requirements(("lightgbm",) if _kind(routes) else ()),
            mlflow_model=model,
            metadata={"configuration": routes["name"], **({"k": routes["k"]} if "k" in routes else {})},
        )
    model.saved_input_example_info = {
        "artifact_path": "input_example.json",
        "type": "dataframe",
        "pandas_orient": "split",
    }
    example = example_of(routes)
    (folder / "input_example.json").write_text(json.dumps(example.to_dict(orient="split")), encoding="utf-8")
    model.save(str(folder / "MLmodel"))


def signature_of(routes: dict[str, Any]) -> ModelSignature:
    """Return what `predict` takes (a row a user and scenario) and gives; `k` is a parameter of the call.

    A history is declared as anything: MLflow 3.17 refuses the datetimes of a typed one.
    """
    if _kind(routes):
        return _of_points(routes)
    features = [ColSpec(DataType.double, name, required=False) for name in routes["features"]]
    return ModelSignature(
        inputs=Schema(
            [
                ColSpec(DataType.string, "scenario"),
                ColSpec(DataType.string, "user_id"),
                ColSpec(AnyType(), "history", required=False),  # type: ignore[no-untyped-call]
                ColSpec(Array(DataType.string), "had", required=False),
                *features,
            ]
        ),
        outputs=Schema(
            [
                ColSpec(DataType.string, "user_id"),
                ColSpec(DataType.string, "scenario"),
                ColSpec(Array(DataType.string), "items"),
                ColSpec(Array(DataType.double), "scores"),
            ]
        ),
        params=ParamSchema([ParamSpec("k", DataType.long, int(routes["k"]))]),
    )


def _of_points(routes: dict[str, Any]) -> ModelSignature:
    """A row a question in, its probability out."""
    texts = [ColSpec(DataType.string, name, required=False) for name in ("subject_id", "user_id", "item_id")]
    columns = [ColSpec(DataType.double, name, required=False) for name in routes["numbers"]]
    columns += [ColSpec(DataType.string, name, required=False) for name in routes["categories"]]
    tags = [ColSpec(Array(DataType.string), "tags", required=False)] if routes["tags"] else []
    outputs = [ColSpec(DataType.string, name) for name in ("subject_id", "scenario", "contender")]
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "scenario"), *texts, *columns, *tags]),
        outputs=Schema([*outputs, ColSpec(DataType.double, "score")]),
    )


def _kind(routes: dict[str, Any]) -> str:
    return str(routes.get("kind", ""))


def example_of(routes: dict[str, Any]) -> pd.DataFrame:
    """Return an input for every scenario: whoever is unknown there, or a row of which nothing is known."""
    scenarios = sorted(routes["scenarios"])
    if _kind(routes):
        return pd.DataFrame({"scenario": scenarios, "subject_id": scenarios})
    return pd.DataFrame({"scenario": scenarios, "user_id": [NEW_USER] * len(scenarios)})


def _requirements(more: tuple[str, ...] = ()) -> list[str]:
    found = []
    for name in (*_NEEDS, *more):
        try:
            found.append(f"{name}=={installed(name).partition('+')[0]}")
        except ImportError:
            continue
    return found
