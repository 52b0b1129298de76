"""Location problems here and in spopt with CBC and with HiGHS: same data, same machine, one run; each solver in a process of its own.

    python benchmarks/siting.py [--quick | --long] [--json FILE] [--limit SECONDS] [--gap FRACTION] [--orlib DIR] [--case NAME]

Prints seconds, value, gap and peak memory, and how many times longer each peer takes. Building the model is inside the clock. Compilation
is not: each process solves small problems first, and what that takes is printed apart. ``--limit`` is what each solver may take for a
case; building comes on top with spopt. With ``--gap`` the planner stops once its gap is proven to be no more than that. ``--long`` lets
the peers try the large cases too, which takes them a quarter of an hour each.
On a machine with other work, compare the seconds of processor time in the JSON.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import shortest_path
from scipy.spatial import KDTree

PEERS = ("spopt+cbc", "spopt+highs")
QUICK, USUAL, LONG = range(3)


class Case(NamedTuple):
    """A town of 10 × 10 km, and from which length of run on it is solved, here and by the peers."""

    objective: str
    facilities: int
    demands: int
    radius: float | None
    p: int | None
    ours: int = USUAL
    peers: int = LONG
    clustered: bool = False


CASES = {
    "mclp 100x1000 p10": Case("mclp", 100, 1_000, 800, 10, QUICK, QUICK),
    "lscp 100x1000": Case("lscp", 100, 1_000, 1_500, None, QUICK, QUICK),
    "p_median 30x300 p4": Case("p_median", 30, 300, None, 4, QUICK, QUICK),
    "p_center 30x300 p4": Case("p_center", 30, 300, None, 4, USUAL, USUAL),
    "mclp 500x5000 p50": Case("mclp", 500, 5_000, 500, 50, QUICK, USUAL),
    "mclp 2000x20000 p50": Case("mclp", 2_000, 20_000, 560, 50),
    "mclp 5000x100000 p50": Case("mclp", 5_000, 100_000, 580, 50),
    "mclp 5000x100000 p10": Case("mclp", 5_000, 100_000, 580, 10),
    "mclp 100x100000 p20": Case("mclp", 100, 100_000, 1_000, 20),
    "lscp 2000x20000": Case("lscp", 2_000, 20_000, 300, None),
    # Two families that do not close: nearly everything covered by overlapping circles, and sites where the people are.
    "mclp 500x5000 p50 wide": Case("mclp", 500, 5_000, 800, 50),
    "mclp 2000x20000 p50 clustered": Case("mclp", 2_000, 20_000, 400, 50, clustered=True),
    # Covering everybody closes while circles overlap little; the wider, the farther apart are the bound and the best known cover.
    "lscp 500x5000": Case("lscp", 500, 5_000, 1_000, None, USUAL, USUAL),
    "lscp 2000x20000 wide": Case("lscp", 2_000, 20_000, 600, None),
}
# OR-Library's p-median instances (Beasley 1990) with their published optima.
ORLIB = {"pmed1": 5819, "pmed5": 1355, "pmed10": 1255, "pmed20": 1789, "pmed40": 5128}


def town(n_facilities, n_demands, radius, clustered=False):
    """Return a sparse cost matrix (all pairs where no radius is given) and weights, by a fixed seed.

    Points lie anywhere in 10 × 10 km, or, clustered, around thirty centres of different size and width.
    """
    rng = np.random.default_rng(0)
    if clustered:
        centres, width, share = rng.random((30, 2)) * 10_000, rng.uniform(300, 1_500, 30), rng.dirichlet(np.ones(30))

        def points(n):
            at = rng.choice(30, n, p=share)
            return centres[at] + rng.normal(size=(n, 2)) * width[at, None]
    else:

        def points(n):
            return rng.random((n, 2)) * 10_000

    demands, facilities = points(n_demands), points(n_facilities)
    weights = rng.integers(1, 51, n_demands).astype(float)
    reach = radius or 20_000
    pairs = KDTree(demands).sparse_distance_matrix(KDTree(facilities), reach, output_type="coo_matrix")
    matrix = sparse.csr_array(pairs)
    if radius is not None:
        served = np.diff(matrix.indptr) > 0
        matrix, weights = matrix[served], weights[served]
    return matrix, weights


def orlib(file):
    """Return the walking distances and p of an OR-Library instance; of parallel edges the last one counts."""
    numbers = np.array(file.read_text(encoding="ascii").split(), dtype=int)
    n, _, p = numbers[:3]
    lengths = np.zeros((n, n))
    for a, b, length in numbers[3:].reshape(-1, 3):
        lengths[a - 1, b - 1] = lengths[b - 1, a - 1] = length
    walk = shortest_path(lengths, directed=False)
    indptr = np.arange(0, n * n + 1, n)
    return sparse.csr_array((walk.ravel(), np.tile(np.arange(n), n), indptr), (n, n)), int(p)


def problem(case, folder):
    if case in ORLIB:
        matrix, p = orlib(folder / f"{case}.txt")
        return "p_median", matrix, np.ones(matrix.shape[0]), None, p
    given = CASES[case]
    matrix, weights = town(given.facilities, given.demands, given.radius, given.clustered)
    return given.objective, matrix, weights, given.radius, given.p


def ours(objective, matrix, weights, radius, p, limit, gap=0.0):
    from planner.siting import from_cost_matrix

    plan = from_cost_matrix(
        matrix, weights, objective=objective, service_radius=radius, p_facilities=p, time_limit=limit, mip_gap=gap
    )
    return {"value": plan.objective, "bound": plan.bound, "gap": plan.gap, "status": plan.status}


def spopt(solver):
    def run(objective, matrix, weights, radius, p, limit, _gap):
        import pulp
        from spopt.locate import LSCP, MCLP, PCenter, PMedian

        # spopt takes a dense matrix: what is out of reach gets a walk beyond every radius.
        dense = np.full(matrix.shape, 1e6)
        rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        dense[rows, matrix.indices] = matrix.data
        engine = {"cbc": pulp.PULP_CBC_CMD, "highs": pulp.HiGHS}[solver](msg=False, timeLimit=limit)
        if objective == "mclp":
            model = MCLP.from_cost_matrix(dense, weights, radius, p_facilities=p)
        elif objective == "lscp":
            model = LSCP.from_cost_matrix(dense, radius)
        elif objective == "p_median":
            model = PMedian.from_cost_matrix(dense, weights, p_facilities=p)
        else:
            model = PCenter.from_cost_matrix(dense, p_facilities=p)
        model = model.solve(engine, results=False)
        return {"value": pulp.value(model.problem.objective), "status": pulp.LpStatus[model.problem.status].lower()}

    return run


SOLVERS = {"planner": ours, "spopt+cbc": spopt("cbc"), "spopt+highs": spopt("highs")}


def used():
    """Return the seconds of processor time and the peak MiB of this process and those it started; None where unknown."""
    if os.name == "nt":
        return time.process_time(), None
    import resource

    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    peak = max(own.ru_maxrss, others.ru_maxrss) / (2**20 if platform.system() == "Darwin" else 2**10)
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime, peak


def warm_up(solver):
    """Import what the solver needs; here also solve small problems of every kind, so that all is compiled or read from numba's cache."""
    if solver != "planner":
        SOLVERS[solver]("lscp", *town(5, 20, 9_000), 9_000, None, 10, 0.0)
        return
    for facilities, demands, radius in ((40, 400, 2_000), (150, 1_500, 800)):
        ours("mclp", *town(facilities, demands, radius), radius, 12, 10)
        ours("lscp", *town(facilities, demands, 1_500), 1_500, None, 10)
        ours("p_center", *town(30, 300, None), None, 4, 10)
        ours("p_median", *town(60, 300, None), None, 6, 10)


