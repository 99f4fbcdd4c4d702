"""cells.db read: what was written comes back, in rectangles, in order and by rank."""

import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from made_stores import MPP, PX, block_of, write_store_of

from irnet.cells import CYTOPLASM, LABEL_NAMES, NUCLEUS, Cells
from irnet.errors import InputError
from irnet.geometry.polygons import outlines, rasterise
from irnet.morphometry.table import measure
from irnet.slides import nesting, reading, store
from irnet.slides.candidates import Candidates
from irnet.slides.outlines import decode_outline, encode_outline
from irnet.slides.reading import find_stores, open_store
from irnet.slides.store import order_of
from irnet.synthetic import generate


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> Cells:
    """A crowded field, in the order of ids, in small parts and tiles."""
    monkeypatch.setattr(nesting, "_TOGETHER", 7)
    for module in (store, reading):
        monkeypatch.setattr(module, "TILE", 128)
    _, content = generate(5, size=(700, 900), mpp=MPP, count=60)
    return content.cells.select(order_of(Candidates.of(block_of(content.cells))))


def test_what_is_written_comes_back(tmp_path: Path, cells: Cells) -> None:
    with open_store(write_store_of(tmp_path, cells)) as db:
        found = [one for tile in db.by_tile() for one in tile]
        assert [one.id for one in found] == [*range(len(cells))]
        assert (db.meta.cells, db.meta.nuclei) == tuple((cells.labels == k).sum() for k in (1, 2))
        assert (db.meta.name, db.meta.px, db.meta.slide_shape) == ("smear", PX, (1036, 1332))
        assert db.tiles()[:, 2:].sum(axis=0).tolist() == [db.meta.cells, db.meta.nuclei]

        for one, mask, rings in zip(found, cells.masks, outlines(cells.masks, cells.offsets), strict=True):
            np.testing.assert_array_equal(one.mask(), mask)
            assert all(np.array_equal(a, b) for a, b in zip(one.rings(), rings, strict=True))
            drawn, corner = rasterise(one.rings(), cells.image_shape, holes=True)
            assert corner == one.box[:2]
            np.testing.assert_array_equal(drawn, mask)
        np.testing.assert_allclose(found[0].rings(PX)[0], found[0].rings()[0] * PX)


def test_a_slide_may_have_more_pixels_than_a_mask(tmp_path: Path, cells: Cells) -> None:
    path = write_store_of(tmp_path, cells)
    with closing(sqlite3.connect(path)) as db, db:  # 5.8 gigapixels: COCO's run lengths end at 4.3
        db.execute("UPDATE meta SET value = '[81000, 71000]' WHERE key = 'shape'")
    with open_store(path) as opened:
        assert opened.meta.shape == (81_000, 71_000)
        found = opened.within((0, 0, 81_000, 71_000)).instances
        assert [one.id for one in found] == [*range(len(cells))]
        for one in found:
            np.testing.assert_array_equal(one.mask(), cells.masks[one.id])


def test_nuclei_in_cells_are_measured_as_in_images(tmp_path: Path, cells: Cells) -> None:
    with open_store(write_store_of(tmp_path, cells)) as db:
        found = [one for tile in db.by_tile() for one in tile]
        parents = [-1 if one.parent is None else one.parent for one in found]
        linked = Cells.build(
            cells.masks, cells.offsets, cells.labels, cells.image_shape, parents=parents, mpp=MPP
        )
        for one, row in zip(found, measure(linked), strict=True):
            assert LABEL_NAMES[one.label] == row["label"]
            assert one.nuclei == row["nuclei"]
            for name in nesting.NESTED:
                value = one.measures[name]
                assert (None if value is None else round(value, 4)) == row[name]
        assert sum(one.measures["nc_ratio"] is not None for one in found) > 20
        cell = next(one for one in found if one.nuclei)
        assert [one.parent for one in db.nuclei_of(cell.id)] == [cell.id] * (cell.nuclei or 0)


