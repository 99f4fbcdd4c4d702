"""Label maps with more cells than their numbers hold, and cells that others cut in pieces."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile
from format_scenes import place

from irnet.cells import Cells
from irnet.data.formats import labels
from irnet.data.formats.labels import read_labels
from irnet.errors import InputError


def save(path: Path, values: np.ndarray) -> Path:
    if path.suffix == ".png":
        PIL.Image.fromarray(values).save(path)
    else:
        tifffile.imwrite(path, values)
    return path


def many(count: int, pitch: int = 10) -> np.ndarray:
    """A map of so many cells, 6 x 6 px, in rows of 25, some smaller."""
    values = np.zeros((pitch * (count // 25 + 1), pitch * 25), dtype=np.uint32)
    for number in range(count):
        y, x = pitch * (number // 25), pitch * (number % 25)
        values[y + 2 : y + 8, x + 2 : x + 8 - number % 3] = number + 1
    return values


RAN_OVER = {
    "300.png": (
        many(300).astype(np.uint8),
        "more than 255 cells in 8 bits: save 16 bits; 44 have the number",
    ),
    "300.tif": (
        many(300).astype(np.uint8).astype(np.uint16),
        "save 16 bits; 44 have",
    ),  # written with more later
    "clipped.png": (np.minimum(many(300), 255).astype(np.uint8), "more than 255 cells in 8 bits"),
    "touching.png": (many(300, 6).astype(np.uint8), "more than 255 cells in 8 bits"),
    "900.png": (many(900).astype(np.uint8), "255 labels in 897 pieces: .*, or more than 255 cells in 8 bits"),
    "70000.tif": (many(70_000).astype(np.uint16), "more than 65,535 cells in 16 bits: cut the image"),
}


@pytest.mark.parametrize("name", RAN_OVER)
def test_numbers_that_ran_over_are_refused(tmp_path: Path, name: str) -> None:
    values, message = RAN_OVER[name]
    path = save(tmp_path / name, values)
    with pytest.raises(InputError, match=message) as caught:
        read_labels(path, values.shape)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("count", [255, 300])
def test_as_many_numbers_as_cells_are_read(
    tmp_path: Path, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    values = many(count).astype(np.uint8 if count == 255 else np.uint16)
    assert len(read_labels(save(tmp_path / "a.png", values), values.shape)) == count
    assert not caplog.text


def test_cells_that_others_cover_in_the_middle_are_told_and_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    values = many(255).astype(np.uint8)
    for number in range(1, 250, 5):  # long ones, beneath their neighbours
        y, x = 10 * ((number - 1) // 25), 10 * ((number - 1) % 25)
        row = values[y + 4 : y + 6, x : x + 20]
        row[row == 0] = number
    assert len(read_labels(save(tmp_path / "a.png", values), values.shape)) == 255
    assert "a.png: labels in several pieces, each read as one cell or nucleus: 50" in caplog.text


def test_nuclei_that_ran_over_are_refused_too(tmp_path: Path) -> None:
    place(tmp_path, Cells.empty(many(300).shape))
    save(tmp_path / "a_cells.tif", many(300))
    save(tmp_path / "a_nuclei.tif", many(300).astype(np.uint8))
    with pytest.raises(InputError, match=r"a_nuclei\.tif: more than 255 cells in 8 bits"):
        labels.read(tmp_path)
