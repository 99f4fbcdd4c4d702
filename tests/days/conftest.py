"""A desk for each day."""

from pathlib import Path

import pytest
from desk import Desk


@pytest.fixture
def desk(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Desk:
    """An empty desk in a folder of its own, where commands are run."""
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path, capsys, caplog)
