"""A search that takes long, in a real browser: its page is loaded anew and closed, and it is stopped; what it found is delivered."""

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import browser_app
import pytest
from browser_app import settled

from planner import embedded
from planner.words import say
from planner.workspace import shelf

# The embedded study with money for most of its candidates and no gap allowed takes more than a minute of search.
pytestmark = [pytest.mark.browser, pytest.mark.slow]
LONG = ("budget = [20, 23, 26]", "budget = [60, 60, 60]\nmip_gap = 0.0")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("studies")
    shutil.copytree(embedded.folder(), root / "长")
    settings = root / "长" / "study.toml"
    text = settings.read_text(encoding="utf-8")
    assert LONG[0] in text
    settings.write_text(text.replace(*LONG), encoding="utf-8", newline="\n")
    with browser_app.running(None, {shelf.ROOT_VARIABLE: str(root)}) as address:
        yield address


def metrics(page) -> dict[str, str]:
    """The figures of a page by their names."""
    told = (one.inner_text().split("\n") for one in page.locator("[data-testid=stMetric]").all())
    return {parts[0]: next(filter(None, parts[1:]), "") for parts in told}


def searching(page) -> float:
    """Wait until a page shows a search that goes on; return its seconds."""
    page.get_by_role("button", name=say("zh", "plan.stop")).wait_for()
    seconds = page.locator("[data-testid=stMetric]").filter(has_text=say("zh", "plan.seconds"))
    return float(seconds.locator("[data-testid=stMetricValue]").inner_text())


def test_a_search_outlives_its_tab_and_what_it_had_when_stopped_is_delivered(open_page, address):
    first = open_page()
    first.set_default_timeout(180_000)
    first.goto(f"{address}/overview?lang=zh&study=长")
    began = searching(first)
    first.reload()
    assert searching(first) >= began
    kept = first.url
    first.context.close()
    # Another tab finds the same search, on a page that has nothing to show before it is done, too.
    page = open_page()
    page.set_default_timeout(180_000)
    page.goto(kept)
    assert searching(page) >= began
    page.get_by_role("link", name=say("zh", "plan.page")).click()
    page.get_by_text(say("zh", "app.today_first")).wait_for(state="detached")
    searching(page)
    page.get_by_role("button", name=say("zh", "plan.stop")).click()
    page.get_by_text(say("zh", "plan.programme_hint")).wait_for()
    settled(page)
    shown = metrics(page)
    assert page.get_by_text(say("zh", "plan_status.interrupted")).count() == 1
    page.get_by_role("link", name=say("zh", "app.documents")).click()
    page.get_by_role("button", name=say("zh", "app.make")).click()
    with page.expect_download() as download:
        page.get_by_role("button", name="下载全部").click()
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as archive:
        made = json.loads(archive.read("summary.json"))
    assert made["plan"]["stopped_by"] == "interrupted" and made["plan"]["bound"] > made["plan"]["objective"]
    assert shown[say("zh", "plan.distance")] == f"{made['plan']['gap']:.2%}"
    last = list(made["coverage"]["plan"].values())[-1]
    assert shown[say("zh", "indicator.effective_share")] == f"{last['effective_share']:.2%}"
