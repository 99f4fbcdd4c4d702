"""ImageJ regions there and back, and archives that are none."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import roifile
from format_scenes import SHAPE, by_place, place, scenes, smear
from hypothesis import HealthCheck, given, settings

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.data.formats import imagej
from irnet.errors import InputError

MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(folder: Path, cells: Cells) -> Path:
    imagej.write(folder / "a.zip", place(folder, cells))
    return folder / "a.zip"


@MANY
@given(scenes())
def test_regions_come_back_as_they_were(tmp_path: Path, cells: Cells) -> None:
    write(tmp_path, cells)
    (entry,) = imagej.read(tmp_path)
    assert by_place(entry.truth.cells) == by_place(cells)


def test_names_tell_cells_and_their_nuclei(tmp_path: Path) -> None:
    regions = roifile.roiread(write(tmp_path, smear()))
    names = [region.name for region in regions]
    assert names == ["c0001", "c0002", "c0001-n1", "c0001-n2", "c0002-n1", "n0001"]
    assert [info.filename for info in zipfile.ZipFile(tmp_path / "a.zip").infolist()] == [
        f"{name}.roi" for name in names
    ]
    assert regions[0].properties == {"score": 0.9}


def test_the_file_is_the_same_each_time(tmp_path: Path) -> None:
    first = write(tmp_path, smear()).read_bytes()
    assert write(tmp_path, smear()).read_bytes() == first


def test_a_region_starts_at_the_corner_of_its_first_pixel(tmp_path: Path) -> None:
    mask = np.zeros((1, *SHAPE), dtype=bool)
    mask[0, 10:20, 30:50] = True
    (region,) = roifile.roiread(write(tmp_path, Cells.from_dense(mask, [CYTOPLASM])))
    corners = region.coordinates()
    assert (corners.min(axis=0).tolist(), corners.max(axis=0).tolist()) == ([30, 10], [50, 20])
    assert (region.left, region.top) == (30, 10)


def pack(folder: Path, regions: dict[str, bytes | roifile.ImagejRoi]) -> None:
    place(folder, Cells.empty(SHAPE))
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for name, region in regions.items():
            content = region if isinstance(region, bytes) else region.tobytes()
            archive.writestr(name, content)


def box(kind: roifile.ROI_TYPE) -> roifile.ImagejRoi:
    return roifile.ImagejRoi(roitype=kind, left=10, top=20, right=40, bottom=50)


def test_what_is_drawn_in_imagej_is_read(tmp_path: Path) -> None:
    freehand = roifile.ImagejRoi.frompoints(np.array([[5, 5], [15, 5], [15, 15], [5, 15]]))
    pack(
        tmp_path,
        {"c1.roi": box(roifile.ROI_TYPE.RECT), "c1-n1.roi": box(roifile.ROI_TYPE.OVAL), "n7.roi": freehand},
    )
    (entry,) = imagej.read(tmp_path / "a.zip")
    cells = entry.truth.cells
    assert (cells.labels.tolist(), cells.parents.tolist()) == ([CYTOPLASM, NUCLEUS, NUCLEUS], [-1, 0, -1])
    assert cells.areas.tolist()[::2] == [900, 100]
    assert cells.areas[1] == pytest.approx(np.pi * 225, rel=0.02)


POLYGON = roifile.ImagejRoi.frompoints(np.array([[5, 5], [15, 5], [15, 15]])).tobytes()
BAD = {
    "a name": ({"0012-0034.roi": POLYGON}, "region '0012-0034': call a cell c0012"),
    "a line": ({"n1.roi": box(roifile.ROI_TYPE.LINE)}, "a line has no area"),
    "no region": ({"n1.roi": b"x" * 100}, "region 'n1': damaged"),
    "cut short": ({"n1.roi": POLYGON[:70]}, "region 'n1': damaged"),
    "outside": (
        {"n1.roi": roifile.ImagejRoi.frompoints(np.array([[90, 90], [95, 90], [95, 95]]))},
        "no pixel",
    ),
    "NaN": ({"n1.roi": roifile.ImagejRoi.frompoints(np.full((3, 2), 1e9))}, "beyond"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_named_with_file_and_region(tmp_path: Path, name: str) -> None:
    regions, message = BAD[name]
    pack(tmp_path, regions)
    with pytest.raises(InputError, match=message) as caught:
        imagej.read(tmp_path)
    assert "a.zip" in str(caught.value)


def test_an_archive_that_is_none_is_refused(tmp_path: Path) -> None:
    place(tmp_path, Cells.empty(SHAPE))
    (tmp_path / "a.zip").write_bytes(b"PK" + bytes(100))
    with pytest.raises(InputError, match=r"a\.zip: no zip of regions"):
        imagej.read(tmp_path)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    place(tmp_path, Cells.empty(SHAPE))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(5):
            archive.writestr(f"n{number}.roi", bytes(60_000_000))
    assert (tmp_path / "a.zip").stat().st_size < 1e6
    with pytest.raises(InputError, match=r"300,000,000 bytes unpacked"):
        imagej.read(tmp_path)


def test_images_beyond_the_reach_of_regions_are_refused(tmp_path: Path) -> None:
    cells = Cells.build([np.ones((3, 3))], [(0, 0)], [1], (10, 40_000))
    with pytest.raises(InputError, match=r"a\.png: ImageJ's regions reach no further than 32,767 px"):
        write(tmp_path, cells)
