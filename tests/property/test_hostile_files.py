"""Damaged and malicious files: each is read or refused by name, none crashes, hangs or eats the memory.

The campaigns run in a process of their own, so that a crash of a decoder is a failed test and not the end of
all tests. Decoders of the ecosystem do crash and hang on such files.
"""

import copy
import io
import json
import multiprocessing
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile

from irnet.cells import Cells, Truth
from irnet.data.check import check
from irnet.data.formats.coco import read_coco, write_coco
from irnet.data.image import read_image
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.geometry import masks

SECONDS = 120  # the campaigns take a few; this is for a hang
RNG = np.random.default_rng(0)
ROWS, COLUMNS = np.mgrid[:64, :64]
RGB = np.stack([ROWS * 3, COLUMNS * 3, ROWS + COLUMNS], axis=2).astype(np.uint8)
RGB ^= RNG.integers(0, 16, RGB.shape, dtype=np.uint8)


def run_apart(campaign: Callable[..., dict], *arguments: Any) -> dict:
    """What a campaign reports, run in a fresh process that must end by itself."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, campaign, *arguments))
    process.start()
    sender.close()  # the process holds the other one: its death ends the wait
    try:
        assert receiver.poll(SECONDS), "a file hangs the reader"
        return receiver.recv()
    except EOFError:
        process.join()
        pytest.fail(f"a file crashes the reader (exit code {process.exitcode})")
    finally:
        process.kill()
        process.join()
        receiver.close()


def _send(sender: Any, campaign: Callable[..., dict], *arguments: Any) -> None:
    sender.send(campaign(*arguments) | {"peak_mb": peak_mb()})


def peak_mb() -> float:
    """Most memory of this process; 0 where the system does not say. (getrusage counts the parent's too.)"""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 2**10


def tally(path: Path, read: Callable[[], object], report: dict) -> None:
    """Read a file: it works, is refused by name, or is written down as wrong."""
    try:
        read()
        report["read"] += 1
    except InputError as error:
        report["refused"] += 1
        if path.name not in str(error):
            report["wrong"].append(f"file not named: {error}")
    except Exception as error:
        report["wrong"].append(repr(error))


# Images


def image_seeds() -> dict[str, bytes]:
    def pil(kind: str, **options: Any) -> bytes:
        PIL.Image.fromarray(RGB).save(buffer := io.BytesIO(), kind, **options)
        return buffer.getvalue()

    def tiff(array: np.ndarray, **options: Any) -> bytes:
        tifffile.imwrite(buffer := io.BytesIO(), array, **options)
        return buffer.getvalue()

    wide = RGB.astype(np.uint16) * 16
    return {
        "png": pil("PNG"),
        "jpeg": pil("JPEG"),
        "progressive": pil("JPEG", progressive=True),
        "bmp": pil("BMP"),
        "tiff": pil("TIFF"),
        "deflate": pil("TIFF", compression="tiff_deflate"),
        "lzw": pil("TIFF", compression="tiff_lzw"),
        "16 bit": tiff(wide, photometric="rgb"),
        "16 bit deflate": tiff(wide, photometric="rgb", compression="deflate", rowsperstrip=8),
        "16 bit tiles": tiff(wide, photometric="rgb", tile=(32, 32), compression="deflate"),
        "ome": tiff(wide[..., 0], ome=True, metadata={"axes": "YX", "PhysicalSizeX": 0.25}),
        "imagej": tiff(wide[..., 0], imagej=True, resolution=(4, 4), metadata={"unit": "um"}),
    }


def damage(data: bytes, rng: random.Random) -> bytes:
    """Bytes changed (anywhere or in the header), cut off, inserted, removed or wiped."""
    damaged = bytearray(data)
    at = rng.randrange(len(damaged))
    match rng.randrange(6):
        case 0:
            damaged[at] = rng.randrange(256)
        case 1:
            damaged[rng.randrange(min(400, len(damaged)))] = rng.choice([0, 1, 127, 128, 255])
        case 2:
            del damaged[at:]
        case 3:
            damaged[at:at] = rng.randbytes(rng.randrange(1, 20))
        case 4:
            del damaged[at : at + rng.randrange(1, 64)]
        case _:
            damaged[at : at + 32] = bytes([rng.choice([0, 255])]) * min(32, len(damaged) - at)
    return bytes(damaged)


def image_campaign(folder: Path, cases: int) -> dict:
    report: dict = {"read": 0, "refused": 0, "wrong": []}
    path, rng = folder / "damaged.img", random.Random(0)
    for seed in image_seeds().values():
        path.write_bytes(seed)
        read_image(path)
        for _ in range(cases):
            path.write_bytes(damage(seed, rng))
            tally(path, lambda: read_image(path), report)
    return report


def test_damaged_images_are_read_or_refused(tmp_path: Path) -> None:
    report = run_apart(image_campaign, tmp_path, 50)
    assert report["wrong"] == []
    assert report["read"] + report["refused"] == 50 * len(image_seeds())
    assert report["refused"] > report["read"] > 0
    assert report["peak_mb"] < 600


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *extra: bytes, rows: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + data + chunk(b"IEND", b"")


def tiff(tags: dict[int, int], following: int = 0) -> bytes:
    """One directory of numbers and 64 bytes of data."""
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", following) + bytes(64)


PLAIN = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 279: 64}
TILED = {256: 8, 257: 8, 258: 16, 259: 1, 262: 1, 277: 1, 322: 0, 323: 0, 324: 8, 325: 64}
MALICIOUS = {
    "bomb.png": lambda: png(20_000, 20_000, rows=bytes(4_000_000)),
    "header.png": lambda: png(2**31 - 1, 2**31 - 1),
    "text bomb.png": lambda: png(8, 8, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(200_000_000), 9))),
    "profile bomb.png": lambda: png(8, 8, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(200_000_000), 9))),
    "bomb.tif": lambda: tiff(PLAIN | {256: 20_000, 257: 20_000}),
    "wide bomb.tif": lambda: tiff(PLAIN | {256: 20_000, 257: 20_000, 258: 16}),
    "header.tif": lambda: tiff(PLAIN | {256: 10**6, 257: 10**6}),
    "promise.tif": lambda: tiff(PLAIN | {256: 9000, 257: 9000, 258: 16}),
    "loop.tif": lambda: tiff(PLAIN | {279: 1}, following=8),
    "no width.tif": lambda: tiff(PLAIN | {256: 0}),
    "no tile.tif": lambda: tiff(TILED),
    "far strip.tif": lambda: tiff(PLAIN | {258: 16, 273: 2**31}),
    "many samples.tif": lambda: tiff(PLAIN | {277: 60_000}),
    "many bits.tif": lambda: tiff(PLAIN | {258: 65_535}),
    "page.jpg": lambda: b"<html><body>404</body></html>",
    "empty.jpg": lambda: b"",
    "vector.eps": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
}


