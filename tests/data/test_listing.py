"""Files of folders: which are images, and that no other is left out in silence."""

import logging
import os
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from irnet.data.formats import convert
from irnet.data.listing import list_images
from irnet.errors import InputError

GREY = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def test_folders_are_expanded_in_order_and_files_named_once(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "a.JPG", "c.txt", "._b.png", "d.tiff", "f.jfif", "g.webp", "h.jp2")
    (tmp_path / "e.png").mkdir()
    found = list_images([tmp_path / "d.tiff", tmp_path, tmp_path / "c.txt"])
    assert [path.name for path in found] == ["d.tiff", "a.JPG", "b.png", "f.jfif", "g.webp", "h.jp2", "c.txt"]


def test_what_is_not_read_is_named_in_one_line(tmp_path: Path, caplog) -> None:
    touch(tmp_path, "a.png", "b.svs", "c.txt", "d.gif", "e.mat", "sub/f.png", "notes/g.txt")
    touch(tmp_path, ".h.png", "Thumbs.db", "__MACOSX/i.png")
    with caplog.at_level(logging.WARNING):
        list_images([tmp_path], beside=(".mat",))
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}: not read: b.svs, c.txt, d.gif, sub/"
    ]


def test_long_lists_are_cut(tmp_path: Path, caplog) -> None:
    touch(tmp_path, "a.png", *(f"{i:02}.svs" for i in range(60)))
    list_images([tmp_path])
    assert "49.svs and 10 more" in caplog.text


def test_nothing_found_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no image in"):
        list_images([tmp_path])
    with pytest.raises(InputError, match="no such file or folder"):
        list_images([tmp_path / "nowhere"])


def test_the_folder_inside_that_holds_the_images_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    touch(tmp_path, "images/a.png")
    with pytest.raises(InputError, match=r"no image in .*; name .*images: looked for"):
        list_images([tmp_path])


def test_what_was_drawn_is_not_what_to_name_instead(tmp_path: Path) -> None:
    touch(tmp_path, "run.json", "overlays/a.png")
    with pytest.raises(InputError, match=r"no image in [^;]*: looked for"):
        list_images([tmp_path], recursive=False)


def test_folders_in_folders_are_read_on_demand_without_what_was_drawn(tmp_path: Path, caplog) -> None:
    touch(tmp_path, "b.png", "p2/slide/a.png", "p1/a.png", "p1/c.svs", "overlays/own.png")
    touch(tmp_path, "found/run.json", "found/overlays/p1/a.png", "found/overlays/b.png", ".hidden/a.png")
    found = list_images([tmp_path, tmp_path / "p1"], recursive=True)
    names = [path.relative_to(tmp_path).as_posix() for path in found]
    assert names == ["b.png", "overlays/own.png", "p1/a.png", "p2/slide/a.png"]
    assert "not read: found/run.json, p1/c.svs" in caplog.text
    with pytest.raises(InputError, match="or say --recursive"):
        list_images([tmp_path / "p2"], recursive=False)


def label_maps(folder: Path) -> None:
    values = np.zeros(GREY.shape, dtype=np.uint16)
    values[3:9, 3:9] = 1
    for name in ("a_cells.tif", "a_nuclei.tif", "c_cells.tiff"):
        tifffile.imwrite(folder / name, values)
    for name in ("a.png", "b.png", "b_cells.png"):
        PIL.Image.fromarray(GREY).save(folder / name)


def test_a_converter_names_what_it_does_not_read(tmp_path: Path, caplog) -> None:
    (tmp_path / "in").mkdir()
    label_maps(tmp_path / "in")
    touch(tmp_path / "in", "deep/x.png", ".hidden.png")
    convert("labels", tmp_path / "in", tmp_path / "out")
    assert f"not read: b.png, b_cells.png, c_cells.tiff, {Path('deep/x.png')}" in caplog.text


def test_masks_of_other_kinds_are_named_and_hidden_ones_left_alone(tmp_path: Path, caplog) -> None:
    mask = (GREY * 0).copy()
    mask[3:9, 3:9] = 255
    for name in ("images/a.png", "masks/a/nucleus_1.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        PIL.Image.fromarray(mask).save(tmp_path / name)
    touch(tmp_path, "masks/a/nucleus_2.gif", "masks/a/._nucleus_1.png", "masks/.DS_Store", "images/b.svs")
    assert convert("masks", tmp_path, tmp_path / "out") == 1
    assert "not read: nucleus_2.gif" in caplog.text
    assert "not read: b.svs" in caplog.text
    assert len(caplog.records) == 2


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    try:
        os.link(tmp_path / "a.png", os.fsencode(tmp_path) + b"/\xff.png")
    except OSError:
        pytest.skip("this file system has no such names")
    with pytest.raises(InputError, match=r"udcff\.png': its name holds half of a character: rename it"):
        list_images([tmp_path])
