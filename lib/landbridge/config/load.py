"""Reads, interpolates, merges and validates configuration files; every error names file, key, value and remedy."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from landbridge.config.schema import Config
from landbridge.errors import ConfigError

_SECRET = frozenset({"key", "key_variable", "storage", "url"})
"""Keys whose values are secrets, or are where one is put by mistake; no message shows them."""

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def load(conf: str | Path, profile: str | Path = "local", overrides: Sequence[str] = ()) -> Config:
    """Return the configuration tree of a set and a profile.

    Parameters
    ----------
    conf
        The file that says what, ``conf/<set>.yaml``.
    profile
        The file that says where: a path, or the name of one in ``profiles/`` beside `conf`.
    overrides
        ``key.key=value`` pairs from the command line, the value in YAML.

    Raises
    ------
    ConfigError
        With file, key, value found and what is allowed.
    """
    conf = Path(conf)
    what = _with_extends(conf)
    where_path = _profile_path(conf, profile)
    where = _with_extends(where_path)
    tree = _merge(what, where)
    given: dict[str, Any] = {}
    for override in overrides:
        given = _merge(given, _override(override))
    tree = _merge(tree, given)
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(
            _explain(error, [*([("--set", given)] if overrides else []), (conf, what)], where_path)
        ) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); name an existing YAML file") from None
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: must hold keys and values, found {type(tree).__name__}")
    return {str(key): _interpolate(value, path, str(key)) for key, value in tree.items()}


def _interpolate(value: Any, path: Path, key: str) -> Any:
    if isinstance(value, dict):
        return {str(k): _interpolate(v, path, f"{key}.{k}") for k, v in value.items()}
    if isinstance(value, list):
        return [_interpolate(v, path, f"{key}[{i}]") for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def variable(match: re.Match[str]) -> str:
        found = os.environ.get(match[1], match[2])
        if found is None:
            raise ConfigError(
                f"{path}: {key}: the environment variable {match[1]} is not set; "
                f"set it or write ${{{match[1]}:-default}}"
            )
        return found

    return _VARIABLE.sub(variable, value)


def _profile_path(conf: Path, profile: str | Path) -> Path:
    path = Path(profile)
    if path.suffix in (".yaml", ".yml"):
        return path
    path = conf.parent / "profiles" / f"{profile}.yaml"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise ConfigError(f"profile {profile}: {path} does not exist; profiles there: {known}")
    return path


def _with_extends(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    if path in seen:
        raise ConfigError(f"{path}: extends itself through {' -> '.join(map(str, seen))}")
    tree = _read(path)
    base = tree.pop("extends", None)
    if base is None:
        return tree
    return _merge(_with_extends(path.parent / f"{base}.yaml", (*seen, path)), tree)


def _merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """Return `low` with what `high` says; an empty mapping empties, so that a whole section can be put aside."""
    merged = dict(low)
    for key, value in high.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict) and value:
            merged[key] = _merge(below, value)
        else:
            merged[key] = value
    return merged


def _override(text: str) -> dict[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {text}: must read key.key=value")
    tree: Any = yaml.safe_load(value)
    for part in reversed(key.split(".")):
        tree = {part: tree}
    return dict(tree)


def _explain(error: ValidationError, sources: Sequence[tuple[str | Path, Mapping[str, Any]]], last: Path) -> str:
    """One line a fault, beginning with the source that spelled the key: command line, set or profile."""
    lines = []
    for fault in error.errors():
        location = list(fault["loc"])
        everything = " with ".join(
            str(source) for source in (sources[-1][0], last, *(source for source, _ in sources[:-1]))
        )
        file = next((source for source, tree in sources if _reaches(tree, location)), last if location else everything)
        key = ".".join(str(part) for part in location) or "the whole"
        told = "" if _is_untold(fault, location) else f", found {fault['input']!r}"
        lines.append(f"{file}: {key}: {_message(fault, location)}{told}")
    return "\n".join(lines)


def _is_untold(fault: Any, location: Sequence[Any]) -> bool:
    """Whether what was found is not shown: there is nothing, it is a whole section, or it is a secret."""
    return fault["type"] == "missing" or isinstance(fault["input"], Mapping) or not _SECRET.isdisjoint(location)


def _reaches(tree: Any, location: Sequence[Any]) -> bool:
    """Whether the tree spells the key, or, where the key is missing, the section it is missing from."""
    if not location:
        return False
    for part in location[:-1]:
        if not isinstance(tree, Mapping) or part not in tree:
            return isinstance(tree, Sequence) and not isinstance(tree, str)
        tree = tree[part]
    return isinstance(tree, Mapping) and (location[-1] in tree or len(location) > 1)


def _message(fault: Any, location: Sequence[Any]) -> str:
    if fault["type"] == "extra_forbidden":
        allowed = _keys_at(location[:-1])
        close = difflib.get_close_matches(str(location[-1]), allowed, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return f"is not a key here{hint} (allowed: {', '.join(allowed)})"
    if fault["type"] == "missing":
        return "is required and missing; add it"
    return str(fault["msg"]).removeprefix("Value error, ")


def _keys_at(location: Sequence[Any]) -> list[str]:
    model: Any = Config
    for part in location:
        field = model.model_fields.get(part) if isinstance(model, type) and issubclass(model, BaseModel) else None
        if field is None:
            continue
        model = _model_of(field.annotation)
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _model_of(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_of(argument)
        if found is not None:
            return found
    return None
