"""Cropped boolean masks and COCO run lengths, made from one another without a full frame.

A mask is a pair of a boolean crop (h, w) and the (x, y) of its top-left pixel in the frame. COCO's run
lengths count pixels of the full frame column by column, background first.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from irnet.errors import InputError
from irnet.geometry import boxes, run_lengths

Mask = NDArray[np.bool_]
Offset = tuple[int, int]
Shape = tuple[int, int]
Counts = Sequence[int] | NDArray[np.uint32]  # run lengths
Window = tuple[int, int, int, int]  # x1, y1, x2, y2 in whole pixels, x2 and y2 exclusive

MAX_SIDE = 2**20
MAX_PIXELS = 2**32 - 1  # COCO's own tools count them in 32 bits
_MAX_DIGITS = 8  # of five bits
_PAIRS = 2**16  # of masks whose places are held as numbers of Python


def trim(mask: NDArray) -> tuple[Mask, Offset]:
    """The smallest crop that holds every true pixel of `mask`, and its (x, y); nothing true gives (0, 0).

    Raises InputError for what is no mask of two dimensions, such as probabilities.
    """
    given = np.asarray(mask)
    mask = given.astype(bool, copy=False)
    if given.ndim != 2 or (np.issubdtype(given.dtype, np.floating) and (given != mask).any()):
        raise InputError(f"a mask of shape {given.shape} and type {given.dtype}: give (h, w) of booleans")
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return np.zeros((0, 0), dtype=bool), (0, 0)
    crop = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.ascontiguousarray(crop), (int(columns[0]), int(rows[0]))


def extents(masks: Sequence[Mask], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Boxes of the crops in px of the frame, (n, 4); `offsets` (n, 2) are their x, y."""
    sizes = np.array([(m.shape[1], m.shape[0]) for m in masks], dtype=np.float64).reshape(-1, 2)
    return np.concatenate([offsets, offsets + sizes], axis=1).reshape(-1, 4).astype(np.float64)


def cut_out(
    masks: Sequence[Mask], offsets: NDArray[np.int64], shape: Shape
) -> tuple[list[int], list[Mask], list[Offset]]:
    """Of each mask with a pixel in a frame of `shape`: its index, what lies there, and x, y of that."""
    height, width = shape
    places = extents(masks, offsets)
    meets = (places[:, :2] < (width, height)).all(axis=1) & (places[:, 2:] > 0).all(axis=1)

    kept, parts, starts = [], [], []
    for index in np.flatnonzero(meets).tolist():
        x, y = offsets[index].tolist()
        left, top = max(0, -x), max(0, -y)
        part = masks[index][top : height - y, left : width - x]
        if part.any():
            kept.append(index)
            parts.append(part)
            starts.append((x + left, y + top))
    return kept, parts, starts


