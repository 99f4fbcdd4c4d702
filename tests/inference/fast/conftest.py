"""The tests of the engine for CPUs need the extra `fast`."""

from pathlib import Path

import pytest

from irnet.inference.fast.runtime import is_installed

if not is_installed():
    collect_ignore = [path.name for path in Path(__file__).parent.glob("test_*.py")]


def pytest_report_header() -> str:
    return "" if is_installed() else "tests/inference/fast is skipped: OpenVINO is not installed"


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder for caches, away from the user's own."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    return tmp_path / "cache"
