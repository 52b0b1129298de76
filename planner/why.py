"""A plan -> why each of its actions is in it: what is lost without it, whom it serves, what could stand in for it.

Takes what `plans` made and what stands at the end; gives tables, a row an action or several. All of it is exact and made with every run:
no search is needed. How an action fares when the plan is made again is `robustness`'.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from planner.coverage import Bools, Floats, Ints, Offers, offers, standing_sites
from planner.plans import Made, reason_sentence, walk_cap_m
from planner.programme import price_levels
from planner.remedies import CLOSED
from planner.rulebook import Terrain
from planner.siting import Reason
from planner.siting.marginal import Swaps, drops
from planner.study import PlanSettings
from planner.words import Lang

ACTION_COLUMNS = (
    "action_id",
    "site",
    "loss",  # people × the share of their working time that only it covers at the end of the plan
    "objective_loss",  # what the plan's objective would lose without it, in its own unit (`unit_of_loss`)
    "needed",  # whether a rule would be broken without it
)
SERVES_COLUMNS = (
    "action_id",
    "of",  # group or zone
    "id",
    "within",  # people within the service radius of its place
    "loss",  # as above, of these people
)
GAP_COLUMNS = (
    "action_id",
    "gap",
    "share",  # of today's gap that it alone would take away
    "closes",  # whether that closes it
)
SUBSTITUTE_COLUMNS = (
    "action_id",
    "substitute",  # id of the action that would be done instead, every other staying
    "site",
    "year",
    "cost",  # capital, in money of that year
    "objective_loss",
    "loss",  # people × working time less at the end of the plan
    "keeps",  # of what the action adds to the objective, the share that stays
    "close",  # whether that is nearly all
)
CLOSING_COLUMNS = ("site", "loss")
# Substitutes that are named for each action, and what they must keep of what it adds to count as close.
SUBSTITUTES, NEARLY_ALL = 3, 0.8
# Gaps of which an action takes away less are not told.
_SOME = 0.01
_NOBODY = 1e-9


@dataclass(frozen=True)
class Why:
    """Why each action is in the plan.

    Attributes:
        actions: `ACTION_COLUMNS`, in the order of the programme.
        serves: `SERVES_COLUMNS`; zones and groups without anybody within the radius are left out.
        gaps: `GAP_COLUMNS`: today's gaps that the action alone would close or narrow, most first.
        substitutes: `SUBSTITUTE_COLUMNS`, at most `SUBSTITUTES` an action, least loss first.
        closings: `CLOSING_COLUMNS` of every site that stands at the end of the plan: people × working time that closing it alone would
            take, the one that hurts most first.
        needed: sentences' reasons of the rules that dropping each action would break, in the order of ``actions``.
    """

    actions: pd.DataFrame
    serves: pd.DataFrame
    gaps: pd.DataFrame
    substitutes: pd.DataFrame
    closings: pd.DataFrame
    needed: tuple[tuple[Reason, ...], ...]


def explain(
    terrain: Terrain,
    settings: PlanSettings,
    made: Made,
    chosen: pd.DataFrame,
    standing: Offers,
    gap_gain: csr_array,
    gaps: pd.DataFrame,
) -> Why:
    """Tell why each action is in the plan.

    Args:
        terrain: what the plan was made on.
        settings: for what.
        made: the plan.
        chosen: its actions in the order of the programme (`planner.programme.chosen_actions`).
        standing: the sites that stand at its end.
        gap_gain: (n_gaps × n_actions) what each action alone would give each of today's gaps (`planner.remedies.gains_by_gap`).
        gaps: today's gaps, with ``id`` and ``weight``.
    """
    number = dict(zip(terrain.actions["id"], range(len(terrain.actions)), strict=True))
    rows = [number[action] for action in chosen["id"]]
    counted = _counted(terrain, standing)
    lost = [counted.lost({place: counted.now[place]}) for place in chosen["place"].tolist()]
    dropped = {drop.action: drop for drop in drops(made.problem, made.plan.build_year)}
    unit = unit_of_loss(terrain, settings)
    actions = pd.DataFrame(
        {
            "action_id": chosen["id"].to_numpy(),
            "site": chosen["site"].to_numpy(),
            "loss": np.array([people.sum() for _, people in lost], dtype=float),
            "objective_loss": np.array([dropped[row].loss * unit for row in rows], dtype=float),
            "needed": np.array([bool(dropped[row].breaks) for row in rows], dtype=bool),
        }
    )
    return Why(
        actions=actions,
        serves=_serves(terrain, chosen, lost),
        gaps=_gaps(gap_gain.tocsc(), gaps, chosen["id"].tolist(), rows),
        substitutes=_substitutes(terrain, settings, made, rows, counted),
        closings=_closings(terrain, standing, counted),
        needed=tuple(dropped[row].breaks for row in rows),
    )


def unit_of_loss(terrain: Terrain, settings: PlanSettings) -> float:
    """Return what one of the problem's objective is in the unit of the plan's own: metres for the mean walk, else itself."""
    return walk_cap_m(terrain, settings) if settings.objective == "mean_walk" and not settings.mix else 1.0


def needed_sentences(why: Why, action: int, terrain: Terrain, lang: Lang) -> tuple[str, ...]:
    """Return the rules that dropping the action of a row of ``why.actions`` would break, in words."""
    return tuple(dict.fromkeys(reason_sentence(reason, terrain, lang) for reason in why.needed[action]))


@dataclass(frozen=True)
class _Counted:
    """Who is covered when by how many sites at the end of a plan, so that some of them can be thought otherwise.

    Attributes:
        weight, group: (n_units,) people and row of ``work``.
        work: (n_groups × n_classes) share of each group's working time in each class of half-hours.
        count: (n_units × n_classes) sites in reach that are open and equipped.
        then, now: (n_places × n_classes) whether each place serves at the end of the plan, and today.
        offered: (n_actions × n_classes) whether its place serves after each action.
        pairs: CSC (n_units × n_places): who is in reach of each place.
    """

    weight: Floats
    group: Ints
    work: Floats
    count: NDArray[np.int16]
    then: Bools
    now: Bools
    offered: Bools
    pairs: csc_array

    def lost(self, states: Mapping[int, Bools]) -> tuple[Ints, Floats]:
        """Return which units are in reach of some places, and what each loses (people × working time) if these served so instead."""
        part = self.pairs[:, list(states)]
        units = np.unique(part.indices).astype(np.int64)
        change = np.stack([state.astype(np.int16) - self.then[place] for place, state in states.items()])
        count = self.count[units] + part.tocsr()[units] @ change
        less = (self.count[units] > 0).astype(float) - (count > 0)
        return units, self.weight[units] * np.einsum("uc,uc->u", less, self.work[self.group[units]])

    def people_lost(self, states: Mapping[int, Bools]) -> float:
        """Return the sum of what they lose."""
        return float(self.lost(states)[1].sum())


def _counted(terrain: Terrain, standing: Offers) -> _Counted:
    """Count what stands at the end of a plan."""
    required = terrain.study.standard.services
    today, after = standing_sites(terrain.sites, required), offers(terrain.actions, terrain.place, required)
    # Half-hours in which the same sites are open, at the end, today or by any action, are one class.
    masks = np.vstack([offer.mask & offer.serves[:, None] for offer in (standing, today, after)])
    classes, of_class = np.unique(masks, axis=1, return_inverse=True)
    ends = np.cumsum([len(standing.place), len(today.place)])
    at_end, at_first, by_action = np.split(classes, ends)
    then, now = np.zeros((2, len(terrain.sites), classes.shape[1]), bool)
    then[standing.place], now[today.place] = at_end, at_first
    reach = terrain.reach
    pairs = csr_array(
        (np.ones(len(reach), np.int16), (reach.demand, reach.site)), shape=(reach.n_demand, len(terrain.sites))
    )
    code = {group: row for row, group in enumerate(terrain.profiles)}
    shares = [profile / profile.sum() for profile in terrain.profiles.values()]
    return _Counted(
        weight=terrain.demand["weight"].to_numpy(dtype=float),
        group=np.array([code[group] for group in terrain.demand["group"]], dtype=np.int64),
        work=np.stack([np.bincount(of_class.reshape(-1), share, classes.shape[1]) for share in shares]),
        count=pairs @ then.astype(np.int16),
        then=then,
        now=now,
        offered=by_action & ~terrain.closes[:, None],
        pairs=pairs.tocsc(),
    )


def _serves(terrain: Terrain, chosen: pd.DataFrame, lost: Sequence[tuple[Ints, Floats]]) -> pd.DataFrame:
    weight = terrain.demand["weight"].to_numpy(dtype=float)
    codes = {of: pd.Categorical(terrain.demand[of]) for of in ("group", "zone")}

    def rows() -> Iterator[tuple[object, ...]]:
        for action, (units, people) in zip(chosen["id"], lost, strict=True):
            for of, column in codes.items():
                code, names = column.codes[units], column.categories
                within = np.bincount(code, weight[units], len(names))
                missed = np.bincount(code, people, len(names))
                for k in np.flatnonzero((within > 0) | (np.abs(missed) > _NOBODY)).tolist():
                    yield action, of, names[k], float(within[k]), float(missed[k])

    return pd.DataFrame(list(rows()), columns=list(SERVES_COLUMNS))


def _gaps(gain: csc_array, gaps: pd.DataFrame, ids: Sequence[str], rows: Sequence[int]) -> pd.DataFrame:
    names, weight = gaps["id"].to_numpy(), gaps["weight"].to_numpy(dtype=float)

    def told() -> Iterator[tuple[object, ...]]:
        for action, row in zip(ids, rows, strict=True):
            part = slice(gain.indptr[row], gain.indptr[row + 1])
            helped, given = gain.indices[part], gain.data[part]
            for k in np.lexsort((helped, -given)).tolist():
                share = given[k] / weight[helped[k]]
                if share >= _SOME:
                    yield action, names[helped[k]], min(share, 1.0), given[k] >= CLOSED * weight[helped[k]]

    return pd.DataFrame(list(told()), columns=list(GAP_COLUMNS))


def _substitutes(
    terrain: Terrain, settings: PlanSettings, made: Made, rows: Sequence[int], counted: _Counted
) -> pd.DataFrame:
    problem, years = made.problem, made.plan.build_year
    swaps, unit = Swaps(problem), unit_of_loss(terrain, settings)
    worth = {drop.action: drop.loss for drop in drops(problem, years)}
    level, actions, place = price_levels(settings), terrain.actions, terrain.place
    capital = actions["capital_cost"].to_numpy(dtype=float)

    def told() -> Iterator[tuple[object, ...]]:
        for row in rows:
            for swap in swaps.best(years, row, most=SUBSTITUTES):
                here, there = int(place[row]), int(place[swap.action])
                states = {here: counted.now[here], there: counted.offered[swap.action]}
                keeps = 1.0 - swap.loss / worth[row] if worth[row] > 0 else np.nan
                yield (
                    actions["id"].iat[row],
                    actions["id"].iat[swap.action],
                    actions["site"].iat[swap.action],
                    settings.years[swap.year - 1],
                    float(capital[swap.action]) * level[swap.year - 1],
                    swap.loss * unit,
                    counted.people_lost(states),
                    keeps,
                    bool(keeps >= NEARLY_ALL),
                )

    return pd.DataFrame(list(told()), columns=list(SUBSTITUTE_COLUMNS))


def _closings(terrain: Terrain, standing: Offers, counted: _Counted) -> pd.DataFrame:
    nothing = np.zeros(counted.then.shape[1], bool)
    losses = [counted.people_lost({place: nothing}) for place in standing.place.tolist()]
    table = pd.DataFrame({"site": terrain.sites["id"].to_numpy()[standing.place], "loss": losses})
    return table.sort_values(["loss", "site"], ascending=[False, True], ignore_index=True)
