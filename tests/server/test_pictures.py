"""Tiles: together they are the image, at every scale."""

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from irnet.data.pixels import to_png
from irnet.errors import InputError
from irnet.server import pictures
from irnet.server.pictures import TILE, ImageTiles, levels

SHAPE = (700, 1100)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    smooth = np.stack([y / 4, x / 5, (x + y) / 9], axis=2).astype(np.uint8)
    (tmp_path / "a.png").write_bytes(to_png(smooth))
    return tmp_path / "a.png"


def test_tiles_make_up_the_image(path: Path) -> None:
    served = ImageTiles([path], [SHAPE], page=None)
    for halvings in range(levels(SHAPE) + 1):
        height, width = (-(-side // 2**halvings) for side in SHAPE)
        whole = np.zeros((height, width, 3), np.uint8)
        for row in range(-(-height // TILE)):
            for column in range(-(-width // TILE)):
                tile = np.asarray(PIL.Image.open(io.BytesIO(served.tile(0, halvings, column, row))))
                y, x = row * TILE, column * TILE
                whole[y : y + TILE, x : x + TILE] = tile
        wanted = np.asarray(
            PIL.Image.fromarray(served.pixels(0)).resize((width, height), PIL.Image.Resampling.BOX)
        )
        assert np.abs(whole.astype(int) - wanted).mean() < 2


@pytest.mark.parametrize(("side", "halvings"), [(1, 0), (512, 0), (513, 1), (1024, 1), (1025, 2), (4000, 3)])
def test_the_last_level_is_one_tile(side: int, halvings: int) -> None:
    assert levels((side, 10)) == halvings


@pytest.mark.parametrize("place", [(0, 3, 0), (0, 0, 2), (3, 0, 0), (-1, 0, 0), (0, -1, 0)])
def test_tiles_outside_are_refused(path: Path, place: tuple[int, int, int]) -> None:
    with pytest.raises(InputError, match="no such tile"):
        ImageTiles([path], [SHAPE], page=None).tile(0, *place)


def test_an_image_of_another_size_is_refused(path: Path) -> None:
    with pytest.raises(InputError, match=r"700 x 1100 pixels .* but 700 x 900 when"):
        ImageTiles([path], [(700, 900)], page=None).pixels(0)


def test_few_images_stay_in_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "BUDGET", 10**6)
    served = ImageTiles([path, path], [SHAPE, SHAPE], page=None)
    served.tile(0, 0, 0, 0)
    served.tile(1, 0, 0, 0)
    assert list(served._kept) == [1]
