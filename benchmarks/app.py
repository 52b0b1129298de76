"""The app's answers: in a real browser on the embedded study, and a what-if's server time at 100,000 demand units.

    python benchmarks/app.py [--quick] [--json FILE]

Medians (and the 95th percentile where it says so). "step" is a press of a key on the clock of the coverage page until the map has drawn
the new hour, two frames included; "what-if" is a press of undo or redo until the map shows it; "group" is a choice that the server answers.
First paint is from opening the page to the map being there, on a server that has its result ("warm"); and from starting the server, the
launch of the browser included, on a computer where it was started before: Python's and numba's compiled files are there. The server's
memory is told where the system tells it: sessions share network and reach.
There is no peer here: the figures are held against the product's own aims. Needs the system's Chromium.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import geopandas as gpd
import numpy as np
import shapely
from playwright.sync_api import Frame, Page, sync_playwright
from street_like import street_like

from planner import embedded, whatif
from planner.hours import week_mask
from planner.network import from_lines, locate
from planner.pipeline import Walks, cover
from planner.reach import reach

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PACKAGES = ("numpy", "numba", "shapely", "streamlit", "playwright")
N_UNITS, N_SITES, CRS = 100_000, 300, "EPSG:4547"
SCREEN = {"width": 1366, "height": 768}
HOURS = ("Mo-Fr 09:00-17:00", "Mo-Su 08:00-18:00", "24/7", "Mo-Su 04:00-22:00")
# Until something is true in a page, and the browser has drawn twice since.
DRAWN = """(_, condition) => new Promise((done) => {
  const look = () => eval(condition) ? requestAnimationFrame(() => requestAnimationFrame(done)) : setTimeout(look, 4); look(); })"""

Cases = dict[str, dict[str, float]]


def note(cases: Cases, name: str, took: list[float]) -> None:
    """Keep and print what a case took."""
    p95 = float(np.quantile(took, 0.95))
    cases[name] = {"ours": statistics.median(took), "p95": p95, "times": len(took)}
    print(
        f"{name:<44}median {1000 * cases[name]['ours']:8.1f} ms   p95 {1000 * p95:8.1f} ms   ({len(took)})", flush=True
    )


# --- the library's part ------------------------------------------------------------------------------------------------------


def city(n_nodes: int, n_units: int) -> whatif.Ground:
    """Return a made-up city to try what-ifs on."""
    network, rng = from_lines(street_like(n_nodes)), np.random.default_rng(1)

    def spots(count: int) -> gpd.GeoSeries:
        edges = network.edges.geometry.to_numpy()[rng.integers(0, len(network.edges), count)]
        return gpd.GeoSeries(shapely.line_interpolate_point(edges, rng.random(count), normalized=True), crs=CRS)

    people, places = spots(n_units), spots(N_SITES)
    block = (shapely.get_coordinates(people.to_numpy()) // 3000).astype(int)
    demand = gpd.GeoDataFrame(
        {
            "id": [f"d{i}" for i in range(n_units)],
            "group": np.array(["sanitation", "outdoor"], dtype=object)[rng.integers(0, 2, n_units)],
            "zone": [f"z{x % 9}-{y % 9}" for x, y in block],
            "weight": rng.random(n_units),
        },
        geometry=people,
        crs=CRS,
    )
    n = range(N_SITES)
    sites = gpd.GeoDataFrame(
        {
            "id": [f"s{i}" for i in n], "name": "", "tier": "township", "kind": "bank", "status": "existing", "mode": "co_host",
            "opening_hours": [HOURS[i % 4] for i in n], "services": ["rest" if i % 5 == 0 else "rest;water" for i in n],
            "capacity": 2.0, "zone": "", "source": "",
        },
        geometry=places,
        crs=CRS,
    )  # fmt: skip
    profiles = {"sanitation": week_mask("Mo-Su 04:30-10:00") * 1.0, "outdoor": week_mask("Mo-Su 08:00-20:00") * 1.0}
    on = locate(network, people), locate(network, places)
    walks = Walks(network, *on, reach(network, *on, cutoff_m=1000))
    study = SimpleNamespace(
        standard=SimpleNamespace(services=("rest", "water"), backup=2, service_radius_m=1000), capacity=None, plan=None
    )
    result = SimpleNamespace(
        study=study, demand=demand, profiles=profiles, walks=walks, sites_today=sites, sites_at=lambda _: sites,
        coverage={0: cover(study, sites, demand, walks, profiles)},
    )  # fmt: skip
    made = whatif.ground(result)
    _ = made.figures, made.tree
    return made


def steps(cases: Cases, n_nodes: int, n_units: int, runs: int) -> None:
    """Time one what-if step after another: add, move, close, in turn."""
    ground, rng = city(n_nodes, n_units), np.random.default_rng(2)
    lonlat = ground.result.demand.geometry.sample(runs + 1, random_state=3).to_crs("EPSG:4326")
    edits: list[whatif.Edit] = []
    took = []
    for k, (lon, lat) in enumerate(zip(lonlat.x, lonlat.y, strict=True)):
        where = {"lon": float(lon), "lat": float(lat)}
        edits.append(
            [
                whatif.Edit(do="add", site=f"W{k}", opening_hours="24/7", services="rest;water", **where),
                whatif.Edit(do="move", site=f"s{k}", **where),
                whatif.Edit(do="close", site=f"s{int(rng.integers(100, N_SITES))}"),
            ][k % 3]
        )
        begun = time.perf_counter()
        outcome = whatif.evaluate(ground, edits[-6:])
        outcome.by("zone", "group"), outcome.changed_units(gained=True), outcome.changed_units(gained=False)
        took.append(time.perf_counter() - begun)
    note(cases, f"what-if, server, {n_units:,} units", took[1:])


# --- the browser's part ------------------------------------------------------------------------------------------------------


class Server:
    """The app on the embedded study."""

    def __enter__(self) -> "Server":
        with socket.socket() as free:
            free.bind(("localhost", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "planner", "app", str(embedded.folder()), "--port", str(port), "--no-browser"]
        # As run.py starts it: whoever forbids Python to keep compiled modules has each start compile them all again.
        env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        address = f"http://localhost:{port}"
        while True:
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).close()
                self.address = address
                return self
            except OSError:
                time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(20)


def chromium(play: object) -> object:
    """Start the system's Chromium."""
    place = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if place is None:
        sys.exit(f"no Chromium on this computer (looked for {', '.join(BROWSERS)})")
    return play.chromium.launch(executable_path=place, args=["--no-sandbox", "--disable-gpu"])


