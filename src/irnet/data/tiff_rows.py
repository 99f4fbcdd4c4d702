"""What a large TIFF shows, from some of its strips or rows of tiles: see `emptiness`."""

import io
import struct
from typing import Any, BinaryIO

import numpy as np
import PIL.Image
import tifffile

from irnet.data.emptiness import FREE, SHORT, STREAMS, Budget, bytes_per_unit, check_stream, inflate
from irnet.errors import InputError

_PLAIN, _JPEG, _FAX, _BYTES = 1, 7, (2, 3, 4), (5, 32773, 50000)
_OFFSETS = 273
_SAMPLE = 2**25  # bytes or pixels that are looked at, but LEAST bands at least
_LEAST = 3
_LARGEST = 2**26  # bytes of a strip or tile that is unpacked as one
_COPIED = {_JPEG: (258, 262, 277, 347, 530), 2: (262, 266), 3: (262, 266, 292), 4: (262, 266, 293)}


def check_tiff(file: BinaryIO, page: int) -> None:
    """Raise InputError for a page of more than FREE pixels that shows nearly nothing."""
    file.seek(0)
    with tifffile.TiffFile(file) as opened:
        leaf = opened.pages[page]
        if isinstance(leaf, tifffile.TiffPage) and leaf.imagelength * leaf.imagewidth > FREE:
            check_leaf(leaf, Budget())


def check_leaf(leaf: tifffile.TiffPage, budget: Budget) -> None:
    """Take a page from the budget of its file. Raises InputError where it is spent."""
    bands = _Bands(leaf)
    pixels = leaf.imagelength * leaf.imagewidth
    if leaf.compression == _PLAIN:
        _check_plain(leaf, bands)
        budget.spend(pixels, pixels)
    elif bands.size <= _LARGEST:
        budget.spend(pixels, pixels * bands.share())
    elif leaf.compression in STREAMS and not leaf.is_tiled:
        data = bands.segment(0)
        stream = STREAMS[leaf.compression]()
        check_stream(inflate(stream, (data,)), [(bands.width, bands.stride, bands.rows)], budget)
    else:
        raise InputError(f"strips or tiles of more than {_LARGEST >> 20} MiB: save it with smaller ones")


class _Bands:
    """Strips, or rows of tiles, of the first plane of a page."""

    def __init__(self, leaf: tifffile.TiffPage) -> None:
        self.leaf = leaf
        contiguous = leaf.planarconfig == tifffile.PLANARCONFIG.CONTIG
        samples = leaf.samplesperpixel if contiguous else 1
        self.planes = 1 if contiguous else leaf.samplesperpixel
        self.width = leaf.tilewidth if leaf.is_tiled else leaf.imagewidth
        self.rows = leaf.tilelength if leaf.is_tiled else min(leaf.rowsperstrip, leaf.imagelength)
        self.stride = -(-self.width * samples * leaf.bitspersample // 8)
        self.across = -(-leaf.imagewidth // self.width)
        self.count = -(-leaf.imagelength // self.rows)
        self.size = self.stride * self.rows  # bytes of a strip or tile
        if min(len(leaf.dataoffsets), len(leaf.databytecounts)) < self.count * self.across * self.planes:
            raise InputError(SHORT)

    def share(self) -> float:
        """How much of the rows of some bands are no copies of others, from 0 to 1."""
        pixels = self.leaf.imagelength * self.leaf.imagewidth
        each = self.across * self.rows * max(self.stride, self.width)
        wanted = max(_LEAST, int(_SAMPLE * min(1, pixels / FREE)) // each)
        places = np.unique(np.linspace(0, self.count - 1, min(wanted, self.count)).astype(int))
        met, seen = set[int](), 0
        for place in places:
            tiles = [
                self._hashes(place * self.across + x, self.height(int(place))) for x in range(self.across)
            ]
            met.update(map(hash, zip(*tiles, strict=False)))
            seen += max(map(len, tiles))
        return len(met) / max(1, seen)

    def segment(self, number: int) -> bytes:
        """A strip or tile as it is stored."""
        file = self.leaf.parent.filehandle
        file.seek(self.leaf.dataoffsets[number])
        return file.read(self.leaf.databytecounts[number])

    def height(self, place: int) -> int:
        """Rows of a band: a last strip may have fewer, tiles are padded."""
        return self.rows if self.leaf.is_tiled else min(self.rows, self.leaf.imagelength - place * self.rows)

    def _hashes(self, number: int, rows: int) -> list[int]:
        data, unit = self._unpacked(self.segment(number), rows), bytes_per_unit(self.stride)
        return [hash(data[place : place + unit]) for place in range(0, len(data), unit)]

    def _unpacked(self, data: bytes, rows: int) -> bytes:
        kind = int(self.leaf.compression)
        if kind in STREAMS:
            return STREAMS[kind]().decompress(data, self.stride * rows)
        if kind in _BYTES:
            return _by_pillow(data, kind, (self.stride, rows), {258: 8, 262: 1})
        if kind == _JPEG or kind in _FAX:
            tags = {
                number: self.leaf.tags[number].value for number in _COPIED[kind] if number in self.leaf.tags
            }
            return _by_pillow(data, kind, (self.width, rows), tags)
        name = tifffile.COMPRESSION(kind).name if kind in list(tifffile.COMPRESSION) else str(kind)
        raise InputError(
            f"more than {FREE // 10**6} megapixels of {name} compression: save it with LZW or Deflate"
        )


def _check_plain(leaf: tifffile.TiffPage, bands: _Bands) -> None:
    """Every strip or tile has its own place in the file."""
    starts = np.sort(np.array(leaf.dataoffsets, dtype=np.int64))
    least = bands.stride * bands.height(bands.count - 1)
    if (np.diff(starts) < least).any() or starts[-1] + least > leaf.parent.filehandle.size:
        raise InputError("its strips or tiles lie on top of each other, or are cut short: export it again")


def _by_pillow(data: bytes, kind: int, size: tuple[int, int], tags: dict[int, Any]) -> bytes:
    """The pixels of a strip or tile, put into a file of its own: Pillow has codecs without any extra."""
    width, rows = size
    tags = {256: width, 257: rows, 258: 1, 259: kind, 273: 0, 277: 1, 278: rows, 279: len(data)} | tags
    start = 8 + 2 + 12 * len(tags) + 4
    entries, beyond = b"", b""
    for tag, value in sorted(tags.items()):
        form, count, content = _field(start if tag == _OFFSETS else value)
        if len(content) > 4:  # it stands after the strip
            place = start + len(data) + len(beyond)
            beyond, content = beyond + content, struct.pack("<I", place)
        entries += struct.pack("<HHI", tag, form, count) + content.ljust(4, b"\0")
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    with PIL.Image.open(io.BytesIO(head + data + beyond), formats=("TIFF",)) as picture:
        return picture.tobytes()


def _field(value: Any) -> tuple[int, int, bytes]:
    """Type, count and content of a tag: bytes, or whole numbers."""
    if isinstance(value, bytes):
        return 7, len(value), value
    numbers = value if isinstance(value, tuple) else (value,)
    return 4, len(numbers), struct.pack(f"<{len(numbers)}I", *map(int, numbers))
