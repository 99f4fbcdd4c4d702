"""Readers of slides give the pixels that are in the file, whoever reads it, and every focal plane of it."""

import logging
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile
from made_slides import halve, noise, resolution, write_ome, write_pyramid

from irnet.errors import InputError
from irnet.slides.readers import names, openslide
from irnet.slides.readers.opening import open_slide
from irnet.slides.readers.openslide import OpenSlideSlide
from irnet.slides.readers.tiff import TiffSlide

PATIENT = "Aperio |MPP = 0.25|Patient = ANNA EXAMPLE|Barcode = 4711"


@pytest.mark.parametrize("compression", [None, "deflate", "jpeg", "lzw"])
def test_tifffile_and_openslide_agree(tmp_path: Path, compression: str | None) -> None:
    path = write_pyramid(tmp_path / "a.tif", noise(1, 900, 1300, 3), compression=compression)
    draw = np.random.default_rng(1)
    with TiffSlide(path) as one, OpenSlideSlide(path) as other:
        assert one.levels == other.levels == ((900, 1300), (450, 650), (225, 325))
        for _ in range(50):
            level = int(draw.integers(0, 3))
            height, width = one.levels[level]
            (x1, x2), (y1, y2) = (
                np.sort(draw.choice(side + 1, 2, replace=False)) for side in (width, height)
            )
            box = int(x1), int(y1), int(x2), int(y2)
            np.testing.assert_array_equal(one.read(0, level, box), other.read(0, level, box))


def test_every_plane_and_level_of_an_ome_tiff(tmp_path: Path) -> None:
    planes = noise(2, 5, 400, 600, 3)
    with open_slide(write_ome(tmp_path / "a.ome.tif", planes)) as slide:
        assert (slide.planes, slide.mpp, slide.levels) == (5, 0.25, ((400, 600), (200, 300)))
        assert slide.reader.startswith("tifffile")
        for number, plane in enumerate(planes):
            np.testing.assert_array_equal(slide.read(number, 0, (10, 20, 590, 400)), plane[20:, 10:590])
            np.testing.assert_array_equal(slide.read(number, 1, (0, 0, 300, 200)), halve(plane))


def test_planes_of_an_ndpi(tmp_path: Path) -> None:
    planes, path = noise(3, 3, 300, 500, 3), tmp_path / "a.tif"  # its tags make it one
    with tifffile.TiffWriter(path) as file:
        for plane in planes:
            tags = [(65420, "I", 1, 1, True), (271, "s", 0, "Hamamatsu", True)]
            file.write(
                plane, photometric="rgb", tile=(128, 128), extratags=tags, metadata=None, **resolution(0.22)
            )
    with open_slide(path) as slide:
        assert (slide.planes, slide.mpp) == (3, pytest.approx(0.22))
        for number, plane in enumerate(planes):
            np.testing.assert_array_equal(slide.read(number, 0, (0, 0, 500, 300)), plane)


def test_pages_of_one_size_are_planes_and_told(tmp_path: Path) -> None:
    planes, path = noise(4, 4, 300, 300, 3), tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        for plane in planes:
            file.write(plane, photometric="rgb", tile=(128, 128), metadata=None)
    with open_slide(path) as slide:
        assert slide.planes == 4
        assert any("4 pages" in note for note in slide.notes)
        np.testing.assert_array_equal(slide.read(2, 0, (5, 5, 100, 100)), planes[2, 5:100, 5:100])