def paint(page: Page, address: str) -> float:
    """Open the app; return the seconds until its map is there."""
    begun = time.perf_counter()
    page.goto(f"{address}/?lang=zh")
    page.frame_locator("iframe").first.locator("html[data-planner=ready]").wait_for(state="attached", timeout=300_000)
    return time.perf_counter() - begun


def start(play: object) -> float:
    """Start the server and a browser; return the seconds until the map is there."""
    begun = time.perf_counter()
    with Server() as server:
        browser = chromium(play)
        paint(browser.new_page(viewport=SCREEN), server.address)
        took = time.perf_counter() - begun
        browser.close()
    return took


def leaf(page: Page, link: str, sign: str) -> Frame:
    """Follow a link; return the frame of the map that is then shown."""
    page.get_by_role("link", name=link).click()
    page.get_by_text(sign).first.wait_for()
    page.wait_for_timeout(1500)
    frame = page.frame_locator("iframe").first
    frame.locator("html").evaluate(DRAWN, "window.plannerMap")
    return frame


def clock(page: Page, count: int) -> list[float]:
    """Step the clock of the coverage page."""
    frame = leaf(page, "覆盖", "分区指标")
    frame.get_by_role("checkbox", name="按时刻看图").check()
    frame.get_by_role("slider").focus()
    at = int(frame.get_by_role("slider").input_value())
    took = []
    for k in range(count):
        step, at = (1, at + 1) if k % 20 < 10 else (-1, at - 1)
        begun = time.perf_counter()
        page.keyboard.press("ArrowRight" if step > 0 else "ArrowLeft")
        frame.locator("html").evaluate(DRAWN, f"planner.state.hour === {at}")
        took.append(time.perf_counter() - begun)
    return took


