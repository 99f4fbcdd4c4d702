"""Small files that claim, or inflate to, gigabytes."""

import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile

from irnet.data import memory
from irnet.data.image import read_image
from irnet.data.mask_image import read_integers
from irnet.errors import InputError

SHAPE = (16, 16)
FILLED = 2**27  # bytes that a strip of 16 x 16 pixels inflates to


def deflate() -> bytes:
    packer = zlib.compressobj(9)
    return b"".join([*(packer.compress(bytes(2**24)) for _ in range(FILLED >> 24)), packer.flush()])


BOMBS = {
    "deflate": (8, deflate),
    "old deflate": (32946, deflate),
    "lzw": (5, lambda: imagecodecs.lzw_encode(bytes(FILLED))),
    "zstd": (50000, lambda: imagecodecs.zstd_encode(bytes(FILLED))),
    "packbits": (32773, lambda: bytes([129, 0]) * (FILLED // 128)),
    "jpeg": (7, lambda: resized_jpeg()),
}


def resized_jpeg() -> bytes:
    data = bytearray(imagecodecs.jpeg8_encode(np.zeros(SHAPE, dtype=np.uint8)))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 60_000, 60_000)
    return bytes(data)


def tiff(path: Path, compression: int, segment: bytes, bits: int = 16) -> Path:
    """A page of SHAPE in one strip."""
    tags = [(256, SHAPE[1]), (257, SHAPE[0]), (258, bits), (259, compression), (262, 1), (273, 8), (277, 1)]
    tags += [(278, SHAPE[0]), (279, len(segment))]
    rows = b"".join(struct.pack("<HHII", tag, 4 if tag > 262 else 3, 1, value) for tag, value in tags)
    start = 8 + len(segment)
    head = b"II*\0" + struct.pack("<I", start)
    path.write_bytes(head + segment + struct.pack("<H", len(tags)) + rows + bytes(4))
    return path


@pytest.fixture
def peak() -> Iterator[None]:
    """Fails where more than 40 MB, a third of what the bombs hold, were allocated at a time."""
    tracemalloc.start()
    yield
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 40e6


@pytest.mark.parametrize("name", BOMBS)
def test_a_strip_that_inflates_beyond_its_page_is_refused(tmp_path: Path, name: str, request) -> None:
    compression, make = BOMBS[name]
    path = tiff(tmp_path / "bomb.tif", compression, make())
    request.getfixturevalue("peak")
    with pytest.raises(InputError, match=r"bomb\.tif: .*hold more than the page"):
        read_image(path)
    reason = "blurs the edges of masks" if name == "jpeg" else "hold more than the page"
    with pytest.raises(InputError, match=rf"bomb\.tif: .*{reason}"):
        read_integers(path, SHAPE)


@pytest.mark.parametrize("compression", ["deflate", "lzw", "zstd", "packbits", "lzma"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_what_is_honest_is_read(tmp_path: Path, compression: str, tile: tuple[int, int] | None) -> None:
    values = np.random.default_rng(0).integers(0, 4096, (50, 40), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values, compression=compression, tile=tile, metadata=None)
    (again,) = read_integers(tmp_path / "a.tif", values.shape)
    assert np.array_equal(again, values)


def test_a_codec_without_a_bound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"compression \(JETRAW\) is not read"):
        read_integers(tiff(tmp_path / "a.tif", 48124, b"x" * 100), SHAPE)


def test_strips_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    values = np.zeros((64, 64), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values, rowsperstrip=1, metadata=None)
    data = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        tag = file.pages[0].tags["StripByteCounts"]
        place, count, size = tag.valueoffset, tag.count, tag.dtype
    form = {3: "<H", 4: "<I"}[int(size)]
    for i in range(count):
        struct.pack_into(form, data, place + i * struct.calcsize(form), 8000)
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(InputError, match=r"on top of each other|cut short"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("bits", [8, 16])
def test_a_tile_larger_than_its_page_is_refused(tmp_path: Path, bits: int) -> None:
    values = np.zeros(SHAPE, dtype=f"uint{bits}")
    tifffile.imwrite(tmp_path / "a.tif", values, tile=(16, 16), compression="deflate", metadata=None)
    data = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        places = [file.pages[0].tags[name] for name in ("TileWidth", "TileLength")]
    for tag in places:
        struct.pack_into("<H" if int(tag.dtype) == 3 else "<I", data, tag.valueoffset, 60_000)
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(InputError, match=r"tiles of 3,600,000,000 pixels"):
        read_image(tmp_path / "a.tif")


def test_text_chunks_of_a_png_are_not_inflated_without_bound(tmp_path: Path, peak) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    PIL.Image.new("L", SHAPE).save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    for name, content in ((b"iCCP", b"p\0\0"), (b"zTXt", b"k\0\0")):
        (tmp_path / "b.png").write_bytes(whole[:33] + chunk(name, content + deflate()) + whole[33:])
        with pytest.raises(InputError, match=r"b\.png"):
            read_image(tmp_path / "b.png")


def test_an_image_that_does_not_fit_into_memory_is_refused(tmp_path: Path, monkeypatch) -> None:
    PIL.Image.effect_noise((12_000, 8_000), 50).save(tmp_path / "a.jpg", quality=20)
    monkeypatch.setattr(memory, "available", lambda: 700_000_000)
    with pytest.raises(InputError, match=r"an image of 96 megapixels needs 0\.8 GB .* 0\.7 GB are left"):
        read_image(tmp_path / "a.jpg")


def test_memory_left_is_the_least_that_system_and_control_groups_say(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   2000 kB\n")
    (tmp_path / "own").write_text("0::/job/step\n")
    (tmp_path / "groups" / "job" / "step").mkdir(parents=True)
    for folder, limit in (("job", "1000000"), ("job/step", "max")):
        (tmp_path / "groups" / folder / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "groups" / folder / "memory.current").write_text("600000\n")
    (tmp_path / "groups" / "job" / "memory.stat").write_text("anon 1\ninactive_file 100000\n")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path / "groups")
    monkeypatch.setattr(memory, "_OWN_CGROUP", tmp_path / "own")
    assert memory.available() == 500_000
    monkeypatch.setattr(memory, "_OWN_CGROUP", tmp_path / "none")
    assert memory.available() == 2_048_000
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "none")
    assert memory.available() is None


def test_a_large_rgba_png_costs_its_pixels_twice(tmp_path: Path) -> None:
    """Once in Pillow, which is not traced, and once as RGB."""
    PIL.Image.new("RGBA", (4000, 3000), (90, 120, 150, 200)).save(tmp_path / "a.png", compress_level=1)
    tracemalloc.start()
    image = read_image(tmp_path / "a.png")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert image.pixels.shape == (3000, 4000, 3)
    assert most < 1.6 * image.pixels.nbytes
