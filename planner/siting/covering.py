"""Reach × hours × services -> the siting problem: which action covers which (demand, hour) units.

Takes pairs of demand and place within the service radius, week masks and costs; gives a `SitingProblem` in which units that the
same actions cover are merged, so that it is as small as it can be without changing any plan's value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from planner.siting.problem import Floats, Ints, Rule, SitingProblem
from planner.siting.seats import Seats

if TYPE_CHECKING:
    from planner.coverage import Offers

Bools = NDArray[np.bool_]
# effective: working hours with an open, equipped site in reach; share: people with a site in reach; backup: with several;
# walk: metres saved of the walk to the nearest site, as a fraction of the longest that counts.
# served: seats found of those wanted, which `seating_of` counts.
Measure = Literal["effective", "share", "backup", "walk", "served"]


@dataclass(frozen=True)
class Tally:
    """A share to keep count of beside the objective: a measure over some of the demand, such as a group's or a zone's.

    Attributes:
        measure: what is counted.
        demand: (n_demand,) whose.
        of: which existing sites and which actions count; None: all.
        within_m: the walk that counts as in reach; None: the service radius.
    """

    measure: Measure
    demand: Bools
    of: tuple[Bools, Bools] | None = None
    within_m: float | None = None


def covering_problem(
    reach_demand: Ints,
    reach_place: Ints,
    n_demand: int,
    *,
    weight: Floats,
    group: Ints,
    profile: Floats,
    existing: "Offers",
    actions: "Offers",
    capital_cost: Floats,
    operating_cost: Floats,
    budget: Sequence[float] | Floats,
    year_weight: Sequence[float] | Floats | None = None,
    carry_over: bool = True,
    required: Sequence[int] = (),
    objective: Measure | Mapping[Measure, float] = "effective",
    closes: Bools | None = None,
    backup: int = 2,
    reach_m: Floats | None = None,
    radius_m: float = np.inf,
    walk_cap_m: float = 0.0,
    group_weight: Floats | None = None,
    tallies: Sequence[Tally] = (),
    price_level: Floats | None = None,
    rules: Sequence[Rule] = (),
    seats: Seats | None = None,
) -> SitingProblem:
    """Build the covering problem over (demand × working half-hour) units.

    Its objective is Σ_t year_weight_t × effective_share at the end of year t, existing sites and plan together; with
    ``objective="share"`` it is Σ_t year_weight_t × share, for which hours and services do not matter, and so for the other measures
    and for weighted mixes of them. The walk is a covering problem too: a unit for each distance at which it has a site, worth the metres
    to the next (ReVelle & Swain's p-median in the radius form of Cornuéjols, Nemhauser & Wolsey 1980).

    Args:
        reach_demand, reach_place: (n_pairs,) pairs within the service radius, each once.
        n_demand: number of demand units.
        weight: (n_demand,) people.
        group: (n_demand,) row of ``profile`` of each demand unit.
        profile: (n_groups × half-hours) fraction of the group that is at work.
        existing: the existing sites as they are.
        actions: each action with its place as it would be after the action.
        capital_cost, operating_cost: (n_actions,).
        budget: (n_years,).
        year_weight: (n_years,) summing to one; default: all years alike.
        carry_over: whether unspent money stays for later years.
        required: places that must get an action.
        objective: what is maximised, or several measures with their weights.
        closes: (n_actions,) which actions close the site at their place; default none.
        backup: sites that make cross coverage.
        reach_m: (n_pairs,) metres, needed by ``walk`` and where pairs lie beyond the service radius.
        radius_m: service radius: farther pairs count for walks and for tallies that say so only.
        walk_cap_m: a longer walk counts as this long.
        group_weight: (n_groups,) how much a person of each group counts in the objective; default all alike.
        tallies: shares that rules speak of, in the order of `Rule.tally`.
        price_level: (n_years,) what a price of today is in each year.
        rules: further conditions.
        seats: who finds a seat (`seating_of`), where ``served`` is among the measures.
    """
    aims: Mapping[Measure, float] = {objective: 1.0} if isinstance(objective, str) else objective
    counts = weight if group_weight is None else weight * group_weight[group]
    closing = np.zeros(len(actions.place), bool) if closes is None else closes
    blocks = []
    for (measure, within_m, _), asked_by in _questions(aims, tallies).items():
        of = next((tallies[k].of for k in asked_by if k >= 0), None)
        offered = (existing, actions) if of is None else (_only(existing, of[0]), _only(actions, of[1]))
        near = (
            slice(None)
            if reach_m is None or measure == "walk"
            else reach_m <= (radius_m if within_m is None else within_m)
        )
        people = [counts if k < 0 else np.where(tallies[k].demand, weight, 0.0) for k in asked_by]
        asked = _Question(reach_demand[near], reach_place[near], group, people, *offered, closing)
        if measure == "walk":
            assert reach_m is not None
            parts = _walk_blocks(asked, n_demand, reach_m, walk_cap_m)
        elif measure == "effective":
            parts = _hour_blocks(asked, n_demand, profile, 1)
        else:
            always = (_always(existing), _always(actions))
            always = always if of is None else (_only(always[0], of[0]), _only(always[1], of[1]))
            asked = replace(asked, existing=always[0], actions=always[1])
            parts = _hour_blocks(asked, n_demand, np.ones((len(profile), 1)), backup if measure == "backup" else 1)
        blocks += [(part, asked_by, [aims[measure] if k < 0 else 1.0 for k in asked_by]) for part in parts]

    n_actions, n_years = len(actions.place), len(budget)
    signs, standing, need = _stacked([part for part, _, _ in blocks], n_actions)
    worth, given = np.zeros((len(standing), 1 + len(tallies))), np.zeros(1 + len(tallies))
    at = 0
    for part, rows, factors in blocks:
        size = len(part.standing)
        for row, factor, column, constant in zip(rows, factors, part.worth.T, part.constant, strict=True):
            worth[at : at + size, row + 1] += factor * column
            given[row + 1] += factor * constant
        at += size
    worth, cover, standing, need = _merged(worth, signs, standing, need)
    extended = bool((standing > 0).any())
    return SitingProblem(
        unit_weight=worth[:, 0],
        cover=cover,
        capital_cost=np.asarray(capital_cost, float),
        operating_cost=np.asarray(operating_cost, float),
        place=np.asarray(actions.place, np.int64),
        budget=np.asarray(budget, float),
        year_weight=np.full(n_years, 1 / n_years) if year_weight is None else np.asarray(year_weight, float),
        constant=float(given[0]),
        carry_over=carry_over,
        required=tuple(int(p) for p in required),
        people=float(weight.sum()),
        reductions={
            "demand": n_demand,
            "hour_classes": len(blocks),
            "units_before": n_demand * len(blocks),
        },
        standing=standing if extended else None,
        need=need if (need > 1).any() else None,
        price_level=price_level,
        rules=tuple(rules),
        tally=sparse.csr_array(worth[:, 1:].T) if tallies else None,
        tally_constant=given[1:],
        seats=None if seats is None else replace(seats, worth=aims.get("served", 0.0) * seats.worth),
    )


def seating_of(
    reach_demand: Ints,
    reach_place: Ints,
    n_demand: int,
    *,
    weight: Floats,
    group: Ints,
    profile: Floats,
    existing: "Offers",
    existing_seats: Floats,
    actions: "Offers",
    action_seats: Floats,
    accepts: Floats,
    seat_share: float,
) -> Seats:
    """Return who wants a seat when, and where there are some: what `planner.capacity.serve` shares out, for everything that may be done.

    Args:
        reach_demand, reach_place, n_demand, weight, group, profile, existing, actions: like `covering_problem`.
        existing_seats: (n_existing,) seats of each site; NaN counts as none.
        action_seats: (n_actions,) seats of the place after the action; NaN counts as none.
        accepts: (n_groups × n_places) share of the group that would go to that place at all.
        seat_share: share of working time that a worker spends on a seat.

    Returns:
        Seats whose worth adds up to the share of all wanted seat-time that is served.
    """
    rooms_today, rooms_after = (
        np.nan_to_num(seats) * offered.serves
        for seats, offered in ((existing_seats, existing), (action_seats, actions))
    )
    n_places = int(max(reach_place.max(initial=-1), existing.place.max(initial=-1), actions.place.max(initial=-1))) + 1
    useful = np.zeros(n_places, bool)
    useful[existing.place[rooms_today > 0]] = True
    useful[actions.place[rooms_after > 0]] = True
    near = useful[reach_place]
    n_groups = len(profile)
    # Units of one group that reach the same places are one; the group is a column of its own.
    rows = np.concatenate([reach_demand[near], np.arange(n_demand)])
    columns = np.concatenate([reach_place[near] + n_groups, group])
    matrix = sparse.csr_array((np.ones(len(rows), bool), (rows, columns)), (n_demand, n_groups + n_places))
    same = same_rows(matrix)
    first = np.unique(same, return_index=True)[1]
    kinds = matrix[first][:, n_groups:].tocsr()
    kinds.sort_indices()
    people, kind_group = np.bincount(same, weights=weight, minlength=len(first)), group[first]
    row = np.repeat(np.arange(len(first)), np.diff(kinds.indptr))
    open_then = np.vstack([existing.mask, actions.mask])
    worked = np.flatnonzero(profile.sum(axis=0) > 0)
    classes, size = np.unique(np.vstack([open_then, profile])[:, worked], axis=1, return_counts=True)
    today = np.zeros((len(size), n_places))
    today[:, existing.place] = classes[: len(existing.place)].T * rooms_today
    want = (classes[len(open_then) :].T[:, kind_group] * people) * seat_share
    wanted = float(size @ want.sum(axis=1))
    return Seats(
        row=row,
        column=kinds.indices.astype(np.int64),
        accepts=accepts[kind_group[row], kinds.indices],
        want=np.asarray(want, float),
        today=today,
        after=classes[len(existing.place) : len(open_then)].T * rooms_after,
        place=np.asarray(actions.place, np.int64),
        worth=size / wanted if wanted > 0 else np.zeros(len(size)),
    )


def _questions(
    aims: Mapping[Measure, float], tallies: Sequence[Tally]
) -> dict[tuple[Measure, float | None, bytes], list[int]]:
    """Put together what asks the same of the same sites: numbers of tallies, −1 for the objective."""
    asked: dict[tuple[Measure, float | None, bytes], list[int]] = {}
    for measure, weight in aims.items():
        if weight > 0 and measure != "served":
            asked[measure, None, b""] = [-1]
    for number, tally in enumerate(tallies):
        sites = b"" if tally.of is None else b"".join(flags.tobytes() for flags in tally.of) + b"|"
        asked.setdefault((tally.measure, tally.within_m, sites), []).append(number)
    return asked


def _only(offers: "Offers", which: Bools) -> "Offers":
    return replace(offers, serves=offers.serves & which)


@dataclass(frozen=True)
class _Question:
    """What a measure asks: who reaches what, how many count for objective and tallies, what stands and what may be done."""

    demand: Ints
    place: Ints
    group: Ints
    people: list[Floats]
    existing: "Offers"
    actions: "Offers"
    closes: Bools

    @property
    def n_places(self) -> int:
        everywhere = (self.place, self.existing.place, self.actions.place)
        return int(max(places.max(initial=-1) for places in everywhere)) + 1


@dataclass(frozen=True)
class _Part:
    """Some units: ``signs`` (units × actions), what stands and may close, how many are needed, and worth for the objective and tallies."""

    signs: sparse.csr_array
    standing: Ints
    need: Ints
    worth: Floats
    constant: Floats


def _hour_blocks(asked: _Question, n_demand: int, profile: Floats, need: int) -> list[_Part]:
    """One block of units for each class of half-hours in which the same sites and actions are open."""
    classes, class_profile = _hour_classes(asked.existing, asked.actions, profile)
    serves = np.concatenate([asked.existing.serves, asked.actions.serves])
    # Demand units that reach the same places are one; their weight is kept for each group.
    shape = (n_demand, asked.n_places)
    matrix = sparse.csr_array((np.ones(len(asked.demand), bool), (asked.demand, asked.place)), shape)
    same = same_rows(matrix)
    n_same = int(same.max(initial=-1)) + 1
    first = np.full(n_same, n_demand)
    np.minimum.at(first, same, np.arange(n_demand))
    worth = np.zeros((len(asked.people), n_same, classes.shape[1]))
    for k, people in enumerate(asked.people):
        by_group = np.zeros((n_same, len(profile)))
        np.add.at(by_group, (same, asked.group), people)
        worth[k] = by_group @ class_profile
        total = float(worth[k].sum())
        worth[k] /= total if total > 0 else 1.0
    reached = matrix[first].astype(np.int8).tocsr()
    return [_part(asked, reached, classes[:, h] & serves, worth[:, :, h].T, need) for h in range(classes.shape[1])]


def _part(asked: _Question, reached: sparse.csr_array, offered: Bools, worth: Floats, need: int) -> _Part:
    """Return the units at which something may still change; ``offered`` says which existing sites, then actions, count now."""
    n_existing, n_places = len(asked.existing.place), asked.n_places
    before = np.zeros(n_places, np.int8)
    before[asked.existing.place] = offered[:n_existing]
    after = np.where(asked.closes, 0, offered[n_existing:]).astype(np.int8)
    may_close = np.zeros(n_places, bool)
    may_close[asked.actions.place[asked.closes]] = True
    change = after - before[asked.actions.place]
    n_actions = len(change)
    changes = sparse.csr_array(
        (change[change != 0], (asked.actions.place[change != 0], np.flatnonzero(change))), (n_places, n_actions)
    )
    signs = (reached @ changes).tocsr()
    fixed = reached.astype(np.int32) @ np.where(may_close, 0, before).astype(np.int32)
    standing = reached.astype(np.int32) @ np.where(may_close, before, 0).astype(np.int32)
    most = fixed + standing + np.asarray((signs > 0).sum(axis=1)).ravel()
    sure = fixed >= need
    open_units = np.flatnonzero(~sure & (most >= need) & (worth > 0).any(axis=1))
    return _Part(
        signs[open_units], standing[open_units].astype(np.int64), (need - fixed[open_units]).astype(np.int64),
        worth[open_units], worth[sure].sum(axis=0),
    )  # fmt: skip


def _walk_blocks(asked: _Question, n_demand: int, reach_m: Floats, cap_m: float) -> list[_Part]:
    """Units for each distance at which a demand unit has a place: worth the metres to the next, as a fraction of the cap.

    What is covered in any case is the cap less the walk to the nearest site that stays.
    """
    closes = np.zeros(asked.n_places, bool)
    closes[asked.actions.place[asked.closes]] = True
    stands = np.zeros(asked.n_places, bool)
    stands[asked.existing.place] = True
    stays = stands & ~closes
    fixed_m = np.full(n_demand, cap_m)
    here = stays[asked.place]
    np.minimum.at(fixed_m, asked.demand[here], reach_m[here])
    shares = np.stack([people / people.sum() if people.sum() > 0 else people for people in asked.people], axis=1)
    useful = ~stays[asked.place] & (reach_m < fixed_m[asked.demand])
    demand, place, metres = asked.demand[useful], asked.place[useful], reach_m[useful]
    order = np.lexsort((metres, demand))
    demand, place, metres = demand[order], place[order], metres[order]
    following = np.append(metres[1:], 0.0)
    last = np.append(demand[1:] != demand[:-1], True) if len(demand) else np.zeros(0, bool)
    following[last] = fixed_m[demand[last]]
    step = following - metres
    # Level k of a unit is covered by the first k places of its row: those with pairs from its row's start to k.
    start = np.searchsorted(demand, demand)
    number = np.flatnonzero(step > 0)
    length = number - start[number] + 1
    column = np.concatenate(
        [np.arange(a, b + 1) for a, b in zip(start[number], number, strict=True)] or [np.zeros(0, int)]
    )
    reached = sparse.csr_array(
        (np.ones(len(column), np.int8), place[column], np.concatenate([[0], np.cumsum(length)])),
        (len(number), asked.n_places),
    )
    offered = np.concatenate([np.ones(len(asked.existing.place), bool), np.ones(len(asked.actions.place), bool)])
    worth = shares[demand[number]] * (step[number] / cap_m)[:, None]
    part = _part(asked, reached, offered, worth, 1)
    given = (shares * ((cap_m - fixed_m) / cap_m)[:, None]).sum(axis=0)
    return [replace(part, constant=part.constant + given)]


def _stacked(parts: list[_Part], n_actions: int) -> tuple[sparse.csr_array, Ints, Ints]:
    if not parts:
        return sparse.csr_array((0, n_actions), dtype=np.int8), np.zeros(0, np.int64), np.zeros(0, np.int64)
    signs = sparse.vstack([part.signs for part in parts], format="csr")
    return signs, np.concatenate([part.standing for part in parts]), np.concatenate([part.need for part in parts])


def _merged(
    worth: Floats, signs: sparse.csr_array, standing: Ints, need: Ints
) -> tuple[Floats, sparse.csr_array, Ints, Ints]:
    """Merge units that the same actions cover and close, and that need the same; exact."""
    m = signs.shape[0]
    more, less = (signs > 0).astype(np.int8), (signs < 0).astype(np.int8)
    state = standing * (int(need.max(initial=0)) + 1) + need
    rest = sparse.csr_array((np.ones(m, np.int8), (np.arange(m), state)), (m, int(state.max(initial=0)) + 1))
    same = same_rows(sparse.hstack([more, less, rest], format="csr") if m else signs)
    n_same = int(same.max(initial=-1)) + 1
    first = np.full(n_same, m)
    np.minimum.at(first, same, np.arange(m))
    total = np.zeros((n_same, worth.shape[1]))
    np.add.at(total, same, worth)
    return total, signs[first].tocsr().astype(np.int8), standing[first], need[first]


def merge_units(weight: Floats, cover: sparse.csr_array) -> tuple[Floats, sparse.csr_array]:
    """Merge units that the same actions cover, adding their weights; exact. Units keep the order of their first row."""
    same = same_rows(cover)
    n_same = int(same.max(initial=-1)) + 1
    first = np.full(n_same, cover.shape[0])
    np.minimum.at(first, same, np.arange(cover.shape[0]))
    merged = cover[first].astype(np.int8)
    merged.data[:] = 1
    return np.bincount(same, weights=weight, minlength=n_same).astype(float), merged


def same_rows(matrix: sparse.csr_array) -> Ints:
    """Number rows so that rows with the same stored columns share a number, in order of first appearance."""
    matrix.sort_indices()
    indices = np.ascontiguousarray(matrix.indices, np.int32)
    raw, ends = indices.tobytes(), matrix.indptr.tolist()
    numbers: dict[bytes, int] = {}
    return np.fromiter(
        (numbers.setdefault(raw[4 * a : 4 * b], len(numbers)) for a, b in pairwise(ends)),
        np.int64,
        count=len(ends) - 1,
    )


def _always(offers: "Offers") -> "Offers":
    """Return the offers as if hours and services did not matter."""
    n = len(offers.place)
    return replace(offers, mask=np.ones((n, 1), bool), serves=np.ones(n, bool))


def _hour_classes(existing: "Offers", actions: "Offers", profile: Floats) -> tuple[Bools, Floats]:
    """Join half-hours in which the same places are open: masks by class, and each group's working time in each class."""
    masks = np.vstack([existing.mask, actions.mask])
    worked = np.flatnonzero(profile.sum(axis=0) > 0)
    classes, number = np.unique(masks[:, worked], axis=1, return_inverse=True)
    joined = np.zeros((classes.shape[1], len(profile)))
    np.add.at(joined, number.ravel(), profile[:, worked].T)
    return classes, joined.T
