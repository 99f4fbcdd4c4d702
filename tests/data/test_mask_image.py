"""Masks, label maps and painted colours by what files store, however viewers would show them."""

import io
import logging
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from irnet.data.mask_image import read_colours, read_integers, read_mask, read_png_mask
from irnet.errors import InputError

SHAPE = (20, 30)
OBJECT = np.zeros(SHAPE, dtype=bool)
OBJECT[5:15, 8:20] = True
ON = OBJECT.astype(np.uint8) * 255
OFF = np.zeros(SHAPE, dtype=np.uint8)
FULL = np.full(SHAPE, 255, dtype=np.uint8)


def rgba(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return np.dstack([colours, colours, colours, alpha])


def palette(numbers: np.ndarray, colours: list[int], transparent: int | None = None) -> PIL.Image.Image:
    picture = PIL.Image.fromarray(numbers)
    picture.putpalette(colours)
    if transparent is not None:
        picture.info["transparency"] = transparent
    return picture


GREY_RAMP_DOWN = [value for i in range(255, -1, -1) for value in (i, i, i)]
PICTURES = {
    "grey": PIL.Image.fromarray(ON),
    "0 and 1": PIL.Image.fromarray(OBJECT.astype(np.uint8)),
    "bit": PIL.Image.fromarray(OBJECT),
    "16 bits of 1": PIL.Image.fromarray(OBJECT.astype(np.uint16)),
    "colour": PIL.Image.fromarray(np.dstack([OFF, OFF, ON])),
    "opaque": PIL.Image.fromarray(rgba(ON, FULL)),
    "alpha 0 everywhere": PIL.Image.fromarray(rgba(ON, OFF)),
    "black cell, transparent ground": PIL.Image.fromarray(rgba(OFF, ON)),
    "white cell, transparent ground": PIL.Image.fromarray(rgba(FULL, ON)),
    "both": PIL.Image.fromarray(rgba(ON, ON)),
    "black cell on hidden white": PIL.Image.fromarray(rgba(255 - ON, ON)),
    "white and black, some hidden": PIL.Image.fromarray(rgba(ON, np.where(np.arange(30) < 25, FULL, OFF))),
    "grey with alpha": PIL.Image.merge("LA", [PIL.Image.fromarray(ON), PIL.Image.fromarray(ON)]),
    "palette": palette(OBJECT.astype(np.uint8), [0, 0, 0, 128, 0, 0]),
    "palette, ground transparent": palette(OBJECT.astype(np.uint8), [255, 255, 255, 9, 9, 9], 0),
    "palette without black": palette(OBJECT.astype(np.uint8), [255, 255, 255, 200, 0, 0]),
    "palette that shows 0 as an object": palette((~OBJECT).astype(np.uint8), [255, 255, 255, 0, 0, 0]),
    "inverting palette of ImageJ": palette(ON, GREY_RAMP_DOWN),
    "transparent colour": PIL.Image.fromarray(ON),
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_object_of_a_png(tmp_path: Path, name: str) -> None:
    options = {"transparency": 0} if name == "transparent colour" else {}
    PICTURES[name].save(tmp_path / "m.png", **options)
    assert np.array_equal(read_mask(tmp_path / "m.png", SHAPE), OBJECT)
    assert np.array_equal(read_png_mask((tmp_path / "m.png").read_bytes(), SHAPE), OBJECT)


WHITE_TABLE = np.full((3, 256), 65535, dtype=np.uint16)
TIFFS = {
    "bool": (OBJECT, {}),
    "inverting table of ImageJ": (ON, {"photometric": "miniswhite"}),
    "inverting table, 16 bits": (OBJECT.astype(np.uint16), {"photometric": "miniswhite"}),
    "inverting table, lzw": (ON, {"photometric": "miniswhite", "compression": "lzw"}),
    "32 bits": (OBJECT.astype(np.int32), {}),
    "rgba 16": (
        rgba(ON, FULL).astype(np.uint16),
        {"photometric": "rgb", "extrasamples": ["unassalpha"]},
    ),
    "black cell": (rgba(OFF, ON), {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
    "palette": (OBJECT.astype(np.uint8), {"photometric": "palette", "colormap": WHITE_TABLE}),
    "separate": (np.stack([ON, ON, ON]), {"photometric": "rgb", "planarconfig": "separate"}),
}


@pytest.mark.parametrize("name", TIFFS)
def test_the_object_of_a_tiff(tmp_path: Path, name: str) -> None:
    values, options = TIFFS[name]
    tifffile.imwrite(tmp_path / "m.tif", values, **options)
    assert np.array_equal(read_mask(tmp_path / "m.tif", SHAPE), OBJECT)


def without_codecs(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_) -> None:
        raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", refuse)


WITHOUT_CODECS = {
    "white is 0": (ON, {"photometric": "miniswhite"}),
    "black is 0": (ON, {"photometric": "minisblack"}),
    "separate": (np.stack([ON, OFF, OFF]), {"photometric": "rgb", "planarconfig": "separate"}),
    "colours": (np.dstack([OFF, ON, OFF]), {"photometric": "rgb"}),
}


@pytest.mark.parametrize("name", WITHOUT_CODECS)
def test_without_more_codecs_pillow_reads_a_mask_and_inverts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    values, options = WITHOUT_CODECS[name]
    tifffile.imwrite(tmp_path / "m.tif", values, compression="lzw", **options)
    colours = read_colours(tmp_path / "m.tif")
    without_codecs(monkeypatch)
    assert np.array_equal(read_mask(tmp_path / "m.tif", SHAPE), OBJECT)
    assert np.array_equal(read_colours(tmp_path / "m.tif"), colours)


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("bits", [2, 4])
def test_without_more_codecs_numbers_of_few_bits_stay_what_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bits: int, photometric: str
) -> None:
    numbers = np.where(OBJECT, 3, 0).astype(np.uint8)[:, :28]
    numbers[2, 2] = 1
    each = 8 // bits  # numbers a byte
    packed = sum(numbers[:, place::each] << (8 - bits * (place + 1)) for place in range(each))
    tifffile.imwrite(tmp_path / "m.tif", packed.astype(np.uint8), compression="lzw", photometric=photometric)
    with tifffile.TiffFile(tmp_path / "m.tif", mode="r+") as file:
        file.pages[0].tags["ImageWidth"].overwrite(28)
        file.pages[0].tags["BitsPerSample"].overwrite(bits)
    without_codecs(monkeypatch)
    (values,) = read_integers(tmp_path / "m.tif", numbers.shape)
    assert np.array_equal(values, numbers)


@pytest.mark.parametrize("suffix", [".webp", ".bmp"])
def test_other_lossless_formats(tmp_path: Path, suffix: str) -> None:
    options = {"lossless": True} if suffix == ".webp" else {}
    PIL.Image.fromarray(ON).convert("RGB").save(tmp_path / f"m{suffix}", **options)
    assert np.array_equal(read_mask(tmp_path / f"m{suffix}", SHAPE), OBJECT)


REFUSED = {
    "m.jpg": (lambda path: PIL.Image.fromarray(ON).save(path), "lossy JPEG"),
    "m.webp": (lambda path: PIL.Image.fromarray(ON).convert("RGB").save(path), "lossy WEBP"),
    "m.gif": (lambda path: PIL.Image.fromarray(ON).save(path), "no PNG, JPEG, TIFF"),
    "float.tif": (lambda path: tifffile.imwrite(path, ON.astype(np.float32)), "are not whole numbers"),
    "jpeg.tif": (
        lambda path: PIL.Image.fromarray(ON).save(path, compression="jpeg"),
        "JPEG compression blurs",
    ),
    "small.png": (lambda path: PIL.Image.fromarray(ON[1:]).save(path), "at the image's size"),
    "turned.png": (lambda path: PIL.Image.fromarray(ON.T.copy()).save(path), "at the image's size"),
    "pages.tif": (lambda path: tifffile.imwrite(path, np.stack([ON, ON]), metadata=None), "2 pages"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_mask_is_refused(tmp_path: Path, name: str) -> None:
    make, message = REFUSED[name]
    make(tmp_path / name)
    with pytest.raises(InputError, match=message) as caught:
        read_mask(tmp_path / name, SHAPE)
    assert name in str(caught.value)


def test_a_mask_of_nearly_the_whole_border_is_warned_of(tmp_path: Path, caplog) -> None:
    PIL.Image.fromarray(255 - ON).save(tmp_path / "inverted.png")
    PIL.Image.fromarray(ON).save(tmp_path / "plain.png")
    with caplog.at_level(logging.WARNING):
        read_mask(tmp_path / "plain.png", SHAPE)
        assert not caplog.records
        read_mask(tmp_path / "inverted.png", SHAPE)
    assert "100 % of the border: is it inverted?" in caplog.text


@pytest.mark.parametrize("kind", ["L", "LA"])
def test_blurred_edges_are_warned_of(tmp_path: Path, caplog, kind: str) -> None:
    blurred = ON.copy()
    blurred[OBJECT.argmax() // OBJECT.shape[1]] //= 2
    shades = np.dstack([np.full_like(ON, 255), blurred]) if kind == "LA" else blurred
    PIL.Image.fromarray(shades, kind).save(tmp_path / "m.png")
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(read_mask(tmp_path / "m.png", SHAPE), OBJECT)
    assert "m.png: its object is not of one value" in caplog.text


@pytest.mark.parametrize("bits", [2, 4])
def test_numbers_of_few_bits_are_not_stretched(tmp_path: Path, bits: int) -> None:
    picture = palette(OBJECT.astype(np.uint8) * 3, list(range(12)))
    picture.save(tmp_path / "m.png", bits=bits)
    (values,) = read_integers(tmp_path / "m.png", SHAPE)
    assert np.unique(values).tolist() == [0, 3]


def test_an_orientation_tag_is_obeyed(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.fromarray(np.rot90(ON).copy()).save(tmp_path / "m.png", exif=exif)
    assert np.array_equal(read_mask(tmp_path / "m.png", SHAPE), OBJECT)


def test_painted_colours_are_those_stored(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
    PIL.Image.fromarray(np.dstack([colours, OFF + 7])).save(tmp_path / "p.png")
    assert np.array_equal(read_colours(tmp_path / "p.png"), colours)


def test_a_png_of_another_size_is_refused() -> None:
    PIL.Image.fromarray(ON).save(content := io.BytesIO(), "PNG")
    with pytest.raises(InputError, match="20 x 30 pixels"):
        read_png_mask(content.getvalue(), (3, 3))
    with pytest.raises(InputError, match="no PNG"):
        read_png_mask(b"x", (3, 3))