def malicious_campaign(folder: Path) -> dict:
    report: dict = {"read": 0, "refused": 0, "wrong": []}
    for name, make in MALICIOUS.items():
        (folder / name).write_bytes(make())
    report["before_mb"] = peak_mb()
    for name in MALICIOUS:
        tally(folder / name, lambda name=name: read_image(folder / name), report)
    return report


def test_bombs_and_lies_are_refused_with_little_memory(tmp_path: Path) -> None:
    report = run_apart(malicious_campaign, tmp_path)
    assert report["wrong"] == []
    assert report["refused"] >= len(MALICIOUS) - 1  # the loop may be read: its only page is whole
    assert report["peak_mb"] - report["before_mb"] < 100


# Annotations

ODD = [None, True, False, 0, -1, 2**31, 2**63, 10**400, 1e12, -1e9, 0.5, float("nan"), float("inf"), "", "x"]
ODD += [
    "../a",
    "\0",
    "\ud800",
    "P" * 2000,
    "o" * 99,
    [],
    [[]],
    {},
    [None],
    ["x"],
    [1, 2, 3, 4],
    [1e9] * 6,
    [0] * 99,
]
TEXT = [b"[", b"{", b'"', b"9" * 20, b"null", b",", b"1e400", b"NaN", b"-", b"\\", b"\xff"]


