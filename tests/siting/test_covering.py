"""The merged problem must say of every plan what the definition of effective share says, worked out demand by demand."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import sparse
from small import all_plans

from planner.siting import SitingProblem, covering_problem, objective_of, solve, tallies
from planner.siting.covering import Tally, merge_units

HOURS = 6


@dataclass(frozen=True)
class Offers:
    place: np.ndarray
    mask: np.ndarray
    serves: np.ndarray


@dataclass(frozen=True)
class Town:
    """A random town: who reaches what, who works when, what stands and what may be done."""

    pairs: np.ndarray
    weight: np.ndarray
    group: np.ndarray
    profile: np.ndarray
    existing: Offers
    actions: Offers
    cost: np.ndarray

    def problem(self, **settings: object) -> SitingProblem:
        return covering_problem(
            self.pairs[:, 0],
            self.pairs[:, 1],
            len(self.weight),
            weight=self.weight,
            group=self.group,
            profile=self.profile,
            existing=self.existing,
            actions=self.actions,
            capital_cost=self.cost,
            operating_cost=np.ones(len(self.cost)),
            **{"budget": [6.0, 5.0], "year_weight": [0.25, 0.75], **settings},
        )

    def share_at(self, chosen: np.ndarray) -> float:
        """Effective share by its definition: half-hour by half-hour, unit by unit."""
        reached = {(int(d), int(p)) for d, p in self.pairs}
        covered = total = 0.0
        for d, (weight, group) in enumerate(zip(self.weight, self.group, strict=True)):
            for h in range(HOURS):
                total += weight * self.profile[group, h]
                served = any(
                    (d, int(offers.place[k])) in reached and offers.mask[k, h] and offers.serves[k] and standing[k]
                    for offers, standing in (
                        (self.existing, np.ones(len(self.existing.place), bool)),
                        (self.actions, chosen),
                    )
                    for k in range(len(offers.place))
                )
                covered += weight * self.profile[group, h] * served
        return covered / total


def random_town(rng: np.random.Generator) -> Town:
    n_demand, n_places, n_existing = 8, 5, 2
    pairs = np.argwhere(rng.random((n_demand, n_places)) < 0.4)
    place = np.array([0, 0, 2, 3, 3, 4])
    return Town(
        pairs=pairs,
        weight=rng.integers(1, 9, n_demand).astype(float),
        group=rng.integers(0, 2, n_demand),
        profile=rng.choice([0.0, 0.5, 1.0], (2, HOURS)) + np.eye(2, HOURS),
        existing=Offers(np.arange(n_existing), rng.random((n_existing, HOURS)) < 0.5, rng.random(n_existing) < 0.7),
        actions=Offers(place, rng.random((len(place), HOURS)) < 0.6, rng.random(len(place)) < 0.8),
        cost=rng.integers(1, 5, len(place)).astype(float),
    )


@pytest.mark.parametrize("seed", range(6))
def test_value_of_every_plan_is_the_defined_share(seed: int) -> None:
    town = random_town(np.random.default_rng(seed))
    problem = town.problem()
    for plan in list(all_plans(problem))[::7]:
        by_year = [town.share_at((plan > 0) & (plan <= year)) for year in (1, 2)]
        assert objective_of(problem, plan) == pytest.approx(0.25 * by_year[0] + 0.75 * by_year[1])


def test_merging_makes_it_smaller_and_changes_no_value() -> None:
    town = random_town(np.random.default_rng(1))
    problem = town.problem()
    assert problem.n_units < len(town.weight) * HOURS
    assert len({row.tobytes() for row in problem.cover.toarray()}) == problem.n_units


def test_share_ignores_hours_and_services() -> None:
    town = random_town(np.random.default_rng(2))
    always = replace(
        town,
        profile=np.ones_like(town.profile),
        existing=replace(town.existing, mask=np.ones((2, HOURS), bool), serves=np.ones(2, bool)),
        actions=replace(town.actions, mask=np.ones((6, HOURS), bool), serves=np.ones(6, bool)),
    )
    a, b = solve(town.problem(objective="share"), mip_gap=0), solve(always.problem(), mip_gap=0)
    assert a.objective == pytest.approx(b.objective)
    assert town.problem(objective="share").constant == pytest.approx(always.share_at(np.zeros(6, bool)))


def test_no_demand_in_reach_leaves_nothing_to_plan() -> None:
    town = replace(random_town(np.random.default_rng(2)), pairs=np.zeros((0, 2), int))
    plan = solve(town.problem())
    assert (plan.status, plan.objective) == ("optimal", 0.0)


def test_merge_units_adds_weights() -> None:
    cover = sparse.csr_array(np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]], np.int8))
    weight, merged = merge_units(np.array([1.0, 2.0, 4.0]), cover)
    assert weight.tolist() == [5.0, 2.0]
    assert merged.toarray().tolist() == [[1, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize("seed", range(6))
def test_closing_cross_coverage_and_walks_are_what_their_definitions_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    town = random_town(rng)
    closes = np.zeros(6, bool)
    closes[1] = True  # closes the site at place 0, whose other action is number 0
    metres = rng.integers(1, 20, len(town.pairs)).astype(float)
    pairs = {(int(d), int(p)): m for (d, p), m in zip(town.pairs, metres, strict=True)}
    people, cap_m = town.weight, 25.0
    members = rng.random(len(people)) < 0.5
    members[0] = True
    problem = town.problem(
        objective={"share": 0.5, "backup": 0.3, "walk": 0.2},
        closes=closes,
        reach_m=metres,
        walk_cap_m=cap_m,
        group_weight=np.array([1.0, 2.0]),
        tallies=[Tally("backup", members), Tally("walk", np.ones(len(people), bool))],
    )
    counts = people * np.array([1.0, 2.0])[town.group]

    def measured(done: np.ndarray, weights: np.ndarray) -> dict[str, float]:
        """By the definitions, demand by demand: sites that stand, how many are in reach, how far the nearest is."""
        standing = ({0, 1} - set(town.actions.place[done & closes].tolist())) | set(
            town.actions.place[done & ~closes].tolist()
        )
        near = [[m for p in standing if (m := pairs.get((d, p))) is not None] for d in range(len(people))]
        total = weights.sum()
        return {
            "share": sum(w for w, m in zip(weights, near, strict=True) if m) / total,
            "backup": sum(w for w, m in zip(weights, near, strict=True) if len(m) >= 2) / total,
            "walk": sum(w * (cap_m - min([*m, cap_m])) / cap_m for w, m in zip(weights, near, strict=True)) / total,
        }

    for plan in list(all_plans(problem))[::11]:
        expected = 0.0
        for year, factor in ((1, 0.25), (2, 0.75)):
            done = (plan > 0) & (plan <= year)
            found = measured(done, counts)
            expected += factor * (0.5 * found["share"] + 0.3 * found["backup"] + 0.2 * found["walk"])
            counted = tallies(problem, plan)[:, year - 1]
            assert counted[0] == pytest.approx(measured(done, np.where(members, people, 0.0))["backup"])
            assert counted[1] == pytest.approx(measured(done, people)["walk"])
        assert objective_of(problem, plan) == pytest.approx(expected)
