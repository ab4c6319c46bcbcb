"""What a ranker of pointwise rows reads: B rows as tensors, and beside each the user's past with what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Events:
    """At most L events of the user of each row, none of which is the row itself; item 0 is padding.

    They stand as in `Histories`: oldest first, the newest at L - 1; of one moment those nearest to the candidate last.
    `age_BL` is in days before the row; `outcome_BLO` holds what came of each event, as residuals; `pair_BLP` what is
    known of the pair (candidate item, event's item); `taste_BT` summarises all events of the user.
    """

    item_BL: Tensor
    scenario_BL: Tensor
    age_BL: Tensor
    outcome_BLO: Tensor
    pair_BLP: Tensor
    taste_BT: Tensor


@dataclass(frozen=True)
class Questions:
    """B rows. Ids are int64 and 0 is unknown; a number that is missing is NaN.

    `tag_E` are the tags of all rows one after another, and `start_B` says where those of each row begin; `feature_BG`
    says what the row's scenario is.
    """

    user_B: Tensor
    item_B: Tensor
    scenario_B: Tensor
    number_BF: Tensor
    category_BC: Tensor
    tag_E: Tensor
    start_B: Tensor
    feature_BG: Tensor
    events: Events | None = None

    def __len__(self) -> int:
        return len(self.user_B)
