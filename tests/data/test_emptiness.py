"""Large pictures that show nearly nothing, however they are padded, and large ones that show little."""

import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from irnet.data import emptiness, image, stored, tiff_rows
from irnet.data.image import read_image
from irnet.data.mask_image import read_integers
from irnet.errors import InputError

SIDE = 2048
NOISE = np.random.default_rng(0).bytes(100_000)
PADDED = {"extratags": [(65000, 1, len(NOISE), NOISE, True)]}
EMPTY = np.full((SIDE, SIDE), 9, dtype=np.uint8)
CORNER = EMPTY.copy()
CORNER[:16] = np.random.default_rng(0).integers(0, 256, (16, SIDE))
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
CELLS = (((ROWS % 50 - 25) ** 2 + (COLUMNS - 3 * ROWS // 2 % SIDE) ** 2) < 20**2).astype(np.uint8)


@pytest.fixture
def free(monkeypatch) -> int:
    """As many pixels as a blank picture may have: fewer, or these tests would take minutes."""
    for module in (emptiness, image, stored, tiff_rows):
        monkeypatch.setattr(module, "FREE", SIDE * SIDE // 4)
    return SIDE * SIDE // 4


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(path: Path, values: np.ndarray, after: bytes = b"", inside: bytes = b"") -> Path:
    """A PNG with more in its stream after the picture, and more in the file."""
    height, width = values.shape
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(rows + inside, 9))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + data + chunk(b"prVt", after) + chunk(b"IEND", b"") + after)
    return path


def by_pillow(name: str, **options) -> Callable[[Path, np.ndarray], Path]:
    def write(folder: Path, values: np.ndarray) -> Path:
        PIL.Image.fromarray(values).save(folder / name, **options)
        with open(folder / name, "ab") as file:
            file.write(NOISE)
        return folder / name

    return write


def by_tifffile(**options) -> Callable[[Path, np.ndarray], Path]:
    def write(folder: Path, values: np.ndarray) -> Path:
        tifffile.imwrite(folder / "a.tif", values, metadata=None, **PADDED, **options)
        return folder / "a.tif"

    return write


TIFF = {
    f"TIFF, {codec}, {'tiles' if tile else f'{rows} rows'}": by_tifffile(
        compression=codec, **({"tile": (256, 256)} if tile else {"rowsperstrip": rows})
    )
    for codec in ("deflate", "lzw", "zstd", "packbits", "lzma")
    for tile, rows in ((True, 0), (False, 33))
}
LOSSLESS = TIFF | {
    "PNG": lambda folder, values: png(folder / "a.png", values, NOISE, NOISE),
    "TIFF, one strip": by_tifffile(compression="deflate", rowsperstrip=SIDE),
}
LOSSY = {
    "JPEG": by_pillow("a.jpg"),
    "JPEG, progressive": by_pillow("a.jpg", progressive=True),
    "JPEG 2000": by_pillow("a.jp2"),
    "JPEG in TIFF": by_tifffile(compression="jpeg", tile=(256, 256)),
}


@pytest.mark.parametrize("values", [EMPTY, CORNER], ids=["empty", "corner"])
@pytest.mark.parametrize("name", [*LOSSLESS, *LOSSY])
def test_what_repeats_is_refused_however_it_is_padded(
    tmp_path: Path, free: int, name: str, values: np.ndarray
) -> None:
    path = (LOSSLESS | LOSSY)[name](tmp_path, values)
    with pytest.raises(InputError, match=r"a\.\w+: more than .* copies of others: .* cut it into fields"):
        read_image(path)
    if name in LOSSLESS:
        with pytest.raises(InputError, match="copies of others"):
            read_integers(path, values.shape)


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_map_of_few_cells_is_read(tmp_path: Path, free: int, name: str) -> None:
    path = LOSSLESS[name](tmp_path, CELLS)
    assert np.array_equal(read_integers(path, CELLS.shape)[0], CELLS)
    assert np.array_equal(read_image(path).pixels[..., 0], CELLS)


@pytest.mark.parametrize("name", LOSSY)
def test_a_lossy_scan_is_read(tmp_path: Path, free: int, name: str) -> None:
    path = LOSSY[name](tmp_path, CELLS * 90)
    assert read_image(path).pixels.shape == (SIDE, SIDE, 3)


@pytest.mark.parametrize("bits", [1, 8, 16])
@pytest.mark.parametrize("interlaced", [False, True])
def test_every_depth_and_order_of_a_png_is_counted(
    tmp_path: Path, free: int, bits: int, interlaced: bool
) -> None:
    def rows(width: int, height: int) -> bytes:
        return bytes((1 + (width * bits + 7) // 8) * height)

    passes = [(8, 8), (8, 8), (4, 8), (4, 4), (2, 4), (2, 2), (1, 2)] if interlaced else [(1, 1)]
    data = b"".join(rows(SIDE // right, SIDE // down) for right, down in passes)
    head = struct.pack(">IIBBBBB", SIDE, SIDE, bits, 0, 0, 0, interlaced)
    content = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    with pytest.raises(InputError, match="copies of others"):
        read_image(tmp_path / "a.png")


def test_a_field_that_was_repeated_to_a_large_png_is_read(tmp_path: Path, monkeypatch, free: int) -> None:
    monkeypatch.setattr(emptiness, "_NEAR", (2**16, 16))
    field = np.random.default_rng(0).integers(0, 256, (SIDE // 16, SIDE), dtype=np.uint8)
    path = png(tmp_path / "a.png", np.tile(field, (16, 1)))
    assert np.array_equal(read_image(path).pixels[-len(field) :, :, 0], field)
    with pytest.raises(InputError, match="copies of others"):
        read_image(png(tmp_path / "b.png", np.tile(field[:2], (SIDE // 2, 1))))


def test_pages_count_together(tmp_path: Path, free: int) -> None:
    def write(*pages: np.ndarray) -> Path:
        with tifffile.TiffWriter(tmp_path / "a.tif") as file:
            for page in pages:
                file.write(page, compression="deflate", metadata=None, contiguous=False)
        return tmp_path / "a.tif"

    blank = EMPTY[: SIDE // 8]
    assert len(read_integers(write(blank, blank), blank.shape)) == 2
    with pytest.raises(InputError, match="copies of others"):
        read_integers(write(*[blank] * 3), blank.shape)
    few = CELLS[: SIDE // 8]
    assert len(read_integers(write(few, *[few * 2] * 6, blank), few.shape)) == 8


def test_fax_of_a_blank_page_is_refused(tmp_path: Path, free: int) -> None:
    for codec in ("group3", "group4"):
        PIL.Image.new("1", (SIDE, SIDE)).save(tmp_path / "a.tif", compression=codec)
        with pytest.raises(InputError, match="copies of others"):
            read_image(tmp_path / "a.tif")
        PIL.Image.fromarray(CELLS > 0).save(tmp_path / "a.tif", compression=codec)
        assert np.array_equal(read_image(tmp_path / "a.tif").pixels[..., 0] > 0, CELLS > 0)


def test_plain_strips_that_share_their_bytes_are_refused(tmp_path: Path, free: int) -> None:
    tifffile.imwrite(tmp_path / "a.tif", CELLS, rowsperstrip=8, metadata=None)
    assert read_image(tmp_path / "a.tif").pixels.shape == (SIDE, SIDE, 3)
    data = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        tag = file.pages[0].tags["StripOffsets"]
    size = {3: 2, 4: 4}[int(tag.dtype)]
    data[tag.valueoffset : tag.valueoffset + size * tag.count] = data[tag.valueoffset :][:size] * tag.count
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(InputError, match="on top of each other"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("name", ["a.webp", "a.bmp"])
def test_formats_without_a_look_end_where_it_would_begin(tmp_path: Path, free: int, name: str) -> None:
    if name == "a.webp":
        PIL.Image.fromarray(CELLS).save(tmp_path / name, lossless=True)
    else:
        run = bytes([255, 0] * 8 + [8, 0, 0, 0]) * SIDE
        head = struct.pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, 8, 1, len(run), 0, 0, 256, 0)
        content = struct.pack("<IHHI", 54 + 1024 + len(run), 0, 0, 54 + 1024) + head + bytes(1024) + run
        (tmp_path / name).write_bytes(b"BM" + content + NOISE)
    with pytest.raises(InputError, match=r"is not read: save it as PNG or TIFF"):
        read_image(tmp_path / name)


def test_a_jpeg_of_very_many_scans_is_refused(tmp_path: Path) -> None:
    PIL.Image.new("L", (64, 64)).save(tmp_path / "a.jpg", progressive=True)
    data = (tmp_path / "a.jpg").read_bytes()
    scan = data[data.rindex(b"\xff\xda") : -2]
    (tmp_path / "a.jpg").write_bytes(data[:-2] + scan * 100 + data[-2:])
    with pytest.raises(InputError, match="more than 100 scans"):
        read_image(tmp_path / "a.jpg")


def test_400_megapixels_in_2_megabytes_are_refused_at_once(tmp_path: Path) -> None:
    side = 20_000
    press = zlib.compressobj(1)
    data = b"".join(press.compress(bytes(101 * (side + 1))) for _ in range(side // 100)) + press.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    before = time.process_time()
    with pytest.raises(InputError, match="copies of others"):
        read_image(tmp_path / "a.png")
    assert time.process_time() - before < 3  # one on a machine that nobody else uses