def groups(page: Page, count: int) -> list[float]:
    """Choose one group after another: the server answers with table and chart, the map follows."""
    frame = page.frame_locator("iframe").first
    choices = [("环卫工人", 0), ("户外劳动者", 1)]
    took = []
    for k in range(count):
        name, number = choices[k % 2]
        begun = time.perf_counter()
        page.get_by_role("radio", name=name).click()
        frame.locator("html").evaluate(DRAWN, f"planner.state.group === {number}")
        took.append(time.perf_counter() - begun)
    return took


def tries(page: Page, count: int) -> list[float]:
    """Add a station, then take it back and do it again."""
    frame = leaf(page, "设想", "添加什么")
    page.locator("label").filter(has_text="添加站点").click()
    frame.locator("html").evaluate(DRAWN, "plannerMap.getContainer().style.cursor === 'crosshair'")
    frame.locator("#map").click(position={"x": 330, "y": 300})
    frame.locator(".planner-edited").wait_for()
    took = []
    for k in range(count):
        begun = time.perf_counter()
        page.get_by_role("button", name="撤销" if k % 2 == 0 else "重做").click()
        frame.locator("html").evaluate(DRAWN, f"document.querySelectorAll('.planner-edited').length === {k % 2}")
        took.append(time.perf_counter() - begun)
    return took


def resident_mib(process: "subprocess.Popen[bytes]") -> float | None:
    """Return the memory of the server, where the system tells it."""
    try:
        told = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    except OSError:
        return None
    return int(told.partition("VmRSS:")[2].split()[0]) / 1024


def weigh(cases: Cases, name: str, server: Server) -> None:
    """Keep and print the memory of the server."""
    mib = resident_mib(server.process)
    if mib is not None:
        cases[name] = {"resident_mib": mib}
        print(f"{name:<44}       {mib:8.0f} MiB", flush=True)


def together(address: str, work: Callable[[Page, int], list[float]], sessions: int, count: int) -> list[float]:
    """Let several browsers do the same at once; return what all steps took."""
    took: list[float] = []
    gate = threading.Barrier(sessions)

    def one() -> None:
        with sync_playwright() as play:
            browser = chromium(play)
            page = browser.new_page(viewport=SCREEN)
            paint(page, address)
            # One that fails must not let the others wait for ever.
            gate.wait(300)
            took.extend(work(page, count))
            browser.close()

    threads = [threading.Thread(target=one) for _ in range(sessions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer steps and a smaller city, within a minute")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cases: Cases = {}
    count = 8 if options.quick else 30
    steps(cases, *((20_000, 20_000) if options.quick else (100_000, N_UNITS)), runs=9 if options.quick else 30)
    os.environ["PLANNER_LANG"] = "zh"
    with sync_playwright() as play:
        start(play)
        note(cases, "first paint, from starting the server", [start(play) for _ in range(1 if options.quick else 5)])
    with Server() as server:
        address = server.address
        with sync_playwright() as play:
            browser = chromium(play)
            page = browser.new_page(viewport=SCREEN)
            paint(page, address)
            warm = [paint(browser.new_page(), address) for _ in range(2 if options.quick else 5)]
            note(cases, "first paint, warm", warm)
            weigh(cases, "server, one session", server)
            note(cases, "clock step", clock(page, count))
            note(cases, "group", groups(page, count))
            note(cases, "what-if, browser", tries(page, count))
            browser.close()
        weigh(cases, "server, all pages seen", server)
        if not options.quick:
            note(cases, "clock step, three sessions at once", together(address, clock, 3, count))
            note(cases, "what-if, browser, three sessions at once", together(address, tries, 3, count))
            # Network and reach are there once for all sessions: three more add what their pages hold, not another study.
            weigh(cases, "server, three sessions more", server)
    if options.json:
        versions = {"python": sys.version.split()[0], **{package: version(package) for package in PACKAGES}}
        text = json.dumps({"versions": versions, "cases": cases, "ratios": {}}, indent=1)
        options.json.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
