"""TIFF by tifffile: OME-TIFF, NDPI and pyramids, all focal planes, tile by tile."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tifffile
from numpy.typing import NDArray

from irnet.data.inflation import check_tile
from irnet.data.pixels import ONE_ALPHA, as_rgb
from irnet.data.tiff_mpp import (
    DESCRIPTION,
    HEIGHT,
    SUBFILE,
    UNIT,
    WIDTH,
    X_RESOLUTION,
    Y_RESOLUTION,
    Tags,
    um_by_tags,
)
from irnet.errors import InputError
from irnet.slides.readers.quiet import quiet
from irnet.slides.readers.slide import Box, Pixels, Slide
from irnet.wording import install_extra, number_of

_TAGS = (SUBFILE, WIDTH, HEIGHT, DESCRIPTION, X_RESOLUTION, Y_RESOLUTION, UNIT)
_RATIONAL = (5, 10)  # types of tags
_JPEG = (6, 7, 34892, 33007)  # compressions
_APERIO_YCBCR = 33003  # tifffile leaves its colours as they are
_LARGEST = 2**27  # px of a strip or tile
_KEPT = 2**26  # px of strips and tiles that are kept for the next window
_PHOTOMETRIC = tifffile.PHOTOMETRIC
_ASSOCIATED, _UNASSOCIATED = tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA
_COLOURS = (_PHOTOMETRIC.MINISBLACK, _PHOTOMETRIC.MINISWHITE, _PHOTOMETRIC.RGB, _PHOTOMETRIC.YCBCR)
_ODD = "parts of its structure are damaged or unusual: levels or focal planes may be missing"
_REMEDY = "export it as pyramidal TIFF of 8-bit RGB"

Page = Any  # of tifffile: TiffPage or TiffFrame


class TiffSlide(Slide):
    """The largest image of a TIFF file, with its focal planes and smaller levels."""

    def __init__(self, path: Path) -> None:
        self.files, self.reader = (path,), f"tifffile {version('tifffile')}"
        self._file: Any = None
        try:
            with quiet("tifffile") as met:
                self._file = tifffile.TiffFile(path, _multifile=False)
                self._open()
            if met:
                self.notes = (*self.notes, _ODD)
        except (InputError, OSError) as error:
            raise InputError(f"{path}: {error}") from None
        except MemoryError:
            raise
        except Exception as error:  # tifffile raises any exception on a broken file
            raise InputError(f"{path}: damaged or unusual ({type(error).__name__}): {_REMEDY}") from error
        finally:
            if not self.levels:
                self.close()

    def _open(self) -> None:
        series = self._file.series
        if self._file.is_ome and series[0].kind != "ome":
            raise InputError("its OME metadata name other files, or are damaged: export it as one OME-TIFF")
        image = max(series, key=lambda one: _size(one.keyframe))
        steps, self.planes, notes = _axes(image)
        levels = [level for level in image.levels if len(level.pages) == len(image.pages)]
        self._pages = [_sort_pages(level.pages, steps, self.planes) for level in levels]
        for pages in self._pages:
            _check_page(pages[0][0].keyframe, channels=len(pages[0]))
            _check_whole(pages[0][0], self._file.filehandle.size)
            _check_whole(pages[-1][-1], self._file.filehandle.size)

        self.mpp, told = um_by_tags(self._tags, image.pages[0].index)
        others = sum(one is not image and _size(one.keyframe) * 4 > _size(image.keyframe) for one in series)
        if others:
            notes.append(f"it holds {others + 1} images: the largest is read")
        if not image.keyframe.is_tiled and _size(image.keyframe) > _KEPT:
            notes.append("it has no tiles, so reading takes long: save it as pyramidal TIFF")
        self._segment = lru_cache(max(4, _KEPT // _segment_size(image.keyframe)))(self._decode)
        self._alpha, said = self._find_alpha()
        self.notes = (*told, *notes, *said)
        self.levels = tuple((level.keyframe.imagelength, level.keyframe.imagewidth) for level in levels)

    def _find_alpha(self) -> tuple[tifffile.EXTRASAMPLE | None, list[str]]:
        """How a fourth channel lets white through, None if not at all, and notes. Raises InputError."""
        page = self._pages[-1][0][0]
        kind = next(
            (kind for kind in page.keyframe.extrasamples if kind in (_ASSOCIATED, _UNASSOCIATED)), None
        )
        if page.keyframe.samplesperpixel != 4 or kind is None:
            return None, []

        seen = np.concatenate([self._read_page(page, box).reshape(-1, 4) for box in _spread(page.keyframe)])
        low, high = int(seen[:, 3].min()), int(seen[:, 3].max())
        if low != high or (high and kind == _ASSOCIATED):
            return kind, []
        if high == 0 and not seen[:, :3].any():
            raise InputError(f"transparent everywhere, and black beneath: {_REMEDY}")
        return (kind, []) if high == 255 else (None, [ONE_ALPHA])

    def _tags(self, number: int) -> Tags:
        tags = self._file.pages[number].aspage().tags
        return {code: _value(tags[code]) for code in _TAGS if code in tags}

    def _read(self, plane: int, level: int, box: Box) -> Pixels:
        parts = [self._read_page(page, box) for page in self._pages[level][plane]]  # (h, w, samples) each
        pixels = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
        if pixels.shape[2] == 4:
            return self._lay_on_white(pixels[..., :3], pixels[..., 3:].astype(np.uint16))
        return pixels if pixels.shape[2] == 3 else as_rgb(pixels[..., 0])

    def _lay_on_white(self, colours: Pixels, alpha: NDArray[np.uint16]) -> Pixels:
        if self._alpha is None:
            return colours
        if self._alpha == _ASSOCIATED:
            return np.minimum(colours + (255 - alpha), 255).astype(np.uint8)
        return ((colours * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)

    def _read_page(self, page: Page, box: Box) -> NDArray[np.uint8]:
        """A box (h, w, samples) of a page."""
        frame = page.keyframe
        separate, _, _, _, contiguous = frame.shaped
        x1, y1, x2, y2 = box
        pixels = np.full((separate, y2 - y1, x2 - x1, contiguous), 255, dtype=np.uint8)

        for number in _segments_of(frame, box):
            segment, (channel, _, top, left, _) = self._segment(page, number)
            if segment is None:  # not scanned
                continue
            height, width = segment.shape[:2]
            a, b, c, d = max(y1, top), min(y2, top + height), max(x1, left), min(x2, left + width)
            if a < b and c < d:
                pixels[channel, a - y1 : b - y1, c - x1 : d - x1] = segment[
                    a - top : b - top, c - left : d - left
                ]
        joined = np.moveaxis(pixels, 0, 2).reshape(y2 - y1, x2 - x1, separate * contiguous)
        return 255 - joined if frame.photometric == _PHOTOMETRIC.MINISWHITE else joined

    def _decode(self, page: Page, number: int) -> tuple[NDArray[np.uint8] | None, tuple[int, ...]]:
        """A strip or tile (h, w, samples), None where it is empty, and its place in the page."""
        frame, file = page.keyframe, self._file.filehandle
        offset, count = page.dataoffsets[number], page.databytecounts[number]
        data = None
        if offset and count:
            file.seek(offset)
            data = file.read(count)

        more: dict[str, Any] = {}
        if frame.compression in _JPEG:
            more = {"jpegtables": page.jpegtables, "jpegheader": frame.jpegheader}
        with quiet("tifffile"):
            segment, place, _ = frame.decode(data, number, **more)
        return None if segment is None else segment[0], place

    def close(self) -> None:
        """Close its file."""
        if self._file is not None:
            self._file.close()


def look(path: Path) -> Literal["planes", "tiles", "plain", "unknown"]:
    """What a TIFF file is; "planes" are those of which OpenSlide reads one, as of OME-TIFF and NDPI."""
    try:
        with quiet("tifffile"), tifffile.TiffFile(path, _multifile=False) as file:
            image = max(file.series, key=lambda one: _size(one.keyframe))
            if file.is_ome or file.is_ndpi or len(image.pages) > 1:
                return "planes"
            return "tiles" if image.keyframe.is_tiled or len(image.levels) > 1 else "plain"
    except Exception:  # opening says what is wrong
        return "unknown"


def pixels_in(path: Path) -> int:
    """Pixels of the largest image of a TIFF file, 0 where it is none."""
    try:
        with quiet("tifffile"), tifffile.TiffFile(path, _multifile=False) as file:
            return max(_size(one.keyframe) for one in file.series)
    except Exception:  # opening says what is wrong
        return 0


def _spread(frame: Page) -> list[Box]:
    """Boxes all over a page: all of a small one."""
    height, width = frame.imagelength, frame.imagewidth
    down, across = (
        sorted({*np.linspace(0, max(0, side - 256), 8).astype(int).tolist()}) for side in (height, width)
    )
    return [(x, y, min(width, x + 256), min(height, y + 256)) for y in down for x in across]


def _size(frame: Page) -> int:
    return frame.imagelength * frame.imagewidth


def _segment_size(frame: Page) -> int:
    height, width = (
        (frame.tilelength, frame.tilewidth) if frame.is_tiled else (frame.rowsperstrip, frame.imagewidth)
    )
    return max(1, min(height, frame.imagelength) * width)


def _axes(image: tifffile.TiffPageSeries) -> tuple[dict[str, int], int, list[str]]:
    """Sizes of the axes over pages in their order, how many focal planes, and notes. Raises InputError."""
    within = len(image.keyframe.axes)
    sizes = dict(zip(image.axes, image.shape, strict=True))
    over = {axis: sizes[axis] for axis in image.axes[: len(image.axes) - within] if sizes[axis] > 1}
    if math.prod(over.values()) != len(image.pages):
        raise InputError(f"its planes have no pages of their own: {_REMEDY}")
    if unread := [axis for axis in over if axis not in "ZCIQ"]:
        raise InputError(f"a series along {' and '.join(unread)} (T is time): export one image of it")
    if over.get("C", 3) != 3:
        raise InputError(f"{over['C']} channels are no picture in colour: {_REMEDY}")

    stacked = [axis for axis in over if axis != "C"]
    if len(stacked) > 1:
        raise InputError(f"images along {' and '.join(stacked)}: export it as OME-TIFF of focal planes")
    planes = math.prod(over[axis] for axis in stacked)
    told = (
        []
        if stacked in ([], ["Z"])
        else [f"{number_of(planes, 'page')} of one size are taken for focal planes"]
    )
    return over, planes, told


def _sort_pages(pages: Sequence[Page | None], over: dict[str, int], planes: int) -> list[list[Page]]:
    """The pages of each focal plane: one, or one for each channel. Raises InputError."""
    if missing := sum(page is None for page in pages):
        raise InputError(f"{number_of(missing, 'page')} of it are missing: export it again")
    stacked = np.arange(len(pages)).reshape([*over.values()] or [1])
    if "C" in over:
        stacked = np.moveaxis(stacked, [*over].index("C"), -1)
    return [[pages[number] for number in row] for row in stacked.reshape(planes, -1).tolist()]


def _check_page(frame: Page, channels: int) -> None:
    """Raise InputError for pixels that are no picture, before any is read."""
    samples = frame.samplesperpixel * channels
    if frame.dtype != np.uint8 or frame.photometric not in _COLOURS or samples not in (1, 3, 4):
        raise InputError(f"pixels of {samples} channels and type {frame.dtype} are not read here: {_REMEDY}")
    if frame.compression == _APERIO_YCBCR or (
        frame.photometric == _PHOTOMETRIC.YCBCR and frame.compression not in _JPEG
    ):
        raise InputError(
            f"its colours are coded in a way that OpenSlide alone reads: {install_extra('slides')}"
        )
    if "Orientation" in frame.tags and frame.tags["Orientation"].value != 1:
        raise InputError("it is stored turned: save it upright")
    check_tile(_segment_size(frame), _size(frame))
    if _segment_size(frame) > _LARGEST:
        raise InputError(
            f"strips or tiles of more than {_LARGEST >> 20} megapixels: save it with tiles of 512 px"
        )
    try:
        frame.decode  # noqa: B018 (made when it is first asked for)
    except (ImportError, ValueError) as error:
        if "imagecodecs" not in str(error):
            raise
        raise InputError(f"its compression needs more codecs: {install_extra('slides')}") from None


def _check_whole(page: Page, size: int) -> None:
    """Raise InputError where a file of so many bytes ends before the pixels of a page do."""
    ends = np.add(page.dataoffsets, page.databytecounts)
    if len(ends) and ends.max() > size:
        raise InputError("damaged, it is cut short: copy or export it again")


def _segments_of(frame: Page, box: Box) -> Iterator[int]:
    """Numbers of the strips or tiles that a box meets."""
    x1, y1, x2, y2 = box
    height, width = (
        (frame.tilelength, frame.tilewidth) if frame.is_tiled else (frame.rowsperstrip, frame.imagewidth)
    )
    across, down = -(-frame.imagewidth // width), -(-frame.imagelength // height)
    for channel in range(frame.shaped[0]):
        for row in range(y1 // height, -(-y2 // height)):
            for column in range(x1 // width, -(-x2 // width)):
                yield (channel * down + row) * across + column


def _value(tag: Any) -> Any:
    """A tag's value as a number where it is a fraction."""
    if tag.dtype in _RATIONAL and isinstance(tag.value, tuple) and len(tag.value) == 2:
        return tag.value[0] / tag.value[1] if tag.value[1] else 0
    return tag.value
