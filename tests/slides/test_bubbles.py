"""Air bubbles are found, of any size, merged, cut by the border and faint, and nothing else is."""

import json
from pathlib import Path

import numpy as np
import pytest
from made_bubbles import Pixels, darken, draw_bubble, draw_stroke
from made_slides import write_pyramid
from scipy.ndimage import gaussian_filter

import irnet
from irnet.cells import Cells
from irnet.slides.bubbles import Bubble, find_bubbles
from irnet.slides.plan import SlidePlan
from irnet.slides.readers.picture import PictureSlide
from irnet.slides.tissue import find_tissue
from irnet.verbs.slide_finish import finish_slides
from irnet.verbs.slide_plan import SlideOptions, plan_slides
from irnet.verbs.slide_run import run_slides

MPP, SIDE = 2.0, 600  # 1.2 mm


@pytest.fixture(scope="module")
def smear() -> Pixels:
    return irnet.generate(40, size=(SIDE, SIDE), mpp=MPP, layout="dense")[0]


def found(image: Pixels) -> tuple[Bubble, ...]:
    return find_bubbles(find_tissue(PictureSlide(image, MPP), 0, MPP), MPP)


@pytest.mark.parametrize(
    ("discs", "rim_um", "density", "cells"),
    [
        ([(600, 600, 50)], 14, 0.4, False),
        ([(500, 700, 150)], 20, 0.3, True),
        ([(600, 600, 500)], 30, 0.3, True),
        ([(450, 600, 250), (800, 650, 180)], 25, 0.4, False),
        ([(1180, 600, 300)], 20, 0.4, True),
        ([(1150, 30, 300)], 20, 0.4, False),
        ([(600, 600, 300)], 10, 0.15, False),
    ],
)
def test_bubbles_are_found(smear: Pixels, discs: list, rim_um: float, density: float, cells: bool) -> None:
    image = draw_bubble(smear, MPP, discs, rim_um=rim_um, density=density, cells=cells)
    (bubble,) = found(image)
    ends = np.clip([[x - r, y - r, x + r, y + r] for x, y, r in discs], 0, SIDE * MPP)
    expected = [*ends[:, :2].min(axis=0), *ends[:, 2:].max(axis=0)]
    assert np.array(bubble.box) * MPP == pytest.approx(expected, abs=25)
    assert bubble.area_in((0, 0, SIDE, SIDE)) == pytest.approx(
        np.pi / 4 * (bubble.diameter_um / MPP) ** 2, rel=0.05
    )
    assert bubble.area_in((0, 0, 10, 10)) == 0


def corner(image: Pixels) -> Pixels:
    """With the corner of a cover slip, and what lies beyond a straight edge."""
    lines = np.zeros(image.shape[:2])
    lines[250:254, :300] = lines[:254, 296:300] = lines[500:505] = 0.4
    return darken(image, lines)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image,
        lambda image: draw_stroke(image, MPP, (600, 600, 350), width_um=150, density=(0.9, 0.3, 0.2)),
        lambda image: draw_stroke(image, MPP, (600, 600, 350), width_um=200, density=(0.9, 0.9, 0.9)),
        lambda image: draw_stroke(image, MPP, (600, 600, 350), width_um=20, density=(0.1, 0.4, 0.3)),
        lambda image: np.asarray(gaussian_filter(image, (5, 5, 0))),
        lambda image: darken(image, 0.6 * np.hypot(*np.ogrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]) ** 4),
        corner,
        lambda image: draw_stroke(image, MPP, (600, 600, 100), width_um=230, density=(0.4, 0.3, 0.35)),
    ],
    ids=["smear", "coloured", "black", "thin", "blurred", "vignette", "cover slip", "clump"],
)
def test_what_is_like_bubbles_is_none(smear: Pixels, change) -> None:
    assert found(change(smear)) == ()


def test_where_the_scan_ends_a_bubble_does(smear: Pixels) -> None:
    image = draw_bubble(smear, MPP, [(600, 400, 300)], density=0.4)
    image[:200] = 255
    (bubble,) = found(image)
    assert np.array(bubble.box) * MPP == pytest.approx((300, 400, 900, 700), abs=25)


def test_qc_and_slides_csv_say_where(tmp_path: Path, smear: Pixels) -> None:
    image = draw_bubble(smear, MPP, [(300, 300, 150)], density=0.4)
    slide = write_pyramid(tmp_path / "smear.tif", image, mpp=MPP, levels=1, compression=None)
    plan = plan_slides([slide], tmp_path / "out", SlideOptions(window=(1024, 256), every=True))
    planned = plan.slide("smear")
    assert planned == SlidePlan.from_json(json.loads(json.dumps(planned.to_json())))
    assert plan_slides([slide], plan.out, SlideOptions(window=(1024, 256), every=True)) == plan

    run_slides(
        plan.out, open_detector=lambda _: lambda pixels, mpp: Cells.build([], [], [], pixels.shape[:2])
    )
    row = finish_slides(plan.out).rows[0]
    pictures = json.loads((plan.folder("smear") / "qc.json").read_text())["pictures"]
    (region,) = [one for one in pictures["regions"] if one["flags"] == ["bubble"]]
    assert np.array(region["box"]) * MPP == pytest.approx((150, 150, 450, 450), abs=25)
    assert region["diameter_um"] == pytest.approx(300, rel=0.05)
    assert row["bubble"] == pictures["bubble"] == pytest.approx(np.pi * 150**2 / 1200**2, rel=0.1)
    for one in pictures["looked_at"]:
        x1, y1, _, _ = one["box"]
        assert ("bubble" in one["flags"]) == (one["bubble"] > 0.05)
        assert (one["bubble"] > 0) == (x1 < 225 and y1 < 225)
    assert pictures["windows_flagged"]["bubble"] > 0
