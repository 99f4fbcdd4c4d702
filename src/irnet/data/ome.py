"""OME-XML in the first page of a TIFF: which image of it a page belongs to."""

import re
from dataclasses import dataclass, field

from irnet.data.xml_text import Element, read_elements
from irnet.errors import InputError

_ROOT = re.compile(r"<(\w+:)?OME[\s>]")
_SIZES = ("PhysicalSizeX", "PhysicalSizeXUnit", "PhysicalSizeY", "PhysicalSizeYUnit")


@dataclass(eq=False)
class _Image:
    pixels: dict[str, str] = field(default_factory=dict)  # attributes
    samples: list[int] = field(default_factory=list)  # of each channel
    blocks: list[Element] = field(default_factory=list)  # TiffData
    elsewhere: bool = False  # its pages lie in other files only


def find_pixels(text: str, page: int) -> dict[str, str] | None:
    """Attributes of the Pixels that a page belongs to, None where the text is no OME-XML.

    Raises InputError where that cannot be determined, and those of `read_elements`.
    """
    if not _ROOT.search(text[:10_000]):
        return None
    images = _read(text)
    for image in images:
        if any(start <= page < stop for start, stop in _pages(image, images)):
            return image.pixels
    sizes = {tuple(image.pixels.get(key) for key in _SIZES) for image in images}
    if len(sizes) > 1:
        raise InputError(f"page {page} belongs to none of its {len(images)} images")
    return images[0].pixels if images else {}


def _read(text: str) -> list[_Image]:
    images: list[_Image] = []
    own = ""
    for element in read_elements(text):
        match element.name:
            case "OME":
                own = element.attributes.get("UUID", "")
            case "Image":
                images.append(_Image())
            case "Pixels" if images:
                images[-1].pixels = element.attributes
            case "Channel" if images:
                images[-1].samples.append(_count(element.attributes.get("SamplesPerPixel"), 1))
            case "TiffData" if images:
                images[-1].blocks.append(element)
            case "UUID" if images and images[-1].blocks and own and element.text.strip() != own:
                images[-1].blocks.pop()
                images[-1].elsewhere = True
    return images


def _pages(image: _Image, images: list[_Image]) -> list[tuple[int, int]]:
    """Half-open ranges of the pages of an image; without TiffData the images follow each other."""
    if image.blocks:
        return [_range(block, image) for block in image.blocks]
    if image.elsewhere:
        return []
    start = sum(_planes(before) for before in images[: images.index(image)])
    return [(start, start + _planes(image))]


def _range(block: Element, image: _Image) -> tuple[int, int]:
    start = _count(block.attributes.get("IFD"), 0)
    alone = 1 if "IFD" in block.attributes else _planes(image)
    return start, start + _count(block.attributes.get("PlaneCount"), alone)


def _planes(image: _Image) -> int:
    channels = len(image.samples) if max(image.samples, default=1) > 1 else _size(image, "SizeC")
    return channels * _size(image, "SizeZ") * _size(image, "SizeT")


def _size(image: _Image, name: str) -> int:
    return max(1, _count(image.pixels.get(name), 1))


def _count(value: str | None, default: int) -> int:
    return (
        int(value)
        if value is not None and value.isascii() and value.isdecimal() and len(value) < 10
        else default
    )
