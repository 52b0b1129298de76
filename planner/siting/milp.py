"""The siting problem as a mixed-integer program for HiGHS: sparse arrays in one call, the best plan known as its start.

Columns are z_jt (action j is open at the end of year t, integer; only for years in which it may open) and y_it (unit i is covered
then, continuous). The cumulative z keeps the cover rows as sparse as the reach is; "nothing is un-built" is z_jt ≥ z_js, s < t.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Event, Thread
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from planner.siting.covering import merge_units
from planner.siting.kernels import Model
from planner.siting.problem import Floats, Ints

# Called in the caller's thread with (best value, bound); True stops.
Teller = Callable[[float, float], bool]
# Gives rows that a point breaks, though every whole point keeps them, and what each is at most.
Cutter = Callable[[Floats], tuple[sparse.csr_array, Floats]]
# Rounds of cuts at most, and by which share of itself a round must move the value for another to follow.
_ROUNDS, _LITTLE = 12, 5e-4
# A row that misses zero by no more than this holds.
_HELD = 1e-7
# Seconds between two looks at a running solver: how long Ctrl-C waits at most.
_LOOK_S = 0.05


@dataclass(frozen=True)
class Program:
    """``min cost·x`` subject to ``lower ≤ matrix·x ≤ upper`` and bounds on x.

    The first ``n_integer`` columns are integer, or those of ``integer`` where it is given.
    """

    cost: Floats
    matrix: sparse.csc_array
    lower: Floats
    upper: Floats
    x_lower: Floats
    x_upper: Floats
    n_integer: int
    offset: float = 0.0
    integer: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Outcome:
    """What HiGHS found: a point or None, a bound on the minimum, why it stopped, and a relaxation's multipliers of the rows.

    Where rows were cut, ``cut`` holds them and ``cut_most`` what each is at most; their multipliers follow those of the program's rows.
    """

    x: Floats | None
    bound: float
    nodes: int
    stopped: str
    dual: Floats | None = None
    cut: sparse.csr_array | None = None
    cut_most: Floats = field(default_factory=lambda: np.zeros(0))


def covering_program(model: Model, scale: float) -> tuple[Program, Ints, Ints]:
    """Return the program over the allowed options, with the action and the year of each of its integer columns.

    Its minimum is −(value of the best plan) × ``scale``. Rows that the same columns cover are merged; a row with one column is that
    column's own worth.
    """
    n_actions, years = model.allowed.shape
    action, year = np.nonzero(model.allowed)
    n = len(action)
    columns = np.arange(n)
    following = np.flatnonzero(action[1:] == action[:-1]) + 1  # columns with an earlier one of the same action
    last = np.ones(n, bool)
    last[following - 1] = False
    # Worth: y_it for each year, over the columns that say what is open then.
    cover = sparse.csr_array(
        (np.ones(len(model.unit_action)), model.unit_action, model.unit_ptr), (len(model.weight), n_actions)
    )
    rows, weights = [], []
    for t in range(years):
        latest = np.full(n_actions, -1)
        until = year <= t
        latest[action[until]] = columns[until]
        stands = np.flatnonzero(latest >= 0)
        open_by = sparse.csr_array((np.ones(len(stands)), (stands, latest[stands])), (n_actions, n))
        rows.append((cover @ open_by).tocsr())
        weights.append(model.weight * (model.worth[t] - model.worth[t + 1]))
    weight, units = merge_units(np.concatenate(weights), sparse.vstack(rows, format="csr"))
    size = np.diff(units.indptr)
    alone = size == 1
    cost = np.zeros(n)
    np.add.at(cost, units[alone].indices, -scale * weight[alone])
    units, weight = units[size > 1].astype(float), weight[size > 1]
    m = len(weight)

    place, number = np.unique(model.place[action[last]], return_inverse=True)
    at_place = sparse.csr_array((np.ones(last.sum()), (number, columns[last])), (len(place), n))
    must = model.must[place]
    kept = must | (np.diff(at_place.indptr) > 1)
    earlier = sparse.csr_array(
        (
            np.concatenate([np.ones(len(following)), -np.ones(len(following))]),
            (np.tile(np.arange(len(following)), 2), np.concatenate([following, following - 1])),
        ),
        (len(following), n),
    )
    # Rows over z: an option's use is paid when its column steps up, and taken back by the next one of the same action.
    use = model.use[action * years + year]
    use[following - 1] -= use[following]
    n_rows = len(model.has)
    z_rows = sparse.vstack([at_place[kept], earlier, sparse.csr_array(use.T)], format="csr")
    lower = np.concatenate([must[kept], np.zeros(len(following)), np.full(n_rows, -highspy.kHighsInf)])
    upper = np.concatenate([np.ones(kept.sum()), np.full(len(following), highspy.kHighsInf), model.has])
    program = Program(
        cost=np.concatenate([cost, -scale * weight]),
        matrix=sparse.block_array([[-units, sparse.eye_array(m)], [z_rows, None]], format="csc"),
        lower=np.concatenate([np.full(m, -highspy.kHighsInf), lower]),
        upper=np.concatenate([np.zeros(m), upper]),
        x_lower=np.zeros(n + m),
        x_upper=np.ones(n + m),
        n_integer=n,
    )
    return program, action, year


def point_of(program: Program, action: Ints, year: Ints, plan: Ints, never: int) -> Floats | None:
    """Return a plan (years from 0, or ``never``) as a point of `covering_program`; None where it has an option that was struck out."""
    z = (plan[action] <= year).astype(float)
    if (plan[action] == year).sum() < (plan < never).sum():
        return None
    n_y = len(program.cost) - len(z)
    covered = program.matrix[:n_y, : len(z)] @ z
    return np.concatenate([z, np.minimum(1.0, -covered)])


def plan_of(action: Ints, year: Ints, x: Floats, n_actions: int, never: int) -> Ints:
    """Return the years (from 0, ``never`` if not chosen) in a point of `covering_program`."""
    plan = np.full(n_actions, never, np.int64)
    chosen = x[: len(action)] > 0.5
    np.minimum.at(plan, action[chosen], year[chosen])
    return plan


def minimise(
    program: Program,
    *,
    start: Floats | None = None,
    below: float | None = None,
    mip_gap: float = 0.0,
    abs_gap: float = 0.0,
    nodes: int | None = None,
    looks: int | None = None,
    enough: float = math.inf,
    time_limit_s: float | None = None,
    relaxed: bool = False,
    cutter: Cutter | None = None,
    tell: Teller | None = None,
) -> Outcome:
    """Solve a program with HiGHS on one thread with a fixed seed.

    Args:
        program: what to solve.
        start: a feasible point.
        below: look only for points whose value is less, because one of about this value is known: no presolve, no heuristics. "conflict"
            then means that there is none.
        mip_gap: stop when the bound is proven within this fraction of the best point.
        abs_gap: stop when the bound is proven within this of the best point.
        nodes: most branch-and-bound nodes; None is no limit.
        looks: how often HiGHS may look at its limits, in the root and below: a measure of work that is the same on every machine.
        enough: stop when the minimum is proven to be no less.
        time_limit_s: most seconds; None is no limit.
        relaxed: solve the linear relaxation.
        cutter: gives cuts, which are added to the relaxation as long as they move its value.
        tell: called with (best value, bound) now and then, which are infinite as long as they are not known; returning True stops, and
            so does Ctrl-C.
    """
    if not len(program.cost):
        return _of_nothing(program, relaxed)
    highs = highspy.Highs()  # type: ignore[no-untyped-call]
    options: dict[str, bool | int | float | str] = {
        "output_flag": False,
        "threads": 1,
        "parallel": "off",
        "random_seed": 0,
        "mip_rel_gap": mip_gap,
        "mip_abs_gap": abs_gap,
        "mip_feasibility_tolerance": 1e-7,
    }
    if below is not None:
        options |= {"objective_bound": below, "presolve": "off", "mip_heuristic_effort": 0.0}
    if nodes is not None:
        options["mip_max_nodes"] = nodes
    if time_limit_s is not None:
        options["time_limit"] = max(time_limit_s, 0.0)
    for name, value in options.items():
        highs.setOptionValue(name, value)
    highs.passModel(_highs_lp(program, relaxed))
    if start is not None and not relaxed:
        solution = highspy.HighsSolution()
        solution.col_value = start.tolist()
        highs.setSolution(solution)
    halted = _run(highs, tell, looks, enough)
    cuts: list[tuple[sparse.csr_array, Floats]] = []
    whole: Outcome | None = None
    while relaxed and cutter is not None and not halted and len(cuts) < _ROUNDS and _solved(highs):
        before, point = highs.getInfo().objective_function_value, highs.getSolution()
        more, most = cutter(np.asarray(point.col_value))
        if not len(most):
            break
        least = np.full(len(most), -highspy.kHighsInf)
        starts, columns = more.indptr[:-1].astype(np.int32), more.indices.astype(np.int32)
        whole = Outcome(
            np.asarray(point.col_value), float(before), 0, "gap", np.asarray(point.row_dual), *_stacked(cuts)
        )
        highs.addRows(len(most), least, most, more.nnz, starts, columns, more.data)
        halted = _run(highs, tell, looks, enough)
        if not _solved(highs):
            break
        cuts.append((more, most))
        whole = None
        if abs(highs.getInfo().objective_function_value - before) <= _LITTLE * abs(before):
            break
    status, info = highs.getModelStatus(), highs.getInfo()
    found = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    kinds = highspy.HighsModelStatus
    stopped = {
        kinds.kOptimal: "gap",
        kinds.kInfeasible: "conflict",
        kinds.kObjectiveBound: "conflict",
        kinds.kTimeLimit: "time",
        kinds.kSolutionLimit: "work",
        kinds.kInterrupt: "interrupted" if halted else "work",
        # Stopped in the middle of presolve or a restart, HiGHS knows no status.
        kinds.kNotset: "interrupted" if halted else "work",
    }.get(status, "work")
    if below is not None and found and info.objective_function_value >= below:
        # What was cut off is taken for solved: a worse point was found, and nothing better is left.
        found, stopped = False, "conflict" if stopped == "gap" else stopped
    if whole is not None and stopped != "conflict":
        # Stopped in the middle of a round of cuts: what the rounds before have proven holds.
        return replace(whole, stopped=stopped)
    cut, cut_most = _stacked(cuts)
    return Outcome(
        x=np.asarray(highs.getSolution().col_value) if found else None,
        bound=float(info.objective_function_value if relaxed else info.mip_dual_bound),
        nodes=0 if relaxed else max(int(info.mip_node_count), 0),
        stopped=stopped,
        dual=np.asarray(highs.getSolution().row_dual) if relaxed and found else None,
        cut=cut,
        cut_most=cut_most,
    )


def _stacked(cuts: list[tuple[sparse.csr_array, Floats]]) -> tuple[sparse.csr_array | None, Floats]:
    if not cuts:
        return None, np.zeros(0)
    return sparse.vstack([rows for rows, _ in cuts], format="csr"), np.concatenate([most for _, most in cuts])


def _solved(highs: Any) -> bool:
    return bool(highs.getModelStatus() == highspy.HighsModelStatus.kOptimal)


def with_cuts(program: Program, relaxed: Outcome) -> Program:
    """Return a program with the rows that its relaxation was cut by."""
    if relaxed.cut is None:
        return program
    return replace(
        program,
        matrix=sparse.vstack([program.matrix, relaxed.cut], format="csc"),
        lower=np.concatenate([program.lower, np.full(len(relaxed.cut_most), -highspy.kHighsInf)]),
        upper=np.concatenate([program.upper, relaxed.cut_most]),
    )


def _of_nothing(program: Program, relaxed: bool) -> Outcome:
    """Solve a program without columns, of which HiGHS says nothing but that it is empty: its rows hold at zero, or nothing keeps them."""
    if (program.lower > _HELD).any() or (program.upper < -_HELD).any():
        return Outcome(x=None, bound=np.inf, nodes=0, stopped="conflict")
    dual = np.zeros(len(program.lower)) if relaxed else None
    return Outcome(x=np.zeros(0), bound=program.offset, nodes=0, stopped="gap", dual=dual)


def _run(highs: Any, tell: Teller | None, looks: int | None, enough: float) -> bool:
    """Run HiGHS in a thread of its own, so that this one hears Ctrl-C and may call ``tell``; who tells nobody gets the KeyboardInterrupt.

    highspy's own way to do so prints, and forbids two solves at once in a process. Returns whether it was asked to
    stop, by ``looks`` and ``enough`` apart.
    """
    heard, stop, left = (np.inf, -np.inf), False, np.inf if looks is None else looks

    def look(event: Any) -> None:
        nonlocal heard, left
        heard, left = (event.data_out.mip_primal_bound, event.data_out.mip_dual_bound), left - 1
        if stop or left < 0 or event.data_out.mip_dual_bound >= enough:
            event.interrupt()

    def halt(event: Any) -> None:
        if stop:
            event.interrupt()

    highs.cbMipInterrupt += look
    highs.cbSimplexInterrupt += halt
    highs.cbIpmInterrupt += halt
    # Not `Thread.join`: interrupted, it takes a running thread for a finished one (up to Python 3.12), and what HiGHS says halfway is no
    # bound.
    over = Event()

    def run() -> None:
        try:
            highs.run()
        finally:
            over.set()

    worker = Thread(target=run, daemon=True)
    worker.start()
    try:
        while not over.is_set():
            try:
                over.wait(_LOOK_S)
                if tell is not None and not stop:
                    stop = tell(*heard)
            except KeyboardInterrupt:
                stop = True
                if tell is None:
                    raise
        return stop
    finally:
        stop = True
        over.wait()
        worker.join()
        # What listens still hears the next run of the same program.
        stop = False


def _highs_lp(program: Program, relaxed: bool) -> highspy.HighsLp:
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(program.cost), len(program.lower)
    lp.col_cost_, lp.offset_ = program.cost, program.offset
    lp.col_lower_, lp.col_upper_ = program.x_lower, program.x_upper
    lp.row_lower_, lp.row_upper_ = program.lower, program.upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = program.matrix.indptr, program.matrix.indices
    lp.a_matrix_.value_ = program.matrix.data
    if not relaxed:
        kinds = highspy.HighsVarType
        rest = len(program.cost) - program.n_integer
        lp.integrality_ = [kinds.kInteger] * program.n_integer + [kinds.kContinuous] * rest
        if program.integer is not None:
            lp.integrality_ = [kinds.kInteger if whole else kinds.kContinuous for whole in program.integer.tolist()]
    return lp
