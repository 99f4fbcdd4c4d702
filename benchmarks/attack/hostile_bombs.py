"""Small files that stand for gigabytes: each is refused at once and without the gigabytes."""

import base64
import importlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import h5py
import hostile_texts as texts
import numpy as np
import PIL.Image
from hostile_changes import chunk, sign
from hostile_files import put
from hostile_formats import FORMATS
from hostile_pictures import cx22
from hostile_scene import Scene, Thing

from irnet.config import load_recipe
from irnet.data.coco.coco import read_coco
from irnet.data.formats import cvat, imagej, isbi2014, labelme, labels, qupath
from irnet.data.formats import cx22 as cx22_format
from irnet.data.image import read_image

MOST_SECONDS, MOST_MEGABYTES = 1.0, 300.0
UNPACKED = 2**30  # bytes
_BLOCK = bytes(2**20)
_SIDE = 20_000  # px: more than 89 million pixels
_LZW_CODES = 4094  # from the first code to the last before the table is full
_SCENE = Scene((Thing(1, 20, ((20, 40),) * 10), Thing(2, 24, ((26, 32),) * 4, parent=0)))


class Bomb(NamedTuple):
    """A file, how it is made, and who reads it."""

    file: str
    make: Callable[[Path], object]
    read: Callable[[Path], object]


