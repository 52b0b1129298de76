"""Small random siting problems with every rule, and brute force as their oracle."""

import itertools
from collections.abc import Iterator

import numpy as np
from scipy import sparse

from planner.siting import SitingProblem, broken_rules, objective_of


def random_problem(rng: np.random.Generator, *, most_actions: int = 5) -> SitingProblem:
    """Years, budgets, carry-over, rivals at a place, operating costs, required places and limits, all by chance."""
    years = int(rng.integers(1, 4))
    n = int(rng.integers(1, most_actions + 1 if years < 3 else most_actions))
    units = int(rng.integers(1, 12))
    place = np.sort(rng.integers(0, max(1, n - 1), n))
    limited = rng.random() < 0.3
    return SitingProblem(
        unit_weight=rng.integers(1, 9, units).astype(float),
        cover=sparse.csr_array((rng.random((units, n)) < 0.4).astype(np.int8)),
        capital_cost=rng.integers(0, 9, n).astype(float),
        operating_cost=rng.integers(0, 4, n).astype(float),
        place=place,
        budget=rng.integers(0, 15, years).astype(float),
        year_weight=rng.dirichlet(np.ones(years)),
        constant=float(rng.integers(0, 5)),
        carry_over=bool(rng.integers(2)),
        required=(int(rng.choice(np.unique(place))),) if rng.random() < 0.3 else (),
        limit_use=sparse.csr_array(rng.integers(0, 2, (2, n)).astype(float)) if limited else None,
        limit=np.array([1.0, 2.0]) if limited else np.zeros(0),
    )


def all_plans(problem: SitingProblem) -> Iterator[np.ndarray]:
    """Every plan that keeps all rules."""
    for years in itertools.product(range(problem.n_years + 1), repeat=problem.n_actions):
        plan = np.array(years, dtype=np.int64)
        if not broken_rules(problem, plan):
            yield plan


def best_by_brute_force(problem: SitingProblem) -> float | None:
    """The best objective over every plan; None where no plan keeps the rules."""
    return max((objective_of(problem, plan) for plan in all_plans(problem)), default=None)
