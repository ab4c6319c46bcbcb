"""What every ranker of pointwise rows keeps: one suite."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from landbridge.config.histories import Augment
from landbridge.errors import ConfigError
from landbridge.models.contrast import Contrast
from landbridge.models.encoders import ENCODERS
from landbridge.models.rankers import RANKERS, RankerSizes, new_ranker, read_ranker, save_ranker
from landbridge.models.rankers.history import histories_of, some_questions_viewed
from landbridge.models.rankers.layers import Drop
from landbridge.models.rankers.questions import Events, Questions

PLAIN = RankerSizes(
    users=40, items=30, scenarios=5, tags=6, categories=(4, 3), numbers=2, dim=8, hidden=(16,), tower=(8,),
    experts=3, dropout=0.0, tasks=2, features=2,
)  # fmt: skip
PAST = RankerSizes(**{**vars(PLAIN), "outcomes": 2, "pairs": 3, "tastes": 4, "heads": 2})
ENCODED = {name: RankerSizes(**{**vars(PAST), "encoder": name, "recent": 3}) for name in ENCODERS}
SIZES = {"plain": PLAIN, "past": PAST, **ENCODED}


@pytest.fixture(params=RANKERS)
def kind(request):
    return request.param


@pytest.fixture(params=SIZES)
def sizes(request):
    return SIZES[request.param]


@pytest.fixture(params=ENCODED)
def encoded(request):
    return ENCODED[request.param]


def with_scenarios(sizes, count):
    return RankerSizes(**{**vars(sizes), "scenarios": count + 1})


def questions(sizes, rows=64, seed=0, scenarios=None):
    rng = np.random.default_rng(seed)

    def ids(size, *shape):
        return torch.from_numpy(rng.integers(1, max(size, 2), shape))

    def normal(*shape):
        return torch.from_numpy(rng.normal(size=shape).astype(np.float32))

    number_BF = normal(rows, sizes.numbers)
    number_BF[::5, 0] = float("nan")
    tags = rng.integers(0, 4, rows)
    start = np.concatenate([[0], np.cumsum(tags)[:-1]])
    scenario_B = ids(sizes.scenarios, rows) if scenarios is None else torch.tensor(rng.choice(scenarios, rows))
    events = None
    if sizes.reads_history:
        item_BL = ids(sizes.items, rows, 5) * torch.from_numpy(rng.random((rows, 5)) < 0.7)
        events = Events(
            item_BL, ids(sizes.scenarios, rows, 5), torch.exp(4.0 * normal(rows, 5)), normal(rows, 5, sizes.outcomes),
            normal(rows, 5, sizes.pairs), normal(rows, sizes.tastes),
        )  # fmt: skip
    category_BC = torch.stack([ids(size, rows) for size in sizes.categories], dim=1)
    return Questions(
        ids(sizes.users, rows), ids(sizes.items, rows), scenario_B, number_BF, category_BC,
        ids(sizes.tags, tags.sum()), torch.from_numpy(start), normal(rows, sizes.features), events,
    )  # fmt: skip


def part(given, index):
    """The questions at `index`, in that order."""
    stop = [*given.start_B.tolist()[1:], len(given.tag_E)]
    spans = [given.tag_E[given.start_B[row] : stop[row]] for row in index]
    start = torch.tensor(np.concatenate([[0], np.cumsum([len(span) for span in spans])[:-1]])).long()
    events = given.events
    if events is not None:
        events = Events(*(value[index] for value in vars(events).values()))
    return Questions(
        given.user_B[index], given.item_B[index], given.scenario_B[index], given.number_BF[index],
        given.category_BC[index], torch.cat(spans), start, given.feature_BG[index], events,
    )  # fmt: skip


@torch.no_grad()
def score(ranker, given):
    return ranker.eval()(given)


@torch.no_grad()
def moved(kind, sizes, seed=3):
    """A ranker in which nothing stands at its beginning."""
    ranker = new_ranker(kind, sizes, seed)
    generator = torch.Generator().manual_seed(seed)
    for name, weight in ranker.named_parameters():
        weight += 0.1 * torch.randn(weight.shape, generator=generator)
        if name.endswith("table.weight"):
            weight[0] = 0.0
    return ranker


def own_parts(ranker):
    """For every scenario the modules that are its own."""
    names = [name for name in ("towers", "gates", "own") if hasattr(ranker, name)]
    return [[getattr(ranker, name)[place] for name in names] for place in range(ranker.sizes.scenarios - 1)]


def test_there_is_no_ranker_of_another_name():
    with pytest.raises(ConfigError, match="shared_bottom"):
        new_ranker("nothing", PLAIN, 0)


def test_batch_mates_do_not_change_a_score(kind, sizes):
    ranker, given = moved(kind, sizes), questions(sizes)
    together = score(ranker, given)
    some = torch.tensor([7, 3, 50, 12])
    torch.testing.assert_close(score(ranker, part(given, some)), together[some], atol=1e-5, rtol=1e-5)
    alone = torch.cat([score(ranker, part(given, torch.tensor([row]))) for row in range(8)])
    torch.testing.assert_close(alone, together[:8], atol=1e-5, rtol=1e-5)


def test_batch_mates_do_not_change_a_score_in_training_either(kind, sizes):
    ranker, given = moved(kind, sizes).train(), questions(sizes)
    some = torch.tensor([7, 3, 50, 12])
    torch.testing.assert_close(ranker(part(given, some)), ranker(given)[some], atol=1e-5, rtol=1e-5)


def test_a_scenario_that_the_batch_lacks_changes_nothing(kind, sizes):
    ranker, given = moved(kind, sizes), questions(sizes)
    rows = torch.nonzero(given.scenario_B != 2).squeeze(1)
    torch.testing.assert_close(score(ranker, part(given, rows)), score(ranker, given)[rows], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("count", [1, 100])
def test_one_scenario_and_a_hundred(kind, sizes, count):
    sizes = with_scenarios(sizes, count)
    logit_BK = score(moved(kind, sizes), questions(sizes))
    assert logit_BK.shape == (64, 2)
    assert torch.isfinite(logit_BK).all()


def test_an_unknown_scenario_and_one_beyond_the_vocabulary_have_the_same_finite_score(kind, sizes):
    ranker = moved(kind, sizes)
    unknown, beyond = (score(ranker, questions(sizes, scenarios=[code])) for code in (0, 77))
    assert torch.isfinite(unknown).all()
    assert torch.equal(unknown, beyond)


def test_every_parameter_gets_gradient_and_every_row_of_a_table_that_occurs(kind, sizes):
    ranker, given = moved(kind, sizes), questions(sizes, rows=2000)
    label_BK = torch.from_numpy(np.random.default_rng(5).integers(0, 2, (2000, 2)).astype(np.float32))
    torch.nn.functional.binary_cross_entropy_with_logits(ranker(given), label_BK).backward()
    for name, weight in ranker.named_parameters():
        assert weight.grad is not None, name
        assert (weight.grad != 0).any(), name
        if name.endswith("table.weight"):
            assert (weight.grad[1:] != 0).any(1).all(), name
            assert (weight.grad[0] == 0).all(), name


def test_only_the_own_scenarios_parts_are_computed(kind, sizes):
    ranker, given = moved(kind, sizes), questions(sizes, scenarios=[2, 4])
    before, calls = score(ranker, given), []
    with torch.no_grad():
        for place, modules in enumerate(own_parts(ranker)):
            for module in modules:
                module.register_forward_hook(lambda _m, given, _out, place=place: calls.append((place, len(given[0]))))
                for weight in module.parameters() if place not in (1, 3) else ():
                    weight.fill_(float("nan"))
    assert torch.equal(score(ranker, given), before)
    rows = {place: int((given.scenario_B == place + 1).sum()) for place in (1, 3)}
    assert all(calls.count((place, count)) == len(own_parts(ranker)[place]) for place, count in rows.items())
    assert len(calls) == sum(len(own_parts(ranker)[place]) for place in (1, 3))


def test_a_tower_learns_from_its_own_rows_only(kind, sizes):
    ranker = moved(kind, sizes)
    ranker(questions(sizes, scenarios=[1, 3]))[:, 0].sum().backward()
    for place, modules in enumerate(own_parts(ranker)):
        gradients = [weight.grad for module in modules for weight in module.parameters()]
        assert all((gradient is None) == (place not in (0, 2)) for gradient in gradients)


def test_a_logit_is_not_bounded(kind, sizes):
    ranker = moved(kind, sizes)
    with torch.no_grad():
        for name, weight in ranker.named_parameters():
            if ".logit." in name or ".wide.item." in name:
                weight *= 1000.0
    logit_BK = score(ranker, questions(sizes))
    assert logit_BK.min() < -10
    assert logit_BK.max() > 10


def test_saved_and_loaded_scores_are_equal(kind, sizes, tmp_path):
    ranker, given = moved(kind, sizes), questions(sizes)
    save_ranker(ranker, tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["ranker.json", "ranker.safetensors"]
    loaded = read_ranker(tmp_path)
    assert loaded.sizes == sizes
    assert torch.equal(score(loaded, given), score(ranker, given))


def test_the_seed_gives_the_weights(kind, sizes):
    first, second, other = (new_ranker(kind, sizes, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_dropout_repeats_itself_by_its_generator(kind, sizes):
    ranker, given = moved(kind, sizes), questions(sizes)
    one, two, other = (ranker(given, Drop(0.3, torch.Generator().manual_seed(seed))) for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("name", [name for name in SIZES if name != "plain"])
def test_an_event_that_is_padding_says_nothing(kind, name):
    ranker, given = moved(kind, SIZES[name]), questions(SIZES[name])
    events = given.events
    absent = (events.item_BL == 0)[..., None]
    other = Events(
        events.item_BL, torch.where(absent[..., 0], 1, events.scenario_BL),
        torch.where(absent[..., 0], 50.0, events.age_BL), torch.where(absent, 9.0, events.outcome_BLO),
        torch.where(absent, -9.0, events.pair_BLP), events.taste_BT,
    )  # fmt: skip
    changed = Questions(**{**vars(given), "events": other})
    torch.testing.assert_close(score(ranker, changed), score(ranker, given), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("of", ["item_BL", "scenario_BL", "age_BL", "outcome_BLO"])
@pytest.mark.parametrize("place", [0, 4])
def test_what_a_past_event_was_changes_the_score(kind, encoded, of, place):
    """Its item, its scenario, its age and its outcome: of the oldest event and of the newest."""
    ranker, given = moved(kind, encoded), questions(encoded)
    row = int(torch.where((given.events.item_BL > 0).all(1))[0][0])
    values = getattr(given.events, of).clone()
    values[row, place] = {"item_BL": 29, "scenario_BL": 0, "age_BL": 1e4, "outcome_BLO": -2.0}[of]
    changed = Questions(**{**vars(given), "events": Events(**{**vars(given.events), of: values})})
    before, after = score(ranker, given), score(ranker, changed)
    assert not torch.allclose(before[row], after[row], atol=1e-6)
    others = torch.arange(len(given)) != row
    torch.testing.assert_close(before[others], after[others], atol=1e-5, rtol=1e-5)


def test_a_view_of_the_past_keeps_each_event_together(encoded):
    """Item, scenario, outcome and pair of an event come to the same place; ages stay, as they tell the order."""
    given = questions(encoded, rows=400)
    item_BL = given.events.item_BL
    tied = Events(**{
        **vars(given.events), "scenario_BL": item_BL, "outcome_BLO": item_BL[..., None].expand(-1, -1, 2) * 1.0,
        "pair_BLP": item_BL[..., None].expand(-1, -1, 3) * 2.0,
    })  # fmt: skip
    given = Questions(**{**vars(given), "events": tied})
    viewed = some_questions_viewed(given, Augment(crop=0.4, mask=0.4, reorder=0.8, share=0.5), 3, 1).events
    changed = (viewed.item_BL != item_BL).any(1).float().mean()
    assert 0.2 < changed < 0.6
    assert torch.equal(viewed.scenario_BL, viewed.item_BL)
    assert torch.equal(viewed.outcome_BLO[..., 1], viewed.item_BL.float())
    assert torch.equal(viewed.pair_BLP[..., 2], 2.0 * viewed.item_BL)
    assert some_questions_viewed(given, Augment(crop=0.4), 3, 1) is given


def test_the_contrastive_loss_reaches_the_encoder_and_nothing_beyond_it(kind, encoded):
    ranker, given = moved(kind, encoded), questions(encoded)
    contrast = Contrast(Augment(crop=0.4, mask=0.3, reorder=0.5), 0.5)
    contrast.loss(ranker, histories_of(given), torch.ones(len(given)), 3, 1, 2).backward()
    moving = {name for name, weight in ranker.named_parameters() if weight.grad is not None and weight.grad.any()}
    assert "inputs.ids.item.table.weight" in moving
    assert "inputs.history.encoder.tokens.outcome.weight" in moving
    assert all(name.startswith(("inputs.history.", "inputs.ids.item.")) for name in moving)


def interaction(rows, seed):
    """The label is a number's sign in scenarios 1 and 2, and its opposite in 3 and 4."""
    sizes = RankerSizes(**{**vars(PLAIN), "users": 1, "items": 2, "tasks": 1})
    given = questions(sizes, rows, seed)
    sign_B = torch.where(given.scenario_B > 2, -1.0, 1.0)
    return sizes, given, (sign_B * given.number_BF[:, 1] > 0).float()


