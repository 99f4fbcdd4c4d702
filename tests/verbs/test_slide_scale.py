"""Um per pixel of slides that do not say them: estimated from nuclei if that is asked, and they are many."""

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from made_slides import Pixels, write_pyramid
from scipy.ndimage import find_objects, label

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.errors import InputError
from irnet.inference.detections import ImageDetections
from irnet.morphometry.pairing import pair_nuclei
from irnet.slides.readers.opening import open_slide
from irnet.slides.readers.picture import PictureSlide
from irnet.verbs.slide_info import slide_info
from irnet.verbs.slide_plan import SlideOptions, plan_slides
from irnet.verbs.slide_scale import estimate_mpp

GLASS, PALE, DARK = 236, 180, 90
NETWORK, NUCLEUS_PX = 0.37, 22.4


def smear(count: int, wide: int, side: int = 2400) -> Pixels:
    """Cells on glass in rows, `count` at most, whose nuclei are `wide` px."""
    image = np.full((side, side, 3), GLASS, np.uint8)
    step = 5 * wide
    places = [(y, x) for y in range(step, side - step, step) for x in range(step, side - step, step)]
    for y, x in places[:count]:
        half = step // 2
        rows, columns = np.ogrid[-half : half + 1, -half : half + 1]
        away = rows**2 + columns**2
        spot = image[y - half : y + half + 1, x - half : x + half + 1]
        spot[away <= (1.5 * wide) ** 2], spot[away <= (wide / 2) ** 2] = PALE, DARK
    return image


class Finder:
    """Finds the cells of `smear` by their grey levels."""

    def find_at(self, zoom: float, image: Pixels) -> ImageDetections:
        masks, places, labels = [], [], []
        for kind, level in ((CYTOPLASM, PALE), (NUCLEUS, DARK)):
            marked, _ = label(image[..., 0] <= level)
            for number, (rows, columns) in enumerate(find_objects(marked), 1):
                masks.append(marked[rows, columns] == number)
                places.append((columns.start, rows.start))
                labels.append(kind)
        scores = [0.9] * len(masks)
        offsets = np.array(places, dtype=np.int64).reshape(-1, 2)
        return ImageDetections(Cells.build(masks, offsets, labels, image.shape[:2], scores=scores), zoom, ())

    def choose(self, cells: Cells, score: float | None = None) -> Cells:
        return pair_nuclei(cells)


@pytest.mark.parametrize("wide", [16, 22, 33])
def test_nuclei_say_how_large_a_pixel_is(wide: int) -> None:
    found = estimate_mpp(PictureSlide(smear(10**6, wide)), 0, Finder, NETWORK, NUCLEUS_PX)
    assert found.mpp == pytest.approx(NETWORK * NUCLEUS_PX / wide, rel=0.05)
    assert found.low <= found.mpp <= found.high
    assert "um per pixel estimated from" in found.note()
    assert f"{found.nuclei} nuclei on {found.fields} fields" in found.note()


def test_few_nuclei_other_magnifications_and_weights_without_a_size_are_refused() -> None:
    for slide, given, said in (
        (smear(10, 22), NUCLEUS_PX, "9 nuclei in cells on 1 field, 20 are needed: give --mpp"),
        (smear(10**6, 60), NUCLEUS_PX, "too far from"),
        (smear(10**6, 22), 0.0, "know no size"),
    ):
        with pytest.raises(InputError, match=said):
            estimate_mpp(PictureSlide(slide), 0, Finder, NETWORK, given)


def test_a_plan_has_the_estimate_and_tells_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from irnet.inference.predict import Predictor

    slide = write_pyramid(tmp_path / "a.tif", smear(10**6, 33), mpp=None)
    with pytest.raises(InputError, match=r"unknown: give --mpp.*, or have irnet slide plan --estimate-scale"):
        plan_slides([slide], tmp_path / "out")
    monkeypatch.setattr(Predictor, "load", lambda *_, **__: Finder())
    plan = plan_slides([slide], tmp_path / "out", SlideOptions(estimate_scale=True)).slide("a")
    assert plan.layout.mpp == pytest.approx(0.25, rel=0.1)
    assert any("estimated from" in note for note in plan.notes)
    given = plan_slides([slide], tmp_path / "other", SlideOptions(estimate_scale=True, mpp=0.3)).slide("a")
    assert given.layout.mpp == 0.3


def test_um_per_pixel_that_contradict_the_file_are_told(tmp_path: Path) -> None:
    slide = write_pyramid(tmp_path / "a.tif", smear(10, 22, 600), mpp=0.5)
    plan = plan_slides([slide], tmp_path / "out", SlideOptions(mpp=0.25)).slide("a")
    assert plan.layout.mpp == 0.25
    assert "mpp 0.25 is taken, and not the 0.5 um per pixel stated" in plan.notes
    same = plan_slides([slide], tmp_path / "same", SlideOptions(mpp=0.5)).slide("a")
    assert not any("is taken" in note for note in same.notes)


@pytest.mark.parametrize("um", [1e-4, 3e-3, 1000.0, 5e4])
def test_sizes_of_no_microscope_are_implausible_and_not_unknown(tmp_path: Path, um: float) -> None:
    slide = write_pyramid(tmp_path / "a.tif", smear(10, 22), mpp=um)
    with pytest.raises(InputError, match=re.escape(f"implausible (pixels of {um:.4g} x {um:.4g} um")):
        plan_slides([slide], tmp_path / "out")
    assert "implausible" in "\n".join(slide_info(slide).lines())


def test_pixels_that_are_not_square_are_told_once(tmp_path: Path) -> None:
    slide = tmp_path / "a.tif"
    size = {"resolution": (40_000, 20_000), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(slide, smear(10, 22), tile=(64, 64), photometric="rgb", **size)
    said = "\n".join(slide_info(slide).lines())
    assert (said.count("not square"), "implausible" in said) == (1, False)
    assert "um by TIFF metadata are not square: give --mpp" in said
    with pytest.raises(InputError, match="are not square: give --mpp") as told:
        plan_slides([slide], tmp_path / "out")
    assert "implausible" not in str(told.value)


def test_sizes_of_paper_are_unknown(tmp_path: Path) -> None:
    for name, dots in (("a", (72, 72)), ("b", (300, 300)), ("c", (1, 1))):
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(
            path,
            smear(5, 22, 600),
            photometric="rgb",
            tile=(128, 128),
            resolution=dots,
            resolutionunit="INCH",
        )
        with open_slide(path) as slide:
            assert (slide.mpp, [*slide.notes]) == (None, [])
