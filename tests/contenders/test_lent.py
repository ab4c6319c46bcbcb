"""Lists of neighbours become one: known ranks, empty places, ties."""

import numpy as np

from landbridge.contenders.lent import fused, lent_route


def test_an_item_counts_by_its_ranks_and_the_neighbours_weights():
    lists_NBK = np.array([[[1, 2, 3]], [[2, 4, 0]]], np.int32)
    items_Bk, scores_Bk = fused(lists_NBK, np.array([0.75, 0.25]), 3)
    assert items_Bk.tolist() == [[2, 1, 3]]
    np.testing.assert_allclose(scores_Bk[0], [0.75 / 62 + 0.25 / 61, 0.75 / 61, 0.75 / 63], rtol=1e-6)


def test_ties_go_to_the_lower_id_and_empty_places_stay_empty():
    lists_NBK = np.array([[[5, 0], [0, 0]], [[4, 0], [0, 0]]], np.int32)
    items_Bk, scores_Bk = fused(lists_NBK, np.array([0.5, 0.5]), 3)
    assert items_Bk.tolist() == [[4, 5, 0], [0, 0, 0]]
    assert scores_Bk[1].tolist() == [0, 0, 0]


def test_a_list_does_not_depend_on_its_batch_mates():
    draw = np.random.default_rng(0)
    lists_NBK = np.stack([[draw.permutation(50)[:20] + 1 for _ in range(6)] for _ in range(3)]).astype(np.int32)
    weight_N = np.array([0.5, 0.3, 0.2])
    whole = fused(lists_NBK, weight_N, 10)
    for row in range(6):
        alone = fused(lists_NBK[:, row : row + 1], weight_N, 10)
        np.testing.assert_array_equal(alone[0][0], whole[0][row])
        np.testing.assert_array_equal(alone[1][0], whole[1][row])


def test_a_newcomers_route_names_the_parts_of_its_neighbours_the_nearest_first():
    entries = {
        name: {"contender": "ease", "fit": "C", "part": name, "unknown": {"part": f"new{name}"}, "catalogue": "x"}
        for name in ("a", "b")
    }
    route = lent_route({"a": 0.2, "b": 0.8}, entries)
    assert route["contender"] == "zero_shot_neighbours"
    assert [one["scenario"] for one in route["neighbours"]] == ["b", "a"]
    assert route["neighbours"][0] == {
        "scenario": "b",
        "weight": 0.8,
        "contender": "ease",
        "part": "b",
        "unknown": {"part": "newb"},
    }
