"""The app's server in a terminal: what it prints, and how it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest


@pytest.mark.skipif(os.name == "nt", reason="a test can't press Ctrl-C there without ending itself")
def test_ctrl_c_ends_the_server_while_a_plan_is_being_made_and_it_complains_of_nothing(tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    # The embedded study's plan takes longer than this test.
    command = [sys.executable, "-m", "planner", "app", "--port", str(port), "--no-browser"]
    server = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=1).close()
                break
            except OSError:
                assert server.poll() is None, "the app ended"
                time.sleep(0.1)
        server.send_signal(signal.SIGINT)
        printed = server.communicate(timeout=6)[0].decode("utf-8")
    finally:
        server.kill()
        server.wait()
    assert str(port) in printed
    assert "ScriptRunContext" not in printed
    assert "Traceback" not in printed
    # What was laid down for the browser goes too.
    assert not list(tmp_path.glob("planner-map-*"))
