"""Label maps as Cellpose, StarDist and InstanSeg write them, and files that are none."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile
from format_scenes import place, smear

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.data.formats import labels
from irnet.data.formats.labels import read_labels
from irnet.data.image import read_image
from irnet.errors import InputError

SHAPE = (40, 60)
MAP = np.zeros(SHAPE, dtype=np.uint16)
MAP[5:20, 5:25] = 3  # numbers with gaps
MAP[20:35, 10:30] = 9  # touches the first
MAP[10:16, 40:50] = 4


def save(path: Path, values: np.ndarray, **options: object) -> Path:
    if path.suffix == ".png":
        PIL.Image.fromarray(values).save(path)
    else:
        tifffile.imwrite(path, values, **options)
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_each_number_is_an_instance(tmp_path: Path, suffix: str, kind: type) -> None:
    cells = read_labels(save(tmp_path / f"a{suffix}", MAP.astype(kind)), SHAPE, [NUCLEUS])
    assert cells.labels.tolist() == [NUCLEUS] * 3
    assert np.array_equal(cells.to_dense(), np.stack([MAP == 3, MAP == 4, MAP == 9]))


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.uint32, np.int64, np.uint64])
@pytest.mark.parametrize("rows", [7, labels._ROWS])  # at a time: numbers go on from band to band
def test_whole_numbers_of_any_width_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type, rows: int
) -> None:
    monkeypatch.setattr(labels, "_ROWS", rows)
    values = MAP.astype(kind)
    values[MAP == 9] = np.iinfo(kind).max  # up to 2^64 - 1: no table of that length
    cells = read_labels(save(tmp_path / "a.tif", values), SHAPE)
    assert sorted(cells.areas.tolist()) == [60, 300, 300]


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"imagej": True}, {"tile": (16, 16)}])
def test_a_page_for_each_class(tmp_path: Path, options: dict) -> None:
    nuclei = np.where(MAP == 4, 7, 0).astype(np.uint16)
    path = save(tmp_path / "a.tif", np.stack([nuclei, MAP]), **options)
    cells = read_labels(path, SHAPE, [NUCLEUS, CYTOPLASM])
    assert cells.labels.tolist() == [NUCLEUS, CYTOPLASM, CYTOPLASM, CYTOPLASM]
    assert cells.to_dense()[0].sum() == 60


def test_maps_without_ground_and_without_labels(tmp_path: Path, caplog) -> None:
    assert len(read_labels(save(tmp_path / "empty.tif", MAP * 0), SHAPE)) == 0
    assert not caplog.text
    assert len(read_labels(save(tmp_path / "full.tif", MAP + 1), SHAPE)) == 4
    assert "full.tif: number 1 holds the border: if it is the ground, make it 0" in caplog.text


def test_numbers_of_a_palette_are_the_labels(tmp_path: Path) -> None:
    picture = PIL.Image.fromarray(MAP.astype(np.uint8))
    picture.putpalette([7, 200, 30] * 256)  # all of one colour
    picture.save(tmp_path / "a.png")
    assert len(read_labels(tmp_path / "a.png", SHAPE)) == 3


def test_a_cell_in_two_pieces_is_one_instance_and_told(tmp_path: Path, caplog) -> None:
    values = MAP.copy()
    values[10:12] = np.where(values[10:12] == 3, 0, values[10:12])
    cells = read_labels(save(tmp_path / "a.tif", values), SHAPE)
    assert len(cells) == 3
    assert "a.tif: labels in several pieces, each read as one cell or nucleus: 1" in caplog.text


NOISE = np.random.default_rng(0).integers(0, 256, SHAPE)
RESAMPLED = np.where(MAP == 3, 2, 0).astype(np.uint16)  # and a cell with the number 1, as is the other's edge
RESAMPLED[5:20, [5, 24]] = RESAMPLED[[5, 19], 5:25] = RESAMPLED[8:18, 40:50] = 1
NO_MAPS = {
    "float.tif": (MAP.astype(np.float32), "float32 are not whole numbers"),
    "nan.tif": (np.full(SHAPE, np.nan), "are not whole numbers"),
    "complex.tif": (MAP.astype(np.complex64), "are not whole numbers"),
    "small.tif": (MAP[:30], r"map of \(30, 60\) .* image of \(40, 60\)"),
    "turned.png": (MAP.T, "the image's size"),
    "negative.tif": (np.where(MAP == 9, -5, MAP).astype(np.int16), "label -5 is negative"),
    "colour.png": (np.zeros((*SHAPE, 3), np.uint8), "3 channels are colours"),
    "colour.tif": (np.zeros((*SHAPE, 3), np.uint8), "3 channels"),
    "pages.tif": (np.stack([MAP, MAP]), "2 pages, but 1 classes"),
    "binary.png": ((MAP > 0).astype(np.uint8) * 255, "binary map"),
    "pieces.png": ((MAP > 0).astype(np.uint8), "1 labels in 2 pieces: it is a binary map"),
    "one.tif": ((MAP == 3).astype(np.uint8) * 255, "binary map"),
    "white.tif": ((MAP == 3).astype(np.uint16) * 255, "binary map"),
    "whiter.tif": ((MAP == 3).astype(np.int32) * 65535, "binary map"),
    "bool.tif": (MAP == 3, "binary map"),
    "bit.png": (MAP == 3, "binary map"),
    "spots.png": (((np.indices(SHAPE) % 4) == 0).all(axis=0).astype(np.uint8), "1 labels in 150 pieces"),
    "resampled.tif": (RESAMPLED, "edges of labels have numbers of others.*nearest neighbour"),
    "picture.png": (NOISE.astype(np.uint8), "binary map or a picture"),
}


def test_a_cell_within_a_cell_is_no_edge(tmp_path: Path) -> None:
    values = np.where(MAP == 3, 2, 0).astype(np.uint16)
    values[8:14, 8:14] = 1
    values[5:20, 22] = 3  # cuts the cell
    assert sorted(read_labels(save(tmp_path / "a.tif", values), SHAPE).areas.tolist()) == [15, 36, 249]
    values[7:18, 7:20] = 1
    assert sorted(read_labels(save(tmp_path / "b.tif", values), SHAPE).areas.tolist()) == [15, 142, 143]


@pytest.mark.parametrize("name", NO_MAPS)
def test_what_is_no_map_of_the_image_is_refused(tmp_path: Path, name: str) -> None:
    values, message = NO_MAPS[name]
    path = save(tmp_path / name, values)
    with pytest.raises(InputError, match=message) as caught:
        read_labels(path, SHAPE)
    assert name in str(caught.value)


def test_a_number_for_every_pixel_is_refused(tmp_path: Path) -> None:
    values = np.arange(300 * 300, dtype=np.uint32).reshape(300, 300)
    with pytest.raises(InputError, match="89,999 labels"):
        read_labels(save(tmp_path / "a.tif", values), values.shape)


def test_labels_strewn_over_the_frame_cost_no_memory(tmp_path: Path) -> None:
    values = np.arange(1000 * 1000, dtype=np.uint32).reshape(1000, 1000) % 60_000
    with pytest.raises(InputError, match="pieces: it is a binary map or a picture"):
        read_labels(save(tmp_path / "a.tif", values), values.shape)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    for name in ("a.png", "a.tif"):
        path = save(tmp_path / name, MAP)
        whole = path.read_bytes()
        for cut in (3, 60, len(whole) // 2):
            path.write_bytes(whole[:cut])
            with pytest.raises(InputError, match=name):
                read_labels(path, SHAPE)
    (tmp_path / "a.tif").write_text("no map")
    for name, message in (("a.tif", "no PNG, JPEG, TIFF"), ("gone.tif", "no such file")):
        with pytest.raises(InputError, match=message):
            read_labels(tmp_path / name, SHAPE)


# Ours


def test_maps_share_the_numbers_of_cells_and_their_nuclei(tmp_path: Path) -> None:
    lost = labels.write(tmp_path / "a", smear())
    cells, nuclei = (tifffile.imread(tmp_path / f"a_{name}.tif") for name in ("cells", "nuclei"))
    assert cells.dtype == nuclei.dtype == np.uint16
    assert np.unique(cells).tolist() == [0, 1, 2]
    assert np.unique(nuclei).tolist() == [0, 1, 2, 3]  # the bare nucleus comes after the cells
    dense = smear().to_dense()
    assert lost.pixels == np.count_nonzero(dense[0] & dense[1])
    assert (cells[dense[0]] == 1).all()  # the higher score


def test_of_equal_scores_the_first_keeps_the_pixels(tmp_path: Path) -> None:
    dense = smear().to_dense()[:2]
    labels.write(tmp_path / "a", Cells.from_dense(dense, [1, 1]))
    assert (tifffile.imread(tmp_path / "a_cells.tif")[dense[0]] == 1).all()


def test_without_overlap_maps_come_back_as_they_were(tmp_path: Path) -> None:
    cells = smear().select([0, 2, 3, 5])
    entry = place(tmp_path, cells)
    assert labels.write(tmp_path / "a", cells) == (0, 0, 0)
    (again,) = labels.read(tmp_path)
    restored = again.content.cells
    assert (again.name, restored.parents.tolist()) == (entry.name, [-1, 0, 0, -1])
    assert np.array_equal(restored.to_dense(), cells.to_dense())


def test_the_size_of_a_pixel_is_kept(tmp_path: Path) -> None:
    labels.write(tmp_path / "a", smear())
    assert read_image(tmp_path / "a_cells.tif").mpp == pytest.approx(0.25)


def jagged() -> Cells:
    """A cell that others cut in pieces, a hidden one, and nuclei that touch, lie in pieces, are alone."""
    masks = np.zeros((8, 40, 60), dtype=bool)
    masks[0] = True
    masks[1, ::3] = True
    masks[2, :, ::7] = True
    masks[3, 3, 4] = True  # in the second, row 3
    masks[4, 10:12, 10:12] = masks[5, 12:14, 12:14] = True  # touch at a corner
    masks[6, 20, 20] = masks[6, 25, 25] = True
    masks[7, 30, 30] = True
    scores = [0.1, 0.9, 0.8, 0.2, 1, 1, 1, 1]
    return Cells.from_dense(masks, [1] * 4 + [2] * 4, scores=scores, parents=[-1, -1, -1, -1, 0, 0, 3, 1])


def test_maps_of_ours_are_read_however_cells_cut_each_other(tmp_path: Path) -> None:
    entry = place(tmp_path, jagged())
    lost = labels.write(tmp_path / "a", jagged())
    assert (lost.hidden, lost.changed) == (1, 3)
    assert [line.split(",")[0] for line in lost.lines(1)][1:] == [
        "1 instance lost whole",
        "3 nuclei lie in pieces or touch another of their cell: each piece is read back as one",
    ]
    (again,) = labels.read(tmp_path)
    cells = again.content.cells
    assert (again.name, cells.labels.tolist()) == (entry.name, [1] * 3 + [2] * 4)
    assert cells.parents.tolist() == [-1, -1, -1, 0, 1, -1, -1]  # whatever cell is on top there

    for name in ("cells", "nuclei"):  # saved by another program
        values = tifffile.imread(tmp_path / f"a_{name}.tif")
        tifffile.imwrite(tmp_path / f"a_{name}.tif", values)
    with pytest.raises(InputError, match="it is a binary map or a picture"):
        labels.read(tmp_path)


def owners_of(folder: Path, nuclei: dict[int, tuple[int, int]]) -> dict[int, int]:
    """The cell of each nucleus, 0 for none: ten cells of 20 columns, nuclei by number and columns."""
    columns = np.arange(220)
    cells = np.tile(columns // 20, (30, 1)).astype(np.uint16)
    values = np.zeros_like(cells)
    for number, (start, stop) in nuclei.items():
        values[10:20, start:stop] = number
    place(folder, Cells.empty(cells.shape))
    tifffile.imwrite(folder / "a_cells.tif", cells)
    tifffile.imwrite(folder / "a_nuclei.tif", values)
    (entry,) = labels.read(folder)
    found = entry.content.cells
    starts = {start: number for number, (start, _) in nuclei.items()}
    pairs = zip(found.boxes[:, 0].astype(int).tolist(), found.parents.tolist(), strict=True)
    return {
        starts[x]: parent + 1
        for (x, parent), label in zip(pairs, found.labels, strict=True)
        if label == NUCLEUS
    }


def test_maps_that_are_numbered_apart_link_by_pixels_alone(tmp_path: Path) -> None:
    shifted = {number: (20 * number + 19, 20 * number + 35) for number in range(1, 10)}  # touches its number
    assert owners_of(tmp_path, shifted) == {number: number + 1 for number in range(1, 10)}
    mixed = shifted | {number: (20 * number + 5, 20 * number + 15) for number in range(1, 8)}
    assert owners_of(tmp_path, mixed) == {number: number + (number > 7) for number in range(1, 10)}


def test_maps_that_are_numbered_together_link_by_number(tmp_path: Path) -> None:
    own = {number: (20 * number + 5, 20 * number + 15) for number in range(1, 11)}
    covered = own | {4: (99, 115), 11: (2, 9)}  # most of one lies under another cell; one lies in none
    assert owners_of(tmp_path, covered) == {number: number for number in range(1, 11)} | {11: 0}


def test_many_cells_are_read_back(tmp_path: Path) -> None:
    count = 70_000
    offsets = np.stack([np.arange(count) % 300, np.arange(count) // 300], axis=1)
    cells = Cells.build([np.ones((1, 1), dtype=bool)] * count, offsets, [1] * count, (300, 300))
    place(tmp_path, cells)
    labels.write(tmp_path / "a", cells)
    assert len(labels.read(tmp_path)[0].content.cells) == count


def test_many_cells_get_wider_numbers(tmp_path: Path) -> None:
    count = 70_000
    offsets = np.stack([np.arange(count) % 300, np.arange(count) // 300], axis=1)
    cells = Cells.build([np.ones((1, 1), dtype=bool)] * count, offsets, [1] * count, (300, 300))
    labels.write(tmp_path / "a", cells)
    assert tifffile.imread(tmp_path / "a_cells.tif").dtype == np.uint32


def test_maps_of_cells_alone_say_nothing_of_nuclei(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a", "b"):
        place(tmp_path, smear(), f"{name}.png")
        labels.write(tmp_path / name, smear())
    (tmp_path / "a_nuclei.tif").unlink()
    with pytest.raises(InputError, match=r"a_nuclei\.tif: no such file, and 1 of 2 images have one"):
        labels.read(tmp_path)
    (tmp_path / "b_nuclei.tif").unlink()
    assert [set(entry.content.cells.labels) for entry in labels.read(tmp_path)] == [{CYTOPLASM}] * 2
    assert "no STEM_nuclei.tif: nuclei count as not annotated" in caplog.text
