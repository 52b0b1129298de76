"""Starting the app as a user does, and ending it."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running(
    study: Path | None, settings: Mapping[str, str] | None = None, *, port: int | None = None, kill: bool = False
) -> Iterator[str]:
    """Run the app on a study, or on none, and yield its address.

    The port is one that is free, or as told; in the end the server is asked to end, or killed.
    """
    if port is None:
        with socket.socket() as free:
            free.bind(("localhost", 0))
            port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "planner",
        "app",
        *([str(study)] if study else []),
        "--port",
        str(port),
        "--no-browser",
    ]
    server = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PLANNER_LANG": "zh", **(settings or {})},
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
        end(server, kill=kill)


def end(server: subprocess.Popen, *, kill: bool = False) -> None:
    """End the command and the server that it started."""
    if os.name == "nt":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(server.pid)], check=False, capture_output=True)
    else:
        os.killpg(server.pid, signal.SIGKILL if kill else signal.SIGTERM)
    server.wait(10)


def settled(page) -> None:
    """Wait until the app has done what it was asked, and nothing of what stood there before is left."""
    page.wait_for_timeout(150)
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.locator("[data-stale=true]").first.wait_for(state="detached")


def settled_table(page, heading: str = ""):
    """The canvas of the page's first table (with this heading), once it has its rows and no longer moves: a click before that is lost."""
    table = page.locator("[data-testid=stDataFrame] canvas")
    table = (table.filter(has=page.locator("th", has_text=heading)) if heading else table).first
    table.locator("tr[aria-rowindex='2']").wait_for(state="attached")
    table.evaluate(
        """async (canvas) => {
            const place = () => JSON.stringify([canvas.getBoundingClientRect(), canvas.width, canvas.height]);
            let last = "", same = 0;
            while (same < 10) {
                await new Promise((done) => setTimeout(done, 50));
                same = place() === last ? same + 1 : 0;
                last = place();
            }
        }"""
    )
    return table


def unnamed(frame) -> list[str]:
    """What can be operated in a frame and has no name that a screen reader could say."""
    return frame.evaluate(
        """() => [...document.querySelectorAll('input, select, textarea, button, a[href], [role=button], [role=combobox], [role=slider]')]
        .filter((e) => e.offsetParent && !(e.ariaLabel || e.title || e.labels?.length || e.textContent?.trim() || e.placeholder
            || e.getAttribute('aria-labelledby') || e.closest('label') || e.querySelector('svg title')))
        .map((e) => e.outerHTML.slice(0, 200))"""
    )
