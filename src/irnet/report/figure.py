"""Figures: image, truth and finding side by side, with captions and a scale bar."""

from collections.abc import Collection, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from irnet.cells import CYTOPLASM, LABEL_NAMES, NUCLEUS, Cells
from irnet.metrics.match import partners
from irnet.report.colours import LOOSE, colour_cells
from irnet.report.draw import Picture, overlay
from irnet.report.outlines import bar_length
from irnet.wording import number_of

BAND, SPACE = 34, 8  # px of the caption above a panel, and between panels
BAR_UM, BAR_SHARES = 20.0, (0.04, 0.6)  # um of a scale bar, if it is such a share of the width
ROOM = 80  # px of the shorter side of a picture that has a scale bar


def compare(
    image: Picture, truth: Cells, found: Cells, *, title: str = "image", width: float = 2.0
) -> Picture:
    """The image, its truth and what was found, side by side: (H + 34, 3 W + 16, 3).

    A found instance has the colour of the true one that it is matched with (one to one, IoU > 0.5). White are
    true instances that nobody found and found ones that are not true. A scale bar stands on the image where
    `truth.mpp` is known.
    """
    match = partners(found, truth)
    colours = colour_cells(truth)
    found_colours = np.concatenate([colours, [LOOSE]])[match]  # NO_PARENT is the last row
    colours[~np.isin(np.arange(len(truth)), match)] = LOOSE
    drawn = [
        image if truth.mpp is None else add_scale_bar(image, truth.mpp),
        overlay(image, truth, width=width, colours=colours),
        overlay(image, found, width=width, colours=found_colours),
    ]
    return panels(drawn, [title, f"truth: {count(truth)}", f"found: {count(found)}"])


def count(cells: Cells, annotated: Collection[int] = tuple(LABEL_NAMES)) -> str:
    """How many of each class that was annotated: `12 cells, 1 nucleus`."""
    nouns = {CYTOPLASM: "cell", NUCLEUS: "nucleus"}
    known = [(label, noun) for label, noun in nouns.items() if label in annotated]
    return ", ".join(number_of(int((cells.labels == label).sum()), noun) for label, noun in known)


def panels(images: Sequence[Picture], captions: Sequence[str]) -> Picture:
    """Images of one height side by side on white, a caption above each."""
    widths = [image.shape[1] for image in images]
    size = sum(widths) + SPACE * (len(images) - 1), images[0].shape[0] + BAND
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=20)
    x = 0
    for image, caption, width in zip(images, captions, widths, strict=True):
        sheet.paste(Image.fromarray(image), (x, BAND))
        pen.text((x + 2, BAND // 2), caption, fill="black", font=font, anchor="lm")
        x += width + SPACE
    return np.asarray(sheet)


def add_scale_bar(image: Picture, mpp: float) -> Picture:
    """The image with a bar in its lower left corner, none where it has no room; `mpp` is um per pixel.

    It is 20 um long, so that pictures compare, and another round length where that is too much or too little.
    """
    sheet = Image.fromarray(image)
    if min(sheet.size) < ROOM:
        return image
    extent = sheet.width * mpp
    um = BAR_UM if BAR_SHARES[0] <= BAR_UM / extent <= BAR_SHARES[1] else bar_length(extent)

    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=18)
    length, bottom, text = round(um / mpp), sheet.height - 16, f"{um:g} um"
    pen.rectangle((16, bottom - 5, 16 + length, bottom), fill="black", outline="white")
    place = (16 + max(length, pen.textlength(text, font)) / 2, bottom - 8)
    pen.text(place, text, fill="black", stroke_fill="white", stroke_width=2, font=font, anchor="mb")
    return np.asarray(sheet)
