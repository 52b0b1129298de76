"""What stands, judged: how each site is known, used and liked, how full it is, and what closing it would cost.

Takes a survey's counts by site, who reaches which site, and loads; gives a score card, a row a site. Small samples say so.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from planner.coverage import Bools, Floats, Ints, Offers
from planner.reach import Reach
from planner.study import Capacity

# What a survey may count by site: answers, and of what they are a share.
SHARES = {
    "awareness": ("aware", "surveyed"),
    "participation": ("took_part", "surveyed"),
    "satisfaction": ("satisfied", "took_part"),
}
SCORE_COLUMNS = (
    "site",
    "people_within",  # within the service radius
    "closing_loss",  # people × the share of their working time that nobody else covers
    "load",  # seat-time used ÷ seat-time open; NaN where capacity is not asked about
    "visits",  # a day
    *(f"{key}{end}" for key in SHARES for end in ("", "_low", "_high")),
    "surveyed",
    "small_sample",  # a share that is told stands on fewer answers than `SMALL_SAMPLE`: fewer use a site than were asked
    "score",  # mean of the shares that are known
    "finding",  # those of `FINDINGS` that it is, joined by ";"
)
FINDINGS = ("overloaded", "vital", "dispensable", "idle")
# Fewer answers than this are a small sample: the usual rule of thumb for a proportion, K.
SMALL_SAMPLE = 30
# 95 %, two-sided.
_Z = 1.959963984540054
# How many answers weigh as much as what was assumed of a kind of host before anybody was asked, K.
PRIOR_ANSWERS = 30.0
IDLE, FULL = 0.05, 0.95
# A site with fewer visits a day is idle: a tenth of the 12 that a station sees nationally, K.
IDLE_VISITS = 1.2
# Closing less than this of a person hurts nobody.
_NOBODY = 1e-6
MOST_VITAL = 3


def wilson(successes: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Return the 95 % interval of a share by Wilson (1927), which holds for small samples too; NaN where nobody was asked.

    Args:
        successes, n: counts of the same shape, 0 ≤ successes ≤ n.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        share, spread = successes / n, _Z**2 / n
        middle = (share + spread / 2) / (1 + spread)
        half = np.sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def acceptance(capacity: Capacity, groups: Sequence[str], sites: pd.DataFrame) -> Floats:
    """Return which share of each group would go to each site at all, shape (n_groups, n_sites): by its host, and by who was asked."""
    by_kind = [capacity.acceptance.get(group, {}) for group in groups]
    assumed = np.array([[shares.get(kind, 1.0) for kind in sites["kind"]] for shares in by_kind]).reshape(
        len(groups), len(sites)
    )
    asked, used = (sites[count].to_numpy(dtype=float) for count in ("surveyed", "took_part"))
    return surveyed_acceptance(assumed, used, asked)


def surveyed_acceptance(assumed: Floats, took_part: Floats, surveyed: Floats) -> Floats:
    """Return which share of people would go to each site, once it was asked: (k × assumed + took part) ÷ (k + surveyed).

    What was assumed of the kind of host counts as k = 30 answers, so that three answers hardly move it and three hundred settle it (a
    beta prior). NaN counts as nobody asked.
    """
    asked = np.where(np.isfinite(surveyed) & np.isfinite(took_part), surveyed, 0.0)
    used = np.where(asked > 0, took_part, 0.0)
    return np.asarray((PRIOR_ANSWERS * assumed + used) / (PRIOR_ANSWERS + asked))


def closing_losses(reach: Reach, standing: Offers, weight: Floats, group: Ints, profiles: Floats) -> Floats:
    """Return what closing each site alone would take from effective coverage: people × the share of their working time.

    Exact: a site is missed in the half-hours in which it alone is open, offers what is required, and lies within the radius.

    Args:
        reach: pairs (unit, place) within the radius.
        standing: the sites that stand.
        weight, group: (n_units,) people and row of ``profiles``.
        profiles: (n_groups, 336) share of the group at work.

    Returns:
        (n_standing,) in their order.
    """
    index = np.full(reach.n_sites, -1, dtype=np.int64)
    index[standing.place[standing.serves]] = np.flatnonzero(standing.serves)
    site = index[reach.site]
    unit, site = reach.demand[site >= 0].astype(np.int64), site[site >= 0]
    if not len(unit):
        return np.zeros(len(standing.place))
    # Half-hours in which the same sites are open are one class; work is what each group works in it, as a share of its week.
    classes, of_class = np.unique(standing.mask, axis=1, return_inverse=True)
    share = profiles / profiles.sum(axis=1, keepdims=True)
    work = np.stack([np.bincount(of_class.reshape(-1), weights=p, minlength=classes.shape[1]) for p in share])
    first = np.flatnonzero(np.diff(unit, prepend=-1))
    runs = np.diff(first, append=len(unit))
    loss = np.zeros(len(standing.place))
    # In blocks of units, so that a matrix of pairs × classes stays small.
    for begin in range(0, len(first), _BLOCK):
        end = min(begin + _BLOCK, len(first))
        pairs = slice(first[begin], first[end] if end < len(first) else len(unit))
        is_open = classes[site[pairs]]
        once = np.add.reduceat(is_open, first[begin:end] - first[begin], axis=0, dtype=np.int32) == 1
        alone = is_open & np.repeat(once, runs[begin:end], axis=0)
        lost = (alone * work[group[unit[pairs]]]).sum(axis=1) * weight[unit[pairs]]
        loss += np.bincount(site[pairs], weights=lost, minlength=len(loss))
    return loss


_BLOCK = 20_000


def score_card(
    sites: pd.DataFrame, survey: pd.DataFrame, people_within: Floats, losses: Floats, load: Floats | None
) -> pd.DataFrame:
    """Return the score card of the sites that stand.

    Args:
        sites: (n) sites that stand, with ``id``.
        survey: `planner.tables.SURVEY_COLUMNS`, at most a row a site.
        people_within: (n,) people within the service radius of each.
        losses: (n,) what `closing_losses` gave.
        load: (n,) seat-time used ÷ open, or None.

    Returns:
        Columns `SCORE_COLUMNS`, in the order of the sites.
    """
    asked = survey.set_index("site").reindex(sites["id"])
    card: dict[str, Any] = {
        "site": sites["id"].to_numpy(),
        "people_within": people_within,
        "closing_loss": losses,
        "load": np.full(len(sites), np.nan) if load is None else load,
        "visits": asked["visits"].to_numpy(dtype=float),
        "surveyed": asked["surveyed"].to_numpy(dtype=float),
    }
    small = np.zeros(len(sites), dtype=bool)
    for key, (part, whole) in SHARES.items():
        successes, n = (asked[column].to_numpy(dtype=float) for column in (part, whole))
        n = np.where(n > 0, n, np.nan)
        card[key] = successes / n
        small |= np.isfinite(card[key]) & (n < SMALL_SAMPLE)
        card[f"{key}_low"], card[f"{key}_high"] = wilson(successes, n)
    shares = np.column_stack([card[key] for key in SHARES])
    known = np.isfinite(shares)
    card["score"] = np.divide(
        np.nansum(shares, axis=1), known.sum(axis=1), out=np.full(len(sites), np.nan), where=known.any(axis=1)
    )
    card["small_sample"] = small
    card["finding"] = _findings(losses, card["load"], card["visits"])
    return pd.DataFrame(card, columns=list(SCORE_COLUMNS))


def _findings(losses: Floats, load: Floats, visits: Floats) -> NDArray[np.object_]:
    """Return all that stands out of each site (`FINDINGS`), joined by ";".

    Whether it is idle the visits say where they were counted, else the load that was worked out.
    """
    most = np.argsort(-losses, kind="stable")[:MOST_VITAL]
    rows = np.arange(len(losses))
    told: dict[str, Bools] = {
        "overloaded": load >= FULL,
        "vital": np.isin(rows, most) & (losses > _NOBODY),
        "dispensable": losses <= _NOBODY,
        "idle": np.where(np.isfinite(visits), visits < IDLE_VISITS, load < IDLE),
    }
    return np.array([";".join(name for name in FINDINGS if told[name][n]) for n in rows], dtype=object)
