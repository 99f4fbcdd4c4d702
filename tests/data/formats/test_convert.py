"""Every format that is converted comes back from COCO as it was."""

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile
from format_scenes import place, smear
from scipy.io import savemat

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.data.checks.check import check
from irnet.data.coco.coco import read_coco
from irnet.data.formats import SOURCES, convert, cvat, herlev, imagej, isbi2014, labelme, masks, qupath
from irnet.data.sample import Entry
from irnet.errors import InputError

SHAPE = (20, 24)
CELL_A = np.zeros(SHAPE, dtype=np.uint8)
CELL_A[2:14, 2:14] = 1
CELL_B = np.zeros(SHAPE, dtype=np.uint8)
CELL_B[6:18, 10:22] = 1  # over the first
NUCLEI = np.zeros(SHAPE, dtype=np.uint8)
NUCLEI[4:7, 4:7] = 1
NUCLEI[12:15, 15:18] = 1
RNG = np.random.default_rng(0)


def save(path: Path, array: np.ndarray, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(array).save(path, **options)


def noise(path: Path) -> None:
    save(path, RNG.integers(0, 256, (*SHAPE, 3), dtype=np.uint8))


# masks


def mask_folders(folder: Path) -> Path:
    noise(folder / "images" / "a.png")
    noise(folder / "images" / "b.png")
    (folder / "masks" / "b").mkdir(parents=True)
    save(folder / "masks" / "a" / "cytoplasm_1.png", CELL_A * 255)
    save(folder / "masks" / "a" / "cytoplasm_2.png", CELL_B)  # 0 and 1 serve as well as 0 and 255
    save(folder / "masks" / "a" / "nucleus_2-1.png", NUCLEI * np.uint8(255) * (np.arange(24) > 10))
    save(folder / "masks" / "a" / "nucleus_1.tif", NUCLEI * np.uint8(255) * (np.arange(24) < 10))
    return folder


def test_folders_of_masks_are_read(tmp_path: Path) -> None:
    first, second = masks.read(mask_folders(tmp_path))
    cells = first.content.cells
    assert cells.labels.tolist() == [CYTOPLASM, CYTOPLASM, NUCLEUS, NUCLEUS]
    assert cells.parents.tolist() == [-1, -1, 0, 1]
    assert np.array_equal(cells.to_dense()[:2], np.stack([CELL_A, CELL_B]).astype(bool))
    assert (second.name, len(second.content.cells)) == ("b.png", 0)


def test_images_of_one_stem_have_masks_of_their_own(tmp_path: Path) -> None:
    noise(mask_folders(tmp_path) / "images" / "a.bmp")
    with pytest.raises(InputError, match="a: masks without an image"):
        masks.read(tmp_path)
    (tmp_path / "masks" / "a").rename(tmp_path / "masks" / "a.png")
    (tmp_path / "masks" / "a.bmp").mkdir()
    found = {entry.name: len(entry.content.cells) for entry in masks.read(tmp_path)}
    assert found == {"a.bmp": 0, "a.png": 4, "b.png": 0}


def test_a_class_that_occurs_nowhere_was_not_annotated(tmp_path: Path) -> None:
    noise(tmp_path / "images" / "a.png")
    save(tmp_path / "masks" / "a" / "nuclei_1.png", CELL_A)
    save(tmp_path / "masks" / "a" / "smudge_1.png", CELL_B)
    save(tmp_path / "masks" / "a" / "debris_1.png", CELL_B)
    mapping = {"nuclei": "nucleus", "smudge": "ignore", "debris": "drop"}
    (entry,) = masks.read(tmp_path, mapping=mapping)
    assert entry.content.annotated == {NUCLEUS}
    assert entry.content.cells.labels.tolist() == [NUCLEUS]
    assert entry.content.ignore is not None
    assert entry.content.ignore.labels.tolist() == [0]


BAD_MASKS = {
    "masks/a/cytoplasm.png": (CELL_A, "CLASS_ID"),
    "masks/a/cytoplasm_1.jpg": (CELL_A, "CLASS_ID.png"),
    "masks/a/cell_1.png": (CELL_A, "unknown category 'cell'"),
    "masks/a/cytoplasm_1.png": (CELL_A[:-1], "at the image's size"),
    "masks/a/nucleus_1.png": (CELL_A * 0, "an empty mask"),
    "masks/c/nucleus_1.png": (CELL_A, "masks without an image"),
    "images/d.png": (CELL_A, "make one, empty if"),
}


@pytest.mark.parametrize("name", BAD_MASKS)
def test_a_mask_that_does_not_fit_is_refused(tmp_path: Path, name: str) -> None:
    array, message = BAD_MASKS[name]
    noise(tmp_path / "images" / "a.png")
    (tmp_path / "masks" / "a").mkdir(parents=True)
    save(tmp_path / name, array)
    with pytest.raises(InputError, match=message) as caught:
        masks.read(tmp_path)
    assert Path(name).name in str(caught.value) or Path(name).parent.name in str(caught.value)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folders images and masks"):
        masks.read(tmp_path)


# ISBI 2014


def cell_array(items: list) -> np.ndarray:
    array = np.empty((len(items), 1), dtype=object)
    for i, item in enumerate(items):
        array[i, 0] = item
    return array


def composed(folder: Path, prefix: str = "train", images: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    fields = [RNG.integers(0, 256, SHAPE, dtype=np.uint8) for _ in range(2)]
    truth = {
        f"{prefix}_Cytoplasm": cell_array([cell_array([CELL_A, CELL_B]), cell_array([CELL_B])]),
        f"{prefix}_Nuclei": cell_array([NUCLEI, NUCLEI.astype(bool)]),
        "CellNum": np.array([2, 1]),
    }
    savemat(folder / f"isbi_{prefix}_GT.mat", truth)
    if images:
        savemat(folder / f"isbi_{prefix}.mat", {"ISBI_Images": cell_array(fields)})
    else:
        for i, field in enumerate(fields):
            save(folder / f"{i + 9}.tif", field)  # 9.tif comes before 10.tif
    return folder


@pytest.mark.parametrize("prefix", ["train", "test"])
@pytest.mark.parametrize("images", [True, False], ids=["mat", "tif"])
def test_composed_fields_are_read(tmp_path: Path, prefix: str, images: bool) -> None:
    first, second = isbi2014.read(composed(tmp_path, prefix, images))
    cells = first.content.cells
    assert np.array_equal(cells.to_dense()[:2], np.stack([CELL_A, CELL_B]).astype(bool))
    assert cells.labels.tolist() == [CYTOPLASM, CYTOPLASM, NUCLEUS, NUCLEUS]
    assert cells.parents.tolist() == [-1, -1, 0, 1]
    assert second.content.cells.parents.tolist() == [-1, -1, 0]
    assert first.name == f"isbi_{prefix}_1.png"
    assert first.read().image.shape == (*SHAPE, 3)


@pytest.mark.parametrize("name", ["isbi_train.mat", "isbi_train_GT.mat"])
def test_either_file_may_be_named(tmp_path: Path, name: str) -> None:
    assert len(isbi2014.read(composed(tmp_path) / name)) == 2


def test_numbered_files_are_taken_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    first, _ = isbi2014.read(composed(tmp_path, images=False) / "isbi_train_GT.mat")
    assert np.array_equal(first.read().image[..., 0], np.asarray(PIL.Image.open(tmp_path / "9.tif")))


@pytest.mark.parametrize("place", ["EDF/a_GT.png", "EDF_GT/a.png", "EDF/GT/a_GT.png"])
def test_real_fields_have_nuclei_only(tmp_path: Path, place: str) -> None:
    noise(tmp_path / "EDF" / "a.png")
    save(tmp_path / place, NUCLEI * 255)
    (entry,) = isbi2014.read(tmp_path / "EDF")
    assert entry.content.annotated == {NUCLEUS}
    assert entry.content.cells.boxes.tolist() == [[4, 4, 7, 7], [15, 12, 18, 15]]


def test_what_is_not_the_challenge_is_refused(tmp_path: Path) -> None:
    noise(tmp_path / "EDF" / "a.png")
    with pytest.raises(InputError, match=r"put a_GT\.png beside it"):
        isbi2014.read(tmp_path / "EDF")
    with pytest.raises(InputError, match="no such file or folder"):
        isbi2014.read(tmp_path / "none")
    (tmp_path / "bad_GT.mat").write_bytes(b"x" * 500)
    with pytest.raises(InputError, match=r"bad_GT\.mat: no MATLAB file"):
        isbi2014.read(tmp_path / "bad_GT.mat")
    savemat(tmp_path / "bad_GT.mat", {"train_Nuclei": cell_array([NUCLEI])})
    with pytest.raises(InputError, match=r"cell array named \*_Cytoplasm"):
        isbi2014.read(tmp_path / "bad_GT.mat")


def test_a_truth_without_its_images_is_refused(tmp_path: Path) -> None:
    (composed(tmp_path) / "isbi_train.mat").unlink()
    with pytest.raises(InputError, match="for 0 images"):
        isbi2014.read(tmp_path)
    savemat(tmp_path / "isbi_train.mat", {"ISBI_Train": cell_array([CELL_A.astype(float)] * 2)})
    with pytest.raises(InputError, match="8-bit grey images"):
        isbi2014.read(tmp_path)
    savemat(tmp_path / "isbi_train.mat", {"ISBI_Train": cell_array([CELL_A[1:]] * 2)})
    with pytest.raises(InputError, match="image 1: a mask that is not of the image's size"):
        isbi2014.read(tmp_path)


# Herlev


def painted(folder: Path, name: str = "149143370-149143378-001", unknown: bool = True) -> Path:
    colours = np.full((*SHAPE, 3), (255, 0, 0), dtype=np.uint8)
    colours[CELL_A > 0] = (0, 0, 128)
    colours[4:7, 4:7] = (0, 0, 255)
    if unknown:
        colours[16, :5] = (128, 128, 128)
        colours[17, :5] = (0, 0, 0)
    noise(folder / "light_dysplastic" / f"{name}.BMP")
    save(folder / "light_dysplastic" / f"{name}-d.bmp", colours)
    return folder


def test_files_of_the_challenge_that_are_not_read_are_named(tmp_path: Path, caplog) -> None:
    folder = composed(tmp_path)
    (folder / "other.mat").touch()
    isbi2014.read(folder)
    assert caplog.messages == [f"{folder}: not read: other.mat"]


def test_single_cells_are_read(tmp_path: Path) -> None:
    (entry,) = herlev.read(painted(tmp_path))
    cells, ignore = entry.content.cells, entry.content.ignore
    assert np.array_equal(cells.to_dense()[0], CELL_A > 0)  # the nucleus is part of the cell
    assert (cells.areas.tolist(), cells.parents.tolist()) == ([144, 9], [-1, 0])
    assert ignore is not None
    assert (ignore.areas.tolist(), ignore.labels.tolist()) == ([10], [0])
    assert entry.content.kinds == ("light_dysplastic", "light_dysplastic")
    assert (entry.patient, cells.mpp) == ("149143370", 0.201)
    assert entry.name == "light_dysplastic__149143370-149143378-001.BMP"


def test_painted_files_that_are_not_the_originals_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no NAME-d\.bmp"):
        herlev.read(tmp_path)
    painted(tmp_path, unknown=False)
    place = tmp_path / "light_dysplastic"
    save(place / "b-d.bmp", np.full((*SHAPE, 3), (255, 0, 0), dtype=np.uint8))
    with pytest.raises(InputError, match=r"b-d\.bmp: the image it belongs to, b\.BMP"):
        herlev.read(tmp_path)
    noise(place / "b.bmp")
    with pytest.raises(InputError, match="no cell is painted"):
        herlev.read(tmp_path)
    noise(place / "b-d.bmp")
    with pytest.raises(InputError, match="colours that the database does not use"):
        herlev.read(tmp_path)


def test_files_of_the_database_that_are_not_read_are_named(tmp_path: Path, caplog) -> None:
    place = painted(tmp_path) / "light_dysplastic"
    noise(place / "alone.BMP")
    noise(place / "c.tif")
    (place / "Thumbs.db").touch()
    herlev.read(tmp_path)
    assert caplog.messages == [f"{tmp_path}: not read: light_dysplastic/alone.BMP, light_dysplastic/c.tif"]


# all

READERS = {"masks": masks.read, "isbi2014": isbi2014.read, "herlev": herlev.read}
READERS |= {"qupath": qupath.read, "imagej": imagej.read, "labelme": labelme.read, "cvat": cvat.read}


def drawn(folder: Path, source_format: str) -> Path:
    """An image and what a tool drew on it, another without anything."""
    for name, cells in (("a.png", smear()), ("b.png", smear().select([]))):
        entry = place(folder, cells, name)
        match source_format:
            case "qupath":
                qupath.write(folder / f"{name}.geojson", entry)
            case "imagej":
                imagej.write(folder / f"{name}.zip", entry)
            case "labelme":
                labelme.write(folder / f"{name}.json", entry)
            case "cvat":
                cvat.write(folder / f"{name}.xml", [entry])
    return folder


@pytest.mark.parametrize(
    ("source_format", "make"),
    [("masks", mask_folders), ("isbi2014", composed), ("herlev", painted)]
    + [(name, partial(drawn, source_format=name)) for name in ("qupath", "imagej", "labelme", "cvat")],
)
def test_a_converted_set_is_clean_and_the_same(tmp_path: Path, source_format: str, make) -> None:
    source = make(tmp_path / "source")
    before = READERS[source_format](source)
    assert convert(source_format, source, tmp_path / "out") == len(before)
    lacks = ("no-scale", "no-patient", "no-link", "odd-scale")  # of the source
    assert [finding for finding in check([tmp_path / "out"]) if finding.code not in lacks] == []
    for old, new in zip(before, read_coco(tmp_path / "out"), strict=True):
        assert old.content.cells.to_rle() == new.content.cells.to_rle()
        assert old.content.cells.parents.tolist() == new.content.cells.parents.tolist()
        assert (old.name, old.patient, old.content.kinds) == (new.name, new.patient, new.content.kinds)
        assert np.array_equal(old.read().image, new.read().image)
    convert("coco", tmp_path / "out", tmp_path / "again")
    first, second = (tmp_path / place / "annotations.json" for place in ("out", "again"))
    assert first.read_text().splitlines()[2:] == second.read_text().splitlines()[2:]


def test_a_class_that_was_drawn_nowhere_was_not_annotated(tmp_path: Path) -> None:
    qupath.write(tmp_path / "a.geojson", place(tmp_path, smear().select([0, 1])))
    convert("qupath", tmp_path, tmp_path / "out")
    (entry,) = read_coco(tmp_path / "out")
    assert entry.content.annotated == {CYTOPLASM}


def test_a_set_is_never_overwritten(tmp_path: Path) -> None:
    source = mask_folders(tmp_path / "source")
    convert("masks", source, tmp_path / "out")
    with pytest.raises(InputError, match="name a new folder"):
        convert("masks", source, tmp_path / "out")


def test_another_image_of_a_name_is_never_overwritten(tmp_path: Path) -> None:
    source = mask_folders(tmp_path / "source")
    noise(tmp_path / "out" / "images" / "b.png")
    before = (tmp_path / "out" / "images" / "b.png").read_bytes()
    with pytest.raises(InputError, match=r"b\.png is there and is another file"):
        convert("masks", source, tmp_path / "out")
    assert [file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.is_file()] == [before]

    shutil.copy(source / "images" / "b.png", tmp_path / "out" / "images" / "b.png")
    assert convert("masks", source, tmp_path / "out") == 2


def test_an_unreadable_image_stops_before_annotations_are_written(tmp_path: Path) -> None:
    source = painted(tmp_path / "source")
    (source / "light_dysplastic" / "149143370-149143378-001.BMP").write_bytes(b"BM")
    with pytest.raises(InputError, match=r"001\.BMP"):
        convert("herlev", source, tmp_path / "out")
    assert not (tmp_path / "out" / "annotations.json").exists()


def test_an_unknown_format_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=", ".join(SOURCES)):
        convert("voc", tmp_path, tmp_path / "out")


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    painted(tmp_path / "source" / "a")
    painted(tmp_path / "source" / "b")
    with pytest.raises(InputError, match="name of 2 images"):
        convert("herlev", tmp_path / "source", tmp_path / "out")


def test_an_image_that_is_annotated_twice_is_refused_with_the_remedy(tmp_path: Path) -> None:
    place(tmp_path / "in", smear())
    shape = '<polygon label="nucleus" points="1,1;9,1;9,9"/>'
    image = f'<image name="a.png" width="120" height="100">{shape}</image>'
    (tmp_path / "in" / "a.xml").write_text(f"<annotations>{image}{image}</annotations>")
    with pytest.raises(
        InputError, match=r"a\.png is annotated 2 times.*put its shapes together in one place"
    ):
        convert("cvat", tmp_path / "in", tmp_path / "out")


def test_no_set_is_made_of_no_image(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<annotations><version>1.1</version></annotations>")
    with pytest.raises(InputError, match="no image in it: a data set needs at least one"):
        convert("cvat", tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_size_of_pixels_that_is_not_used_is_told(tmp_path: Path, caplog) -> None:
    cells = smear()
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        np.random.default_rng(0).integers(0, 256, cells.image_shape, dtype=np.uint8),
        description="ImageJ=1.54f\nunit=um",
        metadata=None,
        resolution=(72, 72),
        resolutionunit="INCH",
    )
    labelme.write(
        tmp_path / "a.json", Entry(name="a.tif", path=path, content=Content(cells=replace(cells, mpp=None)))
    )
    convert("labelme", tmp_path, tmp_path / "out")
    assert (
        "0.01389 x 0.01389 um by ImageJ metadata are no microscope's: not used; give --mpp: 1 image"
        in caplog.text
    )
    assert read_coco(tmp_path / "out")[0].content.cells.mpp is None


@pytest.mark.parametrize("source_format", ["masks", "labelme"])
def test_an_instance_that_stands_twice_is_told(tmp_path: Path, caplog, source_format: str) -> None:
    if source_format == "masks":
        folder = mask_folders(tmp_path / "in")
        (first, *_) = sorted((folder / "masks").glob("*/cytoplasm_*.png"))
        shutil.copy(first, first.with_name("cytoplasm_copy99.png"))
    else:
        labelme.write(tmp_path / "in" / "a.json", place(tmp_path / "in", Cells.concat([smear(), smear()])))
    convert(source_format, tmp_path / "in", tmp_path / "out")
    assert "instances have the class and the pixels of one before them, and count once more" in caplog.text


@pytest.mark.parametrize("source_format", ["qupath", "imagej", "labelme", "cvat"])
def test_images_that_are_turned_upright_are_named(tmp_path: Path, caplog, source_format: str) -> None:
    source = drawn(tmp_path / "source", source_format)
    tag = PIL.Image.Exif()
    tag[0x112] = 3
    with PIL.Image.open(source / "b.png") as picture:
        picture.save(source / "b.png", exif=tag)
    convert(source_format, source, tmp_path / "out")
    (message,) = caplog.messages
    assert "turned upright by their orientation tag: b.png." in message
