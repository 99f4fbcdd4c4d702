"""Warps of images and masks agree with each other; colours change as said."""

import numpy as np
import pytest
from PIL import Image

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.config import AugmentSettings
from irnet.training import recolouring
from irnet.training import warp as warping
from irnet.training.warp import Warp, draw_warp, warp_boxes, warp_image, warp_masks

FLIPS = [np.array(m, dtype=float) for m in ([[1, 0], [0, 1]], [[-1, 0], [0, 1]], [[1, 0], [0, -1]])]
TURNS = [np.array(m, dtype=float) for m in ([[0, -1], [1, 0]], [[-1, 0], [0, -1]], [[0, 1], [-1, 0]])]


def around_centre(linear: np.ndarray, side: int = 64, size: int = 64) -> Warp:
    """The warp that keeps the middle of an image of `side` px in the middle of the window."""
    return Warp(linear, size / 2 - linear @ np.full(2, side / 2), size)


def tilted(degrees: float, scale: float) -> np.ndarray:
    a = np.radians(degrees)
    return scale * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])


def noise_image(side: int = 64) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)


def blobs(side: int = 128) -> Cells:
    """Two overlapping ellipses and a small disc inside the first."""
    y, x = np.mgrid[:side, :side] + 0.5
    masks = [
        ((x - 50) / 30) ** 2 + ((y - 60) / 20) ** 2 < 1,
        ((x - 70) / 25) ** 2 + ((y - 64) / 35) ** 2 < 1,
        (x - 45) ** 2 + (y - 60) ** 2 < 100,
    ]
    return Cells.from_dense(np.array(masks), [CYTOPLASM, CYTOPLASM, NUCLEUS])


def paste(box: np.ndarray, mask: np.ndarray, size: int) -> np.ndarray:
    """An instance of the target, drawn back into its window."""
    y, x = np.mgrid[:size, :size] + 0.5
    u = ((x - box[0]) / (box[2] - box[0]) * mask.shape[1]).astype(int)
    v = ((y - box[1]) / (box[3] - box[1]) * mask.shape[0]).astype(int)
    inside = (x >= box[0]) & (x < box[2]) & (y >= box[1]) & (y < box[3])
    return inside & (mask[v.clip(0, mask.shape[0] - 1), u.clip(0, mask.shape[1] - 1)] > 127)


# The image


def test_identity_changes_no_pixel() -> None:
    image = noise_image()
    assert (warp_image(image, around_centre(np.eye(2))) == image).all()


@pytest.mark.parametrize("linear", FLIPS + TURNS)
@pytest.mark.parametrize("path", ["_scale", "_transform"])
def test_flips_and_quarter_turns_are_exact(
    linear: np.ndarray, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warping, "_scale", getattr(warping, path))
    image, warp = noise_image(), around_centre(linear)
    y, x = np.mgrid[:64, :64]
    u, v = np.floor(warp(np.column_stack([x.ravel(), y.ravel()]) + 0.5).T).astype(int)
    expected = np.empty_like(image)
    expected[v, u] = image[y.ravel(), x.ravel()]
    assert (warp_image(image, warp) == expected).all()


def test_a_window_is_cut_where_it_lies() -> None:
    image = noise_image()
    warp = Warp(np.eye(2), np.array([-10.0, -20.0]), 32)
    assert (warp_image(image, warp) == image[20:52, 10:42]).all()


@pytest.mark.parametrize("degrees", [0, 20])
def test_outside_of_the_image_is_its_median_colour(degrees: float) -> None:
    image = np.full((64, 64, 3), (200, 190, 180), dtype=np.uint8)
    image[30:34, 30:34] = 0
    window = warp_image(image, around_centre(tilted(degrees, 1), size=100))
    assert (window[0, 0] == (200, 190, 180)).all()
    assert (window[50, 50] == 0).all()


