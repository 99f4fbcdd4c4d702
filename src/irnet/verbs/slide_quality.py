"""What qc.json says of a slide: how good its pictures are, and what was found where nothing shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM
from irnet.slides.plan import SlidePlan
from irnet.slides.quality import blurred_below
from irnet.slides.reading import Store

BLURRED, PEN, BUBBLE = "blurred", "pen", "bubble"
FLAGS = (BLURRED, PEN, BUBBLE)
_INK = 0.05  # of a patch: more is a mark of a pen
_COVERED = 0.05  # of a window: more under bubbles flags it
_HALF = 0.5  # of the patches of a window whose sharpness is known: more blurred ones make it blurred
_MANY = 0.1  # of the windows: a flag that more of them have is one of the slide
_MOST = 10**6  # instances that are looked at in one window

Row = dict[str, Any]


def quality_rows(slide: SlidePlan, patches: Mapping[int, NDArray[np.float32]]) -> Row:
    """How good the pictures are, by the patches (p, 6) of each window that was looked at, by its number."""
    every = np.concatenate([np.zeros((0, 6), np.float32), *patches.values()])
    limit = blurred_below(every[:, 4])
    planned, windows, regions = slide.layout.windows(), [], []
    for number, mine in sorted(patches.items()):
        windows.append(_window(slide, number, planned[number].core, mine, limit))
        for patch in mine[(mine[:, 4] < limit) | (mine[:, 5] > _INK)]:
            flags = [BLURRED] * bool(patch[4] < limit) + [PEN] * bool(patch[5] > _INK)
            regions.append({"window": number, "box": _box(slide, patch[:4]), "flags": flags})

    regions += [
        {"box": _inside(slide, one.box), "diameter_um": one.diameter_um, "flags": [BUBBLE]}
        for one in slide.bubbles
    ]
    counts = {flag: sum(flag in row["flags"] for row in windows) for flag in FLAGS}
    return {
        "flags": [flag for flag in FLAGS if counts[flag] > _MANY * len(windows)],
        "windows_flagged": counts,
        "focus": _median(every[:, 4]),
        "blurred_below": round(limit, 4),
        "blurred": _blurred(every, limit),
        "pen": _ink(every),
        "bubble": _bubbly(slide, [row["box"] for row in windows]),
        "regions": regions,
        "looked_at": windows,
    }


def audit_rows(slide: SlidePlan, store: Store, done: Iterable[int]) -> list[Row]:
    """The windows that show nothing and were looked at all the same, and what was found in each."""
    windows, rows = slide.layout.windows(), []
    for number in sorted({*slide.audited} & {*done}):
        near = store.within(windows[number].core, limit=_MOST).instances
        boxes = np.array([one.box for one in near], dtype=np.float64).reshape(-1, 4)
        found = [one for one, mine in zip(near, windows[number].owns(boxes).tolist(), strict=True) if mine]
        cells = sum(one.label == CYTOPLASM for one in found)
        rows.append(
            {
                "window": number,
                "box": _box(slide, windows[number].core),
                "cells": cells,
                "nuclei": len(found) - cells,
                "ids": [one.id for one in found],
            }
        )
    return rows


def _window(
    slide: SlidePlan, number: int, core: tuple[int, ...], patches: NDArray[np.float32], limit: float
) -> Row:
    blurred = _blurred(patches, limit)
    box = _box(slide, core)
    bubble = _bubbly(slide, [box])
    held = (blurred or 0) > _HALF, (patches[:, 5] > _INK).any(), bubble > _COVERED
    flags = [flag for flag, has in zip(FLAGS, held, strict=True) if has]
    return {
        "window": number,
        "box": box,
        "focus": _median(patches[:, 4]),
        "blurred": blurred,
        "pen": _ink(patches),
        "bubble": bubble,
        "flags": flags,
    }


def _box(slide: SlidePlan, box: Iterable[float]) -> list[int]:
    """A box at the network's scale in px of the slide, inside of it."""
    return _inside(slide, (round(float(value) * slide.layout.px) for value in box))


def _inside(slide: SlidePlan, box: Iterable[int]) -> list[int]:
    height, width = slide.shape
    return [min(value, most) for value, most in zip(box, (width, height, width, height), strict=True)]


def _median(sharpness: NDArray[np.float32]) -> float | None:
    known = sharpness[~np.isnan(sharpness)]
    return round(float(np.median(known)), 4) if len(known) else None


def _blurred(patches: NDArray[np.float32], limit: float) -> float | None:
    """Of the patches whose sharpness is known, the share that is blurred; None where it is known of none."""
    known = patches[~np.isnan(patches[:, 4]), 4]
    return round(float((known < limit).mean()), 4) if len(known) else None


def _ink(patches: NDArray[np.float32]) -> float:
    """The share of the area of patches that is ink."""
    areas = np.prod(patches[:, 2:4] - patches[:, :2], axis=1)
    return round(float((areas * patches[:, 5]).sum() / max(1.0, float(areas.sum()))), 4)


def _bubbly(slide: SlidePlan, boxes: list[list[int]]) -> float:
    """The share of the area of boxes, in px of the slide, that is under bubbles."""
    area = sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in boxes)
    covered = sum(one.area_in(box) for box in boxes for one in slide.bubbles)
    return round(min(1.0, covered / max(1, area)), 4)