def test_grey_planes_and_separate_channels(tmp_path: Path) -> None:
    grey = noise(5, 3, 200, 300)
    tifffile.imwrite(tmp_path / "g.ome.tif", grey, metadata={"axes": "ZYX"}, tile=(64, 64))
    with open_slide(tmp_path / "g.ome.tif") as slide:
        np.testing.assert_array_equal(
            slide.read(1, 0, (0, 0, 300, 200)), np.repeat(grey[1, :, :, None], 3, 2)
        )

    colour = noise(6, 3, 200, 300)  # planes of red, green, blue
    tifffile.imwrite(tmp_path / "s.tif", colour, photometric="rgb", planarconfig="separate", tile=(64, 64))
    with open_slide(tmp_path / "s.tif") as slide:
        np.testing.assert_array_equal(slide.read(0, 0, (7, 9, 300, 200)), np.moveaxis(colour, 0, 2)[9:, 7:])

    stack = noise(7, 2, 3, 200, 300)
    tifffile.imwrite(
        tmp_path / "c.ome.tif", stack, metadata={"axes": "ZCYX"}, tile=(64, 64), photometric="minisblack"
    )
    with open_slide(tmp_path / "c.ome.tif") as slide:
        assert slide.planes == 2
        np.testing.assert_array_equal(slide.read(1, 0, (0, 0, 300, 200)), np.moveaxis(stack[1], 0, 2))


def test_strips_are_read_like_tiles(tmp_path: Path) -> None:
    planes = noise(8, 2, 300, 200, 3)
    tifffile.imwrite(
        tmp_path / "a.ome.tif", planes, metadata={"axes": "ZYXS"}, photometric="rgb", rowsperstrip=37
    )
    with open_slide(tmp_path / "a.ome.tif") as slide:
        np.testing.assert_array_equal(slide.read(1, 0, (3, 30, 200, 299)), planes[1, 30:299, 3:])


def fourth(path: Path, colours: np.ndarray, alpha: np.ndarray, kind: str) -> tuple[np.ndarray, bool]:
    """The pixels of a slide with a fourth channel, and whether it is told that this says nothing."""
    pixels = np.dstack([colours, alpha])
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(64, 64), extrasamples=[kind], metadata=None)
    with TiffSlide(path) as slide:
        height, width = slide.shape
        return slide.read(0, 0, (0, 0, width, height)), any("the same everywhere" in n for n in slide.notes)


@pytest.mark.parametrize(
    ("kind", "alpha", "told"),
    [
        *(("unassalpha", 0, True), ("unassalpha", 128, True), ("unassalpha", 255, False)),
        *(("assocalpha", 0, True), ("assocalpha", 255, False)),
        *(("unspecified", 0, False), ("unspecified", 128, False)),
    ],
)
def test_a_transparency_that_is_the_same_everywhere_hides_nothing(
    tmp_path: Path, kind: str, alpha: int, told: bool
) -> None:
    colours = noise(8, 300, 700, 3)
    pixels, said = fourth(tmp_path / "a.tif", colours, np.full((300, 700), alpha, np.uint8), kind)
    np.testing.assert_array_equal(pixels, colours)
    assert said == told


def test_a_transparency_of_places_lets_white_through(tmp_path: Path) -> None:
    colours, alpha = noise(9, 300, 700, 3), noise(10, 300, 700)
    alpha[:, :350] = 0
    opaque = alpha[..., None] / 255
    right = colours * opaque + 255 * (1 - opaque)
    for kind, stored in (
        ("unassalpha", colours),
        ("assocalpha", (colours * opaque).round().astype(np.uint8)),
    ):
        pixels, told = fourth(tmp_path / "a.tif", stored, alpha, kind)
        np.testing.assert_allclose(pixels, right, atol=1)
        assert not told


def test_transparent_everywhere_and_black_beneath_is_refused(tmp_path: Path) -> None:
    pixels = np.zeros((100, 100, 4), np.uint8)
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, photometric="rgb", tile=(64, 64), extrasamples=["unassalpha"]
    )
    with pytest.raises(InputError, match="transparent everywhere, and black beneath"):
        TiffSlide(tmp_path / "a.tif")


def test_pictures_are_slides_of_one_level(tmp_path: Path) -> None:
    image = noise(9, 90, 70, 3)
    PIL.Image.fromarray(image).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="rgb")
    for name in ("a.png", "a.tif"):
        with open_slide(tmp_path / name) as slide:
            assert (slide.levels, slide.planes) == (((90, 70),), 1)
            np.testing.assert_array_equal(slide.read(0, 0, (10, 5, 60, 80)), image[5:80, 10:60])


