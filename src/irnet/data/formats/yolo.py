"""YOLO text: one file an image, one instance a line, `CLASS x1 y1 x2 y2 ... [confidence] [track]`.

A line is a polygon whose coordinates are shares of the width and height; polygons may overlap. Ultralytics
writes it as training labels and, with `save_txt=True save_conf=True`, as predictions; with a tracker a
whole number follows, the track. Nothing says what the last numbers are: all lines of all files show it
together.
"""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from irnet.cells import LABEL_NAMES, Cells
from irnet.data.categories import DROPPED, label_of
from irnet.data.coco.document import naming, short
from irnet.data.room import MaskRoom
from irnet.errors import InputError
from irnet.geometry.masks import Mask, Offset, Shape
from irnet.geometry.polygons import MIN_VERTICES, pixels_filled, rasterise, validate

MAX_CHARACTERS = 2**26  # a thousand outlines of a thousand vertices take 16 MB
BOX = 2  # corners: centre and size, as detectors write
Tail = Literal["score or none", "track", "score and track"]
_OUTSIDE = 0.02  # how far beyond the frame, in shares of it, a vertex may lie: more is no share


@dataclass(frozen=True, eq=False, kw_only=True)
class YoloFile:
    """What a file says."""

    cells: Cells
    scored: bool | None  # whether instances have scores, None: there is none
    left_out: int  # lines without an area


class _Line(NamedTuple):
    label: int
    crop: Mask
    offset: Offset
    score: float | None
    corners: int


def find_tail(paths: Sequence[str | os.PathLike]) -> Tail:
    """What follows the coordinates in files of one origin, inferred from all their lines together.

    A whole number at the end of every line is a track: coordinates and confidences are shares. Where it may
    be a vertex on the border too, InputError names the line.
    """
    ends = [(Path(path), number, words) for path in paths for number, words in _lines(Path(path))]
    ends = [(path, number, words[1:]) for path, number, words in ends if len(words) > 1]
    odd = {len(words) % 2 == 1 for _, _, words in ends}
    if len(odd) != 1 or not all(words[-1].isdecimal() for _, _, words in ends):
        return "score or none"
    if odd == {True}:
        return "track"
    if any(int(words[-1][:9]) > 1 for _, _, words in ends):
        confident = all(_is_share(words[-2]) for _, _, words in ends)
        return "score and track" if confident else "score or none"
    for path, number, words in ends:
        if not _is_vertex(words):
            raise InputError(
                f"{path}, line {number}: its end may be a confidence and a track, or a vertex on the border: "
                "write numbers of tracks from 2 on or none, coordinates with decimals (1.0)"
            )
    return "score or none"


def read_yolo(
    path: str | os.PathLike,
    shape: Shape,
    *,
    mapping: Mapping[str, str] | None = None,
    tail: Tail | None = None,
) -> YoloFile:
    """The instances of a file in a frame of `shape` (H, W).

    `mapping` says what the class numbers mean, {"0": "cytoplasm"}, `tail` what follows the coordinates (None:
    `find_tail` of this file). Outlines without a pixel, down to none at all, are left out: Ultralytics writes
    some. Raises InputError that names file, line and remedy.
    """
    path = Path(path)
    tail = tail or find_tail([path])
    lines: list[_Line] = []
    room = MaskRoom()
    for number, words in _lines(path):
        with naming(f"{path}, line {number}"):
            line = _parse(words, shape, room, mapping, tail)
        lines += [line] if line else []
    scored = {line.score is not None for line in lines}
    if len(scored) > 1:
        raise InputError(
            f"{path}: some lines end in a confidence and some do not: write it on all or on none"
        )
    drawn = [line for line in lines if line.crop.size]
    if not drawn and any(line.corners == BOX for line in lines):
        raise InputError(f"{path}: four coordinates a line are boxes, not outlines: export masks")
    cells = Cells.build(
        [line.crop for line in drawn],
        [line.offset for line in drawn],
        [line.label for line in drawn],
        shape,
        scores=[1.0 if line.score is None else line.score for line in drawn],
    )
    return YoloFile(cells=cells, scored=scored.pop() if scored else None, left_out=len(lines) - len(drawn))


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The words of each line that has any, with its number."""
    for number, text in enumerate(_read(path), start=1):
        if words := text.split():
            yield number, words


def _is_share(word: str) -> bool:
    try:
        return 0 <= float(word) <= 1
    except ValueError:
        return False


def _is_vertex(words: Sequence[str]) -> bool:
    """Whether the last two of an even count of numbers, the last 0 or 1, go on with the others' outline.

    An outline at the border has several vertices there.
    """
    try:
        *others, last = np.array(words, dtype=np.float64).reshape(-1, 2)
    except ValueError:
        return True  # no numbers: anyone who reads the line says so
    if len(others) < MIN_VERTICES:
        return not others
    low, high = np.min(others, axis=0) - _OUTSIDE, np.max(others, axis=0) + _OUTSIDE
    return bool(((low <= last) & (last <= high)).all())


def _read(path: Path) -> list[str]:
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read(MAX_CHARACTERS + 1)
    except (OSError, UnicodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error})") from None
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"{path}: more than {MAX_CHARACTERS:,} characters are no outlines of one image")
    return text.splitlines()


def _parse(
    words: list[str], shape: Shape, room: MaskRoom, mapping: Mapping[str, str] | None, tail: Tail
) -> _Line | None:
    """An instance; None if its class is dropped."""
    if not words[0].isdecimal():
        raise InputError(f"the class must be a whole number, not {short(words[0])}")
    if (label := label_of(words[0], mapping)) == DROPPED:
        return None
    if label not in LABEL_NAMES:
        raise InputError(f"class {words[0]} is to be ignored: predictions have no such regions, say drop")
    numbers = [_number(word) for word in words[1:]]
    if tail != "score or none" and numbers:
        numbers.pop()
    score = numbers.pop() if len(numbers) % 2 else None
    if score is not None and not 0 <= score <= 1:
        raise InputError(f"the confidence must be from 0 to 1, not {score:g}")
    if beyond := [value for value in numbers if not -_OUTSIDE <= value <= 1 + _OUTSIDE]:
        raise InputError(f"coordinates must be shares of width and height, from 0 to 1, not {beyond[0]:g}")
    corners = len(numbers) // 2
    if corners < MIN_VERTICES:
        return _Line(label, np.zeros((0, 0), dtype=bool), (0, 0), score, corners)
    height, width = shape
    ring = [value * (height if place % 2 else width) for place, value in enumerate(numbers)]
    rings = validate([ring], shape)
    room.take(pixels_filled(rings, shape))
    return _Line(label, *rasterise(rings, shape), score, corners)


def _number(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{short(word)} is not a number")
    return value
