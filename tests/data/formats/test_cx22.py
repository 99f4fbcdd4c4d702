"""Cx22: MATLAB 7.3 files as MATLAB writes them, and files that are none."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from format_scenes import smear

from irnet.cells import CYTOPLASM, NUCLEUS
from irnet.data.formats import cx22
from irnet.errors import InputError

IMAGE = np.random.default_rng(0).integers(0, 256, (100, 120, 3), dtype=np.uint8)
DENSE = smear().to_dense()


def cell_array(file: h5py.File, items: list, name: str | None = None) -> h5py.Dataset:
    """References to the items in a dataset of one column, as MATLAB lays out a cell array."""
    references = np.empty((1, len(items)), dtype=h5py.ref_dtype)
    for number, item in enumerate(items):
        if isinstance(item, list):
            stored = cell_array(file, item) if item else _empty(file)
        else:
            stored = file.create_dataset(_free(file), data=item.T)
        references[0, number] = stored.ref
    return file.create_dataset(name or _free(file), data=references)


def _empty(file: h5py.File) -> h5py.Dataset:
    stored = file.create_dataset(_free(file), data=np.zeros(2, dtype=np.uint64))
    stored.attrs["MATLAB_empty"] = 1
    return stored


def _free(file: h5py.File) -> str:
    return f"#refs#/{len(file.require_group('#refs#'))}"


def fields(folder: Path, *, mask: np.ndarray | None = None, images: int = 2) -> Path:
    masks = DENSE.astype(np.uint8)
    contents = {
        "generator/ImageDataSet": [IMAGE] * images,
        "cyto/cyto_ins": [[masks[0], masks[1] if mask is None else mask], [masks[0]]],
        "nuc/nuc_ins": [list(masks[2:5]), []],
    }
    for name, items in contents.items():
        path = folder / f"{name}.mat"
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "w", userblock_size=512) as file:
            cell_array(file, items, path.stem)
    return folder


def test_fields_are_read_the_right_way_round(tmp_path: Path) -> None:
    first, second = cx22.read(fields(tmp_path / "Cx22-Pair"))
    cells = first.content.cells
    assert first.name == "Cx22-Pair_0001.png"
    assert cells.labels.tolist() == [CYTOPLASM] * 2 + [NUCLEUS] * 3
    assert np.array_equal(cells.to_dense(), DENSE[:5])
    assert cells.parents.tolist() == [-1, -1, 0, 0, -1]  # the last one lies in both cells
    assert np.array_equal(first.read().image, IMAGE)
    assert second.content.cells.labels.tolist() == [CYTOPLASM]


def test_a_missing_image_set_says_how_it_is_made(tmp_path: Path) -> None:
    (fields(tmp_path) / "generator" / "ImageDataSet.mat").unlink()
    with pytest.raises(InputError, match=r"ImageDataGenerator\.m"):
        cx22.read(tmp_path)


def test_what_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 images, cells of 2"):
        cx22.read(fields(tmp_path, images=3))
    with pytest.raises(InputError, match="field 1: a mask that is not of the image's size"):
        cx22.read(fields(tmp_path, mask=np.ones((4, 4), dtype=np.uint8)))
    with pytest.raises(InputError, match="field 1: no array of whole numbers"):
        cx22.read(fields(tmp_path, mask=DENSE[0].astype(float)))


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = fields(tmp_path) / "cyto" / "cyto_ins.mat"
    content = path.read_bytes()
    for damaged in (b"", b"MATLAB 5.0 MAT-file", content[: len(content) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=str(tmp_path)):
            cx22.read(tmp_path)


def test_links_to_other_files_are_not_followed(tmp_path: Path) -> None:
    fields(tmp_path)
    with h5py.File(tmp_path / "cyto" / "cyto_ins.mat", "a") as file:
        del file["cyto_ins"]
        file["cyto_ins"] = h5py.ExternalLink(str(tmp_path / "nuc" / "nuc_ins.mat"), "/nuc_ins")
    with pytest.raises(InputError, match="one cell array named cyto_ins"):
        cx22.read(tmp_path)
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(100 * 120))
    with h5py.File(tmp_path / "cyto" / "cyto_ins.mat", "w") as file:
        outside = file.create_dataset("a", (120, 100), "u1", external=[(str(secret), 0, 12_000)])
        references = np.empty((1, 2), dtype=h5py.ref_dtype)
        references[:] = outside.ref
        file.create_dataset("cyto_ins", data=references)
    with pytest.raises(InputError, match="no array of whole numbers in this file"):
        cx22.read(tmp_path)


def test_files_that_are_not_read_are_named(tmp_path: Path, caplog) -> None:
    (fields(tmp_path) / "cyto" / "cyto_semantic.mat").touch()
    cx22.read(tmp_path)
    assert caplog.messages == [f"{tmp_path}: not read: cyto/cyto_semantic.mat"]
