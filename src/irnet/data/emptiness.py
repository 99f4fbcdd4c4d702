"""Large pictures must show something: small files that stand for gigabytes are refused, not decoded.

How many bytes a file has says little: it can be padded, in its own stream too. So above FREE pixels rows are
looked at, piece by piece, without the picture, and most of them may not be copies of rows before them: what
repeats is let pass for FREE pixels, and for SHARE times as many as do not. A photograph has no rows alike,
and in a map of labels the rows through its cells differ; a blank picture, or one that has all it shows in a
corner, has few such rows. A picture that was made so that a ninth of its
rows differ is taken for an image.
"""

import lzma
import mmap
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
import PIL.Image

from irnet.errors import InputError

FREE = 10**8  # pixels: a blank image may have as many
SHARE = 8
SHORT = "its pixels end before the picture does: copy or export it again"
STREAMS = {
    8: zlib.decompressobj,
    32946: zlib.decompressobj,
    34925: lzma.LZMADecompressor,
}  # by TIFF's numbers
_REMEDY = "save it as PNG or TIFF"
_FREE_BYTES = 2**27  # of rows alike in a stream: a third of a second
_PIECE, _UNIT = 2**18, (2**12, 2**20)  # bytes that are inflated at a time; that are compared as one row
_NEAR = 2**21, 64  # bytes and rows at least: copies from further off cost a stream as much as new rows
_PROGRESSIVE = 2**25  # pixels of a JPEG that holds all its coefficients while it is decoded
_SCANS = 100  # of a progressive JPEG, which has about ten; each goes over the whole picture
_NO_SIZE = (0xC4, 0xC8, 0xCC)  # markers among those of JPEG frames that begin none
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the kind of a PNG
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_LEVELS = 3  # of a JPEG 2000: one eighth of its side and less is looked at


class Budget:
    """What of a file was seen, in pixels. Raises InputError where too much of it repeats."""

    def __init__(self) -> None:
        self.free, self.seen, self.distinct = float(FREE), 0.0, 0.0

    def spend(self, seen: float, distinct: float) -> None:
        """So many pixels more, of which `distinct` lie in rows that are no copies of others."""
        self.seen += seen
        self.distinct += distinct
        if self.seen > self.free + SHARE * self.distinct:
            raise InputError(
                f"more than {FREE // 10**6} megapixels, and nearly all rows are copies of others: "
                "not an image of a microscope; cut it into fields, or cut away what is empty"
            )


def check_content(file: BinaryIO, picture: PIL.Image.Image) -> None:
    """Raise InputError for a picture of more than FREE pixels, but a TIFF, that shows nearly nothing.

    `picture` is opened from `file` and not decoded yet.
    """
    if picture.width * picture.height <= FREE:
        return
    match picture.format:
        case "PNG":
            _check_png(file)
        case "JPEG" | "MPO":
            _check_jpeg(file)
        case "JPEG2000":
            _check_jpeg_2000(file)
        case "BMP":
            _check_bmp(file, picture)
        case kind:
            raise InputError(f"{kind} of more than {FREE // 10**6} megapixels is not read: {_REMEDY}")


def check_scans(file: BinaryIO) -> None:
    """Raise InputError for a JPEG of so many scans that they were made to keep a decoder busy."""
    file.seek(0)
    count, last = 0, b""
    while block := file.read(2**20):
        count += (last + block).count(b"\xff\xda")
        last = block[-1:]
    if count > _SCANS:
        raise InputError(f"a JPEG of more than {_SCANS} scans: save it again")