def test_a_rectangle_holds_what_meets_it(tmp_path: Path, cells: Cells) -> None:
    boxes, draw = cells.boxes, np.random.default_rng(1)
    with open_store(write_store_of(tmp_path, cells)) as db:
        for _ in range(50):
            x1, y1, wide, high = draw.uniform((-200, -200, 1, 1), (900, 900, 400, 400))
            x2, y2 = x1 + wide, y1 + high
            meets = (boxes[:, 0] < x2) & (boxes[:, 2] > x1) & (boxes[:, 1] < y2) & (boxes[:, 3] > y1)
            found = db.within((x1, y1, x2, y2))
            assert [one.id for one in found.instances] == np.flatnonzero(meets).tolist()
            assert not found.more
        nuclei = db.within((0, 0, 900, 700), label=NUCLEUS)
        assert [one.id for one in nuclei.instances] == np.flatnonzero(cells.labels == NUCLEUS).tolist()
        some = db.within((0, 0, 900, 700), limit=9)
        assert ([one.id for one in some.instances], some.more) == ([*range(9)], True)
        assert not db.within((0, 0, 900, 700), limit=len(cells)).more


@pytest.mark.parametrize("measure", ["score", "nc_ratio", "nuclei", "min_diameter_um", "solidity"])
@pytest.mark.parametrize("highest", [True, False])
def test_ranks_go_up_and_down_by_pages(tmp_path: Path, cells: Cells, measure: str, highest: bool) -> None:
    with open_store(write_store_of(tmp_path, cells)) as db:
        every = [one for tile in db.by_tile() for one in tile if one.label == CYTOPLASM]
        values = {one.id: one.measures.get(measure, getattr(one, measure, None)) for one in every}
        known = [(value, number) for number, value in values.items() if value is not None]
        expected = [number for _, number in sorted(known, reverse=highest)]
        pages = [
            db.ranked(measure, label=CYTOPLASM, limit=10, offset=start, highest=highest)
            for start in range(0, len(expected) + 10, 10)
        ]
        assert [one.id for page in pages for one in page] == expected
        with pytest.raises(InputError, match="choose one of score"):
            db.ranked("mask", label=CYTOPLASM)


def test_one_by_its_id(tmp_path: Path, cells: Cells) -> None:
    with open_store(write_store_of(tmp_path, cells).parent) as db:
        one = db.get(17)
        assert one is not None
        assert one.box == tuple(cells.boxes[17].astype(int).tolist())
        for number in (len(cells), -1, 2**63, -(2**63) - 1, 10**40, -(10**40)):
            assert db.get(number) is None


def test_a_slide_without_cells(tmp_path: Path) -> None:
    with open_store(write_store_of(tmp_path, Cells.empty((300, 400)))) as db:
        assert db.within((0, 0, 400, 300)) == ([], False)
        assert db.ranked("score", label=CYTOPLASM) == []
        assert ([*db.by_tile()], db.tiles().shape) == ([], (0, 4))


def test_outlines_with_holes_and_long_steps() -> None:
    outer = np.array([[3, 4], [900.5, 4], [900.5, 70], [3, 4]])
    rings = [outer, np.array([[9, 9], [12, 9.5], [9, 12], [9, 9]])]
    packed = encode_outline(rings, np.array([3, 4]))
    back = decode_outline(packed, (3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(back, rings, strict=True))
    assert decode_outline(encode_outline([], np.array([3, 4])), (3, 4)) == []
    with pytest.raises(InputError, match="damaged"):
        decode_outline(packed[:-3], (3, 4))


def set_format(path: Path, value: object) -> None:
    with closing(sqlite3.connect(path)) as opened, opened:
        opened.execute("UPDATE meta SET value = ? WHERE key = 'format'", (json.dumps(value),))


def read_all(path: Path) -> None:
    with open_store(path) as db:
        for one in (one for tile in db.by_tile() for one in tile):
            assert one.mask().ndim == one.rings()[0].ndim == 2


def test_other_files_are_refused(tmp_path: Path, cells: Cells) -> None:
    with pytest.raises(InputError, match=r"cells\.db: no such file: irnet slide finish"):
        open_store(tmp_path)
    path = write_store_of(tmp_path, cells)
    whole = path.read_bytes()

    for value, said in ((99, "newer irnet: update"), (1, "earlier irnet"), ("two", "not of irnet slide")):
        set_format(path, value)
        with pytest.raises(InputError, match=said) as raised:
            open_store(path)
        assert str(raised.value).count(str(path)) == 1
    path.write_bytes(b"id,label\n1,2\n")
    with pytest.raises(InputError, match="writes it anew"):
        open_store(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="writes it anew"):
        open_store(path)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="writes it anew"), open_store(path) as db:
        assert [*db.by_tile()]


