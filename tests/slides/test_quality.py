"""Blur and ink of pens are flagged where they are and nowhere else."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_slides import write_pyramid
from scipy.ndimage import gaussian_filter

import irnet
from irnet.cells import Cells
from irnet.slides.quality import FLOOR, PATCH, blurred_below, patches_of
from irnet.slides.readers.slide import Pixels
from irnet.slides.windows import plan_windows
from irnet.verbs.slide_finish import finish_slides
from irnet.verbs.slide_plan import SlideOptions, plan_slides
from irnet.verbs.slide_run import run_slides

MPP, SIDE = 0.37, 1024
INKS = {"green": (10, 150, 70), "blue": (25, 45, 200), "red": (220, 25, 45), "black": (22, 24, 30)}


def smear(seed: int, side: int, **options: Any) -> Pixels:
    """A generated field."""
    return irnet.generate(seed, size=(side, side), mpp=MPP, **options)[0]


def looked_at(image: Pixels, halo: int = 0) -> np.ndarray:
    """The patches of an image in windows of 512 px."""
    glass = tuple(np.percentile(image.reshape(-1, 3), 95, axis=0).tolist())
    windows = plan_windows(image.shape[:2], core=512, halo=halo)
    return np.concatenate([patches_of(window.cut_out(image), window, glass, MPP) for window in windows])


@pytest.mark.parametrize(
    ("palette", "layout"), [("pap", "crowded"), ("pale", "cps"), ("vivid", "heaped"), ("strong", "dense")]
)
def test_sharp_smears_have_neither_and_blurred_ones_are_blurred(palette: str, layout: str) -> None:
    image = smear(5, 768, palette=palette, layout=layout)
    sharp = looked_at(image)
    assert np.isfinite(sharp[:, 4]).sum() > len(sharp) / 2
    assert np.nanmin(sharp[:, 4]) > blurred_below(sharp[:, 4])
    assert not sharp[:, 5].any()

    blurred = looked_at(np.asarray(gaussian_filter(image, (3, 3, 0)), dtype=np.uint8))
    assert np.nanmax(blurred[:, 4]) < blurred_below(sharp[:, 4])
    assert np.nanmedian(blurred[:, 4]) < FLOOR
    assert not blurred[:, 5].any()


@pytest.mark.parametrize("ink", INKS)
def test_a_stroke_of_a_pen_is_ink_over_glass_and_over_cells(ink: str) -> None:
    image = smear(6, SIDE, palette="vivid").astype(np.float32)
    image[300:700] *= np.array(INKS[ink]) / 236  # over whatever lies there
    patches = looked_at(image.round().astype(np.uint8), halo=256)
    top, bottom = patches[:, 1], patches[:, 3]
    covered = np.clip(np.minimum(bottom, 700) - np.maximum(top, 300), 0, None) / (bottom - top)
    np.testing.assert_allclose(patches[:, 5], covered, atol=0.1)
    assert not patches[covered == 0, 5].any()


def test_patches_share_out_the_core_and_bare_glass_has_no_sharpness() -> None:
    draw = np.random.default_rng(0)
    image = np.clip(230 + draw.normal(0, 3, (700, 900, 3)), 0, 255).round().astype(np.uint8)
    patches = looked_at(image, halo=64)
    covered = np.zeros(image.shape[:2], int)
    for x1, y1, x2, y2 in patches[:, :4].astype(int).tolist():
        assert max(x2 - x1, y2 - y1) <= PATCH
        covered[y1:y2, x1:x2] += 1
    assert (covered == 1).all()
    assert np.isnan(patches[:, 4]).all()
    assert blurred_below(patches[:, 4]) == FLOOR
    assert not patches[:, 5].any()


def test_qc_says_where_and_what_was_found_where_nothing_shows(tmp_path: Path) -> None:
    field = smear(7, SIDE, layout="crowded")
    row_of = np.concatenate([field, field[:, ::-1], field], axis=1)  # mirrored: without seams
    image = np.concatenate([row_of, row_of[::-1]])
    image[:1024, 2048:] = gaussian_filter(image[:1024, 2048:], (4, 4, 0))
    image[1536:, 2048:2560] = INKS["green"]
    image[:, :1024] = (240, 238, 241)  # nothing shows there
    slide = write_pyramid(tmp_path / "smear.tif", image, mpp=MPP, compression=None)
    plan = plan_slides([slide], tmp_path / "out", SlideOptions(window=(512, 256)))
    assert len(plan.slide("smear").audited) > 0

    def detect(pixels: Pixels, mpp: float) -> Cells:
        """A cell and a nucleus at one place of each frame."""
        masks, places = [np.ones((30, 30), bool), np.ones((8, 8), bool)], np.array([[300, 300], [310, 310]])
        return Cells.build(masks, places, [1, 2], pixels.shape[:2], scores=[0.9, 0.8])

    run_slides(plan.out, open_detector=lambda _: detect)
    row = finish_slides(plan.out).rows[0]
    said = json.loads((plan.folder("smear") / "qc.json").read_text())
    pictures = said["pictures"]
    assert (row["blurred"], row["pen"]) == (pictures["blurred"], pictures["pen"])

    windows = {one["window"]: one for one in pictures["looked_at"]}
    assert {*windows} == {*plan.slide("smear").windows()}
    for one in windows.values():
        x1, y1, _, y2 = one["box"]
        assert ("blurred" in one["flags"]) == (x1 >= 2048 and y2 <= 1024)
        assert ("pen" in one["flags"]) == (2048 <= x1 < 2560 and y1 >= 1536)
    assert pictures["windows_flagged"] == {"blurred": 4, "pen": 1, "bubble": 0}
    for region in pictures["regions"]:
        x1, _, _, y2 = region["box"]
        assert x1 >= 2048
        assert region["flags"] == ["blurred"] if y2 <= 1024 else ["pen"]

    assert [one["window"] for one in said["audit"]] == sorted(plan.slide("smear").audited)
    assert sum(one["cells"] + one["nuclei"] for one in said["audit"]) == row["found_where_nothing_shows"] > 0
    assert all(len(one["ids"]) == one["cells"] + one["nuclei"] for one in said["audit"])