def check_stream(parts: Iterable[bytes], layout: list[tuple[int, int, int]], budget: Budget) -> None:
    """Raise InputError where the rows of a stream are too few, or nearly all copies of others.

    `layout` has width in px, bytes a row and number of rows of each part of a picture that follows another.
    """
    stream, held = iter(parts), bytearray()
    width, stride, _ = max(layout, key=lambda part: part[1])
    budget.free = min(budget.free, _FREE_BYTES * width / stride)
    for width, stride, rows in layout:
        unit = bytes_per_unit(stride)
        left, met, recent = stride * rows, set[int](), 0
        while left > 0:
            wanted = min(unit, left)
            while len(held) < wanted:
                if not (part := next(stream, b"")):
                    raise InputError(SHORT)
                held += part
            size = max(wanted, min(len(held), left) // unit * unit)
            budget.spend(*(pixels * width / stride for pixels in _count(bytes(held[:size]), unit, met)))
            del held[:size]
            left -= size
            recent += size
            if recent >= max(_NEAR[0], _NEAR[1] * unit):
                met.clear()
                recent = 0


def bytes_per_unit(stride: int) -> int:
    """How many bytes are compared as one: several short rows, or a piece of a long one."""
    return min(stride * max(1, _UNIT[0] // stride), _UNIT[1])


def _count(data: bytes, unit: int, met: set[int]) -> tuple[int, int]:
    """Bytes in all, and those in units that are not in `met`, where they are then."""
    before = len(met)
    met.update(hash(data[place : place + unit]) for place in range(0, len(data), unit))
    return len(data), min(len(data), (len(met) - before) * unit)


def inflate(stream: Any, parts: Iterable[bytes]) -> Iterator[bytes]:
    """What a decompressor of zlib or lzma makes of `parts`, in pieces that are never empty."""
    for part in parts:
        piece = stream.decompress(part, _PIECE)
        while piece:
            yield piece
            if stream.eof:
                return
            piece = stream.decompress(getattr(stream, "unconsumed_tail", b""), _PIECE)
        if stream.eof:
            return


def _check_png(file: BinaryIO) -> None:
    file.seek(16)
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", file.read(13))
    bits = depth * _CHANNELS.get(kind, 1)
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    sizes = ((-(-(width - x) // right), -(-(height - y) // down)) for x, y, right, down in passes)
    layout = [(w, 1 + (w * bits + 7) // 8, h) for w, h in sizes if w > 0 and h > 0]
    check_stream(inflate(zlib.decompressobj(), _png_data(file)), layout, Budget())


def _png_data(file: BinaryIO) -> Iterator[bytes]:
    """The bytes of a PNG's own stream."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        if kind != b"IDAT":
            file.seek(size + 4, 1)
            continue
        while size > 0 and (part := file.read(min(size, _PIECE))):
            yield part
            size -= len(part)
        file.seek(4, 1)


def jpeg_frame(data: bytes | mmap.mmap) -> int | None:
    """Where the first frame header of a JPEG stream begins; height and width are 5 and 7 bytes on."""
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:
            place += 1
        elif 0xC0 <= marker <= 0xCF and marker not in _NO_SIZE:
            return place
        else:
            place += 2 + struct.unpack(">H", data[place + 2 : place + 4])[0]
    return None


def _check_jpeg(file: BinaryIO) -> None:
    """Decode the upper part at an eighth of its size: a copy of the file in memory says there is no more."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as data:
        place = jpeg_frame(data)
        if place is None:
            raise InputError("a JPEG without a frame: export it again")
        height, width = struct.unpack(">HH", data[place + 5 : place + 9])
        most = FREE if data[place + 1] in (0xC0, 0xC1) else _PROGRESSIVE
        rows = max(1, min(height, most // width))
        data[place + 5 : place + 7] = struct.pack(">H", rows)
        with PIL.Image.open(data, formats=("JPEG",)) as picture:  # type: ignore[arg-type]
            picture.draft(None, (max(1, width // 8), max(1, rows // 8)))
            _check_share(picture, width * height)


def _check_jpeg_2000(file: BinaryIO) -> None:
    file.seek(0)
    head = file.read(2**16)
    place = head.find(b"\xff\x52", max(0, head.find(b"\xff\x4f\xff\x51")))
    levels = head[place + 9] if 0 <= place < len(head) - 9 else 0
    if levels < _LEVELS:
        raise InputError(f"a large JPEG 2000 of fewer than {_LEVELS} levels is not read: {_REMEDY}")
    file.seek(0)
    with PIL.Image.open(file, formats=("JPEG2000",)) as picture:
        pixels = picture.width * picture.height
        picture.reduce = min(levels, 5)  # type: ignore[assignment,method-assign]
        _check_share(picture, pixels)


def _check_share(picture: PIL.Image.Image, pixels: int) -> None:
    """By the rows of a part, or of a smaller copy, of a picture of so many pixels."""
    values = np.asarray(picture)
    distinct = len({hash(row.tobytes()) for row in values})
    Budget().spend(pixels, pixels * distinct / len(values))


def _check_bmp(file: BinaryIO, picture: PIL.Image.Image) -> None:
    codec, _, offset, arguments = picture.tile[0]  # type: ignore[attr-defined]
    if codec != "raw":
        raise InputError(f"a large BMP of run lengths is not read: {_REMEDY}")
    stride = arguments[1] if isinstance(arguments, tuple) else 0
    if offset + stride * picture.height > file.seek(0, 2):
        raise InputError(SHORT)
