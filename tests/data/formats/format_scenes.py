"""Scenes of overlapping instances for the round trips of formats, drawn by hypothesis."""

from pathlib import Path

import numpy as np
import PIL.Image
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.data.sample import Entry

SHAPE = (60, 70)


@st.composite
def crops(draw: st.DrawFn) -> tuple[np.ndarray, tuple[int, int]]:
    """A mask of any form, jagged, with holes or in pieces, anywhere in the frame."""
    size = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    mask = draw(hnp.arrays(bool, size).filter(np.any))
    mask = np.kron(mask, np.ones((draw(st.integers(1, 5)), draw(st.integers(1, 5))), dtype=bool))
    x = draw(st.integers(0, SHAPE[1] - mask.shape[1]))
    return mask, (x, draw(st.integers(0, SHAPE[0] - mask.shape[0])))


@st.composite
def scenes(draw: st.DrawFn) -> Cells:
    """Up to four cells and four nuclei with and without a cell, with scores."""
    owners = draw(st.integers(0, 4))
    parents = [-1] * owners + draw(st.lists(st.integers(-1, owners - 1), max_size=4))
    masks = [draw(crops()) for _ in parents]
    return Cells.build(
        [mask for mask, _ in masks],
        [offset for _, offset in masks],
        [CYTOPLASM] * owners + [NUCLEUS] * (len(parents) - owners),
        SHAPE,
        scores=[draw(st.integers(1, 1000)) / 1000 for _ in parents],
        parents=parents,
    )


def place(folder: Path, cells: Cells, name: str = "a.png", **known: object) -> Entry:
    """An entry of `cells` whose image, of one colour, lies in `folder`."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = cells.image_shape
    PIL.Image.new("RGB", (width, height), (len(name), ord(name[0]), 90)).save(path)
    return Entry(name=name, path=path, content=Content(cells=cells, **known))


def circle(radius: float, centre: tuple[float, float], shape: tuple[int, int] = (100, 120)) -> np.ndarray:
    """A full-frame disc."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return (columns - centre[0]) ** 2 + (rows - centre[1]) ** 2 <= radius**2


def smear() -> Cells:
    """Two overlapping cells, one with two nuclei, one with a nucleus that lies in both; a bare nucleus."""
    masks = [circle(30, (40, 45)), circle(28, (70, 50)), circle(6, (30, 40)), circle(5, (38, 60))]
    masks += [circle(5, (56, 48)), circle(4, (110, 10))]
    labels, parents = [1, 1, 2, 2, 2, 2], [-1, -1, 0, 0, 1, -1]
    scores = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]
    return Cells.from_dense(np.stack(masks), labels, parents=parents, scores=scores, mpp=0.25)


def by_place(cells: Cells) -> list[tuple]:
    """What each instance is, regardless of their order: class, mask, score and its cell's mask."""
    rles = [rle["counts"] for rle in cells.to_rle()]
    rows = zip(cells.labels.tolist(), rles, cells.scores.tolist(), cells.parents.tolist(), strict=True)
    return sorted(
        (label, rle, score, rles[parent] if parent >= 0 else "") for label, rle, score, parent in rows
    )
