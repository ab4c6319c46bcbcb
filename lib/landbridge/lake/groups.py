"""The contracts of groups of users by interest, which are the same for every configuration."""

from __future__ import annotations

from landbridge.lake.contract import DS, SCENARIO, Contract, required

FIT = required("string", "A, B or C: of the days, or the parts, that this fit learns from.")
GROUP = required("int", "The group's number in its scenario; it keeps it from fit to fit.")

ITEM_FACTORS = Contract(
    "item_factors",
    "By how much each item goes with what the same users took, over all scenarios.",
    {
        "ds": DS,
        "fit": FIT,
        "item_id": required("string", "The item."),
        "vector": required("array<float>", "Its factors; only those of one fit are comparable."),
    },
    key=("ds", "fit", "item_id"),
    partition=("ds",),
)

USER_GROUPS = Contract(
    "user_groups",
    "The group of every user with enough events, scenario by scenario.",
    {
        "ds": DS,
        "fit": FIT,
        "scenario": SCENARIO,
        "user_id": required("string", "Who."),
        "group": GROUP,
        "events": required("long", "Events of his there after which he has the item."),
    },
    key=("ds", "fit", "scenario", "user_id"),
    partition=("ds",),
)

GROUPS = Contract(
    "groups",
    "Groups of users by interest: clusters of the means of what they took, of length one.",
    {
        "ds": DS,
        "fit": FIT,
        "scenario": SCENARIO,
        "group": GROUP,
        "users": required("long", "Users in it."),
        "centroid": required("array<double>", "The mean of their interests."),
        "items": required("array<string>", "Items that it took most beyond what all of the scenario did, best first."),
    },
    key=("ds", "fit", "scenario", "group"),
    partition=("ds",),
)

GROUP_FLOW = Contract(
    "group_flow",
    "Where users of a group of one scenario stand in another: from transfer.source to each other scenario, and back.",
    {
        "ds": DS,
        "fit": FIT,
        "source": required("string", "The scenario from which it flows."),
        "source_group": required("int", "The group there."),
        "target": required("string", "The scenario into which it flows."),
        "target_group": required("int", "The group there."),
        "users": required("long", "Users in both groups."),
        "share": required("double", "Of the source's group; drawn towards the share of all the target's users."),
    },
    key=("ds", "fit", "source", "source_group", "target", "target_group"),
    partition=("ds",),
    constraints={"share": "share >= 0 AND share <= 1.000001"},
)
