"""A plan × wobbling assumptions -> how often each of its actions stays, and what the plan would be without it.

Takes what a plan was made on; makes it again under other radii, paces, budgets and numbers of people, and without each action in turn.
Each is a search of its own, so this is done only where it is asked for. The same seed gives the same trials.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from planner.coverage import Floats, Ints
from planner.errors import plain_ctrl_c
from planner.plans import LeftOut, Made, best
from planner.programme import price_levels
from planner.rulebook import Terrain
from planner.siting import SitingProblem, objective_of, objectives
from planner.siting.marginal import Swaps, drops, leaving_out
from planner.siting.milp import Outcome, minimise
from planner.siting.planning import Rows, guide_of, rows_of, search_near, with_constants
from planner.siting.solving import solve_watched
from planner.siting.watch import Watch
from planner.study import PlanSettings
from planner.why import unit_of_loss

# How far each assumption wobbles. The radius is the norm's own spread (0.5–1.5 km by density), taken narrower; the pace is the range of
# walking speeds 1.0–1.39 m/s (K) around the default 1.2, a radius being a walk of so many minutes; budgets and head counts ± a fifth, K.
WOBBLE: dict[str, tuple[float, float]] = {
    "radius": (0.9, 1.1),
    "pace": (1.0 / 1.2, 1.39 / 1.2),
    "budget": (0.8, 1.2),
    "people": (0.8, 1.2),
}
# Stays in nine of ten trials: core; in fewer than half: doubtful.
CORE, DOUBTFUL = 0.9, 0.5
STAY_COLUMNS = (
    "action_id",
    "site",
    "stays",  # share of the trials in which this very action is done, in whatever year
    "place_stays",  # share of the trials in which its place gets some action
    "verdict",  # core, likely or doubtful
    "replanned",  # found: there is a plan without it; none: nothing keeps the rules then; left_out: the search was ended before
    "replanned_loss",  # what the objective loses at most if the plan is made again without the action; NaN unless found
    "price",  # capital cost in first year's prices from which the plan would do about as well without; NaN where that is not known
)
TRIAL_COLUMNS = ("trial", *WOBBLE, "status", "objective", "gap", "actions", "kept")
# Trials are compared, not proven: a search that comes this near to its bound is enough.
_GAP = 0.01


@dataclass(frozen=True)
class Robustness:
    """How sure a plan's actions are.

    Attributes:
        actions: `STAY_COLUMNS`, in the order of the programme.
        trials: `TRIAL_COLUMNS`: the factor of each assumption (of people: the mean over groups and zones), what came out, how many actions
            it has, and how many of the plan's it keeps.
        asked: how many trials were asked for; those that were broken off are not in ``trials``.
        stopped: "time" or "interrupted" where something was left out, else None.
    """

    actions: pd.DataFrame
    trials: pd.DataFrame
    asked: int
    stopped: Literal["time", "interrupted"] | None

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What was asked for and is not there."""
        if self.stopped is None:
            return ()
        known, n = int((self.actions["replanned"] != "left_out").sum()), len(self.actions)
        parts: tuple[tuple[Literal["trials", "without"], int, int], ...] = (
            ("trials", len(self.trials), self.asked),
            ("without", known, n),
        )
        return tuple(LeftOut(part, self.stopped, done, of) for part, done, of in parts if done < of)


def robustness(
    terrain: Terrain,
    settings: PlanSettings,
    made: Made,
    chosen: pd.DataFrame,
    *,
    trials: int,
    seed: int = 1,
    quiet: Callable[[int], None] = lambda _: None,
) -> Robustness:
    """Make the plan again and again. Ctrl-C, and the study's limit in seconds, end it: what is done by then counts, the rest is left out.

    Args:
        terrain: what the plan was made on.
        settings: for what.
        made: the plan.
        chosen: its actions in the order of the programme.
        trials: how many times assumptions wobble, all at once in each (a Latin hypercube: each assumption takes ``trials`` evenly
            spread values, in an order of its own).
        seed: of the orders.
        quiet: told the number of each trial when it is done.
    """
    number = dict(zip(terrain.actions["id"], range(len(terrain.actions)), strict=True))
    rows = np.array([number[action] for action in chosen["id"]], dtype=np.int64)
    asked, watch = trials, Watch(settings.time_limit_s)
    if made.plan.stopped == "interrupted":
        # Whoever ended the search wants the plan now.
        watch.stopped = "interrupted"
    drawn, done, told = _drawn(terrain, trials, seed), np.zeros((trials, len(terrain.actions)), bool), []
    for trial, wobble in enumerate(drawn):
        if watch.over():
            break
        try:
            with plain_ctrl_c():
                changed = _wobbled(terrain, settings, wobble)
                again = best(*changed, mip_gap=max(settings.mip_gap, _GAP), work_limit=0, watch=watch)
        except KeyboardInterrupt:
            watch.stopped = "interrupted"
        # A trial that was searched halfway says nothing.
        if watch.over():
            break
        done[trial] = again.plan.build_year > 0
        told.append(
            {
                "trial": trial + 1,
                **{name: wobble[name] for name in ("radius", "pace", "budget")},
                "people": float(np.mean(list(wobble["people"].values()))),
                "status": again.plan.status,
                "objective": again.plan.objective,
                "gap": again.plan.gap,
                "actions": int(done[trial].sum()),
                "kept": int(done[trial][rows].sum()),
            }
        )
        quiet(trial + 1)
    trials = len(told)
    done = done[:trials]
    stays = done[:, rows].mean(axis=0) if trials else np.full(len(rows), np.nan)
    place = terrain.place
    at_place = [done[:, place == place[row]].any(axis=1).mean() if trials else np.nan for row in rows]
    losses, prices, known = without_each(terrain, settings, made, rows, watch)
    actions = pd.DataFrame(
        {
            "action_id": chosen["id"].to_numpy(),
            "site": chosen["site"].to_numpy(),
            "stays": stays,
            "place_stays": np.array(at_place, dtype=float),
            "verdict": [verdict(share) for share in stays.tolist()],
            "replanned": np.where(known, np.where(np.isnan(losses), "none", "found"), "left_out"),
            "replanned_loss": losses,
            "price": prices,
        }
    )
    stopped = watch.stopped if trials < asked or not known.all() else None
    return Robustness(actions[list(STAY_COLUMNS)], pd.DataFrame(told, columns=list(TRIAL_COLUMNS)), asked, stopped)