def run_one(case, solver, limit, gap, folder):
    """Run one solver on one case in this process; print the outcome as JSON."""
    begun = time.perf_counter()
    warm_up(solver)
    compiled = time.perf_counter() - begun
    data = problem(case, folder)
    begun, cpu = time.perf_counter(), used()[0]
    outcome = SOLVERS[solver](*data, limit, gap)
    seconds, (cpu_end, peak) = time.perf_counter() - begun, used()
    figures = {"seconds": seconds, "cpu_seconds": cpu_end - cpu, "peak_mib": peak, "warm_up_seconds": compiled}
    print(json.dumps({**figures, **outcome}))


def run_apart(case, solver, args, repeats):
    """Run one solver on one case in fresh processes; return the outcome with the median time. What takes long is run once."""
    command = [sys.executable, __file__, "--one", case, solver, "--limit", str(args.limit), "--gap", str(args.gap)]
    command += ["--orlib", str(args.orlib)] if args.orlib else []
    outcomes = []
    while len(outcomes) < repeats and not (outcomes and outcomes[0]["seconds"] > 10):
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
        if done.returncode != 0:
            return {"error": (done.stderr.strip().splitlines() or ["no message"])[-1]}
        outcomes.append(json.loads(done.stdout.strip().splitlines()[-1]))
    return {**outcomes[0], "seconds": statistics.median(o["seconds"] for o in outcomes), "runs": len(outcomes)}


