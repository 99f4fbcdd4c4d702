"""SIPaKMeD: fields with outlines beside them."""

from pathlib import Path

import PIL.Image
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS
from irnet.data.formats import sipakmed
from irnet.errors import InputError

SQUARES = {"001_cyt01": (5, 35), "001_nuc01": (10, 20), "001_cyt02": (25, 55), "001_nuc02": (40, 50)}


def field(folder: Path) -> Path:
    place = folder / "im_Dyskeratotic" / "im_Dyskeratotic"
    (place / "CROPPED").mkdir(parents=True)
    for name in ("001.bmp", "CROPPED/001_01.bmp"):
        PIL.Image.new("RGB", (70, 60)).save(place / name)
    for name, (low, high) in SQUARES.items():
        corners = [(low, low), (high, low), (high, high), (low, high)]
        (place / f"{name}.dat").write_text("".join(f"{x:.4f},{y:.4f}\r\n" for x, y in corners))
    (place / "CROPPED" / "001_01_cyt.dat").write_text("1,1\n2,1\n2,2\n")
    return place


def test_fields_are_read_with_cells_that_overlap(tmp_path: Path) -> None:
    field(tmp_path)
    (entry,) = sipakmed.read(tmp_path)
    cells = entry.content.cells
    assert entry.name == "Dyskeratotic__001.bmp"
    assert cells.labels.tolist() == [CYTOPLASM, CYTOPLASM, NUCLEUS, NUCLEUS]
    assert cells.parents.tolist() == [-1, -1, 0, 1]
    assert cells.areas.tolist() == [900, 900, 100, 100]
    assert cells.intersections(cells)[0, 1] == 100
    assert set(entry.content.kinds) == {"Dyskeratotic"}
    assert entry.read().image.shape == (60, 70, 3)


def test_a_folder_without_outlines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no NNN_cytMM\.dat"):
        sipakmed.read(tmp_path)


BAD = {
    "text": "a,b\n" * 3,
    "uneven": "1,2\n3\n4,5\n",
    "NaN": "nan,1\n2,2\n3,1\n",
    "huge": "1e9,1\n2,2\n3,1\n",
}
BAD |= {
    "short": "1,2\n",
    "empty": "",
    "bytes": "\xff,1\n",
    "long": "1,1\n" * 2**21,
    "outside": "90,90\n99,90\n99,99",
}


@pytest.mark.parametrize("name", BAD)
def test_an_outline_that_is_none_is_named(tmp_path: Path, name: str) -> None:
    (field(tmp_path) / "001_nuc01.dat").write_text(BAD[name], encoding="latin-1")
    with pytest.raises(InputError, match=r"001_nuc01\.dat: "):
        sipakmed.read(tmp_path)


def test_an_outline_without_its_image_is_named(tmp_path: Path) -> None:
    (field(tmp_path) / "001.bmp").unlink()
    with pytest.raises(InputError, match=r"001_cyt01\.dat: the image it belongs to, 001\.bmp"):
        sipakmed.read(tmp_path)


def test_outlines_are_arrays_of_pairs(tmp_path: Path) -> None:
    (field(tmp_path) / "001_nuc01.dat").write_text("1,2,3\n4,5,6\n")
    with pytest.raises(InputError, match="points must be"):
        sipakmed.read(tmp_path)


def test_files_that_are_not_read_are_named_but_for_the_copies(tmp_path: Path, caplog) -> None:
    place = field(tmp_path)
    PIL.Image.new("RGB", (70, 60)).save(place / "002.bmp")
    (place / "001_cell03.dat").write_text("1,1\n")
    sipakmed.read(place)
    assert caplog.messages == [f"{place}: not read: 001_cell03.dat, 002.bmp"]
