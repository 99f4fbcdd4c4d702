"""Entries read their pixels when asked, and only if they fit the annotation."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from irnet.cells import Cells, Content
from irnet.data.sample import Entry
from irnet.errors import InputError


def entry(path: Path, shape: tuple[int, int], pixels: np.ndarray | None = None) -> Entry:
    truth = Content(cells=Cells.empty(shape))
    return Entry(name=path.name, path=path, content=truth, patient="p1", pixels=pixels)


def test_an_entry_reads_its_image(tmp_path: Path) -> None:
    PIL.Image.fromarray(np.full((4, 6, 3), 7, dtype=np.uint8)).save(tmp_path / "a.png")
    sample = entry(tmp_path / "a.png", (4, 6)).read()
    assert sample.image.shape == (4, 6, 3)
    assert (sample.name, sample.patient) == ("a.png", "p1")


def test_pixels_in_memory_need_no_file(tmp_path: Path) -> None:
    pixels = np.zeros((4, 6, 3), dtype=np.uint8)
    assert entry(tmp_path / "none.mat", (4, 6), pixels).read().image is pixels


def test_an_image_of_another_size_is_refused(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (6, 4)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png: 4 x 6 pixels .* annotated as 6 x 4"):
        entry(tmp_path / "a.png", (6, 4)).read()


@pytest.mark.parametrize("known", [{"name": "a\udcff.png"}, {"patient": "\ud800"}])
def test_half_a_character_in_a_name_is_refused(tmp_path: Path, known: dict) -> None:
    fields = {"name": "a.png", "path": tmp_path, "content": Content(cells=Cells.empty((4, 4)))}
    with pytest.raises(InputError, match="half of a character: rename it"):
        Entry(**(fields | known))
