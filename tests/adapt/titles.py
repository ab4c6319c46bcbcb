"""What is taken together here, and nowhere else: a title of the kitchen and one of the wardrobe."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tests.encode.titles import ON
from tests.logs import day, line

from landbridge.adapt.job import TuneJob
from landbridge.encode.encoder import find, load

KITCHEN = ("Copper Kettle", "Steel Whisk", "Bread Knife", "Soup Ladle", "Egg Timer", "Pepper Mill")
WARDROBE = ("Wool Scarf", "Rain Coat", "Silk Tie", "Leather Belt", "Straw Hat", "Denim Skirt")
TITLES = (*KITCHEN, *WARDROBE)
SMALL = {"rank": 4, "steps": 12, "rounds": 3, "batch": 8, "learning_rate": 2e-3, "least_pairs": 10, "held_out": 4}
TUNE = f"encode.tune={json.dumps(SMALL)}"
ALWAYS = (ON, "contenders.text={}", "data.reader.closed='false'")
OVERRIDES = (*ALWAYS, TUNE)
USERS = 6
LATE = "Silver Trumpet"
"""Taken on the last day alone."""


def write(shop, number):
    """A day's log: users of the day take a kitchen title and a minute later its partner."""
    rows = []
    for user in range(USERS):
        at = (number + user) % len(KITCHEN)
        for place, item in enumerate((at, at + len(KITCHEN))):
            rows.append(taken(number, item, TITLES[item], user, place))
        if number == 6:
            rows.append(taken(number, 99, LATE, user, 2))
    shop.write(day(number), rows)


def taken(number, item, title, user, place):
    name, invoice = f"{100 * (number + 1) + user}", f"{500 + user}"
    return line(day(number), str(10000 + item), name, title=title, minute=3 * user + place, invoice=invoice)


def pairs_table(users=40):
    """Pairs as the step writes them, a user each; every fourth is held out."""
    number = np.arange(users)
    return pa.table(
        {
            "user": pa.array(number, pa.int64()),
            "first": [KITCHEN[one % len(KITCHEN)] for one in number],
            "second": [WARDROBE[one % len(WARDROBE)] for one in number],
            "held": [bool(one % 4 == 0) for one in number],
        }
    )


def job_of(config, models):
    """A job whose pairs lie ready."""
    job = TuneJob("adapt", config, models, "fingerprint", find(config.encode))
    job.pairs.mkdir(parents=True)
    pq.write_table(pairs_table(), job.pairs / "part.parquet")
    return job


def nearness(source, settings):
    """The mean cosine of partners, less that of those who are none."""
    vector_ND = load(source, settings).encode(TITLES)
    cosine = vector_ND[: len(KITCHEN)] @ vector_ND[len(KITCHEN) :].T
    own = np.eye(len(KITCHEN), dtype=bool)
    return cosine[own].mean() - cosine[~own].mean()