def annotated(folder: Path) -> dict:
    """A valid file with compressed and plain run lengths, a polygon and links."""
    circles = [(ROWS - y) ** 2 + (COLUMNS - x) ** 2 < 150 for y, x in RNG.integers(10, 50, (6, 2))]
    cells = Cells.from_dense(np.stack(circles), [1, 1, 1, 2, 2, 2], parents=[-1, -1, -1, 0, 1, 2])
    path = folder / "annotations.json"
    write_coco(path, [Entry(name="a.png", path=folder / "a.png", truth=Truth(cells=cells))])
    data = json.loads(path.read_text())
    rle = data["annotations"][2]["segmentation"]
    rle["counts"] = masks.unpack(rle["counts"])
    data["annotations"][1]["segmentation"] = [[10, 10, 30, 10, 30, 30.5, 10, 30]]
    return data


def places(node: Any, path: tuple = ()) -> Iterator[tuple]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def put(data: dict, path: tuple, value: object) -> dict:
    data = copy.deepcopy(data)
    node: Any = data
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return data


def spoil(data: dict, rng: random.Random, everywhere: list[tuple]) -> bytes:
    """A value replaced by an odd one, run lengths or a polygon changed, or the text itself damaged."""
    match rng.randrange(4):
        case 0:
            changed = put(data, rng.choice(everywhere), copy.deepcopy(rng.choice(ODD)))
        case 1:
            text = list(data["annotations"][0]["segmentation"]["counts"])
            text[rng.randrange(len(text))] = chr(rng.randrange(32, 127)) * rng.randrange(3)
            changed = put(data, ("annotations", 0, "segmentation", "counts"), "".join(text))
        case 2:
            path = rng.choice(
                [path for path in everywhere if "segmentation" in path and path[-1] in range(99)]
            )
            changed = put(data, path, rng.choice([0, -1, 64, 2**32, 127.9, -130.0, rng.uniform(-130, 130)]))
        case _:
            damaged = bytearray(json.dumps(data).encode())
            at = rng.randrange(len(damaged))
            damaged[at : at + rng.randrange(30)] = rng.choice(TEXT)
            return bytes(damaged)
    return json.dumps(changed).encode("utf-8", "surrogatepass")


def annotation_campaign(folder: Path, cases: int) -> dict:
    report: dict = {"read": 0, "refused": 0, "wrong": []}
    data, path, rng = annotated(folder), folder / "annotations.json", random.Random(0)
    everywhere, checked = list(places(data)), copy.deepcopy(report)
    for _ in range(cases):
        path.write_bytes(spoil(data, rng, everywhere))
        tally(path, lambda: [entry.truth.cells.to_dense() for entry in read_coco(path)], report)
        tally(path, lambda: check([path]), checked)
    return report | {"checked": checked}


def test_spoiled_annotations_are_read_or_refused(tmp_path: Path) -> None:
    report = run_apart(annotation_campaign, tmp_path, 800)
    assert report["wrong"] == []
    assert report["read"] + report["refused"] == 800
    assert report["checked"] == {"read": 800, "refused": 0, "wrong": []}  # all is said in findings
    assert min(report["read"], report["refused"]) > 30
    assert report["peak_mb"] < 600


@pytest.mark.parametrize("name", ["a" * 10_000, "a/" * 2000 + "b", "\u202egnp.a", "con", "é\u0301.png"])
def test_strange_names_are_read_or_refused(tmp_path: Path, name: str) -> None:
    data = put(annotated(tmp_path), ("images", 0, "file_name"), name)
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(data))
    report: dict = {"read": 0, "refused": 0, "wrong": []}
    tally(path, lambda: read_coco(path), report)
    tally(path, lambda: check([path]), report)
    assert report["wrong"] == []
