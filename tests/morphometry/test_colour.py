"""Stain by hand: Beer-Lambert, the background, texture against a count of pairs."""

import numpy as np
import pytest
from skimage.feature import graycomatrix, graycoprops

from irnet.cells import CYTOPLASM, Cells
from irnet.morphometry import colour
from irnet.morphometry.colour import STEP, Part, Stains, StainSums, estimate_background
from irnet.synthetic import generate
from irnet.synthetic.smear import Patient

WHITE = np.array([200.0, 210.0, 220.0])


def measure_colour(picture: np.ndarray, mask: np.ndarray, background: np.ndarray, rows: int = 0) -> Stains:
    """The figures of one mask (h, w) of a picture (h, w, 3), in strips of so many rows; 0: at once."""
    height = len(picture)
    sums, rows = StainSums(1, background), rows or height
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        sums.add(picture[top : bottom + 1], bottom - top, [Part(0, 0, 0, mask[top : bottom + 1])])
    return Stains(*(values[0] for values in sums.finish()))


def measure_texture(levels: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
    """Entropy and contrast of a picture that absorbs in these levels of density, 0 to 63."""
    shades = 10 ** -((np.arange(64) + 0.5) * STEP) * 1e4  # a grey level for each, from 0 to 63
    picture = np.repeat(levels.astype(np.uint8)[..., None], 3, axis=2)
    sums = StainSums(1, WHITE)
    table = np.log10(1e4 / shades)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(colour, "optical_density", lambda picture, _: np.moveaxis(table[picture], 2, 0))
        sums.add(picture, len(picture), [Part(0, 0, 0, mask)])
    found = sums.finish()
    return found.entropy[0], found.contrast[0]


def absorbing(*densities: float) -> np.ndarray:
    return (WHITE * 10 ** -np.array(densities)).round().astype(np.uint8)


def test_densities_are_those_that_were_laid_on():
    picture = np.full((20, 30, 3), absorbing(0.1, 0.4, 0.25))
    found = measure_colour(picture, np.ones((20, 30), bool), WHITE)
    assert (found.pixels, found.entropy, found.contrast) == (600, 0, 0)
    assert (found.red, found.green, found.blue) == pytest.approx((0.1, 0.4, 0.25), abs=0.003)  # grey levels
    assert found.mean == pytest.approx(0.25, abs=0.003)
    assert found.sd == pytest.approx(0, abs=1e-7)  # the root of what rounding leaves


def test_two_layers_add_up():
    one, two = (
        measure_colour(np.full((4, 4, 3), absorbing(*[d] * 3)), np.ones((4, 4), bool), WHITE)
        for d in (0.15, 0.3)
    )
    assert two.mean == pytest.approx(2 * one.mean, rel=0.02)


def test_only_pixels_of_the_mask_count():
    picture = np.full((6, 6, 3), 255, np.uint8)
    picture[:, :3] = absorbing(0.2, 0.2, 0.2)
    mask = np.zeros((6, 6), bool)
    mask[:, :3] = True
    found = measure_colour(picture, mask, WHITE)
    assert (found.pixels, found.contrast) == (18, 0)
    assert found.mean == pytest.approx(0.2, abs=0.003)
    nothing = measure_colour(picture, np.zeros((6, 6), bool), WHITE)
    assert nothing.pixels == 0
    assert np.isnan(nothing[1:]).all()


def test_black_is_dense_and_brighter_than_background_is_negative():
    dark, bright = (
        measure_colour(np.full((2, 2, 3), level, np.uint8), np.ones((2, 2), bool), WHITE)
        for level in (0, 255)
    )
    assert dark.mean == pytest.approx(np.log10(WHITE).mean())
    assert bright.mean == pytest.approx(np.log10(WHITE / 255).mean())
    assert bright.entropy == 0


def test_texture_is_a_count_of_pairs():
    rng = np.random.default_rng(0)
    levels, mask = rng.integers(0, 64, (9, 11)), rng.random((9, 11)) < 0.7
    entropy, contrast = measure_texture(levels, mask)
    shares = np.unique(levels[mask], return_counts=True)[1] / mask.sum()
    assert entropy == pytest.approx(-(shares * np.log2(shares)).sum())
    means = []
    for dy, dx in ((0, 1), (1, 1), (1, 0), (1, -1)):
        pairs = [
            (levels[y, x] - levels[y + dy, x + dx]) ** 2
            for y in range(9 - dy)
            for x in range(max(0, -dx), 11 - max(0, dx))
            if mask[y, x] and mask[y + dy, x + dx]
        ]
        means.append(np.mean(pairs))
    assert contrast == pytest.approx(np.mean(means))


def test_contrast_of_a_whole_crop_is_that_of_scikit_image():
    levels = np.random.default_rng(1).integers(0, 64, (20, 30)).astype(np.uint8)
    turns = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4]
    expected = graycoprops(graycomatrix(levels, [1], turns, levels=64, symmetric=True), "contrast").mean()
    _, contrast = measure_texture(levels, np.ones((20, 30), bool))
    assert contrast == pytest.approx(expected)


