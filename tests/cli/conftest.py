"""A command line that runs inside the test, a small annotated set and a network of two training steps."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from irnet.cli import main
from irnet.data.coco.coco import write_coco
from irnet.data.files import write_atomic
from irnet.data.pixels import to_png
from irnet.data.sample import Entry
from irnet.synthetic import generate

MPP = 0.37
TINY = ("--recipe", "tiny", "--set", "data.crop=64", "--set", "train.workers=0", "--device", "cpu")


class Ran(NamedTuple):
    """How a command line ended and what it said."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `irnet` with arguments."""

    def call(*args: object) -> Ran:
        code = exit_code([str(arg) for arg in args])
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return call


def exit_code(args: Sequence[str]) -> int:
    with pytest.raises(SystemExit) as ended:
        main(args)
    return ended.value.code if isinstance(ended.value.code, int) else 0


@pytest.fixture(scope="session")
def smears(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of three generated fields of three patients."""
    folder = tmp_path_factory.mktemp("smears")
    entries = []
    for seed in range(3):
        image, truth = generate(seed, size=(160, 160), mpp=MPP, count=3)
        path = folder / "images" / f"{seed}.png"
        write_atomic(path, to_png(image))
        entries.append(Entry(name=path.name, path=path, content=truth, patient=f"p{seed}"))
    write_coco(folder / "annotations.json", entries)
    return folder


@pytest.fixture(scope="session")
def network(smears: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two steps: a network that finds nothing, but works."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    assert exit_code(["train", str(smears), "-o", str(folder), *TINY, "--steps", "2"]) == 0
    return folder