def verdict(stays: float) -> str:
    """Return what to call an action that stays in a share of the trials: core, likely or doubtful."""
    return "core" if stays >= CORE else "doubtful" if stays < DOUBTFUL else "likely"


# --- wobbling ------------------------------------------------------------------------------------------------------------


def _drawn(terrain: Terrain, trials: int, seed: int) -> list[dict[str, Any]]:
    """Return the factors of each trial: a number each, of people one for each group and each zone."""
    rng = np.random.default_rng(seed)

    def spread(name: str) -> Floats:
        low, high = WOBBLE[name]
        return np.asarray(low + (high - low) * (rng.permutation(trials) + 0.5) / max(trials, 1))

    plain = {name: spread(name) for name in ("radius", "pace", "budget")}
    counted = [(of, value) for of in ("group", "zone") for value in sorted(set(terrain.demand[of]))]
    people = {key: spread("people") for key in counted}
    return [
        {name: float(values[trial]) for name, values in plain.items()}
        | {"people": {key: float(values[trial]) for key, values in people.items()}}
        for trial in range(trials)
    ]


def _wobbled(terrain: Terrain, settings: PlanSettings, wobble: dict[str, Any]) -> tuple[Terrain, PlanSettings]:
    """Return terrain and settings under other assumptions. A radius is a walk of so many minutes: a slower pace makes it shorter."""
    standard = terrain.study.standard
    radius_m = standard.service_radius_m * wobble["radius"] * wobble["pace"]
    study = terrain.study.model_copy(update={"standard": standard.model_copy(update={"service_radius_m": radius_m})})
    of_group, of_zone = (
        terrain.demand[of].map({value: factor for (kind, value), factor in wobble["people"].items() if kind == of})
        for of in ("group", "zone")
    )
    demand = terrain.demand.assign(weight=terrain.demand["weight"] * of_group.astype(float) * of_zone.astype(float))
    budget = tuple(money * wobble["budget"] for money in settings.budget)
    again = settings.model_copy(update={"budget": budget, "max_changes": None, "tradeoff": False})
    return replace(terrain, study=study, demand=demand, reach=terrain.walks(radius_m)), again


# --- without ---------------------------------------------------------------------------------------------------------------