@pytest.mark.parametrize(("mask", "contrast"), [([[1]], np.nan), ([[1, 0, 1]], np.nan), ([[1, 1]], 4.0)])
def test_texture_of_hardly_any_pixels(mask: list, contrast: float):
    levels = np.arange(len(mask[0]))[None] * 2
    assert measure_texture(levels, np.array(mask, bool))[1] == pytest.approx(contrast, nan_ok=True)


@pytest.mark.parametrize("palette", ["pap", "grey"])
def test_the_background_of_a_field_is_found_though_half_of_the_cells_were_missed(palette):
    patient = Patient.draw(5, palette)
    picture, truth = generate(5, size=(300, 300), palette=palette, patient=patient)
    white = np.minimum(patient.camera.white, 255)
    background = estimate_background(picture, truth.cells.select(slice(None, None, 2)))
    assert np.abs(np.log10(background / white)).max() < 0.015


def test_the_background_of_a_crowded_field_is_its_brightest_part():
    picture = np.full((50, 50, 3), 90, np.uint8)
    picture[:2] = 230
    everywhere = Cells.build([np.ones((50, 50), bool)], [(0, 0)], [CYTOPLASM], (50, 50))
    assert estimate_background(picture, everywhere).tolist() == [230] * 3


@pytest.mark.parametrize("covered", [0.2, 0.995])
def test_the_background_is_that_of_the_whole_image_in_bands_too(monkeypatch: pytest.MonkeyPatch, covered):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (60, 50, 3), dtype=np.uint8)
    masks = [rng.random((60, 50)) < covered, np.ones((9, 20), dtype=bool)]
    cells = Cells.build(masks, [(0, 0), (5, 30)], [CYTOPLASM] * 2, (60, 50))
    whole = estimate_background(picture, cells)
    monkeypatch.setattr(colour, "BAND", 7)
    assert estimate_background(picture, cells).tolist() == whole.tolist()
    outside = picture[~cells.to_dense().any(axis=0)] if covered < 0.9 else picture.reshape(-1, 3)
    level = np.quantile(outside, 0.75 if covered < 0.9 else 0.99, axis=0, method="inverted_cdf")
    assert whole.tolist() == level.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_strips_and_masks_together_as_each_alone_pixel_by_pixel(seed: int):
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    boxes = [
        (0, 0, 50, 40),
        (45, 36, 50, 40),
        (10, 5, 31, 25),
        (7, 7, 8, 8),
        (12, 3, 13, 40),
        (20, 20, 24, 20),
    ]
    masks = [rng.random((y2 - y1, x2 - x1)) < rng.choice([0.3, 0.9]) for x1, y1, x2, y2 in boxes]

    sums = StainSums(len(boxes), WHITE)
    for top in range(0, 40, 7):
        bottom, parts = min(top + 7, 40), []
        for owner, (mask, (x, y, _, _)) in enumerate(zip(masks, boxes, strict=True)):
            first, last = max(top - y, 0), min(bottom + 1, 40) - y
            if first < len(mask) and bottom > y:
                parts.append(Part(owner, x, max(y - top, 0), mask[first:last]))
        sums.add(picture[top : bottom + 1], bottom - top, parts)
    found = sums.finish()

    density = np.log10(WHITE / np.maximum(picture, 1))
    mean = density.sum(axis=2) / 3
    levels = np.clip(mean / STEP, 0, 63).astype(np.uint8) + 1
    turns, squares = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4], np.subtract.outer(range(64), range(64)) ** 2
    for mask, (x1, y1, x2, y2), *values in zip(masks, boxes, *found, strict=True):
        place, one = (slice(y1, y2), slice(x1, x2)), Stains(*values)
        assert one.pixels == mask.sum()
        if not mask.any():
            assert np.isnan(values[1:]).all()
            continue
        assert (one.red, one.green, one.blue) == pytest.approx(density[place][mask].mean(axis=0))
        assert (one.mean, one.sd) == pytest.approx(
            (mean[place][mask].mean(), mean[place][mask].std()), abs=1e-6
        )

        under = np.where(mask, levels[place], 0).astype(np.uint8)
        shares = np.unique(under[mask], return_counts=True)[1] / mask.sum()
        assert one.entropy == pytest.approx(-(shares * np.log2(shares)).sum())
        pairs = graycomatrix(under, [1], turns, levels=65, symmetric=True)[1:, 1:, 0].astype(float)
        apart = [
            (squares * pairs[..., turn]).sum() / pairs[..., turn].sum()
            for turn in range(4)
            if pairs[..., turn].any()
        ]
        assert one.contrast == pytest.approx(np.mean(apart) if apart else np.nan, nan_ok=True)
