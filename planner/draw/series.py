"""Result -> the set of sheets in a folder: which ones, how they are numbered, drawn in one process or in two.

Takes a `Result` and a folder, writes maps/*.pdf|svg|png. With much to draw, a second process draws half of it: matplotlib holds one core.
"""

import gc
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import planner
from planner.draw import atlas, pen, sheet
from planner.draw.themes import all_themes
from planner.pipeline import Result
from planner.words import Lang, say

Formats = Mapping[str, tuple[pen.Format, ...]]
ATLAS = "atlas"
EVERY_FORMAT: tuple[pen.Format, ...] = ("pdf", "svg", "png")
# What a page of the atlas takes, relative to a sheet; and what a second process takes before it draws.
PAGE_COST, PROCESS_COST = 0.4, 1.5


def chosen(result: Result, lang: Lang) -> Formats:
    """Return the sheets that the study asks for, in the order of the set, and the formats of each: the atlas is one PDF."""
    asked: Sequence[str] = result.study.map.sheets
    years = [f"year-{year}" for year in result.years] if "years" in asked else []
    names = [name for name in all_themes(result, lang) if name in asked or name in years]
    made: dict[str, tuple[pen.Format, ...]] = dict.fromkeys(names, EVERY_FORMAT)
    if ATLAS in asked and atlas.zones(result):
        made[ATLAS] = ("pdf",)
    return made


def write_sheets(
    result: Result,
    folder: Path,
    lang: Lang,
    *,
    formats: Formats | None = None,
    dpi: int = pen.PNG_DPI,
) -> list[Path]:
    """Write sheets of a run and return the files, in the order of the set; see `drawing`."""
    with drawing(result, folder, lang, formats=formats, dpi=dpi) as finish:
        return finish()


@contextmanager
def drawing(
    result: Result,
    folder: Path,
    lang: Lang,
    *,
    formats: Formats | None = None,
    dpi: int = pen.PNG_DPI,
    meanwhile: float = 0.0,
) -> Iterator[Callable[[], list[Path]]]:
    """Have a second process draw its share of the sheets while the caller does other things; what is given ends the work.

    The second process begins at once. ``finish()`` draws what is left for this one, waits, and returns the files in the order of the set.

    Args:
        formats: formats of each sheet by its name: ``existing``, ``effective``, ``gaps``, ``layout``, ``year-2027`` …, ``atlas``; what is
            not named is not drawn. By default what the study asks for, each as PDF, SVG and PNG.
        dpi: pixels an inch of the PNGs.
        meanwhile: what the caller does before it calls ``finish``, measured in sheets.

    Raises:
        MissingPackageError: the package with the fonts is not installed.
    """
    formats = chosen(result, lang) if formats is None else formats
    folder.mkdir(parents=True, exist_ok=True)
    job: dict[str, Any] = {"folder": folder.absolute(), "lang": lang, "formats": dict(formats), "dpi": dpi}
    here, there = _shares(result, formats, meanwhile)
    with tempfile.TemporaryDirectory(prefix="planner-") as place:
        helper = _start(Path(place) / "job.pickle", {"result": result, "only": there, **job}) if there else None

        def finish() -> list[Path]:
            _draw(result, only=here, **job)
            # Without a helper, for whatever reason, the work is done here.
            if there and (helper is None or helper.wait() != 0):
                _draw(result, only=there, **job)
            return [folder / f"{name}.{form}" for name, kinds in formats.items() for form in kinds]

        try:
            yield finish
        finally:
            if helper is not None and helper.poll() is None:
                helper.kill()
                helper.wait()


def _shares(result: Result, formats: Formats, meanwhile: float) -> tuple[list[str], list[str]]:
    """Return the names of the sheets for this process and for a second one; none for the second where it wouldn't pay."""
    cost = {name: (1 + len(kinds)) / (1 + len(EVERY_FORMAT)) for name, kinds in formats.items()}
    if ATLAS in cost:
        cost[ATLAS] = PAGE_COST * (len(atlas.zones(result)) + 1)
    here, there, loads = list[str](), list[str](), [meanwhile, PROCESS_COST]
    for name in sorted(cost, key=lambda n: -cost[n]):
        second = loads[1] + cost[name] < loads[0] + cost[name] and (os.cpu_count() or 1) > 1
        loads[second] += cost[name]
        (there if second else here).append(name)
    return here, there


def _start(order: Path, job: Mapping[str, Any]) -> subprocess.Popen[bytes] | None:
    """Start a process that draws what it finds in ``order``; None where there can be none."""
    order.write_bytes(pickle.dumps(job, pickle.HIGHEST_PROTOCOL))
    home = str(Path(planner.__file__).parents[1])
    path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "planner.draw.series", str(order)],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None


def _draw(result: Result, *, only: Sequence[str], folder: Path, lang: Lang, formats: Formats, dpi: int) -> None:
    """Draw some sheets of a set, numbered as the whole set is."""
    made = {name: make for name, make in all_themes(result, lang).items() if name in formats}
    base = sheet.lay_out(result) if any(name in made for name in only) else None
    for position, (name, make) in enumerate(made.items(), 1):
        if name not in only or base is None:
            continue
        theme = make()
        number = say(lang, "sheet.number_value", number=position, count=len(made))
        axes = sheet.draw(result, base, theme, lang, number=number)
        pen.save(axes, folder / name, formats[name], title=theme.title, dpi=dpi)
    if ATLAS in only:
        title = atlas.title(result, lang)
        pen.save_pages(atlas.draw(result, lang), folder / f"{ATLAS}.pdf", title=title)


def main(order: Path) -> None:
    """Draw what another process asks for: ``order`` is a file that it has just written in a folder of its own."""
    gc.set_threshold(500_000, 10, 10)
    _draw(**pickle.loads(order.read_bytes()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
