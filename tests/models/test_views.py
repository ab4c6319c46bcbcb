"""Views of a history: what each way leaves, and that a view is a pure function."""

import numpy as np
import pytest
import torch

from landbridge.config.histories import Augment
from landbridge.models.histories import Histories
from landbridge.models.losses import contrastive
from landbridge.models.views import some_viewed, view_of

ROWS, LENGTH = 60, 10


def histories():
    """Rows of every length, whose n-th event has the item n and the outcome n."""
    here = np.arange(LENGTH)[None] >= LENGTH - (np.arange(ROWS) % (LENGTH + 1))[:, None]
    item = np.cumsum(here, axis=1) * here
    age = np.arange(LENGTH, 0, -1) * here
    features = np.arange(ROWS, dtype=np.float32)[:, None]
    return Histories.of(item, here, here, item.astype(np.float32), age, features, np.ones(ROWS, np.int32))


def events(view):
    """The items of each row, oldest first; right-alignment is checked."""
    present = view.present
    assert (present.long().diff(dim=1) >= 0).all()
    assert not (view.age_HL[~present] != 0).any()
    assert torch.equal(view.outcome_HL, view.item_HL.float())
    return [row[row > 0].tolist() for row in view.item_HL]


def lengths():
    return [row % (LENGTH + 1) for row in range(ROWS)]


def test_a_crop_is_a_stretch():
    starts = set()
    for items, count in zip(events(view_of(histories(), Augment(crop=0.4), 1, 0, 1)), lengths(), strict=True):
        assert len(items) == int(np.ceil(0.6 * count - 1e-9))
        assert items == list(range(items[0], items[0] + len(items))) if items else count == 0
        starts |= {items[0]} if count == LENGTH else set()
    assert len(starts) > 1


def test_a_mask_hides_a_share_and_never_all():
    hidden = 0
    for items, count in zip(events(view_of(histories(), Augment(mask=0.5), 1, 0, 1)), lengths(), strict=True):
        assert items == sorted(items)
        assert min(count, 1) <= len(items) <= count
        hidden += count - len(items)
    assert 0.35 < hidden / sum(lengths()) < 0.6


def test_reordering_keeps_the_events_and_the_moments():
    whole = histories()
    view = view_of(whole, Augment(reorder=0.5), 1, 0, 1)
    assert torch.equal(view.age_HL, whole.age_HL)
    moved = 0
    for items, count in zip(events(view), lengths(), strict=True):
        assert sorted(items) == list(range(1, count + 1))
        places = [place for place, item in enumerate(items, 1) if item != place]
        assert not places or places[-1] - places[0] < np.ceil(0.5 * count)
        moved += bool(places)
    assert moved > ROWS / 4


@pytest.mark.parametrize("augment", [Augment(crop=0.4), Augment(mask=0.3), Augment(reorder=0.6)])
def test_a_view_is_a_function_of_seed_epoch_number_and_history(augment):
    whole, rows = histories(), torch.tensor([43, 20, 9])
    some = Histories(**{name: value[rows] for name, value in vars(whole).items()})
    first = view_of(whole, augment, 5, 2, 1).item_HL
    assert torch.equal(view_of(some, augment, 5, 2, 1).item_HL, first[rows])
    for other in ((6, 2, 1), (5, 3, 1), (5, 2, 2)):
        assert not torch.equal(view_of(whole, augment, *other).item_HL, first)


def test_each_way_that_is_on_is_taken():
    whole = histories()
    long = torch.where(whole.present.all(1))[0].repeat(40)
    many = Histories(**{name: value[long] for name, value in vars(whole).items()})
    many = Histories(**{**vars(many), "user_HF": torch.arange(len(long)).float()[:, None]})
    views = events(view_of(many, Augment(crop=0.9, mask=0.1, reorder=1.0), 0, 0, 1))
    crops = sum(len(items) == 1 for items in views)
    orders = sum(items != sorted(items) for items in views)
    assert min(crops, orders, len(views) - crops - orders) > len(views) / 5


def test_a_share_of_the_histories_is_read_as_a_view():
    whole = histories()
    viewed = some_viewed(whole, Augment(crop=0.8, share=0.5), 1, 0)
    changed = (viewed.item_HL != whole.item_HL).any(1)[torch.tensor(lengths()) > 1].float().mean()
    assert 0.25 < changed < 0.75
    assert some_viewed(whole, Augment(crop=0.8), 1, 0) is whole


def test_the_contrastive_loss_is_low_where_views_agree_and_others_differ():
    apart, together = torch.eye(6), torch.ones(6, 6)
    assert contrastive(apart, apart).max() < 0.1
    torch.testing.assert_close(contrastive(together, together), torch.full((6,), float(np.log(11))))
    assert contrastive(apart, apart.roll(1, dims=0)).min() > 4