def test_bytes_that_have_changed_are_no_traceback(tmp_path: Path, cells: Cells) -> None:
    path = write_store_of(tmp_path, cells)
    whole, draw, refused = path.read_bytes(), np.random.default_rng(2), 0
    for _ in range(30):
        content = bytearray(whole)
        for place in draw.integers(0, len(content), 20):
            content[place] ^= 255
        path.write_bytes(content)
        try:
            read_all(path)
        except InputError:
            refused += 1
    assert refused > 10


CANNOT_BE = {
    "UPDATE meta SET value = '{}' WHERE key = 'name'": ["5", "null", '""', "["],
    "UPDATE meta SET value = '{}' WHERE key = 'mpp'": ["0", "-1", "NaN", '"x"'],
    "UPDATE meta SET value = '{}' WHERE key = 'px'": ["null", "Infinity", "true"],
    "UPDATE meta SET value = '{}' WHERE key = 'shape'": ["5", "[4]", "[0, 0]"],
    "UPDATE meta SET value = '{}' WHERE key = 'largest'": ["null", '["x", 2]'],
    "UPDATE meta SET value = '{}' WHERE key = 'cells'": ["-1", "1.5", "99999"],
    "UPDATE meta SET value = '{}' WHERE key = 'slide_shape'": ["[-5, 9]", "[5, 1e9]"],
    "UPDATE cell SET {} WHERE id = 3": [
        *("label = 3", "label = 'x'", "label = 3 - label", "score = 'x'", "score = 9e999"),
        *("area_um2 = 'x'", "area_um2 = -9e999", "area_um2 = x'00'", "x2 = x1", "x1 = -1", "y2 = 4000000000"),
        *("mask = x''", "mask = 'zz'", "mask = x'ffff'", "mask = 5"),
        *("outline = x''", "outline = x'00ff'", "outline = 'x'"),
    ],
    "UPDATE cell SET {} WHERE label = 1": ["nuclei = 'x'", "parent = 0"],
    "UPDATE tile SET cells = {}": ["cells + 1", "NULL", "'x'"],
    "{}": ["INSERT INTO tile VALUES (999, 0, 0)", "DELETE FROM cell WHERE id = 3", "DROP TABLE tile"],
}


def test_values_that_cannot_be_are_damage(tmp_path: Path) -> None:
    _, content = generate(5, size=(300, 300), mpp=MPP, count=6)
    path = write_store_of(tmp_path, content.cells)
    read_all(path)
    whole = path.read_bytes()
    for change in [form.format(value) for form, values in CANNOT_BE.items() for value in values]:
        path.write_bytes(whole)
        with closing(sqlite3.connect(path)) as opened, opened:
            opened.execute(change)
        with pytest.raises(InputError, match="writes it anew") as raised:
            read_all(path)
        assert str(raised.value).count(str(path)) == 1, change


@pytest.mark.parametrize(
    "plain", [b"", b"\1", b"\1\0\5\0", b"\1\0\1\0\x09\0\1", b"\1\0\1\0\0\0", b"\2\0\1\0\1\0\1\0"]
)
def test_outlines_whose_parts_do_not_fit(plain: bytes) -> None:
    with pytest.raises(InputError, match="damaged"):
        decode_outline(zlib.compress(plain), (0, 0))


def test_stores_of_a_folder(tmp_path: Path, cells: Cells) -> None:
    folder = tmp_path / "slides" / "smear"
    with pytest.raises(InputError, match="irnet slide finish writes it"):
        find_stores(tmp_path)
    folder.mkdir(parents=True)
    with pytest.raises(InputError, match="irnet slide finish"):
        open_store(*find_stores(tmp_path))
    path = write_store_of(folder, cells)
    assert find_stores(tmp_path) == find_stores(folder) == find_stores(path) == [path]
