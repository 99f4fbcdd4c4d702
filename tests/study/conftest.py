"""A data set of rectangles and a study's folder with handmade predictions: nothing is trained."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from study_scenes import both, entry
from toy_scene import write_circles

from irnet.cells import Cells, Distractor
from irnet.data.coco.coco import write_coco
from irnet.data.sample import Entry


@pytest.fixture
def test_entries() -> list[Entry]:
    """Four images of three patients, a bar of 20 px of each class in each, one with mucus."""
    mucus = Distractor(kind="mucus", box=(40, 0, 80, 40))
    patients = ("a", "a", "b", "c")
    return [
        entry(f"t{i}.png", both(20), patient, distractors=[mucus] if i == 0 else [])
        for i, patient in enumerate(patients)
    ]


@pytest.fixture
def val_entries() -> list[Entry]:
    """Two images."""
    return [entry(f"v{i}.png", both(20), f"v{i}") for i in range(2)]


@pytest.fixture
def write_found() -> Callable[[Path, Sequence[Entry], Sequence[Cells]], None]:
    """Write predictions of entries as a row's val.json or test.json."""

    def write(path: Path, entries: Sequence[Entry], found: Sequence[Cells]) -> None:
        rows = [entry(e.name, cells, e.patient) for e, cells in zip(entries, found, strict=True)]
        write_coco(path, rows, scores=True)

    return write


@pytest.fixture(scope="session")
def circles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 6 images of 3 patients that says of which seed it is."""
    return write_circles(tmp_path_factory.mktemp("circles"), info={"seed": 7})
