"""The printed way to stop the viewer is no error."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest


@pytest.mark.skipif(os.name == "nt", reason="no POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_is_stopped_by_a_signal(found: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-u", "-m", "irnet", "view", str(found), "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "2 images" in process.stdout.readline()
        url = process.stdout.readline().split()[1]
        assert "?token=" in url
        with httpx.Client(timeout=30, follow_redirects=True) as client:
            assert client.get(url.split("?")[0]).status_code == 401
            assert client.get(url).status_code == 200
        process.send_signal(number)
        _, complaints = process.communicate(timeout=30)
    assert (process.returncode, complaints) == (0, "")
