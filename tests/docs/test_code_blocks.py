"""The code blocks of README and docs run, in order, one folder a page, at toy size.

`bash` blocks hold `irnet` commands alone and run inside this process; `console` blocks do not run, `pycon`
blocks run where they come from, in the docstrings. A line
`<!-- test: weights -->` before a block runs it only where weights are bundled.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from irnet.cli import main
from irnet.data.coco.coco import write_coco
from irnet.data.files import write_atomic
from irnet.data.pixels import to_png
from irnet.data.sample import Entry
from irnet.inference.weights import BUNDLED
from irnet.synthetic import generate

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"(?:<!-- test: (?P<needs>\w+) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)
LANGUAGES = {"bash", "python", "console", "text", "json", "toml", "pycon"}
TOY = "--steps 1 --set data.crop=64 --set train.workers=0"
SMALLER = {  # what would take minutes
    r"--(time \w+|steps \d+)": TOY,
    r"--images \d+ --patients \d+": "--images 3 --patients 3",
}


class Block(NamedTuple):
    """One fenced block of a page."""

    language: str
    text: str
    needs: str | None


def blocks(page: Path) -> list[Block]:
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [Block(match["language"], match["text"], match["needs"]) for match in found]


def runnable(page: Path) -> list[Block]:
    return [
        b for b in blocks(page) if b.language in ("bash", "python") and (b.needs is None or BUNDLED.exists())
    ]


def commands(text: str) -> Iterator[list[str]]:
    for line in text.replace("\\\n", " ").splitlines():
        for pattern, small in SMALLER.items():
            line = re.sub(pattern, small, line)
        if words := shlex.split(line, comments=True):
            yield words


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the pages take for granted: my-images, my-set and my-masks of three small fields."""
    monkeypatch.chdir(tmp_path)
    entries = []
    for number in range(1, 4):
        image, truth = generate(number, size=(160, 160), mpp=0.37, count=3)
        name, content = f"field-{number}.png", to_png(image)
        for folder in ("my-images", "my-set/images", "my-masks/images"):
            write_atomic(tmp_path / folder / name, content)
        for i, mask in enumerate(truth.cells.to_dense()):
            label = "nucleus" if truth.cells.labels[i] == 2 else "cytoplasm"
            picture = to_png(mask.astype("uint8") * 255)
            write_atomic(tmp_path / "my-masks" / "masks" / f"field-{number}" / f"{label}_{i}.png", picture)
        path = tmp_path / "my-set" / "images" / name
        entries.append(Entry(name=name, path=path, content=truth, patient=f"p{number}"))
    write_coco(tmp_path / "my-set" / "annotations.json", entries)
    return tmp_path


@pytest.mark.parametrize("page", [p for p in PAGES if runnable(p)], ids=lambda p: p.name)
def test_code_blocks_run(page: Path, workdir: Path) -> None:
    if any("-o my-set" in block.text for block in blocks(page)):
        (workdir / "my-set" / "annotations.json").unlink()
    for block in runnable(page):
        if block.language == "python":
            exec(compile(block.text, page.name, "exec"), {"__name__": "page"})
            continue
        for words in commands(block.text):
            assert words[0] == "irnet", f"{page.name}: {words}: only irnet runs in a bash block, use console"
            with pytest.raises(SystemExit) as ended:
                main(words[1:])
            assert ended.value.code in (0, None), f"{page.name}: {' '.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_block_has_a_known_language(page: Path) -> None:
    fences = page.read_text(encoding="utf-8").count("```")
    assert fences == 2 * len(blocks(page))
    assert {block.language for block in blocks(page)} <= LANGUAGES
    assert {block.needs for block in blocks(page)} <= {None, "weights"}
