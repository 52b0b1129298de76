"""Location problems here and in spopt with CBC and with HiGHS: same data, same machine, one run; each solver in a process of its own.

    python benchmarks/siting.py [--quick] [--json FILE] [--limit SECONDS] [--orlib DIR]

Prints a table with seconds, value, gap and peak memory, and how many times longer each peer takes. Compilation is done before the clock
starts; building the model is inside it. ``--limit`` is what each solver may take for a case (building comes on top with spopt).
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

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import shortest_path
from scipy.spatial import KDTree

PEERS = ("spopt+cbc", "spopt+highs")
# name: objective, facilities, demands, radius in metres, p, in --quick, are peers asked
CASES = {
    "mclp 100x1000 p10": ("mclp", 100, 1_000, 800, 10, True, True),
    "lscp 100x1000": ("lscp", 100, 1_000, 1_500, None, True, True),
    "p_median 30x300 p4": ("p_median", 30, 300, None, 4, True, True),
    "p_center 30x300 p4": ("p_center", 30, 300, None, 4, False, True),
    "mclp 500x5000 p50": ("mclp", 500, 5_000, 500, 50, False, True),
    "mclp 500x5000 p50 wide": ("mclp", 500, 5_000, 800, 50, False, True),
    "lscp 500x5000": ("lscp", 500, 5_000, 1_000, None, False, True),
    "mclp 2000x20000 p50": ("mclp", 2_000, 20_000, 600, 50, False, False),
    "mclp 5000x100000 p50": ("mclp", 5_000, 100_000, 580, 50, False, False),
    "mclp 5000x100000 p10": ("mclp", 5_000, 100_000, 580, 10, False, False),
    "mclp 100x100000 p20": ("mclp", 100, 100_000, 1_000, 20, False, False),
    "lscp 2000x20000": ("lscp", 2_000, 20_000, 300, None, False, False),
    "lscp 2000x20000 wide": ("lscp", 2_000, 20_000, 600, None, False, False),
}
# OR-Library's p-median instances (Beasley 1990) with their published optima.
ORLIB = {"pmed1": 5819, "pmed5": 1355, "pmed10": 1255, "pmed20": 1789, "pmed40": 5128}


def town(n_facilities, n_demands, radius):
    """Return a sparse cost matrix (all pairs where no radius is given) and weights: 10 × 10 km, points by a fixed seed."""
    rng = np.random.default_rng(0)
    demands, facilities = rng.random((n_demands, 2)) * 10_000, rng.random((n_facilities, 2)) * 10_000
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
    objective, n_facilities, n_demands, radius, p = CASES[case][:5]
    return objective, *town(n_facilities, n_demands, radius), radius, p


def ours(objective, matrix, weights, radius, p, limit):
    from planner.siting import from_cost_matrix

    plan = from_cost_matrix(
        matrix, weights, objective=objective, service_radius=radius, p_facilities=p, time_limit=limit
    )
    return {"value": plan.objective, "bound": plan.bound, "gap": plan.gap, "status": plan.status}


def spopt(solver):
    def run(objective, matrix, weights, radius, p, limit):
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


def peak_mib():
    if os.name == "nt":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if platform.system() == "Darwin" else 2**10)


def run_one(case, solver, limit, folder):
    """Run one solver on one case in this process; print the outcome as JSON."""
    if solver == "planner":
        for objective in ("mclp", "lscp", "p_median", "p_center"):
            ours(
                objective,
                *town(40, 400, 2_000),
                2_000 if objective in ("mclp", "lscp") else None,
                None if objective == "lscp" else 12,
                10,
            )
    data = problem(case, folder)
    begun = time.perf_counter()
    outcome = SOLVERS[solver](*data, limit)
    print(json.dumps({"seconds": time.perf_counter() - begun, "peak_mib": peak_mib(), **outcome}))


def run_apart(case, solver, limit, folder, repeats):
    """Run one solver on one case in fresh processes; return the outcome with the median time."""
    command = [sys.executable, __file__, "--one", case, solver, "--limit", str(limit), "--orlib", str(folder)]
    outcomes = []
    for _ in range(repeats):
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
        if done.returncode != 0:
            return {"error": (done.stderr.strip().splitlines() or ["no message"])[-1]}
        outcomes.append(json.loads(done.stdout.strip().splitlines()[-1]))
    return {**outcomes[0], "seconds": statistics.median(o["seconds"] for o in outcomes)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small cases only, within a minute")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--limit", type=float, help="default: 60, with --quick 5")
    parser.add_argument("--orlib", type=Path, default=Path(__file__).parents[2] / "shared" / "data" / "orlib")
    parser.add_argument("--one", nargs=2, metavar=("CASE", "SOLVER"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.limit = args.limit or (5.0 if args.quick else 60.0)
    if args.one:
        run_one(*args.one, args.limit, args.orlib)
        return
    have_spopt = importlib.util.find_spec("spopt") is not None
    if not have_spopt:
        print("spopt is not installed: pip install 'service-network-planner[benchmarks]' to see it beside the planner")
    cases = [case for case, setup in CASES.items() if setup[5] or not args.quick]
    if args.orlib.is_dir() and not args.quick:
        cases += [name for name in ORLIB if (args.orlib / f"{name}.txt").is_file()]
    outcomes, ratios = {}, {peer: {} for peer in PEERS}
    print(
        f"{'case':26s}{'solver':14s}{'seconds':>9s}{'value':>14s}{'gap':>10s}  {'status':10s}{'MiB':>6s}{'ratio':>8s}"
    )
    for case in cases:
        asked = CASES[case][6] if case in CASES else case == "pmed20"
        outcomes[case] = {}
        for solver in ("planner", *(PEERS if asked and have_spopt else ())):
            outcome = run_apart(case, solver, args.limit, args.orlib, 1 if args.quick or solver != "planner" else 3)
            outcomes[case][solver] = outcome
            if "error" in outcome:
                print(f"{case:26s}{solver:14s}  {outcome['error']}")
                continue
            ratio = ""
            if solver in ratios:
                ratios[solver][case] = outcome["seconds"] / outcomes[case]["planner"]["seconds"]
                ratio = f"{ratios[solver][case]:.1f}"
            gap = f"{outcome['gap']:.5f}" if "gap" in outcome else ""
            peak = f"{outcome['peak_mib']:.0f}" if outcome["peak_mib"] else ""
            print(
                f"{case:26s}{solver:14s}{outcome['seconds']:9.2f}{outcome['value']:14.2f}{gap:>10s}  "
                f"{outcome['status']:10s}{peak:>6s}{ratio:>8s}",
                flush=True,
            )
    if args.json:
        packages = (
            "service-network-planner",
            "highspy",
            "numpy",
            "scipy",
            "numba",
            *(("spopt", "pulp") if have_spopt else ()),
        )
        versions = {"python": platform.python_version(), **{p: importlib.metadata.version(p) for p in packages}}
        args.json.write_text(
            json.dumps({"versions": versions, "cases": outcomes, "ratios": ratios}, indent=1), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