def without_each(
    terrain: Terrain, settings: PlanSettings, made: Made, rows: Ints, watch: Watch | None = None
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return what the objective loses at most if the plan is made again without each action, and from which price that would be as good.

    Where coverage or the mean walk is the aim, a search from the plan at hand looks for the best plan without the action: the true loss
    may be smaller, never larger. The price is what the action costs and the money that buys as much as is lost, at the value that the
    relaxation's multipliers give money. For the least cost both are exact within the study's gap. For the worst-off and the worst
    walk there is no price.

    Args:
        terrain, settings, made: the plan.
        rows: numbers of its actions.
        watch: ends it; so does Ctrl-C, which it is told of.

    Returns:
        (n,) losses in the objective's own unit, NaN where the rules leave no plan without the action; (n,) prices; (n,) whether it is
        known: where the search was ended before, both are NaN.
    """
    watch = watch or Watch()
    if settings.minimises and settings.objective == "least_cost":
        return _dearer(settings, made, rows, watch)
    if not settings.mix and settings.objective in ("fairest", "worst_walk"):
        losses, known = _each(rows, lambda row: _otherwise(settings, made, row, watch), watch)
        return losses, np.full(len(rows), np.nan), known
    problem, years = made.problem, made.plan.build_year
    losses, worth, known = _searched(problem, years, rows, watch)
    with np.errstate(divide="ignore", invalid="ignore"):
        prices = np.where(worth > 0, problem.capital_cost[rows] + np.maximum(losses, 0.0) / worth, np.nan)
    return losses * unit_of_loss(terrain, settings), prices, known


def _each(rows: Ints, loss: Callable[[int], float], watch: Watch) -> tuple[Floats, NDArray[np.bool_]]:
    """Ask for each action's loss until the watch or Ctrl-C ends it; return losses, and which of them were told to the end."""
    losses, known = np.full(len(rows), np.nan), np.zeros(len(rows), bool)
    try:
        with plain_ctrl_c():
            for at, row in enumerate(rows.tolist()):
                if watch.over():
                    break
                told = loss(row)
                # What was searched halfway is no answer.
                if watch.over():
                    break
                losses[at], known[at] = told, True
    except KeyboardInterrupt:
        watch.stopped = "interrupted"
    return losses, known


def _searched(
    problem: SitingProblem, years: Ints, rows: Ints, watch: Watch
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return what a search from the plan less each action loses (dropping or swapping it at most), money's worth, and what is known."""
    unknown = np.full(len(rows), np.nan), np.zeros(len(rows)), np.zeros(len(rows), bool)
    if watch.over():
        return unknown
    try:
        with plain_ctrl_c():
            whole, swaps = objective_of(problem, years), Swaps(problem)
            dropped = {drop.action: drop.loss for drop in drops(problem, years) if not drop.breaks}
            whole_rows = rows_of(problem, with_constants(problem))
            # The relaxation of the rows knows nothing of seats.
            relaxed = None if problem.seats is not None else minimise(whole_rows.program, relaxed=True)
            guide = None if relaxed is None or relaxed.dual is None else guide_of(problem, whole_rows, relaxed)
    except KeyboardInterrupt:
        watch.stopped = "interrupted"
        return unknown
    done = (years[:, None] == np.arange(1, problem.n_years + 1)).astype(float)

    def loss(row: int) -> float:
        known = [swap.loss for swap in swaps.best(years, row, most=1)] + [dropped.get(row, math.inf)]
        less, found = leaving_out(problem, row), None
        if guide is not None:
            toll = np.delete(guide.toll.reshape(done.shape), row, axis=0).ravel()
            start = replace(
                guide, short=np.delete(guide.short, row, axis=0), part=np.delete(done, row, axis=0), toll=toll
            )
            found = search_near(less, start, np.ones(start.short.shape, bool))
        if found is None and not math.isfinite(min(known)):
            plan = solve_watched(less, watch, mip_gap=_GAP, work_limit=0)
            found = plan.build_year if plan.found else None
        known += [] if found is None else [whole - objective_of(less, found)]
        return min(known) if math.isfinite(min(known)) else math.nan

    losses, known = _each(rows, loss, watch)
    return losses, _money_worth(problem, whole_rows, relaxed, years[rows]), known


def _money_worth(problem: SitingProblem, whole_rows: Rows, relaxed: Outcome | None, years: Ints) -> Floats:
    """Return what a unit of money of today is worth to the objective in each of ``years``, by the relaxation's multipliers."""
    if relaxed is None or relaxed.dual is None:
        return np.zeros(len(years))
    price = np.maximum(0.0, -relaxed.dual / whole_rows.scale)[whole_rows.first_rule :]
    of_year = np.zeros(problem.n_years)
    for rule, mu in zip(whole_rows.rules, price.tolist(), strict=True):
        if rule.reason.key == "budget":
            of_year[rule.reason.values["year"] - 1] += mu
    # Unspent money stays: what is saved in a year is there in all later ones.
    worth = np.cumsum(of_year[::-1])[::-1] if problem.carry_over else of_year
    level = np.ones(problem.n_years) if problem.price_level is None else problem.price_level
    return np.asarray((worth * level)[years - 1])


def _dearer(settings: PlanSettings, made: Made, rows: Ints, watch: Watch) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    def loss(row: int) -> float:
        less = leaving_out(made.problem, row)
        plan = objectives.least_cost(less, watch, mip_gap=settings.mip_gap, work_limit=settings.work_limit)
        return plan.objective - made.plan.objective if plan.found else math.nan

    losses, known = _each(rows, loss, watch)
    level = np.array(price_levels(settings))[made.plan.build_year[rows] - 1]
    return losses, made.problem.capital_cost[rows] + losses / level, known


def _otherwise(settings: PlanSettings, made: Made, row: int, watch: Watch) -> float:
    """Return what the worst-off lose without an action; of the worst walk whether it can be kept without it (0) or not (NaN)."""
    limits: dict[str, Any] = {"mip_gap": max(settings.mip_gap, _GAP), "work_limit": 0}
    less = leaving_out(made.problem, row)
    if settings.objective == "worst_walk":
        return 0.0 if solve_watched(less, watch, **limits).found else math.nan
    fair = np.array(made.rulebook.fair, dtype=np.int64)
    plan = objectives.fairest(less, fair, watch, levels=1, **limits)
    return made.plan.objective - plan.objective if plan.found else math.nan
