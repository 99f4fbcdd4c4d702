"""The decoder: every kind of pixel that is read, every kind that is refused and what the refusal says."""

import struct
import threading
import tracemalloc
import warnings
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
import tifffile

from irnet.data import pixels
from irnet.data.files import sha256
from irnet.data.image import MAX_PIXELS, orientation, read_image
from irnet.data.pixels import scale_16bit
from irnet.errors import InputError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (6, 9), dtype=np.uint8)
RGB = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)
GREY_12 = RNG.integers(0, 4096, (6, 9), dtype=np.uint16)
RGB_12 = RNG.integers(0, 4096, (6, 9, 3), dtype=np.uint16)
ON_12 = 255 / 4095  # 12 bits to 8


def save(path: Path, array: np.ndarray, mode: str | None = None, **options) -> Path:
    picture = PIL.Image.fromarray(array)
    (picture.convert(mode) if mode else picture).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_rgb_is_exact(tmp_path: Path, suffix: str) -> None:
    image = read_image(save(tmp_path / f"a{suffix}", RGB))
    assert np.array_equal(image.pixels, RGB)
    assert image.pixels.dtype == np.uint8
    assert image.pixels.flags.writeable
    assert image.notes == ()


def test_jpeg_is_close(tmp_path: Path) -> None:
    flat = np.full((16, 16, 3), (200, 120, 160), dtype=np.uint8)
    image = read_image(save(tmp_path / "a.jpg", flat, quality=95))
    assert np.abs(image.pixels.astype(int) - flat).max() <= 3


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_grey_becomes_three_equal_channels(tmp_path: Path, suffix: str) -> None:
    image = read_image(save(tmp_path / f"a{suffix}", GREY))
    assert np.array_equal(image.pixels, np.stack([GREY] * 3, axis=2))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_one_bit_is_black_and_white(tmp_path: Path, suffix: str) -> None:
    image = read_image(save(tmp_path / f"a{suffix}", GREY > 127))
    assert np.array_equal(image.pixels[..., 1], np.where(GREY > 127, 255, 0))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_palette_is_looked_up(tmp_path: Path, suffix: str) -> None:
    picture = PIL.Image.fromarray(RGB).quantize(8)
    picture.save(tmp_path / f"a{suffix}")
    assert np.array_equal(read_image(tmp_path / f"a{suffix}").pixels, np.asarray(picture.convert("RGB")))


def test_transparency_lets_white_through(tmp_path: Path) -> None:
    alpha = np.full((6, 9, 1), 255, dtype=np.uint8)
    alpha[0] = 0
    image = read_image(save(tmp_path / "a.png", np.concatenate([RGB, alpha], axis=2)))
    assert (image.pixels[0] == 255).all()
    assert np.array_equal(image.pixels[1:], RGB[1:])
    assert image.notes == ("transparency laid on white",)


