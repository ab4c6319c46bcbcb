"""What goes with what, kind by kind, by hand: who took both, what the texts mean, which value items share."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pytest
from tests.boards import BIG, SMALL, UNTIL, catalogue_of, config_of, had_of, interactions_of, states_of

from landbridge.contenders.base import ALL, View
from landbridge.contenders.folder import load_fitted, save_fitted
from landbridge.contenders.kinds import alike, homes, taken
from landbridge.contenders.simple import all_simple
from landbridge.errors import ConfigError
from landbridge.feed.vectors import Vectors
from landbridge.feed.words import Words

ITEMS = 6
DAY = dt.timedelta(days=1)
# Users 0 and 1 took item 0 in the big scenario and item 3 in the small one; user 2 items 0 and 1, both in the big one.
LOG = [
    (0, 0, BIG, UNTIL),
    (0, 3, SMALL, UNTIL),
    (1, 0, BIG, UNTIL),
    (1, 3, SMALL, UNTIL),
    (2, 0, BIG, UNTIL),
    (2, 1, BIG, UNTIL - DAY),
    (3, 4, SMALL, UNTIL),
]
ON = ("associations={taken: {shrinkage: 2}}", "contenders.associations={}")


def contender_of(*overrides):
    return {one.name: one for one in all_simple(config_of(*(overrides or ON)))}["associations"]


def view_of(events=LOG, vectors=None, attributes=None, until=UNTIL):
    return View(config_of(), ALL, until, interactions_of(events, ITEMS), vectors=vectors, attributes=attributes)


def edges(fitted, kind="taken"):
    """Item, other and weight; items are numbers from 0."""
    cells = fitted.kinds[kind].tocoo()
    return {
        (int(i) - 1, int(j) - 1): pytest.approx(float(w)) for i, j, w in zip(*cells.coords, cells.data, strict=True)
    }


def test_an_item_is_at_home_where_most_users_took_it_the_first_scenario_at_a_tie():
    more = [(9, 3, BIG, UNTIL), (3, 4, BIG, UNTIL), *[(7, 5, SMALL, UNTIL - n * DAY) for n in range(3)]]
    more += [(7, 5, BIG, UNTIL), (8, 5, BIG, UNTIL)]  # two users against the three times of one
    assert homes(interactions_of(LOG + more, ITEMS)).tolist() == [0, 1, 1, 0, 2, 1, 1]


def test_taken_is_the_cosine_over_users_shrunk_where_few_took_both():
    assert taken(4.0, 9.0, 16.0, 0.0) == pytest.approx(4 / 12)
    assert taken(4.0, 9.0, 16.0, 4.0) == pytest.approx(4 / 12 / 2)
    both, one = 2 / np.sqrt(3 * 2) * 2 / 4, 1 / np.sqrt(3 * 1) * 1 / 3
    assert edges(contender_of().fit(view_of())) == {(0, 3): both, (3, 0): both, (0, 1): one, (1, 0): one}


def test_of_each_home_the_nearest_are_kept_so_that_no_scenario_crowds_out_another():
    """Item 0 goes with 1 and 2 at home and with 3 and 4 elsewhere: one of each stays."""
    log = [(user, item, BIG if item < 3 else SMALL, UNTIL) for user in range(4) for item in (0, 1, 3)]
    log += [(user, item, BIG if item < 3 else SMALL, UNTIL) for user in range(4, 6) for item in (0, 2, 4)]
    kept = contender_of("associations={neighbours: 1}", ON[1]).fit(view_of(log))
    assert {pair for pair in edges(kept) if pair[0] == 0} == {(0, 1), (0, 3)}


def test_of_a_user_the_items_he_took_last_count():
    log = [(user, item, BIG, UNTIL - item * DAY) for user in range(2) for item in range(4)]
    log += [(0, 3, SMALL, UNTIL)]  # again, and lately
    kept = contender_of("associations={taken: {user_items: 2, shrinkage: 0}}", ON[1]).fit(view_of(log))
    assert edges(kept) == {(0, 3): 1 / 2**0.5, (3, 0): 1 / 2**0.5, (0, 1): 1 / 2**0.5, (1, 0): 1 / 2**0.5}


def test_it_is_fitted_on_the_days_of_the_view_alone():
    tomorrow = [(5, 0, BIG, UNTIL + DAY), (5, 5, SMALL, UNTIL + DAY)]
    whole = interactions_of(LOG + tomorrow, ITEMS)
    view = dataclasses.replace(view_of(), interactions=whole.before(UNTIL + DAY))
    assert edges(contender_of().fit(view)) == edges(contender_of().fit(view_of()))


def attributes_of(*rows):
    """Rows of item (from 0), day and value, of one attribute."""
    rows = sorted(rows)
    days = [(day - dt.date(1970, 1, 1)).days for _, day, _ in rows]
    items = [item + 1 for item, _, _ in rows]
    return {"title": Words(np.array(items, "i4"), np.array(days, "i4"), tuple(row[2] for row in rows), ITEMS + 1)}


def test_items_of_one_value_weigh_less_the_more_there_are():
    assert alike(2) == 1
    assert alike(5) == pytest.approx(1 / 2)
    given = attributes_of(
        *[(item, UNTIL, "Ann") for item in (0, 3, 5)], (1, UNTIL, "Bo"), (2, UNTIL, ""), (4, UNTIL, "")
    )
    fitted = contender_of("associations={attributes: [title]}", ON[1]).fit(view_of(attributes=given))
    pairs = [(i, j) for i in (0, 3, 5) for j in (0, 3, 5) if i != j]
    assert edges(fitted, "title") == dict.fromkeys(pairs, 1 / 2**0.5)


def test_a_value_of_very_many_items_associates_none_and_one_of_tomorrow_neither():
    given = attributes_of(*[(item, UNTIL, "Ann") for item in (0, 3, 5)], (1, UNTIL, "Bo"), (2, UNTIL, "Bo"))
    least = contender_of("associations={attributes: [title], max_alike: 2}", ON[1])
    assert set(edges(least.fit(view_of(attributes=given)), "title")) == {(1, 2), (2, 1)}
    later = attributes_of((1, UNTIL, "Bo"), (2, UNTIL, "Cy"), (2, UNTIL + DAY, "Bo"))
    assert edges(least.fit(view_of(attributes=later)), "title") == {}
    assert len(edges(least.fit(view_of(attributes=later, until=UNTIL + DAY)), "title")) == 2


TEXTS = ("encode={text: title}", "associations={text: {}, neighbours: 1}", "contenders.associations={}")


def vectors_of(known=ITEMS):
    draw = np.random.default_rng(3)
    return Vectors(np.arange(1, known + 1, dtype=np.int32), draw.standard_normal((known, 3)).astype(np.float32))


def test_texts_are_near_by_their_whitened_cosine_in_every_scenario():
    """The nearest at home in each scenario, and of what nobody took yet, which is at home nowhere."""
    from landbridge.contenders.text import whitened

    vectors, view = vectors_of(), view_of(vectors=vectors_of())
    white = whitened(vectors, np.array([1, 2, 4, 5], np.int32))
    cosine = white @ white.T - 2 * np.eye(ITEMS)
    at_home = [[0, 1], [3, 4], [2, 5]]
    best = {(i, max(home, key=lambda j: cosine[i, j])) for i in range(ITEMS) for home in at_home}
    expected = {(i, j): float(cosine[i, j]) for i, j in best if cosine[i, j] > 0}
    assert len(expected) > ITEMS
    assert edges(contender_of(*TEXTS).fit(view), "text") == expected


def test_without_texts_it_is_left_out_and_with_too_many_says_what_to_raise():
    contender = contender_of(*TEXTS)
    assert "no text is encoded" in contender.left_out(view_of())
    assert contender.left_out(view_of(vectors=vectors_of())) is None
    few = contender_of(TEXTS[0], "associations={text: {max_items: 5}}", TEXTS[2])
    assert "at least 6 items have a vector, and associations.text.max_items is 5; raise it" in few.left_out(
        view_of(vectors=vectors_of())
    )


def test_scores_are_what_the_user_has_times_the_weighted_kinds():
    given = attributes_of((0, UNTIL, "Ann"), (5, UNTIL, "Ann"))
    overrides = (
        "associations={attributes: [title], taken: {shrinkage: 2}}",
        "contenders.associations={weights: {title: 0.25}}",
    )
    fitted = contender_of(*overrides).fit(view_of(attributes=given))
    scores = fitted.score(states_of(had_of([[1], [2, 4], []], ITEMS)), catalogue_of(ITEMS))
    both, one = 2 / np.sqrt(3 * 2) * 2 / 4, 1 / np.sqrt(3 * 1) * 1 / 3
    expected = [[0, one, 0, both, 0, 0.25], [one + both, 0, 0, 0, 0, 0], [0] * ITEMS]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_later_events_count_more_where_a_decay_is_given():
    fitted = contender_of(ON[0], "contenders.associations={decay: 0.5}").fit(view_of())
    scores = fitted.score(states_of(had_of([[2, 4]], ITEMS)), catalogue_of(ITEMS))
    both, one = 2 / np.sqrt(3 * 2) * 2 / 4, 1 / np.sqrt(3 * 1) * 1 / 3
    assert scores[0, 0] == pytest.approx(0.5 * one + both)


def test_it_is_saved_and_loaded_equal(tmp_path):
    given = attributes_of((0, UNTIL, "Ann"), (5, UNTIL, "Ann"))
    fitted = contender_of("associations={attributes: [title]}", ON[1]).fit(view_of(attributes=given))
    save_fitted(fitted, tmp_path / "fit", {"contender": "associations"})
    states, catalogue = states_of(had_of([[1, 2], [4]], ITEMS)), catalogue_of(ITEMS)
    np.testing.assert_array_equal(
        load_fitted(tmp_path / "fit").score(states, catalogue), fitted.score(states, catalogue)
    )


def test_it_is_a_part_of_the_blend_that_learns_across():
    found = {one.name: one for one in all_simple(config_of(*ON, "contenders.blend.across={associations: 0.7}"))}
    assert {part.name: weight for part, weight in found["blend_across"].parts}["associations"] == 0.7
    assert "associations" not in {one.name for one in all_simple(config_of())}


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["contenders.associations={}"], "weighs kinds of the section associations: add that section"),
        (["associations={text: {}}"], "there must be a section encode: add it"),
        (["associations={attributes: [author]}"], "author is no attribute of items; those: title"),
        (["associations={attributes: [title, title]}"], "name an attribute once"),
        (["associations={}", "contenders.associations={weights: {text: 1}}"], "text is no kind; kinds: taken"),
        (["contenders.blend.across={associations: 1}"], "associations is not among contenders: add it"),
    ],
)
def test_what_does_not_fit_together_is_refused_with_what_to_do(overrides, sentence):
    with pytest.raises(ConfigError, match=sentence):
        config_of(*overrides)
