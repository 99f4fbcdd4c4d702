"""Each export is read back: the same except for what the format is said to lose."""

import dataclasses
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from skimage.measure import label as number_pieces

from irnet.cells import CYTOPLASM, LABEL_NAMES, NO_PARENT, NUCLEUS, Cells, Content
from irnet.data.coco.coco import read_coco, write_coco
from irnet.data.formats import cvat, imagej, labelme, labels, qupath
from irnet.data.sample import Entry
from irnet.verbs.export import STYLES, export

FORMATS = [(to, style) for to in ("qupath", "labelme", "cvat") for style in STYLES[to]]
FORMATS += [("imagej", None), ("coco", None)]
READERS = {
    "qupath": qupath.read,
    "imagej": imagej.read,
    "labelme": labelme.read,
    "cvat": cvat.read,
    "labels": labels.read,
}
MANY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def jagged(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A disc whose edge is noise, as an uncertain network draws it; specks, bays and holes with it."""
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return rows**2 + columns**2 + rng.normal(0, 0.35, (height, width)) < 0.8


FORMS: dict[str, Callable[[np.random.Generator, int, int], np.ndarray]] = {
    "jagged": jagged,
    "noise": lambda rng, height, width: rng.random((height, width)) < 0.5,
    "pixel": lambda _, height, width: np.ones((1, 1), dtype=bool),
    "line": lambda rng, height, width: np.ones((1, width) if rng.random() < 0.5 else (height, 1), dtype=bool),
    "corners": lambda _, height, width: np.indices((height, width)).sum(axis=0) % 2 == 0,
    "ring": lambda _, height, width: np.pad(np.zeros((height, width), dtype=bool), 1, constant_values=True),
    "rings": lambda _, height, width: np.minimum(*np.indices((height, width))) % 4 < 2,
    "solid": lambda _, height, width: np.ones((height, width), dtype=bool),
}


def draw(seed: int) -> Cells:
    """Up to nine cells, over, beside and within each other and at the borders, and up to nine nuclei."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 70, 2).tolist()
    owners = int(rng.integers(0, 10))
    parents = [NO_PARENT] * owners
    parents += rng.integers(NO_PARENT, max(owners, 1) if owners else 0, int(rng.integers(0, 10))).tolist()
    masks, offsets = [], []
    for place in range(len(parents)):
        form = FORMS[rng.choice(list(FORMS))]
        mask = form(rng, *rng.integers(1, 40, 2).tolist())[:height, :width]
        mask = mask if mask.any() else np.ones((1, 1), dtype=bool)
        free = (width - mask.shape[1], height - mask.shape[0])
        where = [(int(rng.integers(0, side + 1)), 0, side)[rng.integers(0, 3)] for side in free]
        if masks and rng.random() < 0.2:  # beside another, corner at corner or edge at edge
            x, y = np.minimum(np.add(offsets[-1], masks[-1].shape[::-1]), free).tolist()
            where = [max(0, x), max(0, y)]
        if parents[place] != NO_PARENT and rng.random() < 0.5:  # in its cell
            where = np.minimum(offsets[parents[place]], free).tolist()
        masks.append(mask)
        offsets.append(where)
    labels = [CYTOPLASM] * owners + [NUCLEUS] * (len(parents) - owners)
    scores = rng.choice([0.0, 0.25, 0.5, 0.123456, 1.0], len(parents))
    mpp = [None, 0.25][rng.integers(0, 2)]
    return Cells.build(masks, offsets, labels, (height, width), scores=scores, parents=parents, mpp=mpp)


def data_set(folder: Path, cells: Cells) -> Entry:
    """Predictions with the image they were made of, of one colour."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    height, width = cells.image_shape
    path = folder / "images" / "a.png"
    PIL.Image.new("RGB", (width, height), (200, 180, 210)).save(path)
    kinds = tuple("LSIL" if place % 3 == 0 else "" for place in range(len(cells)))
    entry = Entry(name="a.png", path=path, content=Content(cells=cells, kinds=kinds), patient="p 1")
    write_coco(folder / "annotations.json", [entry], scores=True)
    return entry


def rows(cells: Cells, kinds: tuple[str, ...] = ()) -> Counter[tuple]:
    """What each instance is, regardless of their order: class, mask, score, mask of its cell and kind."""
    masks = [mask.tobytes() for mask in cells.to_dense()]
    table = zip(cells.labels.tolist(), masks, cells.scores.tolist(), cells.parents.tolist(), strict=True)
    return Counter(
        (label, mask, score, masks[parent] if parent >= 0 else b"", kinds[place] if kinds else "")
        for place, (label, mask, score, parent) in enumerate(table)
    )


def back_and_forth(folder: Path, cells: Cells, to: str, style: str | None) -> tuple[Entry, Entry, list[str]]:
    """An entry, what it is after an export and an import, and the notes of the export."""
    folder = Path(tempfile.mkdtemp(dir=folder))
    entry = data_set(folder, cells)
    if to == "coco":
        (again,) = read_coco(folder)
        return entry, again, []
    done = export(folder, to, folder / "out", style=style)
    (again,) = READERS[to](folder / "out", images=folder)
    return entry, again, done.notes


@pytest.mark.parametrize(("to", "style"), FORMATS)
@MANY
@given(seed=st.integers(0, 2**32))
def test_what_is_exported_is_read_back(tmp_path: Path, to: str, style: str | None, seed: int) -> None:
    cells = draw(seed)
    entry, again, _ = back_and_forth(tmp_path, cells, to, style)
    assert (again.name, again.patient, again.content.cells.mpp) == ("a.png", "p 1", cells.mpp)
    kinds = entry.content.kinds if to != "imagej" else ()
    if style == "cells":  # whose nuclei have no kind
        kinds = tuple(k if label == CYTOPLASM else "" for k, label in zip(kinds, cells.labels, strict=True))
    assert rows(again.content.cells, again.content.kinds) == rows(cells, kinds)


@pytest.mark.parametrize(("to", "style"), FORMATS)
def test_masks_that_just_have_room_are_read_back(
    tmp_path: Path, to: str, style: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    masks = [jagged(rng, 30, 30) for _ in range(20)]
    cells = Cells.build(masks, rng.integers(0, 40, (20, 2)), [CYTOPLASM] * 20, (70, 70))
    monkeypatch.setattr("irnet.data.room.MASK_PIXELS", sum(mask.size for mask in cells.masks))
    monkeypatch.setattr("irnet.data.room.INSTANCE_PIXELS", 0)
    _, again, _ = back_and_forth(tmp_path, cells, to, style)
    assert rows(again.content.cells) == rows(cells)


def on_top(cells: Cells, label: int) -> np.ndarray:
    """The number (from 1) of the instance of a class that each pixel shows: the one of the highest score."""
    shown = np.zeros(cells.image_shape, dtype=int)
    dense = cells.to_dense()
    for index in sorted(np.flatnonzero(cells.labels == label), key=lambda i: (cells.scores[i], -i)):
        shown[dense[index]] = index + 1
    return shown


def in_maps(cells: Cells) -> Counter[tuple]:
    """What two label maps hold: the parts of cells on top, and each piece of the nuclei of a cell."""
    shown = {label: on_top(cells, label) for label in LABEL_NAMES}
    seen = {
        index: shown[CYTOPLASM] == index + 1 for index in np.flatnonzero(cells.labels == CYTOPLASM).tolist()
    }
    owners = {index: mask.tobytes() for index, mask in seen.items() if mask.any()}
    held = Counter((CYTOPLASM, mask, 1.0, b"", "") for mask in owners.values())
    nuclei = np.flatnonzero(cells.labels == NUCLEUS)
    groups = np.where(cells.parents == NO_PARENT, len(cells) + np.arange(len(cells)), cells.parents)
    for owner in np.unique(groups[nuclei]).tolist():
        own = nuclei[groups[nuclei] == owner]
        pieces = np.asarray(number_pieces(np.isin(shown[NUCLEUS], own + 1), connectivity=2))
        for number in range(1, pieces.max() + 1):
            held[NUCLEUS, (pieces == number).tobytes(), 1.0, owners.get(owner, b""), ""] += 1
    return held


@MANY
@given(seed=st.integers(0, 2**32))
def test_label_maps_keep_what_is_on_top(tmp_path: Path, seed: int) -> None:
    cells = draw(seed)
    _, again, notes = back_and_forth(tmp_path, cells, "labels", None)
    assert rows(again.content.cells) == in_maps(cells)
    if not notes:
        assert rows(again.content.cells) == rows(dataclasses.replace(cells, scores=np.ones(len(cells))))