def test_what_stands_in_tags_never_leaves(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_pyramid(tmp_path / "a.svs", noise(10, 600, 700, 3), description=PATIENT)
    with caplog.at_level(logging.DEBUG), open_slide(path) as slide:
        assert slide.mpp == pytest.approx(0.25)
        slide.read(0, 0, (0, 0, 300, 300))
        said = repr([slide.reader, slide.notes, slide.levels, slide.mpp, vars(type(slide)), caplog.text])
    assert "ANNA" not in said
    assert "4711" not in said


def test_other_files_and_series_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "t.ome.tif", noise(11, 3, 99, 99, 3), metadata={"axes": "TYXS"}, photometric="rgb"
    )
    tifffile.imwrite(
        tmp_path / "c.ome.tif", noise(11, 4, 99, 99), metadata={"axes": "CYX"}, photometric="minisblack"
    )
    tifffile.imwrite(
        tmp_path / "deep.ome.tif", noise(11, 2, 99, 99).astype(np.uint16), metadata={"axes": "ZYX"}
    )
    whole = write_pyramid(tmp_path / "whole.tif", noise(11, 600, 600, 3)).read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "a.mrxs").write_bytes(b"no slide")
    (tmp_path / "a.svs").write_bytes(b"II*\0 and then nothing")
    for name, said in (
        ("t.ome.tif", "time"),
        ("c.ome.tif", "4 channels"),
        ("deep.ome.tif", "uint16"),
        ("a.mrxs", "OpenSlide"),
        ("a.svs", "damaged"),
        ("cut.tif", "damaged"),
        ("none.svs", "no such file"),
        (".", "folder"),
    ):
        with pytest.raises(InputError, match=said) as refused:
            open_slide(tmp_path / name)
        assert str(tmp_path) in str(refused.value)


def test_a_damaged_tile_is_told_where_it_is_met(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "a.tif", noise(12, 600, 700, 3), levels=1)
    with tifffile.TiffFile(path) as file:
        place = file.pages[0].aspage().dataoffsets[4]
    with open(path, "r+b") as file:
        file.seek(place)
        file.write(bytes(2000))
    with open_slide(path) as slide:
        slide.read(0, 0, (0, 0, 200, 200))
        with pytest.raises(InputError, match="damaged at 300, 300 of level 0"):
            slide.read(0, 0, (300, 300, 400, 400))


def test_a_slide_that_compresses_well_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "MAX_PIXELS", 1_000_000)
    large = write_pyramid(tmp_path / "large.tif", noise(1, 1100, 1100, 3), levels=1)
    assert names.slides_among([large]) == [large]
    small = write_pyramid(tmp_path / "small.tif", noise(1, 900, 1100, 3), levels=1)
    assert names.slides_among([small]) == []


def test_memory_that_ran_out_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    with open_slide(write_pyramid(tmp_path / "a.tif", noise(12, 300, 300, 3), levels=1)) as slide:
        monkeypatch.setattr(TiffSlide, "_read", full)
        with pytest.raises(MemoryError):
            slide.read(0, 0, (0, 0, 200, 200))
    monkeypatch.setattr(TiffSlide, "_open", full)
    with pytest.raises(MemoryError):
        TiffSlide(tmp_path / "a.tif")


def test_a_box_outside_is_our_mistake(tmp_path: Path) -> None:
    with open_slide(write_pyramid(tmp_path / "a.tif", noise(13, 300, 300, 3))) as slide:
        for plane, box in ((0, (0, 0, 301, 300)), (1, (0, 0, 9, 9)), (0, (5, 5, 5, 9))):
            with pytest.raises(ValueError, match="not in a level"):
                slide.read(plane, 0, box)


def test_without_openslide_its_formats_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openslide, "library", lambda: None)
    PIL.Image.fromarray(noise(14, 50, 50, 3)).save(tmp_path / "a.mrxs", "JPEG")  # what a MIRAX file begins as
    with pytest.raises(InputError, match=r'pip install "\.\[slides\]"'):
        open_slide(tmp_path / "a.mrxs")
    with open_slide(write_pyramid(tmp_path / "a.tif", noise(15, 300, 300, 3))) as slide:
        assert slide.levels[0] == (300, 300)
