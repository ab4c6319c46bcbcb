"""Items with titles, and what is to come of them."""

from __future__ import annotations

import numpy as np
from tests.logs import day, line

from landbridge.config.text import Encode
from landbridge.encode.encoder import find, load

TITLES = {"10000": "blue kettle", "10001": "red mug", "10002": "чайник"}
ON = "encode={text: title}"


def write(shop, number, titles):
    shop.write(day(number), [line(day(number), item, title=title, minute=n) for n, (item, title) in enumerate(titles)])


def vectors(shop):
    return {row["item_id"]: np.array(row["vector"], "f4") for row in shop.rows("item_vectors")}


def vector_of(text, pooling="encode.pooling=mean"):
    settings = Encode(text="title", pooling=pooling.rpartition("=")[2])
    return load(find(settings), settings).encode([text])[0]


def expected(title, pooling="encode.pooling=mean"):
    return vector_of(title.title(), pooling)
