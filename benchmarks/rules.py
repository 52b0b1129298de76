"""The embedded study under ever more rules: how near its plan comes to its bound, and in how long.

    python benchmarks/rules.py [--json FILE] [--case NAME]

Each case is the embedded study with another ``[plan]`` in a folder of its own; where sites may close or be widened, the table of options
gets rows for that, with made-up prices. Seconds are those of the search alone; reading and walking come before. The first run on a
computer also compiles: run it twice. There is no peer here: siting libraries know no years, closings or build modes. The figures are held
against the product's own aim of 1 %.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import openpyxl

from planner import embedded, pipeline
from planner.study import load_study

MONEY = "budget = [20, 23, 26]"
USUAL = """
spacing_m = 500
price_change = 0.03

[[plan.limits]]
counts = "actions"
mode = ["self_build"]
at_most = 3

[[plan.limits]]
per = ["kind"]
counts = "actions"
at_most = 12

[[plan.limits]]
hours = "24/7"
share_at_least = 0.15

[[plan.floors]]
group = "sanitation"
share = 0.24
by = 2029
""" + "".join(
    f'\n[[plan.floors]]\nzone = "{zone}"\nmeasure = "share"\nshare = 0.4\n'
    for zone in ("Z03", "Z07", "Z10", "Z15", "Z20")
)
# Name, rules, aim, money, and whether sites may close and be widened.
CASES = {
    "as it is": ("", "effective", MONEY, False),
    "rules": (USUAL, "effective", MONEY, False),
    "rules and closings": (USUAL, "effective", MONEY, True),
    "rules and closings, twice the money": (USUAL, "effective", "budget = [40, 46, 52]", True),
    "rules and closings, cross coverage": (USUAL, "backup", MONEY, True),
}


def written(folder: Path, rules: str, objective: str, money: str, closings: bool) -> Path:
    """Write a case into a folder; return its study.toml."""
    shutil.copytree(embedded.folder(), folder)
    file = folder / "study.toml"
    text = file.read_text(encoding="utf-8")
    for old, new in ((MONEY, money), ('objective = "effective"', f'objective = "{objective}"\n{rules}')):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    if closings:
        sites = openpyxl.load_workbook(folder / "sites.xlsx").active
        heads, *rows = sites.iter_rows(values_only=True)
        book = openpyxl.load_workbook(folder / "options.xlsx")
        for kind in sorted({row[heads.index("类别")] for row in rows} - {None}):
            book.active.append(["撤并", kind, "整合", None, None, None, 0.1, 0.6])
            book.active.append(["改造提升", kind, "整合", "Mo-Su 05:00-21:00", "歇脚;饮水;充电", 6, 1.0, 0.8])
        book.save(folder / "options.xlsx")
    return file


def run(file: Path) -> dict[str, object]:
    """Plan one study; return what came of it."""
    made = pipeline.run(load_study(file)).made
    assert made is not None
    plan = made.plan
    return {
        "seconds": plan.seconds,
        "objective": plan.objective,
        "bound": plan.bound,
        "gap": plan.gap,
        "status": plan.status,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--case", action="append", choices=list(CASES), help="only this case, as often as wished")
    args = parser.parse_args()
    outcomes = {}
    print(f"{'case':40s}{'seconds':>9s}{'objective':>11s}{'bound':>9s}{'gap':>9s}  status")
    for name, case in CASES.items():
        if args.case and name not in args.case:
            continue
        with tempfile.TemporaryDirectory() as place:
            found = outcomes[name] = run(written(Path(place) / "study", *case))
        print(
            f"{name:40s}{found['seconds']:9.1f}{found['objective']:11.4f}{found['bound']:9.4f}{found['gap']:9.2%}  {found['status']}",
            flush=True,
        )
    if args.json:
        args.json.write_text(json.dumps(outcomes, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
