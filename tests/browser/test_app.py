"""The app in a real browser, without a network: the whole way from the start to a figure."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator

import pytest
import small_study as small

from planner.words.wording import percent

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app on the small study, started as a user does."""
    study = small.write(tmp_path_factory.mktemp("app"))
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "planner", "app", str(study), "--port", str(port), "--no-browser"]
    server = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PLANNER_LANG": "zh"},
        start_new_session=True,
    )
    address = f"http://localhost:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).close()
                break
            except OSError:
                assert server.poll() is None, "the app ended"
                time.sleep(0.1)
        yield address
    finally:
        end(server)


def end(server: subprocess.Popen) -> None:
    """End the command and the server that it started."""
    if os.name == "nt":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(server.pid)], check=False, capture_output=True)
    else:
        os.killpg(server.pid, signal.SIGTERM)
    server.wait(10)


def opened(page, address: str):
    page.goto(address)
    ready(page)
    return page


def ready(page) -> None:
    page.frame_locator("iframe").first.locator("html[data-planner=ready]").wait_for(state="attached", timeout=60_000)


def test_the_plan_opens_with_map_figures_and_programme(open_page, address, small_result):
    page = opened(open_page(), address)
    page.get_by_text("哪里没覆盖？").wait_for()
    body = page.locator("body")
    today = small_result.indicators[0]
    assert percent(today["effective_share"]) in body.inner_text()
    frame = page.frame_locator("iframe").first
    shown = (small_result.sites["status"] != "candidate").sum()
    assert frame.locator(".planner-site").count() == shown
    # Today's map has no planned site, and the map is the same one: it is not drawn anew.
    frame.locator("html").evaluate("document.kept = true")
    page.get_by_role("radio", name="现状").click()
    existing = (~small_result.sites["status"].isin(["candidate", "chosen"])).sum()
    frame.locator(".planner-site").nth(existing).wait_for(state="detached")
    assert frame.locator(".planner-site").count() == existing
    assert frame.locator("html").evaluate("document.kept") is True


def test_it_speaks_english_at_a_switch(open_page, address):
    page = opened(open_page(), address)
    page.get_by_role("radio", name="English").click()
    page.get_by_text("What next?").wait_for()
    page.frame_locator("iframe").last.get_by_placeholder("Find a site or a zone").wait_for()


def test_pages_lead_to_each_other(open_page, address):
    page = opened(open_page(), address)
    page.get_by_role("link", name="盲区").click()
    page.get_by_text("点选一行，地图就移到该盲区。").wait_for()
    ready(page)
    page.get_by_role("link", name="覆盖").click()
    page.get_by_text("一天中在岗与有效覆盖的人数").first.wait_for()
    ready(page)


def test_a_step_of_the_clock_changes_figure_and_map(open_page, address):
    page = opened(open_page(), address)
    page.get_by_role("link", name="覆盖").click()
    page.get_by_text("周一 07:00 有效覆盖").wait_for()
    ready(page)
    page.get_by_role("slider").first.focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text("周一 07:30 有效覆盖").wait_for()
    frame = page.frame_locator("iframe").first
    frame.locator("html").evaluate(
        "() => new Promise((done) => { const look = () => planner.state.hour === 15 ? done() : setTimeout(look, 20); look(); })"
    )


def test_a_phone_has_nothing_cut_off(open_page, address):
    page = opened(open_page(390, 844), address)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_click_on_the_map_opens_the_sites_line(open_page, address):
    page = opened(open_page(), address)
    frame = page.frame_locator("iframe").first
    frame.locator(".planner-site").first.press("Enter")
    frame.locator(".leaflet-popup-content").get_by_text("sites.xlsx#").wait_for()


def test_the_documents_are_made_and_downloaded(open_page, address, tmp_path):
    page = opened(open_page(), address)
    page.get_by_role("link", name="成果").click()
    page.get_by_role("button", name="生成全部成果").click()
    button = page.get_by_role("button", name="下载全部")
    button.wait_for(timeout=120_000)
    with page.expect_download() as download:
        button.click()
    download.value.save_as(tmp_path / "set.zip")
    with zipfile.ZipFile(tmp_path / "set.zip") as archive:
        assert "summary.json" in archive.namelist() and archive.testzip() is None
    page.get_by_role("img").first.wait_for()


def test_only_this_computer_can_reach_it(address):
    # Whoever listens on every address answers at every loopback address too.
    port = int(address.rpartition(":")[2])
    with socket.socket() as other:
        other.settimeout(2)
        assert other.connect_ex(("127.0.0.2", port)) != 0
