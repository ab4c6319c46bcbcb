"""Distances between the users of two scenarios in a step, the same for any number of ranks.

- `mmd`: maximum mean discrepancy under a sum of Gaussian kernels (Long et al. 2015, DAN, equations 1 and 2);
- `coral`: between covariances (Sun and Saenko 2016, Deep CORAL, equation 1).

Both are of the step and not of the rank: vectors are gathered as in `contrast`, every rank computes the whole distance
with its own vectors attached, and the sum over ranks is the gradient of the whole. Work grows with the square of the
step's users for `mmd`, and with the square of their width for `coral`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from landbridge.models.likeness import Likeness, Users
from landbridge.models.together import Together

WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Widths of the kernels, as shares of the mean squared distance; each is half the next, so its kernel is the square of
the next one's."""
_ROWS = 256
"""Rows whose kernels with all others are made at once."""


def mmd(first_ND: Tensor, first_N: Tensor, second_MD: Tensor, second_M: Tensor) -> Tensor:
    """Return the squared distance of the mean embeddings of weighted rows; weights sum to 1 on each side.

    Its gradient is written out: kernels of all pairs are made a block of rows at a time, and none is kept.
    """
    value_UD = torch.cat([first_ND, second_MD])
    with torch.no_grad():
        distance, gradient_UD = _discrepancy(value_UD, torch.cat([first_N, -second_M]))
    return distance + ((value_UD - value_UD.detach()) * gradient_UD).sum()


def _discrepancy(value_UD: Tensor, sign_U: Tensor) -> tuple[Tensor, Tensor]:
    """Return sum_ij s_i s_j k(v_i, v_j), and by v_i its gradient -4 sum_j s_i s_j k'(v_i, v_j) (v_i - v_j)."""
    square_U, share_U = (value_UD**2).sum(1), sign_U.abs() / 2.0
    mean = (2.0 * (share_U @ square_U - ((share_U @ value_UD) ** 2).sum())).clamp(min=1e-12)
    distance, parts = value_UD.new_zeros(()), []
    for value_RD, square_R, sign_R in zip(
        *(torch.split(each, _ROWS) for each in (value_UD, square_U, sign_U)), strict=True
    ):
        square_RU = (square_R[:, None] + square_U - 2.0 * value_RD @ value_UD.T).clamp_(min=0.0)
        kernel_RU = torch.exp_(square_RU.div_(-WIDTHS[-1] * mean))
        sum_RU, slope_RU = kernel_RU.clone(), kernel_RU / WIDTHS[-1]
        for width in reversed(WIDTHS[:-1]):
            kernel_RU.square_()
            sum_RU += kernel_RU
            slope_RU.add_(kernel_RU, alpha=1.0 / width)
        distance += sign_R @ (sum_RU @ sign_U) / len(WIDTHS)
        slope_RU *= sign_R[:, None] * sign_U / (mean * len(WIDTHS))
        parts.append(4.0 * (slope_RU @ value_UD - slope_RU.sum(1, keepdim=True) * value_RD))
    return distance, torch.cat(parts)


def coral(first_ND: Tensor, first_N: Tensor, second_MD: Tensor, second_M: Tensor) -> Tensor:
    """Return |C_first - C_second|^2 / (4 D^2) of weighted rows; weights sum to 1 on each side."""
    width = first_ND.shape[1]
    return ((_covariance(first_ND, first_N) - _covariance(second_MD, second_M)) ** 2).sum() / (4.0 * width**2)


DISTANCES: Mapping[str, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]] = {"mmd": mmd, "coral": coral}


@dataclass(frozen=True)
class Alike(Likeness):
    """A distance of the name `by`, of `weight`, over the users that `ranks` hold together."""

    by: str
    weight: float
    ranks: Together

    def loss(self, network: nn.Module, source: Users, target: Users, done: float) -> Tensor:
        """Return this rank's part of the distance times the step's weight; nothing where one side has nobody."""
        sides = [self._whole(users) for users in (source, target)]
        weights = [side_NW[:, -1].detach() for side_NW, _ in sides]
        if not all(len(weight_N) for weight_N in weights):
            return torch.zeros(())
        total = sum(float(weight_N.sum()) for weight_N in weights)
        distance = DISTANCES[self.by](
            *(
                part
                for (side_NW, _), weight_N in zip(sides, weights, strict=True)
                for part in (side_NW[:, :-1], weight_N / weight_N.sum())
            )
        )
        own = sum(share for _, share in sides) / total
        # Worth this rank's part, so that the ranks' losses add up; its gradient is that of the whole.
        return self.weight * total * (distance - distance.detach() + own * distance.detach())

    def _whole(self, users: Users) -> tuple[Tensor, float]:
        """Return vectors and weights [N, D + 1] of all ranks' users, the own ones attached, and what the own weigh."""
        own_nW = torch.cat([users.user_HD, users.weight_H[:, None]], dim=1)[users.weight_H > 0]
        whole_NW, begin = self.ranks.gather(own_nW.detach())
        end = begin + len(own_nW)
        return torch.cat([whole_NW[:begin], own_nW, whole_NW[end:]]), float(own_nW[:, -1].sum().detach())


def _covariance(value_ND: Tensor, share_N: Tensor) -> Tensor:
    centred_ND = value_ND - (share_N[:, None] * value_ND).sum(0)
    return (centred_ND * share_N[:, None]).T @ centred_ND