def test_an_opaque_alpha_changes_nothing(tmp_path: Path) -> None:
    image = read_image(save(tmp_path / "a.png", RGB, mode="RGBA"))
    assert np.array_equal(image.pixels, RGB)
    assert image.notes == ()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_grey_is_scaled_by_the_bits_in_use(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a{suffix}", GREY_12)
    image = read_image(path)
    assert np.array_equal(image.pixels[..., 0], np.round(GREY_12 * ON_12))
    assert "scaled from 12 bits" in image.notes[0]


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_16_bit_rgb_tiff_keeps_its_precision(tmp_path: Path, planar: bool, compression: str | None) -> None:
    array = np.moveaxis(RGB_12, 2, 0) if planar else RGB_12
    config = "separate" if planar else "contig"
    tifffile.imwrite(
        tmp_path / "a.tif", array, photometric="rgb", planarconfig=config, compression=compression
    )
    assert np.array_equal(read_image(tmp_path / "a.tif").pixels, np.round(RGB_12 * ON_12))


def test_16_bit_rgba_tiff_lies_on_white(tmp_path: Path) -> None:
    alpha = np.full((6, 9, 1), 65535, dtype=np.uint16)
    alpha[0] = 0
    array = np.concatenate([RGB_12, alpha], axis=2)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", extrasamples=["unassalpha"])
    image = read_image(tmp_path / "a.tif")
    assert (image.pixels[0] == 255).all()
    assert np.array_equal(image.pixels[1:], np.round(RGB_12 * ON_12)[1:])


def test_16_bit_colours_that_were_multiplied_by_their_alpha(tmp_path: Path) -> None:
    alpha = np.full((6, 9, 1), 65535, dtype=np.uint16)
    alpha[0], alpha[1] = 0, 32768
    array = np.concatenate([(RGB.astype(np.uint32) * 257 * alpha // 65535).astype(np.uint16), alpha], axis=2)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", extrasamples=["assocalpha"])
    image = read_image(tmp_path / "a.tif")
    assert (image.pixels[0] == 255).all()
    assert np.abs(image.pixels[1] - (RGB[1] / 2 + 127.5)).max() <= 1
    assert np.array_equal(image.pixels[2:], RGB[2:])


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_transparency_of_0_everywhere_hides_nothing(tmp_path: Path, mode: str, suffix: str) -> None:
    picture = PIL.Image.fromarray(RGB).convert("L" if mode == "LA" else "RGB")
    expected = np.asarray(picture.convert("RGB"))
    options = {}
    if mode == "P":
        picture = PIL.Image.fromarray(GREY * 0)
        picture.putpalette([10, 20, 30] * 256)
        expected, options = np.full((6, 9, 3), (10, 20, 30)), {"transparency": 0}
        suffix = ".png"
    else:
        picture.putalpha(0)
    picture.save(tmp_path / f"a{suffix}", **options)
    image = read_image(tmp_path / f"a{suffix}")
    assert np.array_equal(image.pixels, expected)
    assert "colours are taken as they are" in image.notes[0]


@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
def test_16_bit_transparency_of_0_everywhere_hides_nothing(tmp_path: Path, kind: str) -> None:
    array = np.concatenate([RGB_12, RGB_12[..., :1] * 0], axis=2)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", extrasamples=[kind])
    assert np.array_equal(read_image(tmp_path / "a.tif").pixels, np.round(RGB_12 * ON_12))


def test_white_is_zero_in_12_of_16_bits(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", 4095 - GREY_12, photometric="miniswhite")
    assert np.array_equal(read_image(tmp_path / "a.tif").pixels[..., 0], np.round(GREY_12 * ON_12))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("hot", [1, 2])
def test_hot_pixels_do_not_set_the_scale(tmp_path: Path, suffix: str, hot: int) -> None:
    values = np.random.default_rng(0).integers(0, 4096, (100, 200), dtype=np.uint16)
    expected = np.round(values * ON_12)
    values[7, :hot], expected[7, :hot] = 65535, 255
    image = read_image(save(tmp_path / f"a{suffix}", values))
    assert np.array_equal(image.pixels[..., 0], expected)
    assert f"from 12 bits (the largest is 65535): the {hot} brighter" in image.notes[0]
    values[7, :3] = 65535  # more than one of 10,000: no longer hot pixels
    assert "from 16 bits" in read_image(save(tmp_path / f"a{suffix}", values)).notes[0]


@pytest.mark.parametrize(("suffix", "options"), [(".webp", {"lossless": True}), (".jp2", {}), (".j2k", {})])
def test_other_formats(tmp_path: Path, suffix: str, options: dict) -> None:
    picture = PIL.Image.fromarray(np.kron(RGB, np.ones((8, 8, 1), dtype=np.uint8)))
    picture.save(tmp_path / f"a{suffix}", **options)
    assert np.array_equal(read_image(tmp_path / f"a{suffix}").pixels, np.asarray(picture))


def test_a_jfif_is_a_jpeg(tmp_path: Path) -> None:
    PIL.Image.fromarray(RGB).save(tmp_path / "a.jfif", "JPEG")
    assert read_image(tmp_path / "a.jfif").pixels.shape == RGB.shape


def test_a_film_is_refused(tmp_path: Path) -> None:
    frames = [PIL.Image.fromarray(RGB), PIL.Image.fromarray(255 - RGB)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match="several pictures"):
        read_image(tmp_path / "a.webp")


def test_the_hash_is_that_of_the_bytes_that_were_decoded(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", RGB)
    assert read_image(path).sha256 is None
    assert read_image(path, hashed=True).sha256 == sha256(path)


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_every_orientation_is_that_of_pillow(tmp_path: Path, suffix: str, tag: int) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = tag
    path = save(tmp_path / f"a{suffix}", RGB, exif=exif)
    image = read_image(path)
    with PIL.Image.open(path) as picture:
        assert np.array_equal(image.pixels, np.asarray(PIL.ImageOps.exif_transpose(picture)))
    assert orientation(path) == tag
    assert image.notes == (() if tag == 1 else (f"turned upright (EXIF orientation {tag})",))


def test_16_bit_white_is_zero(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", 65535 - GREY_12, photometric="miniswhite")
    assert np.array_equal(read_image(tmp_path / "a.tif").pixels[..., 2], np.round(GREY_12 * ON_12))


def png(bits: int, colour: int, rows: bytes, width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def test_16_bit_colour_png_gives_its_upper_bits_or_is_refused(tmp_path: Path) -> None:
    values = RNG.integers(0, 65536, (6, 9, 3)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    (tmp_path / "a.png").write_bytes(png(16, 2, rows, 9, 6))
    image = read_image(tmp_path / "a.png")
    assert np.array_equal(image.pixels, values >> 8)
    assert "upper 8 bits" in image.notes[0]
    rows = b"".join(b"\0" + row.tobytes() for row in (values >> 4).astype(">u2"))
    (tmp_path / "b.png").write_bytes(png(16, 2, rows, 9, 6))
    with pytest.raises(InputError, match="16-bit TIFF or 8-bit PNG"):
        read_image(tmp_path / "b.png")


@pytest.mark.parametrize(
    ("largest", "depth"), [(0, 8), (255, 8), (256, 10), (1023, 10), (1024, 12), (5000, 14), (65535, 16)]
)
def test_the_depth_is_the_least_that_holds_the_largest_value(largest: int, depth: int) -> None:
    values, note = scale_16bit(np.array([[0, largest]], dtype=np.uint16))
    assert values[0, 0] == 0
    assert values[0, 1] == round(largest * 255 / (2**depth - 1))
    assert f"from {depth} bits" in note


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, -1), (8, 1)])
def test_orientation_tags_are_obeyed(tmp_path: Path, suffix: str, orientation: int, turns: int) -> None:
    smooth = np.zeros((16, 32, 3), dtype=np.uint8)
    smooth[:8, :16] = 255
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    image = read_image(save(tmp_path / f"a{suffix}", smooth, exif=exif))
    assert image.pixels.shape == np.rot90(smooth, turns).shape
    assert np.abs(image.pixels.astype(int) - np.rot90(smooth, turns)).max() < 10
    assert "orientation" in image.notes[0]


def test_16_bit_tiff_obeys_its_orientation(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", GREY_12, photometric="minisblack", extratags=[(274, "H", 1, 6, True)]
    )
    assert np.array_equal(
        read_image(tmp_path / "a.tif").pixels[..., 0], np.rot90(np.round(GREY_12 * ON_12), -1)
    )


def pages(path: Path) -> Path:
    tifffile.imwrite(path, np.stack([GREY, 255 - GREY]), photometric="minisblack", metadata=None)
    return path


@pytest.mark.parametrize("page", [0, 1])
def test_a_page_is_chosen(tmp_path: Path, page: int) -> None:
    expected = [GREY, 255 - GREY][page]
    assert np.array_equal(read_image(pages(tmp_path / "a.tif"), page=page).pixels[..., 0], expected)


def test_a_page_of_16_bits_is_chosen(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.stack([GREY_12, GREY_12 // 2]), metadata=None)
    image = read_image(tmp_path / "a.tif", page=1)
    assert np.array_equal(image.pixels[..., 0], np.round(GREY_12 // 2 * ON_12))


@pytest.mark.parametrize("page", [-1, 2, 10**9])
def test_a_page_that_is_not_there_is_refused(tmp_path: Path, page: int) -> None:
    with pytest.raises(InputError, match="pages 0 to 1"):
        read_image(pages(tmp_path / "a.tif"), page=page)


def test_several_pages_want_a_choice(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 pages: choose one with --page 0 to 1"):
        read_image(pages(tmp_path / "a.tif"))


def test_the_smaller_levels_of_a_pyramid_are_no_pages(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(GREY, photometric="minisblack", metadata=None)
        file.write(GREY[::2, ::2], photometric="minisblack", metadata=None, subfiletype=1)
    assert np.array_equal(read_image(tmp_path / "a.tif").pixels[..., 0], GREY)


def test_only_tiff_has_pages(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", GREY)
    assert read_image(path, page=0).pixels.shape == (6, 9, 3)
    with pytest.raises(InputError, match="only TIFF"):
        read_image(path, page=1)


OME = {"axes": "YX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
CALIBRATIONS = {
    "ome": ({"metadata": OME, "ome": True}, 0.25),
    "ome-nm": (
        {"metadata": OME | {"PhysicalSizeX": 250.0, "PhysicalSizeXUnit": "nm"}, "ome": True},
        0.25,
    ),
    "imagej": ({"imagej": True, "resolution": (4, 4), "metadata": {"unit": "um"}}, 0.25),
    "imagej-micron": ({"imagej": True, "resolution": (4, 4), "metadata": {"unit": "micron"}}, 0.25),
    "imagej-pixel": ({"imagej": True, "resolution": (4, 4), "metadata": {"unit": "pixel"}}, None),
    "cm": ({"resolution": (40_000, 40_000), "resolutionunit": "CENTIMETER"}, 0.25),
    "inch": ({"resolution": (101_600, 101_600), "resolutionunit": "INCH"}, 0.25),
    "paper": ({"resolution": (300, 300), "resolutionunit": "INCH"}, None),
    "not square": ({"resolution": (40_000, 20_000), "resolutionunit": "CENTIMETER"}, None),
    "no unit": ({"resolution": (4, 4), "resolutionunit": "NONE"}, None),
    "zero": ({"resolution": (0, 0), "resolutionunit": "CENTIMETER"}, None),
    "none": ({}, None),
}


@pytest.mark.parametrize("array", [GREY, GREY_12], ids=["8", "16"])
@pytest.mark.parametrize(("options", "mpp"), CALIBRATIONS.values(), ids=CALIBRATIONS)
def test_um_per_pixel_is_read_from_tags(tmp_path: Path, options: dict, mpp: float | None, array) -> None:
    options = {"photometric": "minisblack"} | options
    if "PhysicalSizeXUnit" in options.get("metadata", {}):
        options["metadata"] |= {"PhysicalSizeY": 250.0, "PhysicalSizeYUnit": "nm"}
    tifffile.imwrite(tmp_path / "a.tif", array, **options)
    image = read_image(tmp_path / "a.tif")
    assert image.mpp == (None if mpp is None else pytest.approx(mpp))
    assert mpp is None or any("um per pixel" in note for note in image.notes)


REFUSED = {
    "cmyk.jpg": (lambda path: save(path, RGB, mode="CMYK"), "8-bit RGB"),
    "float.tif": (lambda path: tifffile.imwrite(path, GREY.astype(np.float32)), "8-bit RGB"),
    "int32.tif": (lambda path: tifffile.imwrite(path, GREY.astype(np.uint32)), "8-bit RGB"),
    "int8.tif": (lambda path: tifffile.imwrite(path, GREY.astype(np.int8)), "signed"),
    "int16.tif": (lambda path: tifffile.imwrite(path, GREY.astype(np.int16)), "8- or 16-bit"),
    "two.tif": (
        lambda path: tifffile.imwrite(
            path, GREY_12.reshape(3, 9, 2), photometric="minisblack", planarconfig="contig"
        ),
        "grey or RGB",
    ),
    "gif.png": (lambda path: PIL.Image.fromarray(GREY).save(path, "GIF"), "save it as one"),
    "page.jpg": (lambda path: path.write_text("<html>not found</html>"), "save it as one"),
    "empty.png": (lambda path: path.write_bytes(b""), "save it as one"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_names_the_file_and_the_remedy(tmp_path: Path, name: str) -> None:
    make, remedy = REFUSED[name]
    make(tmp_path / name)
    with pytest.raises(InputError, match=remedy) as caught:
        read_image(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.png: no such file"):
        read_image(tmp_path / "a.png")
    with pytest.raises(InputError, match="no such file"):
        read_image(tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_an_error(tmp_path: Path, suffix: str, part: float) -> None:
    path = save(tmp_path / f"a{suffix}", RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(InputError, match="a" + suffix):
        read_image(path)


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_a_truncated_16_bit_tiff_is_an_error(tmp_path: Path, compression: str | None) -> None:
    noise = RNG.integers(0, 65536, (64, 64), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", noise, rowsperstrip=8, compression=compression)
    data = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(data[:-500])
    with pytest.raises(InputError, match="cut short"):
        read_image(tmp_path / "a.tif")


def test_memory_that_ran_out_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    file = save(tmp_path / "a.png", RGB)
    monkeypatch.setattr(PIL.Image.Image, "load", full)
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", full)
    with pytest.raises(MemoryError):
        read_image(file)


def test_a_missing_codec_is_named(tmp_path: Path, monkeypatch) -> None:
    def refuse(_) -> None:
        raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", refuse)
    with pytest.raises(InputError, match=r'pip install "\.\[tiff\]"'):
        read_image(save(tmp_path / "a.tif", GREY_12))


def bombs(side: int) -> dict[str, bytes]:
    tiff = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 8)
    for tag, kind, value in [
        (256, 4, side),
        (257, 4, side),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
        (279, 4, 100),
    ]:
        tiff += struct.pack("<HHII", tag, kind, 1, value)
    bmp = b"BM" + struct.pack("<IHHI", 100, 0, 0, 54)
    bmp += struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)
    return {
        "png": png(1, 0, b"\0" * 10_000, side, side),
        "tif": tiff + b"\0" * 100,
        "tif16": tiff.replace(struct.pack("<HHII", 258, 3, 1, 8), struct.pack("<HHII", 258, 3, 1, 16))
        + b"\0" * 100,
        "bmp": bmp + b"\0" * 100,
    }


@pytest.mark.parametrize("kind", ["png", "tif", "tif16", "bmp"])
@pytest.mark.parametrize("side", [int(MAX_PIXELS**0.5) + 1, 20_000, 1_000_000])
def test_bombs_are_refused_from_the_header(tmp_path: Path, kind: str, side: int) -> None:
    (tmp_path / "bomb").write_bytes(bombs(side)[kind])
    tracemalloc.start()
    with pytest.raises(InputError, match="bomb"):
        read_image(tmp_path / "bomb")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


def test_threads_leave_the_filters_of_warnings_as_they_were(tmp_path: Path, monkeypatch) -> None:
    """The second reader begins before the first has ended, and ends after it."""
    paths = [save(tmp_path / f"{name}.png", RGB) for name in ("first", "second")]
    first, second = (threading.Thread(target=read_image, args=[path]) for path in paths)
    inside, to_rgb = threading.Event(), pixels.to_rgb

    def overlap(picture: PIL.Image.Image) -> tuple:
        if threading.current_thread() is first:
            second.start()
            inside.wait(timeout=0.2)
        else:
            inside.set()
            first.join()
        return to_rgb(picture)

    monkeypatch.setattr(pixels, "to_rgb", overlap)
    before = list(warnings.filters)
    first.start()
    first.join()
    second.join()
    assert list(warnings.filters) == before


def test_channels_of_several_pages_have_one_scale(tmp_path: Path) -> None:
    red = RGB_12[..., 0] // 8  # alone it would be taken for 10 bits
    channels = np.stack([red, RGB_12[..., 1], RGB_12[..., 2]])
    options = {"imagej": True, "metadata": {"axes": "CYX", "mode": "composite"}}
    tifffile.imwrite(tmp_path / "a.tif", channels, **options)
    pixels = read_image(tmp_path / "a.tif").pixels
    assert np.array_equal(pixels, np.round(np.moveaxis(channels, 0, -1) * ON_12))


@pytest.mark.parametrize("alpha", [1, 128])
def test_a_transparency_that_is_the_same_everywhere_says_nothing(tmp_path: Path, alpha: int) -> None:
    save(tmp_path / "a.png", np.dstack([RGB, np.full(RGB.shape[:2], alpha, dtype=np.uint8)]))
    image = read_image(tmp_path / "a.png")
    assert np.array_equal(image.pixels, RGB)
    assert "the same everywhere" in image.notes[0]


def test_colours_that_their_transparency_took_away_are_refused(tmp_path: Path) -> None:
    layers = np.dstack([RGB, RGB[..., 0] * 0])
    tifffile.imwrite(tmp_path / "a.tif", layers, photometric="rgb", extrasamples=["assocalpha"])
    with pytest.raises(InputError, match=r"a\.tif: transparent everywhere, and black beneath"):
        read_image(tmp_path / "a.tif")
