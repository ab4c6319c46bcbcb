"""The files of a study: a Parquet file a trial, complete if it is there, with its facts in the file's metadata."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from landbridge.errors import LakeError
from landbridge.study.protocol import Facts, Scored, Trial

_FACTS = b"landbridge.trial"


@dataclass(frozen=True)
class Store:
    """The folder ``<root>/study/<configuration>``: `scores`, `metrics`, ``table.csv`` and the pictures."""

    folder: Path

    def file(self, trial: Trial) -> Path:
        """Return the file of a trial."""
        return self.folder / "scores" / f"{quote(trial.contender, safe=' ')}.{trial.seed}.{trial.part}.parquet"

    def facts(self, trial: Trial) -> Facts | None:
        """Return what is kept of a trial, None if it has not been run."""
        file = self.file(trial)
        if not file.exists():
            return None
        try:
            kept = json.loads((pq.read_schema(file).metadata or {})[_FACTS])
        except (OSError, pa.ArrowInvalid, KeyError, ValueError) as error:
            raise LakeError(f"{file}: is not a file of a study ({error}); delete it") from None
        kept["validation"] = math.nan if kept["validation"] is None else kept["validation"]
        kept["curve"] = tuple((one[0], int(one[1]), one[2]) for one in kept["curve"])
        kept["left_out"] = tuple(kept["left_out"])
        return Facts(**kept)

    def done(self, trial: Trial, fingerprint: Mapping[str, str]) -> bool:
        """Whether the trial was run with everything it depends on as it is now."""
        kept = self.facts(trial)
        return kept is not None and kept.fingerprint == dict(fingerprint)

    def write(self, trial: Trial, scored: Scored, fingerprint: Mapping[str, str]) -> Facts:
        """Keep a trial; the file appears complete or not at all."""
        rows = pa.table({}) if scored.rows is None else scored.rows
        facts = Facts(
            dict(fingerprint),
            scored.seconds,
            scored.validation,
            scored.curve,
            scored.left_out,
            rows.num_rows,
            scored.smaller,
        )
        kept = asdict(facts) | {"validation": None if math.isnan(facts.validation) else facts.validation}
        if facts.smaller is None:
            del kept["smaller"]
        for name, value in (("contender", pa.scalar(trial.contender)), ("seed", pa.scalar(trial.seed, pa.int32()))):
            rows = rows.append_column(name, pa.repeat(value, rows.num_rows))
        rows = rows.replace_schema_metadata({_FACTS: json.dumps(kept).encode()})
        file = self.file(trial)
        file.parent.mkdir(parents=True, exist_ok=True)
        working = file.with_name(f".{file.name}.{os.getpid()}.tmp")
        try:
            pq.write_table(rows, working, compression="zstd")
            working.replace(file)
        except OSError as error:
            working.unlink(missing_ok=True)
            raise LakeError(
                f"{file}: cannot be written ({error.strerror or error}); free or unlock the place"
            ) from None
        return facts

    def rows(self, contender: str, seed: int, parts: Sequence[str]) -> pa.Table | None:
        """Return the rows of all parts of a contender and seed, None where it was left out of all of them."""
        tables = [pq.read_table(self.file(Trial(contender, seed, part)), partitioning=None) for part in parts]
        tables = [table.replace_schema_metadata(None) for table in tables if table.num_rows]
        return pa.concat_tables(tables) if tables else None
