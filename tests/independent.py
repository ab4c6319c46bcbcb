"""What popularity, item-item and EASE reach on the retail logs, from the raw files with pandas and numpy alone.

Nothing of Landbridge is imported: this is the other opinion. It reads the files, throws away what the rules of
conf/online_retail.yaml throw away, counts, inverts and ranks. One thing it must be told: the order in which items of
equal score are listed, which is that of their vocabulary ids. Scores are compared as 32-bit floats, as they are
published, and rounded to seven digits before, so that what is equal in the mathematics is equal here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

NAMED = ["United Kingdom", "Germany", "France", "EIRE", "Spain", "Netherlands", "Belgium", "Switzerland", "Portugal"]
SOURCE = NAMED[0]
RECENT, REGULARIZATION = 30, 300.0


def purchases(folder: Path, first: dt.date, last: dt.date) -> pd.DataFrame:
    """Return day, person, item, place of every purchase line that counts."""
    every = sorted(folder.glob("*.csv.gz"))
    files = [file for file in every if first.isoformat() <= file.name[:10] <= last.isoformat()]
    lines = pd.concat([pd.read_csv(file, dtype=str, keep_default_na=False) for file in files])
    lines["item"] = lines.StockCode.str.strip().str.upper()
    lines["person"] = lines.CustomerID.str.strip().str.removesuffix(".0")
    counts = (lines.person != "") & (lines.Quantity.astype(float) > 0) & (lines.UnitPrice.astype(float) > 0)
    counts &= lines.item.str[:5].str.fullmatch(r"[0-9]{5}") & ~lines.InvoiceNo.str.upper().str.startswith("C")
    lines = lines[counts].copy()
    lines["place"] = lines.Country.str.strip().where(lines.Country.str.strip().isin(NAMED), "Others")
    lines["day"] = pd.to_datetime(lines.InvoiceDate.str[:10]).dt.date
    return lines[["day", "person", "item", "place"]].drop_duplicates().reset_index(drop=True)


Found = dict[tuple[str, str, str, int], float]


def expected(
    lines: pd.DataFrame,
    since: dt.date,
    until: dt.date,
    order: Mapping[str, int],
    neighbours: int = 200,
    ks: Iterable[int] = (10, 20),
) -> Found:
    """Return (scenario or 'targets', contender, metric, k) -> mean over users judged on the days after `since`.

    `order` gives every item its vocabulary id.
    """
    past, future = lines[lines.day <= since], lines[(lines.day > since) & (lines.day <= until)]
    people, items = sorted(past.person.unique()), sorted(past.item.unique(), key=lambda item: order[item])
    row, column = (
        {person: number for number, person in enumerate(people)},
        {item: number for number, item in enumerate(items)},
    )

    def table(part: pd.DataFrame) -> np.ndarray:
        has = np.zeros((len(people), len(items)))
        has[part.person.map(row), part.item.map(column)] = 1.0
        return has

    everything, fresh = table(past), past[past.day > since - dt.timedelta(days=RECENT)]
    near, weights = cosine(everything, neighbours), ease(everything)
    found: dict[tuple[str, str, str, int], list[float]] = {}
    for place in sorted(past.place.unique()):
        known = past[past.place == place]
        here, recent = table(known), table(fresh[fresh.place == place])
        offered = np.flatnonzero(np.isin(items, known.item.unique()))
        near_here, weights_here = cosine(here[:, offered], neighbours), ease(here[:, offered])
        popular = {
            "popularity": here.sum(0)[offered],
            "popularity_across": everything.sum(0)[offered],
            "popularity_recent": (recent.sum(0) + 1e-3 * here.sum(0))[offered],
            "popularity_recent_across": (table(fresh).sum(0) + 1e-3 * everything.sum(0))[offered],
        }
        later = future[future.place == place]
        bought = {person: set(part.item) for person, part in later.groupby("person")}
        judged = sorted(set(known.person) & set(bought))
        whole = everything[[row[person] for person in judged]]
        learned = {
            "item_item": whole[:, offered] @ near_here,
            "item_item_across": whole @ near[:, offered],
            "ease": whole[:, offered] @ weights_here,
            "ease_across": whole @ weights[:, offered],
        }
        for number, person in enumerate(judged):
            has = whole[number]
            taken = bought[person] - {items[number] for number in np.flatnonzero(has)}
            if not taken:
                continue
            scores = {**popular, **{name: values[number] for name, values in learned.items()}}
            open_ = offered[has[offered] == 0]
            for name, values in scores.items():
                own = rounded(values[has[offered] == 0])
                best = [items[number] for number in open_[np.argsort(-own, kind="stable")][: max(ks)]]
                for k in ks:
                    hits = [item in taken for item in best[:k]]
                    gain = sum(hit / np.log2(rank + 2) for rank, hit in enumerate(hits))
                    ideal = sum(1 / np.log2(rank + 2) for rank in range(min(k, len(taken))))
                    reached = {"ndcg": gain / ideal, "recall": sum(hits) / len(taken), "hit_rate": float(any(hits))}
                    reached["mrr"] = max((hit / (rank + 1) for rank, hit in enumerate(hits)), default=0.0)
                    precisions = [sum(hits[: rank + 1]) / (rank + 1) for rank, hit in enumerate(hits) if hit]
                    reached["map"] = sum(precisions) / min(k, len(taken))
                    for metric, value in reached.items():
                        for where in (place,) if place == SOURCE else (place, "targets"):
                            found.setdefault((where, name, metric, k), []).append(value)
    return {key: float(np.mean(values)) for key, values in found.items()}


def cosine(has: np.ndarray, neighbours: int) -> np.ndarray:
    """Cosine of the columns, without the diagonal; of each row the nearest are kept."""
    length = np.sqrt((has**2).sum(0))
    both = has.T @ has
    near = np.divide(both, np.outer(length, length), out=np.zeros_like(both), where=both > 0)
    np.fill_diagonal(near, 0.0)
    if neighbours < len(near):
        order = np.argsort(-near.astype(np.float32), axis=1, kind="stable")
        np.put_along_axis(near, order[:, neighbours:], 0.0, axis=1)
    return near


def ease(has: np.ndarray) -> np.ndarray:
    """Columns that nobody has take no part, and neither do rows of nobody."""
    some = np.flatnonzero(has.any(0))
    part = has[has.any(1)][:, some]
    inverse = np.linalg.inv(part.T @ part + REGULARIZATION * np.eye(len(some)))
    weights = np.zeros((has.shape[1], has.shape[1]))
    inner = -inverse / np.diag(inverse)[None, :]
    np.fill_diagonal(inner, 0.0)
    weights[np.ix_(some, some)] = inner
    return weights


def rounded(values: np.ndarray) -> np.ndarray:
    """Values of which no difference below one in ten million is left."""
    return np.round(values.astype(np.float64), 7).astype(np.float32)
