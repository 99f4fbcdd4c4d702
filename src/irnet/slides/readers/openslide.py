"""Slides of scanners by OpenSlide, which reads one focal plane of each."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from irnet.data.tiff_mpp import square
from irnet.errors import InputError
from irnet.slides.readers.slide import Box, Pixels, Slide
from irnet.wording import install_extra

_FOCUS = "focus"  # in the name of a hierarchy of MIRAX: its focal planes


def library() -> Any | None:
    """The module openslide, None where it or the library beneath is missing."""
    try:
        return importlib.import_module("openslide")
    except ImportError:
        return None


def vendor(path: Path) -> str | None:
    """The format of a file by OpenSlide's name, None where it knows none or is not installed."""
    openslide = library()
    if openslide is None:
        return None
    try:
        return openslide.OpenSlide.detect_format(str(path))
    except openslide.OpenSlideError:  # it knows the format; opening says what is wrong
        return "damaged"


class OpenSlideSlide(Slide):
    """A slide that OpenSlide has open."""

    def __init__(self, path: Path) -> None:
        openslide = library()
        if openslide is None:
            raise InputError(f"{path}: a format of scanners, for which OpenSlide is missing: {remedy()}")
        try:
            self._slide = openslide.OpenSlide(str(path))
        except openslide.OpenSlideError as error:
            raise InputError(
                f"{path}: OpenSlide cannot read it ({type(error).__name__}): "
                "copy it again with all the files that belong to it, or export it as pyramidal TIFF"
            ) from None

        self.reader = f"OpenSlide {openslide.__library_version__}"
        self.files = (path, *_companions(path))
        self.levels = tuple((height, width) for width, height in self._slide.level_dimensions)
        properties = self._slide.properties
        self.mpp, notes = _um_per_pixel(properties)
        self.notes = (*notes, *_planes_left_out(properties))
        background = properties.get("openslide.background-color", "FFFFFF")
        self._background = np.frombuffer(bytes.fromhex(background), dtype=np.uint8).astype(np.uint16)

    def _read(self, plane: int, level: int, box: Box) -> Pixels:
        x1, y1, x2, y2 = box
        across, down = (self.levels[0][side] / self.levels[level][side] for side in (1, 0))
        location = round(x1 * across), round(y1 * down)
        pixels = np.asarray(self._slide.read_region(location, level, (x2 - x1, y2 - y1)))  # (h, w, 4)

        opaque = pixels[..., 3:]
        if opaque.min() == 255:
            return pixels[..., :3]
        alpha = opaque.astype(np.uint16)
        laid = (pixels[..., :3] * alpha + self._background * (255 - alpha) + 127) // 255
        return laid.astype(np.uint8)

    def close(self) -> None:
        """Close its files."""
        self._slide.close()


def remedy() -> str:
    """How to get OpenSlide."""
    return install_extra("slides")


def _um_per_pixel(properties: Mapping[str, str]) -> tuple[float | None, list[str]]:
    try:
        size = float(properties["openslide.mpp-x"]), float(properties["openslide.mpp-y"])
    except (KeyError, ValueError):
        return None, []
    return square("the scanner's", size)


def _planes_left_out(properties: Mapping[str, str]) -> Iterator[str]:
    """A note on focal planes that OpenSlide has no way to."""
    counts = [value for name, value in properties.items() if name.endswith((".SizeZ", ".NoLayers"))]
    for name, value in properties.items():
        if name.endswith("_NAME") and _FOCUS in value.lower():
            counts.append(properties.get(name.removesuffix("_NAME") + "_COUNT", "1"))
    for count in counts:
        if count.isdecimal() and int(count) > 1:
            yield f"it has {count} focal planes, of which OpenSlide reads one: export it as OME-TIFF for all"


def _companions(path: Path) -> list[Path]:
    """Other files of a slide: in the folder of a MIRAX one, of the same beginning or ending beside others."""
    suffix = path.suffix.lower()
    if suffix == ".mrxs":
        return sorted(file for file in path.with_suffix("").rglob("*") if file.is_file())
    if suffix in (".vms", ".vmu"):
        files = path.parent.glob(f"{path.stem}*")
        return sorted(file for file in files if file.is_file() and file != path)
    return []
