import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import small_study as small
from hypothesis import settings

# Examples are the same in every run, and a slow machine is no failure.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
QUIET = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync"
LOCAL = (
    "file:",
    "data:",
    "blob:",
    "about:",
    "http://localhost:",
    "ws://localhost:",
    "http://127.0.0.1:",
    "ws://127.0.0.1:",
)


@pytest.fixture
def small_study(tmp_path: Path) -> Path:
    """The folder of the small study of `small_study.py`, fresh for each test."""
    return small.write(tmp_path / "study")


@pytest.fixture(scope="session")
def small_result(tmp_path_factory: pytest.TempPathFactory):
    """The result of the small study, run once."""
    from planner.pipeline import run
    from planner.study import load_study

    return run(load_study(small.write(tmp_path_factory.mktemp("small"))))


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """The system's Chromium; where there is none, browser tests skip, but never in CI."""
    place = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if place is None:
        absent = f"no Chromium on this computer (looked for {', '.join(BROWSERS)})"
        if os.environ.get("CI") == "true":
            pytest.fail(absent)
        pytest.skip(absent)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=place, args=QUIET.split())
        yield chromium
        chromium.close()


def _is_complaint(message) -> bool:
    # Loaded anew on a page below the top, Streamlit looks for its server there first, and finds it above.
    return message.type == "error" and not message.location["url"].endswith(("_stcore/health", "_stcore/host-config"))


@pytest.fixture
def open_page(browser) -> Iterator:
    """Open pages that reach no other host; afterwards none may have tried, and none may have complained."""
    asked, complaints, contexts = [], [], []

    def route(handler) -> None:
        if handler.request.url.startswith(LOCAL):
            handler.continue_()
        else:
            asked.append(handler.request.url)
            handler.abort()

    def opened(width: int = 1366, height: int = 768, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.route("**/*", route)
        page.on("console", lambda message: complaints.append(message.text) if _is_complaint(message) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not asked, "a page asked another host"
    assert not complaints, "a page complained"