def intersections(
    masks_a: Sequence[Mask],
    offsets_a: NDArray[np.int64],
    masks_b: Sequence[Mask],
    offsets_b: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Pixels shared by each mask of `a` with each of `b`, (n, m). For few masks: see `shared_pixels`."""
    shared = np.zeros((len(masks_a), len(masks_b)), dtype=np.int64)
    pairs, counts = shared_pixels(masks_a, offsets_a, masks_b, offsets_b)
    shared[pairs[:, 0], pairs[:, 1]] = counts
    return shared


def shared_pixels(
    masks_a: Sequence[Mask],
    offsets_a: NDArray[np.int64],
    masks_b: Sequence[Mask],
    offsets_b: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs (i, j) of masks of `a` and `b` that share pixels, (k, 2), sorted, and how many they share, (k,).

    Only crops that meet are looked at: for any number of masks.
    """
    boxes_a, boxes_b = extents(masks_a, offsets_a), extents(masks_b, offsets_b)
    pairs = boxes.overlapping_pairs(boxes_a, boxes_b)

    shared = np.zeros(len(pairs), dtype=np.int64)
    for start in range(0, len(pairs), _PAIRS):
        some = pairs[start : start + _PAIRS]
        of_a, of_b = some.T
        low = np.maximum(boxes_a[of_a, :2], boxes_b[of_b, :2]).astype(np.int64)
        size = np.minimum(boxes_a[of_a, 2:], boxes_b[of_b, 2:]).astype(np.int64) - low
        bounds = np.concatenate([some, low - offsets_a[of_a], low - offsets_b[of_b], size], axis=1)  # (k, 8)

        for place, (i, j, ax, ay, bx, by, w, h) in enumerate(bounds.tolist(), start):
            both = masks_a[i][ay : ay + h, ax : ax + w] & masks_b[j][by : by + h, bx : bx + w]
            shared[place] = np.count_nonzero(both)
    return pairs[shared > 0], shared[shared > 0]


def as_window(box: NDArray[np.float64]) -> Window:
    """A mask's box (4,) as a window; such boxes lie on whole pixels."""
    x1, y1, x2, y2 = (int(value) for value in box)
    return x1, y1, x2, y2


def cover(masks: Sequence[Mask], offsets: NDArray[np.int64], window: Window) -> Mask:
    """Pixels of a window of the frame under any of the masks, (h, w); `offsets` (n, 2): x, y of the crops."""
    x1, y1, x2, y2 = window
    covered = np.zeros((y2 - y1, x2 - x1), dtype=bool)
    for mask, (x, y) in zip(masks, offsets.tolist(), strict=True):
        left, top = max(x1, x), max(y1, y)
        right, bottom = min(x2, x + mask.shape[1]), min(y2, y + mask.shape[0])
        if left < right and top < bottom:
            part = mask[top - y : bottom - y, left - x : right - x]
            covered[top - y1 : bottom - y1, left - x1 : right - x1] |= part
    return covered


def union(masks: Sequence[Mask], offsets: Sequence[Offset]) -> tuple[Mask, Offset]:
    """The crop of all pixels under any of the masks, and its (x, y); of one mask at least."""
    starts = np.array(offsets, dtype=np.int64).reshape(-1, 2)
    boxes = extents(masks, starts)
    x1, y1 = boxes[:, :2].min(axis=0).astype(int).tolist()
    x2, y2 = boxes[:, 2:].max(axis=0).astype(int).tolist()
    return cover(masks, starts, (x1, y1, x2, y2)), (x1, y1)


def encode(crop: Mask, offset: Offset, shape: Shape) -> list[int]:
    """COCO run lengths of the mask in a frame of `shape` (H, W). InputError for a frame that none can have.

    >>> encode(np.array([[True], [True]]), (1, 0), (2, 3))
    [2, 2, 2]
    """
    height, width = validate_shape(shape)
    (x, y), (h, w) = offset, crop.shape
    if not crop.size or not crop.any():
        return [height * width]

    # A run starts and ends where neighbours in a column differ; with background above and below, each does.
    padded = np.zeros((w, h + 2), dtype=np.int8)
    padded[:, 1:-1] = crop.T
    column, row = np.nonzero(np.diff(padded, axis=1))
    edges = (x + column) * height + y + row  # starts and ends of runs, column by column

    starts, ends = edges[0::2], edges[1::2]
    joined = starts[1:] == ends[:-1]  # a run that goes on at the top of the next column
    starts, ends = starts[np.r_[True, ~joined]], ends[np.r_[~joined, True]]

    bounds = np.stack([starts, ends], axis=1).ravel()
    counts = np.diff(bounds, prepend=0, append=height * width)
    return counts[:-1].tolist() if counts[-1] == 0 else counts.tolist()


def extent(counts: Counts, shape: Shape) -> Window:
    """The smallest window that holds the mask of valid run lengths; nothing true gives (0, 0, 0, 0)."""
    starts, ends = _runs(counts)
    if not len(starts):
        return 0, 0, 0, 0
    height, _ = shape
    (first, top), (last, bottom) = _places(starts, height), _places(ends - 1, height)

    tall = bool((first < last).any())  # a run that goes on at the top of the next column
    y1, y2 = (0, height) if tall else (int(top.min()), int(bottom.max()) + 1)
    return int(first[0]), y1, int(last[-1]) + 1, y2


def decode(counts: Counts, shape: Shape, window: Window | None = None) -> tuple[Mask, Offset]:
    """The tight crop and (x, y) of valid run lengths (see `validate_rle`); `window` is their `extent`."""
    x1, y1, x2, y2 = extent(counts, shape) if window is None else window
    starts, ends = _runs(counts)
    column, row = _places(starts, shape[0])

    places = (column - x1) * (y2 - y1) + row - y1  # in the crop, column by column
    pixels = bytearray((x2 - x1) * (y2 - y1))  # its slices are filled faster than an array's
    for start, length in zip(places.tolist(), (ends - starts).tolist(), strict=True):
        pixels[start : start + length] = b"\1" * length

    crop = np.frombuffer(pixels, dtype=bool).reshape(x2 - x1, y2 - y1)  # (w, h)
    return np.ascontiguousarray(crop.T), (x1, y1)


def _places(pixels: NDArray[np.int64], height: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Columns and rows of pixels that are counted column by column."""
    columns = pixels // height
    return columns, pixels - columns * height


def _runs(counts: Counts) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and ends of the runs that are not empty, in pixels of the frame column by column."""
    bounds = np.cumsum(np.asarray(counts, dtype=np.int64))
    starts, ends = bounds[0::2][: len(counts) // 2], bounds[1::2]
    return starts[ends > starts], ends[ends > starts]


def pack(counts: Sequence[int]) -> str:
    """COCO's compressed text: base 32, each count from the fourth on as a step from two before."""
    steps = np.array(counts, dtype=np.int64)
    steps[3:] -= steps[1:-2].copy()

    shifts = 5 * np.arange(_MAX_DIGITS)
    digits = steps[:, None] >> shifts & 0x1F  # (n, 8), lowest first
    rests = steps[:, None] >> shifts + 5
    last = (rests == np.where(digits & 0x10, -1, 0)).argmax(axis=1)[:, None]  # the sign bit says the rest

    places = np.arange(_MAX_DIGITS)
    codes = digits + np.where(places < last, 0x20, 0) + 48
    return codes[places <= last].astype(np.uint8).tobytes().decode("ascii")


def unpack(text: str) -> list[int]:
    """The run lengths of COCO's compressed text. Raises InputError on text that COCO never writes."""
    counts, _ = run_lengths.unpack([text])
    return counts.tolist()


def validate_shape(shape: Sequence[int]) -> Shape:
    """`shape` as (H, W) of a frame that can be worked on, or InputError."""
    if len(shape) != 2 or any(isinstance(s, bool) or not isinstance(s, int | np.integer) for s in shape):
        raise InputError(f"size must be two whole numbers [height, width], not {list(shape)}")
    height, width = int(shape[0]), int(shape[1])
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE and height * width <= MAX_PIXELS):
        most = f"sides up to {MAX_SIDE}, {MAX_PIXELS} pixels in all"
        raise InputError(f"size {height} x {width} is outside what a mask can have ({most})")
    return height, width


def validate_rle(counts: Sequence[int], shape: Sequence[int]) -> None:
    """Raise InputError unless `counts` are whole, not negative and add up to a frame of `shape` (H, W)."""
    height, width = validate_shape(shape)
    if len(counts) > height * width + 1:
        raise InputError(f"{len(counts)} run lengths are more than a {height} x {width} frame can have")
    if not all(issubclass(kind, int | np.integer) and kind is not bool for kind in set(map(type, counts))):
        raise InputError("run lengths must be whole numbers")
    if min(counts, default=0) < 0:
        raise InputError(f"run lengths must not be negative (found {min(counts)})")
    if (total := sum(map(int, counts))) != height * width:
        raise InputError(
            f"run lengths add up to {total}, not to {height} x {width} = {height * width} pixels"
        )
