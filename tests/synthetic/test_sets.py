"""Sets of fields on disk."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from irnet.data.coco.coco import read_coco
from irnet.errors import InputError
from irnet.synthetic import generate_set
from irnet.synthetic.smear import VERSION


def test_a_set_reads_back_as_it_was_drawn(tmp_path: Path):
    drawn = generate_set(
        tmp_path,
        images=5,
        patients=2,
        seed=3,
        size=(150, 160),
        mpp=0.5,
    )
    read = read_coco(tmp_path)
    info = json.loads((tmp_path / "annotations.json").read_text())["info"]
    assert (info["generator"], info["seed"]) == (VERSION, 3)
    assert [entry.name for entry in read] == [entry.name for entry in drawn]
    assert len({entry.patient for entry in read}) == 2
    for a, b in zip(drawn, read, strict=True):
        assert a.patient == b.patient
        assert b.content.cells.mpp == 0.5
        assert a.content.kinds == b.content.kinds
        assert np.array_equal(a.content.cells.parents, b.content.cells.parents)
        assert a.content.cells.to_rle() == b.content.cells.to_rle()
        assert [d.kind for d in a.content.distractors] == [d.kind for d in b.content.distractors]
        assert b.read().image.shape == (150, 160, 3)


def test_the_same_seed_writes_the_same_pictures(tmp_path: Path):
    pictures = []
    for folder in ("a", "b"):
        entries = generate_set(tmp_path / folder, images=2, patients=1, seed=4, size=(64, 64), palette="grey")
        pictures.append([np.asarray(Image.open(entry.path)) for entry in entries])
    assert np.array_equal(pictures[0], pictures[1])


@pytest.mark.parametrize(("images", "patients"), [(2, 3), (2, 0)])
def test_every_patient_needs_an_image(tmp_path: Path, images: int, patients: int):
    with pytest.raises(InputError, match="at least one image"):
        generate_set(tmp_path, images=images, patients=patients, seed=0)


def test_a_set_is_never_overwritten(tmp_path: Path):
    (tmp_path / "annotations.json").write_text("{}")
    with pytest.raises(InputError, match=r"annotations\.json exists: name a new folder"):
        generate_set(tmp_path, images=1, patients=1, seed=0, size=(64, 64))
    assert (tmp_path / "annotations.json").read_text() == "{}"
    assert not (tmp_path / "images").exists()


def test_a_negative_seed_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="seed"):
        generate_set(tmp_path, images=1, patients=1, seed=-1)