def fit(ranker, given, label_B, steps=50):
    optimizer = torch.optim.AdamW(ranker.parameters(), lr=0.01, weight_decay=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(ranker(given)[:, 0], label_B).backward()
        optimizer.step()
    return ranker


def test_a_known_answer_that_interacts_with_the_scenario_is_learned(kind):
    sizes, given, label_B = interaction(4000, seed=1)
    _, unseen, truth_B = interaction(1000, seed=2)
    ranker = fit(new_ranker(kind, sizes, 0), given, label_B)
    if kind == "single":
        inside = unseen.scenario_B == 1
        ranker = fit(new_ranker(kind, sizes, 0), part(given, torch.nonzero(given.scenario_B == 1).squeeze(1)),
                     label_B[given.scenario_B == 1])  # fmt: skip
    else:
        inside = unseen.scenario_B > 0
    auc = roc_auc_score(truth_B[inside].numpy(), score(ranker, unseen)[inside, 0].numpy())
    assert auc > 0.9


@pytest.mark.parametrize("name", [name for name in SIZES if name != "plain"])
def test_what_came_of_a_past_event_is_learned(kind, name):
    """The label is what came of the event whose pair number is highest: only attention finds it."""
    if kind != "shared" and name in ENCODED:
        pytest.skip("an encoder stands before all kinds alike; one of them learns with each")

    nothing = {"users": 1, "tags": 1, "categories": (), "numbers": 0, "tasks": 1}
    rows, sizes = 3000, RankerSizes(**{**vars(SIZES[name]), **nothing})

    def problem(seed):
        given = questions(PAST, rows, seed)
        events = given.events
        item_BL = torch.randint(1, PAST.items, events.item_BL.shape, generator=torch.Generator().manual_seed(seed))
        best_B = events.pair_BLP[..., 0].argmax(1)
        label_B = (events.outcome_BLO[torch.arange(rows), best_B, 0] > 0).float()
        pair_BLP = 5.0 * events.pair_BLP
        events = Events(**{**vars(events), "item_BL": item_BL, "pair_BLP": pair_BLP})
        return Questions(**{**vars(given), "events": events}), label_B

    (given, label_B), (unseen, truth_B) = problem(1), problem(2)
    ranker = fit(new_ranker(kind, sizes, 0), given, label_B)
    assert roc_auc_score(truth_B.numpy(), score(ranker, unseen)[:, 0].numpy()) > 0.9
