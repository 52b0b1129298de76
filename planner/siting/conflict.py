"""Why nothing fits: an irreducible set of rules that cannot be kept together, and the least relaxation that makes room.

Takes a problem without a plan. The elastic program (Chinneck & Dravnieks 1991) gives every rule a way out at a price; those that take it
when the whole gets by most cheaply say what would have to give. Of the rules with a price, the deletion filter drops each without
which the rest still conflict: what remains is a conflict in which every rule counts.
"""

from collections.abc import Sequence
from dataclasses import replace

import highspy
import numpy as np
from scipy import sparse

from planner.siting.milp import Program, minimise
from planner.siting.planning import rows_of, standard_rules, with_constants
from planner.siting.problem import Ints, Reason, Rule, SitingProblem

# Nodes of each feasibility program: a count of work, so that the sentences are the same everywhere.
_NODES = 500
# A way out below this is the dirt of the solver.
_NOTHING = 1e-6


def explain_conflict(problem: SitingProblem) -> tuple[Reason, ...]:
    """Return the reasons of the rules in conflict, then what the least relaxation gives way in.

    Returns:
        The reasons of an irreducible conflict, as the rules carry them; then one ``relax`` for each rule that must give way, with the
        values ``rule`` (its reason) and ``by`` (in the rule's own unit). Nothing where the problem has a plan.
    """
    rules = with_constants(problem)
    if not rules:
        return ()
    named = [rule.reason for rule in standard_rules(problem)]
    relaxed = minimise(_elastic(problem, rules), relaxed=True)
    prices = np.zeros(len(rules)) if relaxed.dual is None else np.abs(relaxed.dual[-len(rules) :])
    whole = relaxed.bound <= _NOTHING  # only whole actions conflict, halves of them do not
    groups = _groups(rules if whole else [rule for rule, price in zip(rules, prices, strict=True) if price > 1e-9])
    if _possible(problem, _flat(groups), whole=whole):
        groups = _groups(rules)
    kept = _irreducible(problem, groups, whole=whole)
    if _possible(problem, _flat(kept), whole=whole):
        return ()
    # Halves of actions conflict: whole ones may do so with fewer rules.
    kept = kept if whole else _irreducible(problem, kept, whole=True)
    return (*(_frozen(group[0].reason) for group in kept), *_relaxation(problem, rules, named))


def _irreducible(problem: SitingProblem, groups: list[list[Rule]], *, whole: bool) -> list[list[Rule]]:
    """Drop every group without which the rest still conflict."""
    kept = list(groups)
    for group in groups:
        rest = [other for other in kept if other is not group]
        if not _possible(problem, _flat(rest), whole=whole):
            kept = rest
    return kept


def _flat(groups: list[list[Rule]]) -> list[Rule]:
    return [rule for group in groups for rule in group]


class _Key(Reason):
    """A reason that can be told apart from others by what it says."""

    def __hash__(self) -> int:
        return hash((self.key, tuple(sorted((k, str(v)) for k, v in self.values.items()))))


def _frozen(reason: Reason) -> Reason:
    return _Key(reason.key, reason.values)


def _groups(rules: Sequence[Rule]) -> list[list[Rule]]:
    """Put rules together that say one thing: those of one reason."""
    groups: dict[Reason, list[Rule]] = {}
    for rule in rules:
        groups.setdefault(_frozen(rule.reason), []).append(rule)
    return list(groups.values())


def _possible(problem: SitingProblem, rules: Sequence[Rule], *, whole: bool) -> bool:
    """Tell whether some plan keeps these rules; without ``whole`` actions may be done in part."""
    program = rows_of(problem, rules).program
    program = replace(program, cost=np.zeros_like(program.cost))
    return minimise(program, relaxed=not whole, nodes=_NODES).stopped != "conflict"


def _elastic(problem: SitingProblem, rules: Sequence[Rule]) -> Program:
    """Return the program in which every rule has a way out, to be used as little as can be."""
    rows = rows_of(problem, rules)
    program, n = rows.program, len(rules)
    outs = sparse.csc_array((-np.ones(n), (rows.first_rule + np.arange(n), np.arange(n))), (len(program.upper), n))
    return replace(
        program,
        cost=np.concatenate([np.zeros_like(program.cost), [rule.worth for rule in rules]]),
        matrix=sparse.hstack([program.matrix, outs], format="csc"),
        x_lower=np.concatenate([program.x_lower, np.zeros(n)]),
        x_upper=np.concatenate([program.x_upper, np.full(n, highspy.kHighsInf)]),
        integer=np.concatenate([_integer(program), np.zeros(n, bool)]),
    )


def _integer(program: Program) -> Ints:
    assert program.integer is not None
    return program.integer.astype(bool)


def _relaxation(problem: SitingProblem, rules: Sequence[Rule], named: Sequence[Reason]) -> tuple[Reason, ...]:
    outcome = minimise(_elastic(problem, rules), mip_gap=0.01, nodes=_NODES)
    if outcome.x is None:
        return ()
    outs = outcome.x[-len(rules) :]
    most: dict[Reason, float] = {}
    for reason, out in zip(named, outs.tolist(), strict=True):
        if out > _NOTHING:
            key = _frozen(reason)
            most[key] = max(most.get(key, 0.0), out)
    return tuple(Reason("relax", {"rule": reason, "by": by}) for reason, by in most.items())
