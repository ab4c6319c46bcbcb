"""The strategies bridge and generative in a fit: ranks agree, a resumed fit is the same, and who is left out."""

import datetime as dt

import pytest
import torch
from tests.lakes import SMALL, SOURCE, TINY, tiny_lake
from tests.train.nights import night_of, night_on
from tests.train.test_beside import gradient, stopped_and_resumed
from tests.train.test_loop import PLACE, Kit
from tests.train.together import together

from landbridge.contenders.folder import find_fitted, load_fitted
from landbridge.train.generating import Generating
from landbridge.train.jointly import Jointly
from landbridge.train.loop import Loop
from landbridge.train.progress import Progress
from landbridge.train.ranks import Alone
from landbridge.train.shared import shared, sharing
from landbridge.train.step import FINETUNE, PRETRAIN
from landbridge.transfer import Crossing, strategy_of

NAMES = ("bridge", "generative")
EPOCHS = 3
FEW = "recommend.contenders=[popularity]"


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    root = tmp_path_factory.mktemp("carried")
    lake = tiny_lake(root)
    return Kit(root, lake, lake.days("examples")[-1])


def started(kit, name):
    """Networks that have begun, with a bridge that is not the plain one and own decoders that are not nothing."""
    source, code = kit.networks(), kit.assembler.vocabulary.id
    crossing = Crossing(code("scenario", SOURCE), code("scenario", SMALL))
    networks = strategy_of(name).start(source, source.sizes, 1, crossing)
    with torch.no_grad():
        for key, value in networks.retriever.named_parameters():
            if key.startswith(("bridge.make", "own.table")):
                value += 0.01
    return networks


def objective_of(kit, networks, name, ranks=None):
    ranks = ranks or Alone()
    if name == "bridge":
        return kit.objective(networks, "retriever", SMALL, ranks.rank, ranks.size, batch=16)
    parts = [
        kit.objective(networks, "retriever", scenario, ranks.rank, ranks.size, batch=64)
        for scenario in (SOURCE, SMALL, TINY)
    ]
    drawn = [Generating(**vars(part), beta=0.1, rise=1.5) for part in parts]
    return Jointly(networks.retriever, drawn)


@pytest.mark.parametrize("name", NAMES)
def test_ranks_sum_to_the_gradient_of_one(kit, name):
    whole = gradient(objective_of(kit, started(kit, name), name))
    halves = together(2, lambda ranks: gradient(objective_of(kit, started(kit, name), name, ranks)))
    assert sum(half[0] for half in halves) == pytest.approx(whole[0], rel=1e-4)
    assert sum(half[1] for half in halves) == pytest.approx(whole[1])
    torch.testing.assert_close(halves[0][2] + halves[1][2], whole[2], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_fit_is_the_same_fit(kit, name):
    def loop(networks):
        groups = strategy_of(name).groups(networks.retriever, 0.01)
        progress = Progress(kit.root / "progress.jsonl", 0)
        return Loop(PLACE, objective_of(kit, networks, name), groups, EPOCHS, Alone(), kit.watch, progress)

    whole, interrupted = started(kit, name), started(kit, name)
    begun = {key: value.clone() for key, value in whole.retriever.state_dict().items()}
    loop(whole).run(0, lambda epoch: None)
    stopped_and_resumed(loop, interrupted)
    for key, value in whole.retriever.state_dict().items():
        assert torch.equal(interrupted.retriever.state_dict()[key], value)
        if key.startswith("source."):
            assert torch.equal(value, begun[key]), key
    assert not torch.equal(begun["item.table.weight"], whole.retriever.state_dict()["item.table.weight"])


def test_the_divergence_is_added_at_its_weight(kit):
    networks = started(kit, "generative")
    part = kit.objective(networks, "retriever", SMALL, batch=16)
    with_none, with_some, rising = (
        Generating(**vars(part), beta=beta, rise=rise) for beta, rise in ((0.0, 0.0), (0.1, 0.0), (0.1, 2.0))
    )
    batch = next(iter(part.batches(1)))
    (none, weight), (some, _), (half, _) = (objective.loss(batch, 1) for objective in (with_none, with_some, rising))
    assert some.item() > none.item() + 0.01 * weight
    assert (half - none).item() == pytest.approx(0.5 * (some - none).item(), rel=1e-3)


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A night that names the bridge; nobody of the smallest target has been in the source."""
    night = night_of(tmp_path_factory.mktemp("left out"), "transfer.strategies=[bridge, fine_tune]", FEW)
    PRETRAIN.run(night)
    return night, FINETUNE.run(night)


def test_a_target_that_shares_no_user_is_left_out_with_a_sentence_and_the_night_goes_on(night):
    done, outcome = night
    for fit in "ABC":
        assert "bridge" in find_fitted(done.models, fit, SMALL)
        assert {"target_only", "fine_tune"} == set(find_fitted(done.models, fit, TINY)) & {
            "bridge", "target_only", "fine_tune"
        }  # fmt: skip
    sentences = [text for text in outcome.notes["left_out"] if text.startswith("bridge")]
    assert len(sentences) == 1
    assert TINY in sentences[0]
    assert SOURCE in sentences[0]


def test_the_ranker_is_that_of_fine_tune(night):
    found = find_fitted(night[0].models, "A", SMALL)
    ranker = load_fitted(found["bridge"]).networks.ranker.state_dict()
    assert ranker.keys() == load_fitted(found["fine_tune"]).networks.ranker.state_dict().keys()


def test_who_is_shared_is_counted_from_the_states(night):
    lists = night[0].lake.read("user_state", columns=["scenarios"])["scenarios"].to_pylist()
    for target in (SMALL, TINY):
        assert shared(night[0])[target] == sum({SOURCE, target} <= set(some) for some in lists)
    assert shared(night[0])[SMALL] > 0
    assert SOURCE not in shared(night[0])
    early = night_on(night[0].config, night[0].ds - dt.timedelta(days=1))
    assert not shared(early)


def test_only_a_night_that_carries_users_asks_who_they_are(night):
    assert sharing(night[0]) == {"targets that share users with the source": SMALL}
    plain = night_of(night[0].config.folder)
    assert sharing(plain) == {}
