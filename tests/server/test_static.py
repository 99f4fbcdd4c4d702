"""The built page: of this source, small, with the licence of what is in it, and nothing from elsewhere."""

import hashlib
import re
from pathlib import Path

import pytest

from irnet.server.app import STATIC

VIEWER = Path(__file__).parents[2] / "viewer"


def test_the_page_is_built_from_this_source() -> None:
    sources = [VIEWER / "build.mjs", VIEWER / "package-lock.json", *sorted((VIEWER / "src").iterdir())]
    built = sorted(path for path in STATIC.iterdir() if path.name != "built-from.txt")
    lines = [f"{_digest(sources)}  sources", f"{_digest(built)}  built"]
    assert (STATIC / "built-from.txt").read_text().splitlines() == lines, "make viewer"


def _digest(paths: list[Path]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def test_the_page_is_small_and_names_what_it_contains() -> None:
    assert sum(path.stat().st_size for path in STATIC.iterdir()) < 2 * 2**20
    licences = (STATIC / "LICENSES.txt").read_text()
    assert "OpenSeadragon" in licences
    assert "Redistribution and use in source and binary forms" in licences


@pytest.mark.parametrize(("page", "script"), [("index.html", "main.js"), ("slide.html", "slide.js")])
def test_the_pages_load_their_own_files_alone(page: str, script: str) -> None:
    text = (STATIC / page).read_text()
    loaded = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert sorted(loaded) == ["data:,", script, "style.css"]
    assert re.findall(r'from"([^"]*)"', (STATIC / script).read_text()) == ["./shared.js"]
    assert not re.search(r"\s(on\w+|style)=", text)
    assert "url(" not in (STATIC / "style.css").read_text()


def test_the_lock_file_names_no_registry() -> None:
    assert "resolved" not in (VIEWER / "package-lock.json").read_text()
