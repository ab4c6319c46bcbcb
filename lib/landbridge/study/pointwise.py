"""The study of a pointwise task: declared parts (train, validation, test), or folds, each judged by the others' fit."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from landbridge.code import code_of
from landbridge.config.schema import Config
from landbridge.contenders.pointwise.base import PointContender, PointFitted, PointView
from landbridge.contenders.pointwise.simple import known_pointwise
from landbridge.errors import ConfigError
from landbridge.evaluate.pointwise import all_metrics, auc_of, main_metrics, slices
from landbridge.feed.rows import Coding, Rows
from landbridge.feed.vectors import Texts, Vectors
from landbridge.study.examples import Examples
from landbridge.study.protocol import ALL, Entry, Measured, Metric, Protocol, Scored, Trial
from landbridge.study.smaller import Smaller

_KNOWN = ("user_known", "item_known", "user_shared")


@dataclass(frozen=True)
class Material:
    """What one part of a study is fitted and judged on; ids are those of the training rows, and of the vectors."""

    rows: Rows
    held_out: Rows | None
    test: Rows
    vectors: Vectors | None = None


@dataclass
class PointStudy(Protocol):
    """A pointwise task as a study sees it.

    Attributes
    ----------
    texts
        The items' vectors; None where no contender reads them, or there are none.
    judge
        The part that is judged: ``test``, or ``validation`` when hyper-parameters are searched. Of folds, the fold
        after the test's is the validation part then, and the test's rows are not touched.
    """

    config: Config
    examples: Examples
    texts: Texts | None = None
    judge: str = "test"
    measure: str = "auc"
    _material: dict[tuple[str, str, bool], Material] = field(default_factory=dict, repr=False)

    @property
    def parts(self) -> Sequence[str]:
        """The folds, of which a search sees the first alone, or the part that is judged."""
        folds = self.examples.folds
        return (folds if self.judge == "test" else folds[:1]) or (self.judge,)

    @cached_property
    def contenders(self) -> dict[str, PointContender]:
        """All contenders there are, by name."""
        return known_pointwise(self.config)

    def entries(self) -> Sequence[Entry]:
        """All contenders there are."""
        return [Entry(one.name, one.crosses, one.seeded) for one in self.contenders.values()]

    def fingerprint(self, trial: Trial) -> Mapping[str, str]:
        """Return hashes of the rows, of the vectors and sections that the contender depends on, and of its code."""
        return self.depends(self.contenders[trial.contender])

    def depends(self, contender: PointContender) -> Mapping[str, str]:
        """Return what the scores of a contender depend on, as `fingerprint`."""
        tree = self.config.model_dump(mode="json")
        columns = {key: value for key, value in (tree["pointwise"] or {}).items() if key != "contenders"}
        sections = {name: _at(tree, name) for name in contender.sections}
        code = {
            name: value
            for module in {type(contender).__module__, __name__}
            for name, value in code_of(module).items()
            if name.split(".")[1:2] not in ([], ["config"], ["errors"]) and _matters(name)
        }
        vectors = {"vectors": self.texts.identity if self.texts else ""} if contender.reads_text else {}
        return {
            **vectors,
            "rows": self.examples.identity,
            "configuration": _hash([columns, tree["split"], sections, self.judge, self.config.study.validation]),
            "code": _hash(code),
        }

    def material(self, part: str, holds_out: bool) -> Material:
        """Return the rows of a part; of several in memory only the last ones."""
        key = (self.judge, part, holds_out)
        if key not in self._material:
            for old in [one for one in self._material if one[:2] != key[:2]]:
                del self._material[old]
            self._material[key] = self.assembled(*self.tables(part, holds_out))
        return self._material[key]

    def run(self, trial: Trial) -> Scored:
        """Fit the contender for every scenario, or once where it is pooled, and score the judged rows."""
        contender = self.contenders[trial.contender]
        material = self.material(trial.part, contender.holds_out)
        return fitted_and_scored(self.config, contender, material, trial, self.config.study.validation)

    def measured(self, rows: pa.Table) -> Mapping[str, Measured]:
        """Return AUC by scenario, and of all rows pooled."""
        label_N, score_N, user_N, ids = _arrays(rows)
        found = {}
        for scenario, mask in _scenarios(rows):
            codes, user = np.unique(user_N[mask], return_inverse=True)
            one = auc_of(label_N[mask], score_N[mask], user, len(codes))
            if not np.isnan(one.value):
                count = int(mask.sum())
                found[scenario] = Measured(one.value, ids.take(pa.array(codes)), one.influence_U, count)
        return found

    def metrics(self, rows: pa.Table) -> Sequence[Metric]:
        """Return all measures by scenario, and AUC and log loss of the slices of each."""
        label_N, score_N, user_N, _ = _arrays(rows)
        known = {name: rows[name].to_numpy(zero_copy_only=False) for name in _KNOWN}
        found = []
        for scenario, mask in _scenarios(rows):
            label, score = label_N[mask], score_N[mask]
            values = all_metrics(label, score, user_N[mask])
            found += [Metric(scenario, ALL, key, value, len(label)) for key, value in values.items()]
            for name, some in slices(**{one: has_N[mask] for one, has_N in known.items()}):
                if 0 < (count := int(some.sum())) < len(label):
                    values = main_metrics(label[some], score[some])
                    found += [Metric(scenario, name, key, value, count) for key, value in values.items()]
        return found

    def matrix(self, contender: str) -> Protocol:
        """Return the protocol of sources and targets."""
        from landbridge.study.matrix import SourceStudy

        return SourceStudy.of(self, contender)

    def choosing(self, part: str) -> Protocol:
        """Return the study of the other folds, or of declared parts the one that is judged on validation rows."""
        if not self.examples.folds:
            return replace(self, judge="validation")
        if len(self.examples.folds) < 3:
            raise ConfigError("study.published: what one of two folds publishes cannot be judged; it needs three folds")
        return replace(self, examples=self.examples.without(part), _material={})

    def searching(self, config: Config) -> Protocol:
        """Return this study under another configuration of the contenders, judged on validation rows."""
        return replace(self, config=config, judge="validation")

    def left_out(self) -> Protocol:
        """Return the protocol that judges each scenario by what was fitted on the others."""
        from landbridge.study.left_out import LeftOutStudy

        return LeftOutStudy.of(self)

    def tables(self, part: str, holds_out: bool) -> tuple[pa.Table, pa.Table | None, pa.Table]:
        """Return the rows to be fitted on, to stop by (None where there are none) and to be judged."""
        folds = self.examples.folds
        if not folds:
            held, judged = "validation", [self.judge]
            train = ["train"]
        else:
            inner = folds[(folds.index(part) + 1) % len(folds)]
            searching = self.judge != "test"
            held = folds[(folds.index(part) + 2) % len(folds)] if searching else inner
            judged = [inner if searching else part]
            train = [one for one in folds if one not in (part, *judged) and not (holds_out and one == held)]
        held_out = self.examples.of_parts([held]) if not folds or holds_out else None
        return self.examples.of_parts(train), held_out, self.examples.of_parts(judged)

    def assembled(self, train: pa.Table, held_out: pa.Table | None, judged: pa.Table) -> Material:
        """Return rows as contenders take them; what the training rows lack is unknown."""
        given = self.config.pointwise
        assert given is not None
        scenarios = pc.unique(self.examples.table["scenario"]).to_pylist()
        names, vectors = ((), None) if self.texts is None else (self.texts.names, self.texts.vectors)
        coding = Coding.fit(train, tuple(given.numbers), tuple(given.categories), scenarios, names)
        held = Rows.of(held_out, coding) if held_out is not None and held_out.num_rows else None
        return Material(Rows.of(train, coding), held, Rows.of(judged, coding), vectors)


def fitted_and_scored(
    config: Config, contender: PointContender, material: Material, trial: Trial, validation: bool
) -> Scored:
    """Fit a contender on a material and score its judged rows, and its held-out rows if `validation` is asked for."""
    test, held_out = material.test, material.held_out
    score_N, seconds = np.full(len(test), np.nan, np.float32), 0.0
    held_N = None if held_out is None or not validation else np.full(len(held_out), np.nan, np.float32)
    curve: tuple[tuple[float, int, float], ...] = ()
    left_out, smaller = [], None
    for scope in [ALL] if contender.pooled else test.scenarios:
        view = PointView(config, scope, material.rows, held_out, trial.seed, material.vectors)
        sentence = contender.left_out(view)
        if sentence is not None:
            left_out.append(sentence)
            continue
        begun = time.monotonic()
        fitted = contender.fit(view)
        _fill(score_N, fitted, test, scope)
        seconds += time.monotonic() - begun
        if contender.pooled:
            curve, smaller = tuple(getattr(fitted, "curve", ())), Smaller.of(fitted, test)
        if held_N is not None and held_out is not None:
            _fill(held_N, fitted, held_out, scope)
    reached = float("nan")
    if held_N is not None and held_out is not None and not np.isnan(held_N).any():
        everybody = np.zeros(len(held_N), np.intp)
        reached = auc_of(held_out.label_N > 0, held_N, everybody, 1).value
    known_N = ~np.isnan(score_N)
    rows = _score_rows(test, score_N, material, trial.part, config).filter(pa.array(known_N)) if known_N.any() else None
    return Scored(rows, seconds, reached, curve, tuple(left_out), None if smaller is None else smaller.to_json())


def _fill(score_N: NDArray[np.float32], fitted: PointFitted, rows: Rows, scope: str) -> None:
    if scope == ALL:
        score_N[:] = fitted.probability(rows)
        return
    own_N = rows.scenario_N == rows.coding.scenario(scope)
    if own_N.any():
        score_N[own_N] = fitted.probability(rows.take(own_N))


def _score_rows(test: Rows, score_N: NDArray[np.float32], material: Material, part: str, config: Config) -> pa.Table:
    """Return what is kept of judged rows; known means known in the training rows, shared known to the source."""
    rows = material.rows
    names = pa.array(["", *rows.coding.scenarios], pa.string())
    source = rows.user_N[rows.scenario_N == rows.coding.scenario(config.transfer.source)]
    shared_U = np.bincount(source, minlength=rows.coding.size("user"))[: rows.coding.size("user")] > 0
    shared_U[0] = False
    return pa.table(
        {
            "example_id": test.key_N,
            "user_id": test.cluster_N,
            "scenario": names.take(pa.array(test.scenario_N)),
            "label": pa.array(test.label_N, pa.float32()),
            "fold": pa.repeat(pa.scalar(part), len(test)),
            "user_known": test.user_N > 0,
            "item_known": test.item_N > 0,
            "user_shared": shared_U[test.user_N],
            "score": score_N,
        }
    )


def _arrays(rows: pa.Table) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.intp], pa.StringArray]:
    """Return labels, scores, users as numbers, and the users' ids, ascending."""
    ids = pc.unique(rows["user_id"])
    ids = ids.take(pc.sort_indices(ids))
    user_N = pc.index_in(rows["user_id"], value_set=ids).to_numpy().astype(np.intp)
    return rows["label"].to_numpy() > 0, rows["score"].to_numpy(), user_N, ids


def _scenarios(rows: pa.Table) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield all rows, then those of each scenario, as masks."""
    yield ALL, np.ones(rows.num_rows, np.bool_)
    coded = rows["scenario"].combine_chunks().dictionary_encode()
    index = coded.indices.to_numpy()
    for number, name in enumerate(coded.dictionary.to_pylist()):
        yield name, index == number


def _matters(module: str) -> bool:
    """Whether a module's code can change a score: what measures, prints and plots does not."""
    return not module.startswith(("landbridge.evaluate", "landbridge.tracking", "landbridge.lake"))


def _at(tree: object, section: str) -> object:
    for key in section.split("."):
        if not isinstance(tree, dict) or key not in tree:
            raise ConfigError(f"a contender depends on the configuration section {section}, which does not exist")
        tree = tree[key]
    return tree


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]