HEAD = f"{'case':31s}{'solver':13s}{'seconds':>9s}{'value':>14s}{'gap':>10s}  {'status':10s}{'MiB':>6s}{'ratio':>8s}"


def line(case, solver, outcome, ratio):
    """Return one outcome as a line of the table."""
    if "error" in outcome:
        return f"{case:31s}{solver:13s}  {outcome['error']}"
    gap = f"{outcome['gap']:.5f}" if "gap" in outcome else ""
    peak = f"{outcome['peak_mib']:.0f}" if outcome["peak_mib"] else ""
    times = "" if ratio is None else f"{ratio:.1f}"
    return (
        f"{case:31s}{solver:13s}{outcome['seconds']:9.2f}{outcome['value']:14.2f}{gap:>10s}  "
        f"{outcome['status']:10s}{peak:>6s}{times:>8s}"
    )


def versions():
    """Return the versions of Python and of all packages that take part."""
    found = {"python": platform.python_version()}
    for package in ("service-network-planner", "highspy", "numpy", "scipy", "numba", "spopt", "pulp"):
        if importlib.util.find_spec(package.replace("service-network-", "")) is not None:
            found[package] = importlib.metadata.version(package)
    return found


def compare(cases, args, peers):
    """Run all cases; print the table, and return outcomes and ratios."""
    outcomes, ratios = {}, {peer: {} for peer in PEERS}
    print(HEAD)
    for case, peers_too in cases:
        outcomes[case] = {}
        for solver in ("planner", *(peers if peers_too else ())):
            repeats = 1 if args.length == QUICK or solver != "planner" else 3
            outcome = run_apart(case, solver, args, repeats)
            outcomes[case][solver] = outcome
            ratio = None
            if solver in ratios and "error" not in outcome and "error" not in outcomes[case]["planner"]:
                ratio = ratios[solver][case] = outcome["seconds"] / outcomes[case]["planner"]["seconds"]
            print(line(case, solver, outcome, ratio), flush=True)
    waits = [o["planner"]["warm_up_seconds"] for o in outcomes.values() if "error" not in o["planner"]]
    if waits:
        print(
            f"Compilation is not counted: the first process spent {waits[0]:.1f} s on it, later ones {min(waits):.1f} s."
        )
    return outcomes, ratios


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--quick", dest="length", action="store_const", const=QUICK, help="small cases, in a minute")
    length.add_argument("--long", dest="length", action="store_const", const=LONG, help="peers on the large cases too")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--case", action="append", help="only this case, as often as wished")
    parser.add_argument("--limit", type=float, help="default: 60 seconds, with --quick 5, with --long 300")
    parser.add_argument("--gap", type=float, default=0.0, help="default: 0, until the optimum is proven")
    parser.add_argument("--orlib", type=Path, help="folder with OR-Library's pmed1.txt …; without it they are left out")
    parser.add_argument("--one", nargs=2, metavar=("CASE", "SOLVER"), help=argparse.SUPPRESS)
    parser.set_defaults(length=USUAL)
    args = parser.parse_args()
    args.limit = args.limit or {QUICK: 5.0, USUAL: 60.0, LONG: 300.0}[args.length]
    if args.one:
        run_one(*args.one, args.limit, args.gap, args.orlib)
        return
    peers = PEERS if importlib.util.find_spec("spopt") is not None else ()
    if not peers:
        print("spopt is not installed: pip install 'service-network-planner[benchmarks]' to see it beside the planner")
    cases = [(name, case.peers <= args.length) for name, case in CASES.items() if case.ours <= args.length]
    if args.length > QUICK and args.orlib:
        cases += [(name, name == "pmed20") for name in ORLIB if (args.orlib / f"{name}.txt").is_file()]
    cases = [(name, peers_too) for name, peers_too in cases if not args.case or name in args.case]
    outcomes, ratios = compare(cases, args, peers)
    if args.json:
        result = {"versions": versions(), "cases": outcomes, "ratios": ratios}
        args.json.write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
