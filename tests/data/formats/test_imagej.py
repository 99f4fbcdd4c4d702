"""ImageJ regions there and back, and archives that are none."""

import struct
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
    assert by_place(entry.content.cells) == by_place(cells)


def test_names_tell_cells_and_their_nuclei(tmp_path: Path) -> None:
    regions = roifile.roiread(write(tmp_path, smear()))
    names = [region.name for region in regions]
    assert names == ["c0000", "c0001", "c0000-n2", "c0000-n3", "c0001-n4", "n0005"]
    assert [info.filename for info in zipfile.ZipFile(tmp_path / "a.zip").infolist()] == [
        f"{name}.roi" for name in names
    ]
    assert regions[0].properties == {"id": "a.png#0", "score": 0.9}


def test_the_file_is_the_same_each_time(tmp_path: Path) -> None:
    first = write(tmp_path, smear()).read_bytes()
    assert write(tmp_path, smear()).read_bytes() == first


def test_what_is_wrong_is_named_with_archive_and_region(tmp_path: Path) -> None:
    region = roifile.ImagejRoi.frompoints(np.array([(1, 1), (9, 1), (9, 9)], dtype=np.float32))
    region.props = "score: high\n"
    pack(tmp_path, {"c1.roi": region})
    with pytest.raises(InputError, match=r"a\.zip: region 'c1': the property score must be .* not 'high'"):
        imagej.read(tmp_path)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("c1.roi", region.tobytes())
    with pytest.raises(InputError, match=r"a\.zip: c1\.roi is compressed as ImageJ never does: zip"):
        imagej.read(tmp_path)


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
    cells = entry.content.cells
    assert (cells.labels.tolist(), cells.parents.tolist()) == ([CYTOPLASM, NUCLEUS, NUCLEUS], [-1, 0, -1])
    assert cells.areas.tolist()[::2] == [900, 100]
    assert cells.areas[1] == pytest.approx(np.pi * 225, rel=0.02)


def region(kind: roifile.ROI_TYPE = roifile.ROI_TYPE.RECT, **fields: object) -> roifile.ImagejRoi:
    drawn = box(kind)
    for name, value in fields.items():
        setattr(drawn, name, value)
    return drawn


def composite(path: list[float]) -> roifile.ImagejRoi:
    numbers = np.array(path, dtype=np.float32)
    return region(shape_roi_size=len(path), multi_coordinates=numbers)


def area(folder: Path, drawn: roifile.ImagejRoi | bytes) -> int:
    pack(folder, {"c1.roi": drawn})
    (entry,) = imagej.read(folder)
    return int(entry.content.cells.areas[0])


def test_a_spline_is_drawn_through_its_nodes(tmp_path: Path) -> None:
    nodes = roifile.ImagejRoi.frompoints(np.array([[10, 10], [40, 10], [40, 40], [10, 40]]))
    assert area(tmp_path, nodes) == 900
    nodes.options |= roifile.ROI_OPTIONS.SPLINE_FIT
    assert area(tmp_path, nodes) == pytest.approx(np.pi * 450, rel=0.05)  # nearly the circle through them


def test_corners_of_rectangles_are_rounded(tmp_path: Path) -> None:
    assert area(tmp_path, region(rounded_rect_arc_size=30)) == pytest.approx(np.pi * 225, rel=0.02)
    assert area(tmp_path, region(rounded_rect_arc_size=99)) == pytest.approx(np.pi * 225, rel=0.02)
    assert area(tmp_path, region(rounded_rect_arc_size=10)) == pytest.approx(900 - 100 + np.pi * 25, rel=0.02)


@pytest.mark.parametrize(
    ("subtype", "factor", "size"),
    [(roifile.ROI_SUBTYPE.ELLIPSE, 0.5, np.pi * 200), (roifile.ROI_SUBTYPE.ROTATED_RECT, 10, 400)],
)
def test_what_is_rotated_is_drawn_by_its_axis(
    tmp_path: Path, subtype: int, factor: float, size: float
) -> None:
    points = roifile.ImagejRoi.frompoints(np.array([[10, 10], [40, 10], [40, 40]]))
    points.subtype = subtype
    content = bytearray(points.tobytes())
    struct.pack_into(">4f", content, 18, 13.3, 12.9, 13.3 + 800**0.5, 12.9 + 800**0.5)  # 40 px
    struct.pack_into(">f", content, 52, factor)
    assert area(tmp_path, bytes(content)) == pytest.approx(size, rel=0.03)


def test_a_composite_is_empty_where_two_parts_overlap(tmp_path: Path) -> None:
    first, second = ([0, x, 10, 1, x + 20, 10, 1, x + 20, 30, 1, x, 30, 4] for x in (10, 20))
    assert area(tmp_path, composite([*first, *second])) == 400


def test_curves_of_a_composite_are_followed(tmp_path: Path) -> None:
    k, path = 20 * 0.5523, [0.0, 50, 30]
    for x1, y1, x2, y2, x, y in ((50, 30 + k, 30 + k, 50, 30, 50), (30 - k, 50, 10, 30 + k, 10, 30)):
        path += [3, x1, y1, x2, y2, x, y]
    assert area(tmp_path, composite([*path, 4])) == pytest.approx(np.pi * 200, rel=0.02)
    assert area(tmp_path, composite([0, 10, 10, 2, 30, 50, 50, 10, 4])) == pytest.approx(
        40 * 40 / 3, rel=0.03
    )


def test_what_covers_nothing_and_what_is_no_region_is_told(tmp_path: Path, caplog) -> None:
    regions = {
        "c1.roi": box(roifile.ROI_TYPE.RECT),
        "a line.roi": box(roifile.ROI_TYPE.LINE),
        "c2.roi": region(subtype=roifile.ROI_SUBTYPE.TEXT),
        "Results.csv": b"area",
        "__MACOSX/._c1.roi": b"x",
        ".DS_Store": b"x",
    }
    pack(tmp_path, regions)
    (entry,) = imagej.read(tmp_path)
    assert entry.content.cells.areas.tolist() == [900]
    for told in ("line: no area", "text: no area", "file that is no .roi"):
        assert f"left out ({told}): 1" in caplog.text


def test_regions_of_one_slice_are_read(tmp_path: Path) -> None:
    pack(tmp_path, {"c1.roi": region(position=3), "c2.roi": region(position=3), "n1.roi": region()})
    (entry,) = imagej.read(tmp_path)
    assert len(entry.content.cells) == 3


POLYGON = roifile.ImagejRoi.frompoints(np.array([[5, 5], [15, 5], [15, 15]])).tobytes()
BAD = {
    "a name": ({"0012-0034.roi": POLYGON}, "region '0012-0034': call a cell c0012"),
    "two slices": (
        {"n1.roi": region(position=1), "n2.roi": region(position=2)},
        "regions of 2 slices or frames of a stack",
    ),
    "percent": ({"n1.roi": region(props="score: 97\n")}, "region 'n1': score must be from 0 to 1"),
    "no path": ({"n1.roi": composite([1, 5, 5, 4])}, "its path is damaged"),
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
    with pytest.raises(InputError, match=r"a\.zip: not a zip of regions"):
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


def test_more_than_can_be_read_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imagej, "MAX_BYTES", 500)
    with pytest.raises(InputError, match=r"a\.png: its regions have more than 500 bytes.*cut the image"):
        write(tmp_path, smear())
    assert not (tmp_path / "a.zip").exists()
