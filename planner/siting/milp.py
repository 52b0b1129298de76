"""The siting problem as a mixed-integer program for HiGHS: sparse arrays in one call, the best plan known as its start.

Columns are z_jt (action j is open at the end of year t, integer) and y_it (unit i is covered then, continuous). The cumulative z
keeps the cover rows as sparse as the reach is; "nothing is un-built" is z_jt ≥ z_j,t−1.
"""

from collections.abc import Callable
from dataclasses import dataclass

import highspy
import numpy as np
from scipy import sparse

from planner.siting.problem import MONEY_TOLERANCE, Floats, Ints, SitingProblem

Progress = Callable[[float, float], None]


@dataclass(frozen=True)
class Program:
    """``min cost·x`` subject to ``lower ≤ matrix·x ≤ upper`` and bounds on x; the first ``n_integer`` columns are integer."""

    cost: Floats
    matrix: sparse.csc_array
    lower: Floats
    upper: Floats
    x_lower: Floats
    x_upper: Floats
    n_integer: int
    offset: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What HiGHS found: a point or None, a bound on the minimum, and why it stopped."""

    x: Floats | None
    bound: float
    nodes: int
    stopped: str


def covering_program(problem: SitingProblem, scale: float) -> Program:
    """Return the program whose minimum is −(objective of the best plan) × ``scale``."""
    n, m, years = problem.n_actions, problem.n_units, problem.n_years
    inf = highspy.kHighsInf
    blocks, lower, upper = [], [], []
    n_z = years * n

    def add(z: sparse.sparray, y: sparse.sparray | None, low: Floats, high: Floats) -> None:
        rest = sparse.csr_array((z.shape[0], years * m)) if y is None else y
        blocks.append(sparse.hstack([z, rest], format="csr"))
        lower.append(low)
        upper.append(high)

    each_year = sparse.eye_array(years)
    cover = sparse.kron(each_year, problem.cover.astype(float), format="csr")
    add(-cover, sparse.eye_array(years * m, format="csr"), np.full(years * m, -inf), np.zeros(years * m))
    if years > 1:
        step = sparse.diags_array([-np.ones(years - 1), np.ones(years - 1)], offsets=[0, 1], shape=(years - 1, years))
        rows = sparse.kron(step, sparse.eye_array(n), format="csr")
        add(rows, None, np.zeros(rows.shape[0]), np.full(rows.shape[0], inf))
    last = sparse.csr_array(([1.0], ([0], [years - 1])), (1, years))
    places, number = np.unique(problem.place, return_inverse=True)
    at_place = sparse.csr_array((np.ones(n), (number, np.arange(n))), (len(places), n))
    must = np.isin(places, problem.required)
    kept = must | (np.diff(at_place.indptr) > 1)
    add(sparse.kron(last, at_place[kept], format="csr"), None, must[kept].astype(float), np.ones(int(kept.sum())))
    if problem.limit_use is not None:
        add(sparse.kron(last, problem.limit_use, format="csr"), None, np.full(len(problem.limit), -inf), problem.limit)
    z_cost, money = _budget_rows(problem)
    add(z_cost, None, np.full(years, -inf), money + MONEY_TOLERANCE * np.maximum(1.0, money))

    cost = np.concatenate([np.zeros(n_z), -scale * np.outer(problem.year_weight, problem.unit_weight).ravel()])
    return Program(
        cost=cost,
        matrix=sparse.vstack(blocks, format="csc"),
        lower=np.concatenate(lower),
        upper=np.concatenate(upper),
        x_lower=np.zeros(len(cost)),
        x_upper=np.ones(len(cost)),
        n_integer=n_z,
        offset=-scale * problem.constant * float(problem.year_weight.sum()),
    )


def _budget_rows(problem: SitingProblem) -> tuple[sparse.csr_array, Floats]:
    """Return the money rows over z: capital × (z_t − z_t−1) + operating × z_t, summed up to the year with carry-over."""
    years = problem.n_years
    capital = np.eye(years) - np.eye(years, k=-1)
    running = np.eye(years)
    money = problem.budget.copy()
    if problem.carry_over:
        capital, running, money = np.cumsum(capital, axis=0), np.cumsum(running, axis=0), np.cumsum(money)
    rows = sparse.kron(sparse.csr_array(capital), problem.capital_cost[None, :]) + sparse.kron(
        sparse.csr_array(running), problem.operating_cost[None, :]
    )
    return rows.tocsr(), money


def point_of(problem: SitingProblem, build_year: Ints) -> Floats:
    """Return a plan as a point of `covering_program`."""
    years = np.arange(1, problem.n_years + 1)
    z = ((build_year[None, :] > 0) & (build_year[None, :] <= years[:, None])).astype(float)
    y = np.minimum(1.0, (problem.cover.astype(float) @ z.T).T)
    return np.concatenate([z.ravel(), y.ravel()])


def plan_of(problem: SitingProblem, x: Floats) -> Ints:
    """Return the build years in a point of `covering_program`."""
    z = x[: problem.n_years * problem.n_actions].reshape(problem.n_years, problem.n_actions) > 0.5
    return np.where(z.any(axis=0), z.argmax(axis=0) + 1, 0).astype(np.int64)


def minimise(
    program: Program,
    *,
    start: Floats | None = None,
    mip_gap: float = 0.0,
    nodes: int | None = None,
    time_limit_s: float | None = None,
    relaxed: bool = False,
    progress: Progress | None = None,
) -> Outcome:
    """Solve a program with HiGHS on one thread with a fixed seed.

    Args:
        program: what to solve.
        start: a feasible point.
        mip_gap: stop when the bound is proven within this fraction of the best point.
        nodes: most branch-and-bound nodes; None is no limit.
        time_limit_s: most seconds; None is no limit.
        relaxed: solve the linear relaxation.
        progress: called with (best value, bound) now and then.
    """
    highs = highspy.Highs()  # type: ignore[no-untyped-call]
    options: dict[str, bool | int | float | str] = {
        "output_flag": False,
        "threads": 1,
        "parallel": "off",
        "random_seed": 0,
        "mip_rel_gap": mip_gap,
        "mip_abs_gap": 0.0,
        "mip_feasibility_tolerance": 1e-7,
    }
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
    if progress is not None and not relaxed:
        highs.cbMipLogging += lambda event: progress(event.data_out.mip_primal_bound, event.data_out.mip_dual_bound)
    highs.HandleKeyboardInterrupt = True
    highs.solve()
    status, info = highs.getModelStatus(), highs.getInfo()
    found = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    kinds = highspy.HighsModelStatus
    stopped = {
        kinds.kOptimal: "gap",
        kinds.kInfeasible: "conflict",
        kinds.kTimeLimit: "time",
        kinds.kSolutionLimit: "work",
        kinds.kInterrupt: "interrupted",
    }.get(status, "work")
    return Outcome(
        x=np.asarray(highs.getSolution().col_value) if found else None,
        bound=float(info.objective_function_value if relaxed else info.mip_dual_bound),
        nodes=0 if relaxed else max(int(info.mip_node_count), 0),
        stopped=stopped,
    )


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
    return lp
