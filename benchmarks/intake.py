"""How long tables take, and how much memory extracts take: python benchmarks/intake.py [--quick] [--json FILE].

Tables: 200,000 rows of xlsx and of csv, read into checked rows under known headings, beside the bare reader that is underneath, in seconds
of one core. Extracts: a town cut out of ever larger extracts around it, in a process of its own; memory that is the process's own, and
pages of the file in which nodes are kept, which the system takes back when it needs them.
"""

import argparse
import csv
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import openpyxl
import python_calamine

from planner import __version__
from planner.intake import read_table

ROWS, EXTRACTS = 200_000, (500_000, 2_000_000, 5_000_000)
QUICK_ROWS, QUICK_EXTRACTS = 20_000, (100_000, 400_000)
HEAD = ("编号", "名称", "类别", "人数", "经度", "纬度", "地址", "备注")
# The town that is cut out, in degrees; a node every so many degrees.
TOWN, STEP = (120.0, 30.0, 120.1, 30.1), 0.001


def table_row(n: int) -> tuple[object, ...]:
    return (f"P{n}", f"第{n}处", "超市", n % 40 + 1, 120 + n % 997 / 1e4, 30 + n % 991 / 1e4, f"人民路{n}号", "")


def write_xlsx(path: Path, rows: int) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("站点")
    sheet.append(["站点汇总表"])
    sheet.append(HEAD)
    for n in range(rows):
        sheet.append(table_row(n))
    book.save(path)


def write_csv(path: Path, rows: int) -> None:
    with path.open("w", encoding="gb18030", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEAD)
        writer.writerows(table_row(n) for n in range(rows))


def bare_xlsx(path: Path) -> None:
    with path.open("rb") as file, python_calamine.CalamineWorkbook.from_filelike(file) as book:
        book.get_sheet_by_index(0).to_python()


def bare_csv(path: Path) -> None:
    list(csv.reader(io.StringIO(path.read_bytes().decode("gb18030"), newline="")))


def median_s(work: Callable[[Path], object], path: Path, times: int) -> float:
    taken = []
    for _ in range(times):
        began = time.process_time()
        work(path)
        taken.append(time.process_time() - began)
    return statistics.median(taken)


def write_extract(path: Path, nodes: int) -> None:
    """Write streets on a lattice: a way for each row and each column of it."""
    import osmium

    side = int(nodes**0.5)
    west, south = 120.05 - side / 2 * STEP, 30.05 - side / 2 * STEP
    with osmium.SimpleWriter(str(path), overwrite=True) as writer:
        for n in range(side * side):
            at = (west + n % side * STEP, south + n // side * STEP)
            writer.add_node(osmium.osm.mutable.Node(id=n + 1, location=at))
        for n in range(side):
            for way, refs in ((2 * n + 1, range(n * side, n * side + side)), (2 * n + 2, range(n, side * side, side))):
                # Ways are short, as real ones are: a block of the file holds 8,000 of them, and is decoded whole.
                for part in range(0, side, 10):
                    nodes_of = [ref + 1 for ref in refs[part : part + 11]]
                    writer.add_way(
                        osmium.osm.mutable.Way(
                            id=way * 1_000 + part // 10, nodes=nodes_of, tags={"highway": "residential"}
                        )
                    )


CLIP = """
import json, sys, threading, time
from pathlib import Path
import shapely
from planner.gather.extract import clip
seen = {}
def look():
    while True:
        for line in open("/proc/self/status"):
            if line.startswith(("RssAnon", "RssFile", "VmHWM")):
                key, value = line.split(":")
                seen[key] = max(seen.get(key, 0), int(value.split()[0]))
        time.sleep(0.02)
threading.Thread(target=look, daemon=True).start()
time.sleep(0.1)
before = dict(seen)
began = time.perf_counter()
lines, _ = clip(Path(sys.argv[1]), shapely.box(*json.loads(sys.argv[2])))
print(json.dumps({"seconds": time.perf_counter() - began, "lines": len(lines),
                  **{key: (seen[key] - before[key]) / 1024 for key in seen}}))
"""


def clipped(path: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", CLIP, str(path), json.dumps(TOWN)],
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    rows, extracts = (QUICK_ROWS, QUICK_EXTRACTS) if args.quick else (ROWS, EXTRACTS)
    cases: dict[str, dict[str, float]] = {}
    ratios: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for suffix, write, bare, peer in (
            (".xlsx", write_xlsx, bare_xlsx, "calamine"),
            (".csv", write_csv, bare_csv, "csv"),
        ):
            path = Path(folder, f"table{suffix}")
            write(path, rows)
            ours_s, bare_s = (median_s(work, path, 3 if args.quick else 5) for work in (read_table, bare))
            case = f"{rows:,} rows of {suffix[1:]}"
            cases[case] = {"planner": ours_s, peer: bare_s}
            ratios.setdefault(peer, {})[case] = bare_s / ours_s
            print(
                f"{case:28} planner {ours_s:6.2f} s   {peer} alone {bare_s:6.2f} s   {ours_s / bare_s:.2f} times as long",
                flush=True,
            )
        for nodes in extracts if Path("/proc/self/status").exists() else ():
            path = Path(folder, "extract.osm.pbf")
            write_extract(path, nodes)
            found = clipped(path)
            case = f"town out of {nodes / 1e6:.1f} M nodes"
            cases[case] = {
                "planner": found["seconds"],
                "own MiB": found["RssAnon"],
                "file MiB": found["RssFile"],
                "peak MiB": found["VmHWM"],
            }
            print(f"{case:28} {found['seconds']:6.2f} s   {found['lines']:,} lines   own memory {found['RssAnon']:5.0f} MiB   "
                  f"pages of the file {found['RssFile']:5.0f} MiB   together {found['VmHWM']:5.0f} MiB", flush=True)  # fmt: skip
            path.unlink()
    if args.json:
        versions = {"planner": __version__, "python": platform.python_version(), "calamine": python_calamine.__version__,
                    "openpyxl": openpyxl.__version__, "cores": str(os.cpu_count())}  # fmt: skip
        args.json.write_text(
            json.dumps({"versions": versions, "cases": cases, "ratios": ratios}, indent=1), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
