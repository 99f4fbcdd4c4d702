"""The level set: its update, the signs of its terms, its invariants."""

import math

import numpy as np
import pytest
from discs import disc
from numpy.typing import NDArray

from irnet.baselines.jomls.levelset import START, advance, edge_stop, evolve, slopes

SHAPE = (61, 61)
MIDDLE = (30, 30)


def start(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.where(mask, -START, START)


def run(
    mask: NDArray[np.bool_], *, length: float = 0.0, push: float = 0.0, steps: int
) -> NDArray[np.float64]:
    """phi in a world without edges."""
    ones = np.ones(mask.shape)
    return advance(start(mask), ones, 0 * ones, 0 * ones, push * ones, length, steps)


def step_in_loops(
    phi: NDArray, weight: NDArray, push: NDArray, length: float, dt: float, mu: float, eps: float
) -> NDArray:
    """One update, pixel by pixel, as section 3 of Li et al. 2010 and Eq. 13 of Lu et al. 2015 have it."""
    height, width = phi.shape

    def central(field: NDArray, y: int, x: int) -> tuple[float, float]:
        down, up = field[min(y + 1, height - 1)][x], field[max(y - 1, 0)][x]
        right, left = field[y][min(x + 1, width - 1)], field[y][max(x - 1, 0)]
        return (down - up) / 2, (right - left) / 2

    def diffusion(s: float) -> float:
        if s == 0:
            return 1.0
        return (math.sin(2 * math.pi * s) / (2 * math.pi) if s <= 1 else s - 1) / s

    normal = np.zeros((2, height, width))
    flow = np.zeros((2, height, width))
    for y in range(height):
        for x in range(width):
            gradient = np.array(central(phi, y, x))
            s = float(np.hypot(*gradient))
            normal[:, y, x] = gradient / s if s else 0
            flow[:, y, x] = diffusion(s) * gradient - gradient
    wy, wx = np.gradient(weight)
    padded = np.pad(phi, 1, mode="edge")
    result = phi.copy()
    for y in range(height):
        for x in range(width):
            laplacian = -4 * phi[y, x] + sum(
                padded[y + 1 + dy, x + 1 + dx] for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0))
            )
            change = mu * (central(flow[0], y, x)[0] + central(flow[1], y, x)[1] + laplacian)
            if abs(phi[y, x]) <= eps:
                delta = (1 + math.cos(math.pi * phi[y, x] / eps)) / (2 * eps)
                divergence = central(normal[0], y, x)[0] + central(normal[1], y, x)[1]
                along = wy[y, x] * normal[0, y, x] + wx[y, x] * normal[1, y, x]
                change += length * delta * (along + weight[y, x] * divergence) + delta * push[y, x]
            result[y, x] += dt * change
    return result


def test_a_step_is_its_transcription() -> None:
    rng = np.random.default_rng(3)
    phi = rng.normal(0, 1.5, (12, 15))
    weight, push = rng.random((12, 15)), rng.normal(0, 1, (12, 15))
    expected = step_in_loops(phi, weight, push, length=13.0, dt=5.0, mu=0.04, eps=1.5)
    assert advance(phi, weight, *slopes(weight), push, 13.0, 1) == pytest.approx(expected, abs=1e-7)


def test_steps_add_up() -> None:
    mask, ones = disc(SHAPE, MIDDLE, 14), np.ones(SHAPE)
    once = run(mask, length=2.0, push=0.5, steps=6)
    halves = run(mask, length=2.0, push=0.5, steps=3)
    assert np.array_equal(advance(halves, ones, 0 * ones, 0 * ones, 0.5 * ones, 2.0, 3), once)


def test_the_start_is_left_as_it_is() -> None:
    phi, ones = start(disc(SHAPE, MIDDLE, 14)), np.ones(SHAPE)
    before = phi.copy()
    advance(phi, ones, 0 * ones, 0 * ones, ones, 1.0, 5)
    assert np.array_equal(phi, before)


def test_it_becomes_a_distance_near_the_outline_and_stays_flat_far_from_it() -> None:
    phi = run(disc(SHAPE, MIDDLE, 18), steps=200)
    slope = np.hypot(*slopes(phi))
    assert np.abs(slope[np.abs(phi) < 0.8] - 1).mean() < 0.06
    assert slope[disc(SHAPE, MIDDLE, 8)].max() < 0.01


def test_a_positive_push_shrinks_and_a_negative_one_grows() -> None:
    mask = disc(SHAPE, MIDDLE, 14)
    areas = [np.count_nonzero(run(mask, push=push, steps=20) < 0) for push in (0.4, 0.0, -0.4)]
    assert areas[0] < 0.8 * areas[1]
    assert areas[2] > 1.2 * areas[1]
    assert areas[1] == pytest.approx(mask.sum(), rel=0.02)


def test_length_shortens_and_the_small_disc_most() -> None:
    lost = [
        1 - np.count_nonzero(run(disc(SHAPE, MIDDLE, r), length=3.0, steps=40) < 0) / r**2 / np.pi
        for r in (8, 22)
    ]
    assert lost[0] > 2 * lost[1] > 0


def test_it_stops_at_an_edge() -> None:
    grey = np.where(disc(SHAPE, MIDDLE, 15), 120.0, 230.0)
    g = edge_stop(grey)
    shrunk = evolve(disc(SHAPE, MIDDLE, 20), g, [(60, 3 * g), (10, 0 * g)], length=5.0)
    grown = evolve(disc(SHAPE, MIDDLE, 11), g, [(60, -3 * g), (10, 0 * g)], length=5.0)
    for mask in (shrunk, grown):
        assert not (mask & ~disc(SHAPE, MIDDLE, 17)).any()
        assert not (~mask & disc(SHAPE, MIDDLE, 13)).any()


def test_edges_are_cheap_and_flat_ground_is_not() -> None:
    g = edge_stop(np.where(disc(SHAPE, MIDDLE, 15), 120.0, 230.0))
    assert g[30, 45] < 0.01
    assert g[30, 30] == 1


def test_a_symmetric_scene_stays_symmetric() -> None:
    rng = np.random.default_rng(1)
    half = rng.random((40, 20))
    weight = np.concatenate([half, half[:, ::-1]], axis=1)
    mask = disc((40, 40), (19.5, 19.5), 11)
    result = evolve(mask, weight, [(30, 0.3 * weight)], length=4.0)
    assert np.array_equal(result, result[:, ::-1])
    turned = evolve(mask.T, weight.T, [(30, 0.3 * weight.T)], length=4.0)
    assert np.array_equal(turned, result.T)
