"""Windows give what the whole image gives: an oracle detector on scenes of overlapping ellipses."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.errors import InputError
from irnet.slides.seams import WindowNotes, segment_windows, survivors, survivors_at_seams

REACH = 14  # R: the oracle needs to see this much around a cell
DIAMETER = 100  # D: no box of `random_scene` is longer
NMS = {CYTOPLASM: 0.5, NUCLEUS: 0.5}


@dataclass(frozen=True)
class Oracle:
    """A detector that knows the candidates of the whole scene; pixels tell it where its window lies."""

    scene: Cells

    @property
    def image(self) -> np.ndarray:
        y, x = np.indices(self.scene.image_shape)
        return np.stack([x % 256, y % 256, x // 256 * 16 + y // 256], axis=-1).astype(np.uint8)

    def __call__(self, window: np.ndarray) -> Cells:
        height, width = window.shape[:2]
        low_x, low_y, high = (int(v) for v in window[0, 0])
        x, y = low_x + high // 16 * 256, low_y + high % 16 * 256
        doubt = np.where(self._whole(x, y, height, width), 0.0, 0.01)  # a cut cell gives a fragment
        return replace(self.scene, scores=self.scene.scores - doubt).shift(-x, -y, (height, width))

    def _whole(self, x: int, y: int, height: int, width: int) -> np.ndarray:
        frame_height, frame_width = self.scene.image_shape
        x1, y1, x2, y2 = self.scene.boxes.T
        return (
            (np.maximum(x1 - REACH, 0) >= x)
            & (np.maximum(y1 - REACH, 0) >= y)
            & (np.minimum(x2 + REACH, frame_width) <= x + width)
            & (np.minimum(y2 + REACH, frame_height) <= y + height)
        )


def ellipse(width: int, height: int) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return x**2 + y**2 <= 1


def place(ellipses: list[tuple[int, int, int, int, float]], shape: tuple[int, int]) -> Cells:
    """Candidates (x, y, width, height, score) with some inner structure, cut to the frame."""
    masks = [ellipse(w, h) for *_, w, h, _ in ellipses]
    labels = [CYTOPLASM if w > 30 else NUCLEUS for _, _, w, _, _ in ellipses]
    size = max(shape) + 400
    scores = [e[4] for e in ellipses]
    free = Cells.build(
        masks, [(e[0] + 200, e[1] + 200) for e in ellipses], labels, (size, size), scores=scores
    )
    return free.shift(-200, -200, shape)


def random_scene(seed: int, *, side: int = 768, clumps: int = 14) -> Cells:
    """Clumps of overlapping cells and nuclei, each with near-duplicate candidates of lower score."""
    rng = np.random.default_rng(seed)
    ellipses: list[tuple[int, int, int, int, float]] = []
    for _ in range(clumps):
        centre = rng.integers(0, side, 2)
        for _ in range(rng.integers(2, 8)):
            x, y = (centre + rng.integers(-60, 60, 2)).tolist()
            width, height = rng.integers(40, DIAMETER - 8, 2).tolist()
            ellipses.append((x, y, width, height, rng.uniform(0.6, 1)))
            for _ in range(rng.integers(0, 4)):
                copy = np.add((x, y, width, height), rng.integers(-8, 9, 4)).tolist()
                ellipses.append((*copy, rng.uniform(0.2, 0.6)))
            ellipses.append((x + width // 2, y + height // 2, 12, 14, rng.uniform(0.6, 1)))
    return place(ellipses, (side, side))


def identities(cells: Cells) -> set[tuple]:
    rows = zip(cells.labels.tolist(), cells.scores.tolist(), cells.boxes.tolist(), cells.masks, strict=True)
    return {(label, score, *box, mask.tobytes()) for label, score, box, mask in rows}


def suppress(scene: Cells) -> Cells:
    return scene.select(survivors(scene, nms=NMS))


def by_masks(cells: Cells, owners: np.ndarray) -> np.ndarray:
    return survivors(cells, nms=NMS)


def tiled(
    find: Callable[[np.ndarray], Cells],
    scene: Cells,
    *,
    halo: int = 64,
    core: int = 192,
    tally: WindowNotes | None = None,
) -> Cells:
    image = Oracle(scene).image
    return segment_windows(find, image, core=core, halo=halo, suppress=by_masks, least_halo=0, tally=tally)


@pytest.mark.parametrize("seed", range(50))
def test_windows_equal_the_whole_image_when_the_halo_is_enough(seed: int) -> None:
    scene = random_scene(seed)
    assert (scene.boxes[:, 2:] - scene.boxes[:, :2]).max() <= DIAMETER  # halo 64 = 100 / 2 + 14
    whole = suppress(scene)
    assert len(whole) < len(scene)
    found = tiled(Oracle(scene), scene)
    assert identities(found) == identities(whole)
    assert len(found) == len(whole)


def test_windows_differ_from_the_whole_image_when_the_halo_is_below_half_a_cell() -> None:
    scene = random_scene(3)
    whole = identities(suppress(scene))
    assert len(whole - identities(tiled(Oracle(scene), scene, halo=0))) > 20


def test_overlapping_pairs_survive_on_both_sides_of_a_seam() -> None:
    rng = np.random.default_rng(0)
    ellipses = []
    for seam in range(192, 2048, 192):
        for step in range(10, 1950, 45):
            size = rng.integers(70, 90)
            ellipses.append((seam - 4 - size // 2, step, size, size, rng.uniform(0.5, 1)))
            ellipses.append((seam - 20, step + size // 4, 44, 44, rng.uniform(0.5, 1)))
    scene = place(ellipses, (2048, 2048))
    half_hidden, owners_differ = _pairs(scene)
    pairs = half_hidden & owners_differ
    assert pairs.sum() > 400
    found = tiled(Oracle(scene), scene)
    assert identities(found) == identities(scene)  # none lost, none merged, none twice
    assert len(found) == len(scene)


def _pairs(scene: Cells) -> tuple[np.ndarray, np.ndarray]:
    """Which pairs share more than half of the smaller cell, and which have centres in different cores."""
    smaller = np.minimum(scene.areas[:, None], scene.areas[None, :])
    half_hidden = np.triu(scene.intersections(scene) > 0.5 * smaller, 1)
    column = (scene.boxes[:, 0] + scene.boxes[:, 2]) / 2 // 192
    return half_hidden, column[:, None] != column[None, :]


def test_only_where_something_is_the_image_is_looked_at() -> None:
    scene = place([(300, 300, 60, 60, 0.9), (420, 330, 50, 50, 0.9)], (1152, 1152))  # in a few of 36 cores
    tally, looked_at = WindowNotes(), []

    def where(core: tuple[int, int, int, int]) -> tuple[int, int, int, int] | None:
        x1, y1, x2, y2 = core
        return (280, 280, 500, 400) if x1 < 500 and y1 < 400 and x2 > 280 and y2 > 280 else None

    def find(window: np.ndarray) -> Cells:
        looked_at.append(window.shape[:2])
        return Oracle(scene)(window)

    image = Oracle(scene).image
    found = segment_windows(
        find, image, core=192, halo=64, suppress=by_masks, least_halo=0, tally=tally, where=where
    )
    assert identities(found) == identities(suppress(scene))
    assert (tally.windows, tally.blank) == (4, 32)
    assert sum(h * w for h, w in looked_at) < 4 * (192 + 2 * 64) ** 2

    nothing = segment_windows(
        find, image, core=192, halo=64, suppress=by_masks, least_halo=0, where=lambda core: None
    )
    assert (len(nothing), nothing.image_shape) == (0, scene.image_shape)


def test_an_object_wider_than_its_window_is_looked_at_again() -> None:
    scene = place([(10, 300, 580, 60, 0.9)], (768, 768))
    tally = WindowNotes()
    found = tiled(Oracle(scene), scene, halo=128, tally=tally)
    assert identities(found) == identities(scene)
    assert (tally.windows, tally.truncated) == (16, 0)
    assert tally.widened >= 1
    assert tally.notes() == ()


def test_an_object_wider_than_any_window_is_counted_and_said() -> None:
    scene = place([(10, 300, 740, 60, 0.9)], (768, 768))
    tally = WindowNotes()
    found = tiled(Oracle(scene), scene, tally=tally)
    assert len(found) == tally.truncated == 2
    assert "2 cells larger than a window" in tally.notes()[0]


@pytest.mark.parametrize(("core", "halo"), [(250, 64), (192, 50), (0, 64)])
def test_windows_off_the_feature_grid_are_refused(core: int, halo: int) -> None:
    scene = random_scene(0)
    with pytest.raises(InputError, match="multiples of 64"):
        tiled(Oracle(scene), scene, core=core, halo=halo)


def test_a_small_halo_is_refused_unless_asked_for() -> None:
    scene = random_scene(0)
    with pytest.raises(InputError, match="use 256 px"):
        segment_windows(Oracle(scene), Oracle(scene).image, core=192, halo=64, suppress=by_masks)


def test_a_segmenter_that_changes_the_frame_is_an_error() -> None:
    scene = random_scene(0)
    with pytest.raises(ValueError, match="for a window of"):
        tiled(lambda window: Cells.empty((5, 5)), scene)


def test_an_image_without_cells_gives_none() -> None:
    scene = Cells.empty((300, 500))
    found = tiled(Oracle(scene), scene)
    assert (len(found), found.image_shape) == (0, (300, 500))


def test_ties_are_broken_by_place_and_not_by_order() -> None:
    twins = place([(10, 10, 60, 60, 0.5), (12, 10, 60, 60, 0.5)], (100, 100))
    swapped = twins.select([1, 0])
    assert identities(suppress(twins)) == identities(suppress(swapped))
    assert suppress(swapped).boxes[0, 0] == twins.boxes[0, 0] < twins.boxes[1, 0]


def test_classes_never_suppress_each_other() -> None:
    pair = place([(10, 10, 60, 60, 0.9), (10, 10, 60, 60, 0.8)], (100, 100))
    mixed = Cells.build(pair.masks, pair.offsets, [CYTOPLASM, NUCLEUS], pair.image_shape, scores=pair.scores)
    assert len(suppress(pair)) == 1
    assert len(suppress(mixed)) == 2


def test_at_seams_only_cells_of_different_windows_suppress_each_other() -> None:
    twice = place([(10, 10, 60, 60, 0.9), (11, 10, 60, 60, 0.8), (12, 10, 60, 60, 0.7)], (100, 100))
    kept = survivors_at_seams(twice, np.array([0, 0, 1]), nms=NMS)
    assert kept.tolist() == [0, 1]
    assert survivors_at_seams(twice, np.array([0, 0, 0]), nms=NMS).tolist() == [0, 1, 2]


def test_at_seams_boxes_are_compared_as_a_network_does() -> None:
    """Two halves of one box: their masks share nothing, their boxes are the same."""
    left, right = np.tri(60, dtype=bool), ~np.tri(60, dtype=bool)
    left[0], right[-1], right[:, 0], left[:, -1] = True, True, True, True
    pair = Cells.build([left, right], [(5, 5)] * 2, [CYTOPLASM] * 2, (100, 100), scores=[0.9, 0.8])
    assert len(suppress(pair)) == 2
    assert survivors_at_seams(pair, np.array([3, 4]), nms=NMS).tolist() == [0]
