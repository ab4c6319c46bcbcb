"""What every encoder of histories keeps, alone and inside the networks: one suite."""

import numpy as np
import pytest
import torch
from torch import nn

from landbridge.errors import ConfigError
from landbridge.models.encoders import ENCODERS, encoder_of
from landbridge.models.histories import Histories
from landbridge.models.initial import initialise
from landbridge.models.low_rank import LowRank, adapt
from landbridge.models.networks import NAMES, Networks
from landbridge.models.sizes import Sizes
from landbridge.transfer import STRATEGIES, Crossing, strategy_of

DIM, ROWS, LENGTH, ITEMS = 8, 9, 6, 30
IN_ORDER = ("recurrent", "convolutional")


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=ENCODERS)
def name(request):
    return request.param


@pytest.fixture
def encoder(name):
    made = encoder_of(name, DIM, layers=2, heads=2)
    initialise(made, seed=3)
    return made


def sizes_of(name, **changes):
    values = {
        "items": ITEMS, "scenarios": 4, "types": 3, "user_features": 2, "item_features": 4, "dim": DIM, "layers": 1,
        "heads": 2, "dropout": 0.0, "rank_dim": DIM, "rank_hidden": (8,), "rank_recent": LENGTH, "rank_dropout": 0.0,
        "encoder": name, "rank_encoder": name,
    }  # fmt: skip
    return Sizes(**values | changes)


@pytest.fixture
def networks(name):
    return Networks.new(sizes_of(name), seed=4)


def tokens(rows=ROWS, seed=0):
    """Random who-asks HD, events HLD and present HL: rows of every length, the first without any event."""
    generator = torch.Generator().manual_seed(seed)
    present = torch.arange(LENGTH)[None] >= LENGTH - (torch.arange(rows) % (LENGTH + 1))[:, None]
    event = torch.randn(rows, LENGTH, DIM, generator=generator) * present[..., None]
    return torch.randn(rows, DIM, generator=generator), event, present


def histories(rows=ROWS, seed=0):
    """Rows of every length, all events of one age."""
    rng = np.random.default_rng(seed)
    here = np.arange(LENGTH)[None] >= LENGTH - (np.arange(rows) % (LENGTH + 1))[:, None]
    item, scenario, kind = (rng.integers(1, top, (rows, LENGTH)) * here for top in (ITEMS, 4, 3))
    outcome = rng.random((rows, LENGTH)).astype(np.float32) * here
    features = rng.standard_normal((rows, 2)).astype(np.float32)
    return Histories.of(item, scenario, kind, outcome, 5.0 * here, features, rng.integers(1, 4, rows))


def with_(whole, **changes):
    return Histories(**{**vars(whole), **changes})


def answers(networks, whole):
    """What both networks make of the histories: users HW, logits HK."""
    item = torch.arange(1, 8)[None].expand(len(whole), 7)
    feature = torch.ones(len(whole), 7, 4)
    with torch.no_grad():
        return networks.retriever.users(whole), networks.ranker(whole, torch.arange(len(whole)), item, feature)


def same(first, second):
    return [torch.allclose(a, b, atol=1e-6) for a, b in zip(first, second, strict=True)]


def test_shapes_are_those_of_the_interface(encoder):
    asked, event, present = tokens()
    gathered, out = encoder(asked, event, present)
    assert gathered.shape == (ROWS, DIM)
    assert out.shape == (ROWS, LENGTH, DIM)
    assert torch.isfinite(gathered).all()


def test_room_for_more_events_changes_nothing(encoder):
    asked, event, present = tokens()
    wide = nn.functional.pad(event, (0, 0, 4, 0)), nn.functional.pad(present, (4, 0))
    gathered, out = encoder(asked, event, present)
    wide_gathered, wide_out = encoder(asked, *wide)
    torch.testing.assert_close(wide_gathered, gathered)
    torch.testing.assert_close(wide_out[:, 4:][present], out[present])


def test_what_stands_where_there_is_no_event_says_nothing(encoder):
    """Also between events, where dropout hides one."""
    asked, event, present = tokens()
    present = present & (torch.arange(LENGTH) != LENGTH - 2)
    gathered, _ = encoder(asked, event * present[..., None], present)
    hidden, _ = encoder(asked, torch.where(present[..., None], event, 0.0), present)
    torch.testing.assert_close(hidden, gathered)


