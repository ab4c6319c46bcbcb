"""Losses, one number an example: none but the contrastive one depends on the other examples of the step."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

NOTHING = -1e4
"""The score of what is left out: finite, because the gradient of a sum of nothing is not a number."""
SHARPNESS = 0.2
"""Temperature of the cosines that the contrastive loss compares."""


def sampled_softmax(
    score_B: Tensor,
    score_HN: Tensor,
    row_B: Tensor,
    item_B: Tensor,
    shared_N: Tensor,
    shared_logq_N: Tensor,
    blocked_HN: Tensor,
) -> Tensor:
    """Return loss_B: the softmax over the catalogue, its denominator estimated from N items drawn with replacement.

    log-Q correction (Bengio and Senecal 2008): an item drawn with probability q stands for 1 / (N q) items. A
    drawn item is left out
    where the user had it by then, and where it is the example's own positive (an accidental hit).

    Parameters
    ----------
    score_B
        Scores of the examples' own items.
    score_HN
        Scores of the drawn items for every history.
    row_B
        The history of each example.
    item_B, shared_N
        Ids of the positives and of the drawn items.
    shared_logq_N
        Log probability of each draw.
    blocked_HN
        True where the user had the drawn item by then.
    """
    score_HN = score_HN - (shared_logq_N + math.log(len(shared_N)))
    score_HN = score_HN.masked_fill(blocked_HN, NOTHING)
    rest_B = torch.logsumexp(score_HN, dim=1)[row_B]
    hit_BN = (item_B[:, None] == shared_N[None]) & ~blocked_HN[row_B]
    hit_B = hit_BN.any(1)
    if hit_B.any():
        # Rare where feed leaves out what the user has; all other examples of a history share one sum.
        own = torch.logsumexp(score_HN[row_B[hit_B]].masked_fill(hit_BN[hit_B], NOTHING), dim=1)
        rest_B = rest_B.masked_scatter(hit_B, own)
    return torch.logaddexp(score_B, rest_B) - score_B


def binary(logit_BK: Tensor, label_B: Tensor, drawn_BK: Tensor) -> Tensor:
    """Return loss_B: cross entropy of the example (first column, its label) and of its drawn negatives (the
    others), averaged.

    `drawn_BK` is True where the column counts: always the first one, and the negatives of a positive.
    """
    target_BK = torch.zeros_like(logit_BK)
    target_BK[:, 0] = label_B
    loss_BK = F.binary_cross_entropy_with_logits(logit_BK, target_BK, reduction="none") * drawn_BK
    return loss_BK.sum(1) / drawn_BK.sum(1)


def sparsity(pruned_BL: Tensor, low: float, high: float) -> Tensor:
    """Return loss_B: the squared distance of each layer's pruned share to the middle of the bounds, averaged.

    A share within the bounds costs nothing (Yang et al. 2022, AdaSparse, the sparsity-controlled regularisation; there
    its weight grows with the distance and while the fit runs).
    """
    away_BL = pruned_BL - (low + high) / 2.0
    outside_BL = (pruned_BL < low) | (pruned_BL > high)
    return (away_BL**2 * outside_BL).mean(1)


def contrastive(first_ND: Tensor, second_ND: Tensor) -> Tensor:
    """Return loss_N: how badly each history's two views are told from the views of the others, both ways averaged.

    InfoNCE over the 2 N - 1 other views, as CL4SRec has it (Xie et al. 2022), with cosines (Chen et al. 2020, SimCLR,
    equation 1).
    """
    count = len(first_ND)
    view_MD = F.normalize(torch.cat([first_ND, second_ND]), dim=1)
    itself_MM = torch.eye(2 * count, dtype=torch.bool, device=view_MD.device)
    score_MM = (view_MD @ view_MD.T / SHARPNESS).masked_fill(itself_MM, NOTHING)
    other_M = torch.arange(2 * count, device=view_MD.device).roll(count)
    loss_M = torch.logsumexp(score_MM, dim=1) - score_MM.gather(1, other_M[:, None]).squeeze(1)
    return 0.5 * (loss_M[:count] + loss_M[count:])


def paired(first_BD: Tensor, second_BD: Tensor, alike_BB: Tensor, logq_B: Tensor, temperature: float) -> Tensor:
    """Return loss_B: how badly the second of each pair is told from the seconds of the other pairs, and the first too.

    Symmetric InfoNCE with in-batch negatives (van den Oord et al. 2018, equation 4; Radford et al. 2021, CLIP,
    figure 3) over cosines, with log-Q correction (Yi et al. 2019, section 4).

    Parameters
    ----------
    alike_BB
        True where pair c is no negative of pair b: of the same user, or with a text of the same meaning to him. The
        diagonal does not count.
    logq_B
        Log probability with which the text of a pair is met in a step; zeros correct nothing.
    """
    score_BB = F.normalize(first_BD, dim=1) @ F.normalize(second_BD, dim=1).T / temperature - logq_B
    others = alike_BB & ~torch.eye(len(first_BD), dtype=torch.bool, device=first_BD.device)
    score_BB = score_BB.masked_fill(others, NOTHING)
    own_B = score_BB.diagonal()
    return 0.5 * (torch.logsumexp(score_BB, 1) + torch.logsumexp(score_BB, 0)) - own_B
