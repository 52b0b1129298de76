"""Which actions, in which year: the best plan within the budgets, with objective, bound and gap."""

from planner.siting.covering import covering_problem
from planner.siting.matrix import from_cost_matrix
from planner.siting.problem import (
    Plan,
    Reason,
    Rule,
    SitingProblem,
    broken_rules,
    objective_of,
    spending,
    tallies,
)
from planner.siting.solving import solve
from planner.siting.watch import Listener, Progress

__all__ = [
    "Listener",
    "Plan",
    "Progress",
    "Reason",
    "Rule",
    "SitingProblem",
    "broken_rules",
    "covering_problem",
    "from_cost_matrix",
    "objective_of",
    "solve",
    "spending",
    "tallies",
]