@pytest.mark.parametrize("degrees", [0, 10])
def test_shrinking_averages(degrees: float) -> None:
    """A chequerboard of single pixels becomes grey, not a moiré."""
    image = np.repeat((np.indices((256, 256)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    window = warp_image(image, around_centre(tilted(degrees, 0.5), 256, 64)).astype(float)
    assert abs(window.mean() - 127.5) < 3
    assert window.std() < 25


# Masks


@pytest.mark.parametrize(
    "linear", [np.eye(2), FLIPS[1] * 1.3, TURNS[0] * 0.8, tilted(7, 1.1), tilted(-33, 0.9)]
)
def test_masks_follow_the_image(linear: np.ndarray) -> None:
    cells, warp = blobs(), around_centre(linear, 128, 128)
    boxes, masks, kept = warp_masks(cells, warp, resolution=112, min_share=0.05, min_pixels=16)
    assert kept.tolist() == [0, 1, 2]
    assert masks.shape == (3, 112, 112)
    for box, mask, dense in zip(boxes, masks, cells.to_dense(), strict=True):
        drawn = np.repeat((dense * 255).astype(np.uint8)[..., None], 3, axis=2)
        expected = warp_image(drawn, warp)[..., 0] > 127
        pasted = paste(box, mask, 128)
        assert (pasted & expected).sum() / (pasted | expected).sum() > 0.95
        rows, columns = np.nonzero(expected.any(axis=1))[0], np.nonzero(expected.any(axis=0))[0]
        tight = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        assert np.abs(box - tight).max() <= 1.1


def test_without_change_boxes_are_exact() -> None:
    cells = blobs()
    boxes, _, _ = warp_masks(
        cells, around_centre(np.eye(2), 128, 128), resolution=28, min_share=0.0, min_pixels=0
    )
    assert (boxes == cells.boxes).all()


def test_masks_cut_by_the_window_fill_their_visible_box() -> None:
    """A square of 40 px, of which the window shows the right 10 columns."""
    cells = Cells.build([np.ones((40, 40))], [(0, 10)], [CYTOPLASM], (64, 64))
    warp = Warp(np.eye(2), np.array([-30.0, 0.0]), 64)
    boxes, masks, kept = warp_masks(cells, warp, resolution=8, min_share=0.2, min_pixels=400)
    assert boxes.tolist() == [[0, 10, 10, 50]]
    assert (masks == 255).all()
    assert kept.tolist() == [0]


@pytest.mark.parametrize(("min_share", "min_pixels"), [(0.26, 0), (0, 401)])
def test_instances_that_hardly_show_are_left_out(min_share: float, min_pixels: float) -> None:
    cells = Cells.build([np.ones((40, 40))], [(0, 10)], [CYTOPLASM], (64, 64))
    warp = Warp(np.eye(2), np.array([-30.0, 0.0]), 64)
    boxes, masks, kept = warp_masks(cells, warp, resolution=8, min_share=min_share, min_pixels=min_pixels)
    assert boxes.shape == (0, 4)
    assert masks.shape == (0, 8, 8)
    assert kept.shape == (0,)


def test_instances_outside_are_left_out_whatever_the_limits() -> None:
    cells = Cells.build([np.ones((9, 9))] * 2, [(0, 0), (50, 50)], [1, 1], (64, 64))
    warp = Warp(np.eye(2), np.array([-40.0, -40.0]), 32)
    _, _, kept = warp_masks(cells, warp, resolution=8, min_share=0, min_pixels=0)
    assert kept.tolist() == [1]


def test_a_box_with_holes_in_its_mask_stays_tight() -> None:
    """Row ends are enough: rows without a pixel do not count."""
    mask = np.zeros((9, 9), dtype=bool)
    mask[0, 3], mask[8, 5] = True, True
    cells = Cells.build([mask], [(10, 10)], [1], (64, 64))
    boxes, _, _ = warp_masks(cells, around_centre(np.eye(2)), resolution=8, min_share=0, min_pixels=0)
    assert boxes.tolist() == [[13, 10, 16, 19]]


def test_boxes_are_warped_and_cut() -> None:
    warp = Warp(2 * np.eye(2), np.array([-20.0, 0.0]), 64)
    moved = warp_boxes(np.array([[0, 0, 20, 10], [0, 0, 9, 9], [30, 30, 90, 90.0]]), warp)
    assert moved.tolist() == [[0, 0, 20, 20], [40, 60, 64, 64]]


# What is drawn


def augmentation(**changes: object) -> AugmentSettings:
    return AugmentSettings.model_validate(changes)


def draws(n: int = 200, **changes: object) -> list[Warp]:
    settings = augmentation(**changes)
    boxes = np.array([[40.0, 80, 60, 100]])
    return [
        draw_warp(np.random.default_rng(i), (120, 200, 3), boxes, size=64, augmentation=settings)
        for i in range(n)
    ]


def test_windows_stay_inside_an_image_that_holds_them() -> None:
    for warp in draws():
        assert (warp.source() >= -1e-6).all()
        assert (warp.source()[2:] <= np.array([200, 120]) + 1e-6).all()


def test_windows_hold_an_image_that_is_smaller() -> None:
    for seed in range(50):
        rng = np.random.default_rng(seed)
        settings = augmentation(tilt=0.0)
        warp = draw_warp(rng, (30, 40), np.zeros((0, 4)), size=64, augmentation=settings)
        x1, y1, x2, y2 = warp.source()
        assert max(x1, y1) <= 1e-6
        assert (x2, y2) >= (40 - 1e-6, 30 - 1e-6)


def test_focus_places_windows_on_instances() -> None:
    def hits(warps: list[Warp]) -> int:
        middle = np.array([[50.0, 90.0]])
        return sum(bool(((warp(middle) >= 0) & (warp(middle) <= 64)).all()) for warp in warps)

    assert hits(draws(focus=1.0)) == 200
    assert 20 < hits(draws(focus=0.0)) < 120


def test_draws_cover_their_ranges() -> None:
    warps = draws(scale=(0.5, 2.0), tilt=0.5, rotation=10.0)
    scales = [np.sqrt(abs(np.linalg.det(warp.linear))) for warp in warps]
    assert 0.5 <= min(scales) < 0.6
    assert 1.7 < max(scales) <= 2.0
    assert 60 < sum(np.linalg.det(warp.linear) < 0 for warp in warps) < 140  # mirrored
    upright = [np.count_nonzero(warp.linear) == 2 for warp in warps]
    assert 60 < sum(upright) < 140
    assert {tuple(np.sign(w.linear).ravel()) for w, flat in zip(warps, upright, strict=True) if flat} == {
        (a, 0, 0, d) for a in (-1, 1) for d in (-1, 1)
    } | {(0, b, c, 0) for b in (-1, 1) for c in (-1, 1)}


def test_zoom_is_the_scale_without_augmentation() -> None:
    warp = draw_warp(
        np.random.default_rng(0),
        (100, 100),
        np.zeros((0, 4)),
        size=64,
        zoom=1.5,
        augmentation=AugmentSettings.none(),
    )
    assert (warp.linear == 1.5 * np.eye(2)).all()


# Colours


def test_none_leaves_colours_alone() -> None:
    image = noise_image()
    assert (recolouring.recolour(image, np.random.default_rng(0), AugmentSettings.none()) == image).all()


def test_recolour_is_a_function_of_its_draws() -> None:
    image = noise_image()
    everything = augmentation(grey=0.5, blur=0.5, noise=0.5, jpeg=0.5)
    for seed in range(8):
        again = [recolouring.recolour(image, np.random.default_rng(seed), everything) for _ in range(2)]
        assert (again[0] == again[1]).all()
        assert again[0].shape == image.shape
        assert again[0].dtype == np.uint8
        assert (again[0] != image).any()


def test_stain_scales_optical_density_and_keeps_white() -> None:
    image = np.array([[[255, 255, 255], [128, 64, 200]]], dtype=np.uint8)
    assert (recolouring.mix_stain(image, np.eye(3)) == image).all()
    doubled = recolouring.mix_stain(image, 2 * np.eye(3))
    assert doubled[0, 0].tolist() == [255, 255, 255]
    assert doubled[0, 1].tolist() == [64, 16, 157]  # 255 (I / 255)^2
    swapped = recolouring.mix_stain(image, np.eye(3)[[1, 0, 2]])
    assert swapped[0, 1].tolist() == [64, 128, 200]


def test_tone() -> None:
    image = np.array([[[0, 128, 255]]], dtype=np.uint8)
    same = recolouring.adjust_tone(image, brightness=0, contrast=1, gamma=1)
    brighter = recolouring.adjust_tone(image, brightness=0.1, contrast=1, gamma=1)
    flatter = recolouring.adjust_tone(image, brightness=0, contrast=0.5, gamma=1)
    darker = recolouring.adjust_tone(image, brightness=0, contrast=1, gamma=2)
    assert same.tolist() == image.tolist()
    assert brighter.ravel().tolist() == [26, 154, 255]
    assert flatter.ravel().tolist() == [64, 128, 191]
    assert darker.ravel().tolist() == [0, 64, 255]


@pytest.mark.parametrize("sigma", [0.8, 1.2])
def test_blur_has_about_its_sigma(sigma: float) -> None:
    variances = []
    for place in range(60, 70):  # the shape depends a little on where a point falls
        image = np.zeros((128, 128, 3), dtype=np.uint8)
        image[:, place] = 255
        profile = recolouring.blur(image, sigma)[64, :, 0].astype(float)
        centre = (profile * np.arange(128)).sum() / profile.sum()
        variances.append((profile * (np.arange(128) - centre) ** 2).sum() / profile.sum())
    assert np.sqrt(np.mean(variances)) == pytest.approx(sigma, rel=0.15)


def test_no_blur_is_the_image() -> None:
    image = noise_image()
    assert (recolouring.blur(image, 0.0) == image).all()


def test_noise_has_its_sigma() -> None:
    image = np.full((200, 200, 3), 128, dtype=np.uint8)
    noisy = recolouring.add_noise(image, np.random.default_rng(0), 5.0).astype(float)
    assert noisy.mean() == pytest.approx(128, abs=0.1)
    assert noisy.std() == pytest.approx(5, rel=0.03)


def test_noise_stays_in_range() -> None:
    white = np.full((50, 50, 3), 255, dtype=np.uint8)
    assert recolouring.add_noise(white, np.random.default_rng(0), 10.0).min() > 200


def test_compression_loses_little() -> None:
    smooth = np.asarray(Image.fromarray(noise_image(8)).resize((128, 128), Image.Resampling.BICUBIC))
    difference = np.abs(recolouring.compress(smooth, 90).astype(int) - smooth)
    assert 0 < difference.mean() < 8
