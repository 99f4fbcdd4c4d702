"""Strips and tiles of TIFF files hold what the header says and no more: no small file fills the memory."""

import math
import struct
from typing import Any

import tifffile

from irnet.data.emptiness import STREAMS, jpeg_frame
from irnet.errors import InputError

_SLACK = 2**16  # bytes by which a segment may be longer than its rows
_STEP = 2**20  # bytes that are inflated at a time, to count them
_IMAGECODECS = {5: "lzw_decode", 32773: "packbits_decode", 50000: "zstd_decode"}
_PLAIN, _JPEG, _JPEG_2000 = 1, (7,), (33003, 33004, 33005, 34712)


def check_tile(tile: int, page: int) -> None:
    """Raise InputError for a strip or tile of many more pixels than its page: decoders make them whole."""
    if tile > 2**22 + 4 * page:
        raise InputError(f"tiles of {tile:,} pixels in a page of {page:,}: export it again")


def check_segments(leaf: tifffile.TiffPage) -> None:
    """Raise InputError unless every strip or tile is there: a decoder would fill what is not with zeros."""
    size = leaf.parent.filehandle.size
    places = list(zip(leaf.dataoffsets, leaf.databytecounts, strict=True))
    if len(places) != math.prod(leaf.chunked) or any(n <= 0 or start + n > size for start, n in places):
        raise InputError("strips or tiles are missing, the file is cut short: copy or export it again")
    if sum(leaf.databytecounts) > size:
        raise InputError("its strips or tiles lie on top of each other: export it again")


def check_inflation(leaf: tifffile.TiffPage) -> None:
    """Raise InputError where a strip or tile holds more than its part of the page: a small file, gigabytes.

    It is inflated once to be counted, piece by piece where the codec can, and forgotten.
    """
    kind, file = int(leaf.compression), leaf.parent.filehandle
    if kind == _PLAIN:
        return
    rows = leaf.tilelength if leaf.is_tiled else min(leaf.rowsperstrip, leaf.imagelength)
    width = leaf.tilewidth if leaf.is_tiled else leaf.imagewidth
    samples = leaf.samplesperpixel if leaf.planarconfig == tifffile.PLANARCONFIG.CONTIG else 1
    check_tile(rows * width, leaf.imagelength * leaf.imagewidth)
    limit = rows * -(-width * samples * leaf.bitspersample // 8) + _SLACK
    for offset, count in zip(leaf.dataoffsets, leaf.databytecounts, strict=True):
        file.seek(offset)
        if _is_longer(kind, file.read(count), limit, (width, rows)):
            raise InputError("its strips or tiles hold more than the page: broken, or made to fill memory")


def _is_longer(kind: int, data: bytes, limit: int, size: tuple[int, int]) -> bool:
    if kind in STREAMS:
        return _inflated(STREAMS[kind](), data, limit) > limit
    if kind in _IMAGECODECS:
        import imagecodecs

        try:
            return len(getattr(imagecodecs, _IMAGECODECS[kind])(data, out=limit + 1)) > limit
        except RuntimeError as error:  # zstd and PackBits do not stop at the limit, but refuse
            raise InputError(f"its strips are damaged, or hold more than the page ({error})") from None
    if kind in _JPEG or kind in _JPEG_2000:
        found = _jpeg_size(data) if kind in _JPEG else _jpeg_2000_size(data)
        return found[0] * found[1] > 2 * size[0] * size[1] + _SLACK
    name = tifffile.COMPRESSION(kind).name if kind in list(tifffile.COMPRESSION) else str(kind)
    raise InputError(f"its compression ({name}) is not read: save it with LZW, Deflate or none")


def _inflated(stream: Any, data: bytes, limit: int) -> int:
    total = len(stream.decompress(data, _STEP))
    while total <= limit and not stream.eof:
        rest = getattr(stream, "unconsumed_tail", b"")
        part = stream.decompress(rest, _STEP)
        if not part:
            break
        total += len(part)
    return total


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Height and width in the first frame of a JPEG stream, 0 where there is none."""
    place = jpeg_frame(data)
    return (0, 0) if place is None else struct.unpack(">HH", data[place + 5 : place + 9])


def _jpeg_2000_size(data: bytes) -> tuple[int, int]:
    place = data.find(b"\xff\x4f\xff\x51")
    if place < 0 or place + 24 > len(data):
        return 0, 0
    right, bottom, left, top = struct.unpack(">IIII", data[place + 8 : place + 24])
    return right - left, bottom - top