@cache
def deflated(window: int = zlib.MAX_WBITS, size: int = UNPACKED) -> bytes:
    """So many zeros; a negative `window` without the header of zlib, as in a zip."""
    press = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    part = press.compress(_BLOCK) + press.flush(zlib.Z_FULL_FLUSH)  # stands by itself: pressed only once
    rest = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    stream = part * (size // len(_BLOCK)) + rest.compress(bytes(size % len(_BLOCK))) + rest.flush()
    adler32 = (size % 65521) << 16 | 1
    return stream if window < 0 else b"\x78\xda" + stream + struct.pack(">I", adler32)


@cache
def lzw() -> bytes:
    """UNPACKED zeros, nearly, as TIFF's LZW: each code stands for a zero more than the one before."""
    codes = [256, 0, *range(258, _LZW_CODES)]
    bits = "".join(f"{code:0{_width(place)}b}" for place, code in enumerate(codes))
    unpacked = len(codes) ** 2 // 2
    stream = bits * (UNPACKED // unpacked) + f"{257:09b}"
    stream = stream.ljust(-(-len(stream) // 8) * 8, "0")
    return int(stream, 2).to_bytes(len(stream) // 8, "big")


def _width(place: int) -> int:
    """Bits of the code at a place after the table was cleared; TIFF widens one code early."""
    return min(12, max(9, (256 + place + 1).bit_length())) if place else 9


def bomb_png(width: int, height: int, *extra: bytes, rows: bytes | None = None) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(72)) if rows is None else rows)
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + data + chunk(b"IEND", b"")


def bomb_tiff(
    content: bytes, compression: int, side: int = 8, bits: int = 8, *, tiled: bool = False
) -> bytes:
    """One strip or tile that unpacks to far more than the picture, or to as much as it says it has."""
    tags = {256: side, 257: side, 258: bits, 259: compression, 262: 1, 277: 1}
    tags |= (
        {322: side, 323: side, 324: 0, 325: len(content)} if tiled else {273: 0, 278: side, 279: len(content)}
    )
    start = 8 + 2 + 12 * len(tags) + 4
    tags[324 if tiled else 273] = start
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0) + content


def bomb_webp() -> bytes:
    """A lossless picture of one colour whose header says 16383 x 16383."""
    PIL.Image.new("RGB", (64, 64), "white").save(buffer := io.BytesIO(), "WEBP", lossless=True)
    content = bytearray(buffer.getvalue())
    at = content.index(b"VP8L") + 9
    content[at : at + 4] = struct.pack("<I", (2**28 - 1) & ~(1 | 1 << 14) | (content[at + 3] >> 4) << 28)
    return bytes(content)


def bomb_zip(*, lie: bool) -> bytes:
    """A region of a gigabyte; `lie`: the archive says that it has 100 bytes."""
    with zipfile.ZipFile(buffer := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("c0001.roi", b"")
    packed, content = deflated(-zlib.MAX_WBITS), buffer.getvalue()
    sizes = struct.pack("<III", 0, len(packed), 100 if lie else UNPACKED)
    local, directory, end = (content.index(sign_) for sign_ in (b"PK\3\4", b"PK\1\2", b"PK\5\6"))
    name = b"c0001.roi"
    head = content[local : local + 14] + sizes + content[local + 26 : local + 30] + name
    entry = content[directory : directory + 16] + sizes + content[directory + 28 : end]
    place = len(head) + len(packed)
    return head + packed + entry + content[end : end + 16] + struct.pack("<I", place) + content[end + 20 :]


def bomb_mat() -> bytes:
    """A compressed variable of a MATLAB 5 file."""
    head = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H2s", 0x0100, b"IM")
    return head + struct.pack("<II", 15, len(deflated())) + deflated()


def _bomb_hdf5(folder: Path) -> None:
    """A mask of 2^15 x 2^15, each chunk a few packed bytes."""
    cx22(folder, _SCENE)
    with h5py.File(folder / "cyto" / "cyto_ins.mat", "w") as file:
        file.create_dataset("mask", (2**15, 2**15), "u1", chunks=(2**15, 2**15), compression="gzip")
        file["mask"].id.write_direct_chunk((0, 0), deflated())
        references = np.empty((1, 1), dtype=h5py.ref_dtype)
        references[0, 0] = file["mask"].ref
        file.create_dataset("cyto_ins", data=references)


def _bomb_references(folder: Path) -> None:
    """A cell array that names one mask a million times."""
    cx22(folder, _SCENE)
    with h5py.File(folder / "cyto" / "cyto_ins.mat", "w") as file:
        inner = file.create_dataset("inner", (1, 10**6), h5py.ref_dtype, compression="gzip")
        inner[:] = np.full((1, 10**6), file.create_dataset("mask", data=np.ones((104, 80), np.uint8)).ref)
        outer = file.create_dataset("cyto_ins", (1, 1), h5py.ref_dtype)
        outer[:] = np.full((1, 1), inner.ref)


def _with_json(name: str, change: Callable[[dict], object], write: Callable, folder: Path) -> None:
    write(folder, _SCENE)
    data = json.loads((folder / name).read_text())
    change(data)
    put(folder / name, json.dumps(data))


def _nested(name: str, write: Callable, folder: Path) -> None:
    write(folder, _SCENE)
    put(folder / name, b'{"a": ' + b"[" * 10**6 + b"]" * 10**6 + b"}")


def _many_frames(data: dict) -> None:
    """A thousand masks of the whole frame, which are a few bytes each."""
    side = 9000
    data["images"][0] |= {"height": side, "width": side}
    rle = {"size": [side, side], "counts": [0, side * side]}
    data["annotations"] = [
        {"id": n, "image_id": 1, "category_id": 1, "segmentation": rle} for n in range(1, 1000)
    ]


def _mask_bomb(data: dict) -> None:
    bomb = base64.b64encode(bomb_png(_SIDE, _SIDE, rows=deflated())).decode()
    data["shapes"] = [{"label": "nucleus", "shape_type": "mask", "points": [[1, 1], [9, 9]], "mask": bomb}]


def _weights(folder: Path, *, header: int = 0, settings: dict | None = None) -> None:
    importlib.import_module("irnet.inference.weights")  # what that takes is not the bomb's
    values = load_recipe("tiny").model_dump(mode="json")
    values["model"] |= settings or {}
    meta = json.dumps({"sha256": "0" * 64, "format": 1, "kind": "weights", "settings": values, "trained": {}})
    tensor = {"dtype": "F32", "shape": [2**20, 2**20], "data_offsets": [0, 2**42]}
    text = json.dumps(
        {"__metadata__": {"irnet": meta}, "a": tensor} if header else {"__metadata__": {"irnet": meta}}
    )
    put(folder / "a.safetensors", sign(struct.pack("<Q", header or len(text)) + text.encode()))


def _load_weights(folder: Path) -> None:
    from irnet.inference.weights import load_weights

    load_weights(folder / "a.safetensors")


def _file(name: str, content: Callable[[], bytes], write: Callable | None = None) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        if write:
            write(folder, _SCENE)
        put(folder / name, content())

    return make


def _picture(suffix: str, content: Callable[[], bytes]) -> Bomb:
    name = f"a.{suffix}"
    return Bomb(name, _file(name, content), lambda folder: read_image(folder / name))


def _tiff(compression: int, **options) -> Bomb:
    content = lzw if compression == 5 else deflated
    return _picture("tif", lambda: bomb_tiff(content(), compression, **options))


_LARGE = {"side": 24_000}
_FOUND = FORMATS["found labels"]
BOMBS = {
    "PNG": _picture("png", lambda: bomb_png(_SIDE, _SIDE, rows=deflated(size=_SIDE * (_SIDE + 1)))),
    "PNG, header alone": _picture("png", lambda: bomb_png(2**31 - 1, 2**31 - 1)),
    "PNG, small header": _picture("png", lambda: bomb_png(8, 8, rows=deflated())),
    "PNG, zTXt": _picture("png", lambda: bomb_png(8, 8, chunk(b"zTXt", b"a\0\0" + deflated()))),
    "PNG, iTXt": _picture("png", lambda: bomb_png(8, 8, chunk(b"iTXt", b"a\0\1\0\0\0" + deflated()))),
    "PNG, iCCP": _picture("png", lambda: bomb_png(8, 8, chunk(b"iCCP", b"a\0\0" + deflated()))),
    "TIFF, deflate, 8 bit": _tiff(8),
    "TIFF, deflate, 8 bit, large": _tiff(8, **_LARGE),
    "TIFF, deflate, 16 bit": _tiff(8, bits=16),
    "TIFF, deflate, 16 bit, large": _tiff(8, bits=16, **_LARGE),
    "TIFF, deflate, 16 bit, tile": _tiff(8, bits=16, side=16, tiled=True),
    "TIFF, LZW, 8 bit": _tiff(5),
    "TIFF, LZW, 16 bit": _tiff(5, bits=16),
    "TIFF, LZW, 16 bit, large": _tiff(5, bits=16, **_LARGE),
    "WebP": _picture("webp", bomb_webp),
    "GIF": _picture("gif", lambda: b"GIF89a" + struct.pack("<HH", 65535, 65535) + bytes(64)),
    "label map, TIFF": Bomb(
        "field_cells.tif",
        _file("field_cells.tif", lambda: bomb_tiff(deflated(), 8, bits=16), FORMATS["labels"].write),
        labels.read,
    ),
    "label map, PNG": Bomb(
        "field_cp_masks.png",
        _file(
            "found/nucleus/field_cp_masks.png", lambda: bomb_png(_SIDE, _SIDE, rows=deflated()), _FOUND.write
        ),
        _FOUND.read,
    ),
    "ImageJ, zip": Bomb(
        "field.zip", _file("field.zip", partial(bomb_zip, lie=False), texts.imagej), imagej.read
    ),
    "ImageJ, zip that lies": Bomb(
        "field.zip", _file("field.zip", partial(bomb_zip, lie=True), texts.imagej), imagej.read
    ),
    "MATLAB 5": Bomb(
        "train_GT.mat", _file("train_GT.mat", bomb_mat, FORMATS["isbi2014"].write), isbi2014.read
    ),
    "HDF5, gzip": Bomb("cyto_ins.mat", _bomb_hdf5, cx22_format.read),
    "HDF5, references": Bomb("cyto_ins.mat", _bomb_references, cx22_format.read),
    "labelme, mask": Bomb(
        "field.json", partial(_with_json, "field.json", _mask_bomb, texts.labelme), labelme.read
    ),
    "labelme, nested": Bomb("field.json", partial(_nested, "field.json", texts.labelme), labelme.read),
    "QuPath, nested": Bomb("field.geojson", partial(_nested, "field.geojson", texts.qupath), qupath.read),
    "COCO, nested": Bomb(
        "annotations.json", partial(_nested, "annotations.json", texts.coco(texts.as_polygon)), read_coco
    ),
    "COCO, run lengths": Bomb(
        "annotations.json",
        partial(_with_json, "annotations.json", _many_frames, texts.coco(texts.as_polygon)),
        read_coco,
    ),
    "CVAT, nested": Bomb(
        "annotations.xml", _file("annotations.xml", lambda: b"<a>" * 10**6, texts.cvat), cvat.read
    ),
    "weights, header": Bomb("a.safetensors", partial(_weights, header=2**40), _load_weights),
    "weights, widths": Bomb(
        "a.safetensors", partial(_weights, settings={"fpn_width": 10**7, "fc_width": 10**7}), _load_weights
    ),
}