@pytest.mark.parametrize("longest", [LENGTH, 40])
def test_histories_say_the_same_while_it_learns_and_when_it_scores(networks, longest):
    """Though those of like length are read together, without their padding, while it learns."""
    whole = histories()
    room = {
        name: nn.functional.pad(value, (longest - LENGTH, 0)) for name, value in vars(whole).items() if "_HL" in name
    }
    whole = with_(whole, **room)
    scored, learned = (answers_in(networks, whole, mode) for mode in (False, True))
    for one, other in zip(scored, learned, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def answers_in(networks, whole, learns):
    for name in NAMES:
        networks.network(name).train(learns)
    return answers(networks, whole)


def test_batch_mates_change_nothing(encoder):
    asked, event, present = tokens()
    rows = torch.tensor([7, 0, 3])
    gathered, out = encoder(asked, event, present)
    some, some_out = encoder(asked[rows], event[rows], present[rows])
    torch.testing.assert_close(some, gathered[rows])
    torch.testing.assert_close(some_out[present[rows]], out[rows][present[rows]])


def test_order_matters_where_it_is_read(networks, name):
    """The ages being equal, which tell attention of the order."""
    whole = histories()
    turned = with_(whole, **{key: value.flip(1) for key, value in vars(whole).items() if key.endswith("_HL")})
    full = torch.where(whole.present.all(1))[0]
    pick = lambda of: Histories(**{key: value[full] for key, value in vars(of).items()})  # noqa: E731
    # The ranker reads the newest event apart from the encoder, so only the retriever is asked here.
    assert same(answers(networks, pick(whole))[:1], answers(networks, pick(turned))[:1]) == [name not in IN_ORDER]


@pytest.mark.parametrize("name", IN_ORDER)
def test_an_event_does_not_see_later_ones(encoder):
    asked, event, present = tokens()
    changed = event.clone()
    changed[:, -1] += 1.0
    before, after = encoder(asked, event, present)[1], encoder(asked, changed, present)[1]
    torch.testing.assert_close(after[:, :-1], before[:, :-1])
    assert not torch.allclose(after[1:, -1], before[1:, -1])


def test_every_parameter_gets_gradient(networks):
    whole = histories(rows=40, seed=1)
    user = networks.retriever.users(whole)
    items = networks.retriever.items(torch.arange(1, ITEMS), torch.ones(ITEMS - 1, 4))
    item = torch.arange(1, ITEMS)[None].expand(40, ITEMS - 1)
    feature = torch.randn(40, ITEMS - 1, 4, generator=torch.Generator().manual_seed(0))
    logit = networks.ranker(whole, torch.arange(40), item, feature)
    ((user @ items.T) ** 2).sum().backward()
    (logit**2).sum().backward()
    silent = [
        f"{network}.{key}"
        for network in NAMES
        for key, value in networks.network(network).named_parameters()
        if value.grad is None or not value.grad.abs().sum() > 0
    ]
    assert silent == []


@pytest.mark.parametrize("of", ["item_HL", "outcome_HL", "age_HL", "scenario_HL", "type_HL"])
@pytest.mark.parametrize("place", [1, LENGTH - 1])
def test_what_a_past_event_was_changes_the_score(networks, of, place):
    """Its item, its outcome, its age, its scenario and its type: of an old event and of the newest."""
    whole = histories()
    row = int(torch.where(whole.present.all(1))[0][0])
    values = getattr(whole, of).clone()
    values[row, place] = {"item_HL": 29, "outcome_HL": -2.0, "age_HL": 200.0}.get(of, 0)
    changed = answers(networks, with_(whole, **{of: values}))
    for before, after in zip(answers(networks, whole), changed, strict=True):
        assert not torch.allclose(before[row], after[row], atol=1e-6)
        others = torch.arange(len(whole)) != row
        torch.testing.assert_close(before[others], after[others])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_works_with_it(networks, name, strategy, tmp_path):
    started = strategy_of(strategy).start(networks, sizes_of(name), 7, Crossing(1, 3))
    started.save(tmp_path)
    loaded = answers(Networks.load(tmp_path), histories())
    assert same(loaded, answers(started, histories())) == [True, True]


def test_low_rank_stands_beside_every_matrix_of_it(encoder):
    holder = nn.Module()
    holder.encoder = encoder
    plain = [layer for layer in encoder.modules() if isinstance(layer, nn.Linear)]
    adapt(holder, seed=1)
    assert len([layer for layer in encoder.modules() if isinstance(layer, LowRank)]) == len(plain)


def test_the_next_item_is_learned(name):
    """Users go around a cycle of items; the next one is told by the newest, and for the pooled by all of them."""
    networks = Networks.new(sizes_of(name, dim=16, heads=2), seed=2)
    start = np.arange(12)
    item = 1 + (start[:, None] + np.arange(LENGTH)[None]) % 12
    ones = np.ones_like(item)
    age = np.broadcast_to(np.arange(LENGTH, 0, -1, dtype=np.float32), item.shape)
    whole = Histories.of(item, ones, ones, ones.astype(np.float32), age, np.zeros((12, 2), np.float32), ones[:, 0])
    wanted = torch.from_numpy((start + LENGTH) % 12)
    retriever = networks.retriever
    optimizer = torch.optim.Adam(retriever.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        score = retriever.users(whole) @ retriever.items(torch.arange(1, 13), torch.zeros(12, 4)).T
        nn.functional.cross_entropy(score, wanted).backward()
        optimizer.step()
    assert (score.argmax(1) == wanted).float().mean() > 0.9


def test_another_name_is_refused():
    with pytest.raises(ConfigError, match="attention, recurrent"):
        encoder_of("telepathy", DIM, 1, 1)
