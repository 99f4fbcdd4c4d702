"""Two methods on the same images: paired differences, and what changed."""

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.errors import InputError
from irnet.metrics import score_image, summarise
from irnet.metrics.changes import BETTER, FALSE, GAINED, LOST, UNFALSE, WORSE, count_changes, find_changes
from irnet.metrics.image import ImageScore
from irnet.metrics.paired import compare_sets

SHAPE = (60, 200)
Box = tuple[int, int, int, int]  # x, y, width, height


def boxes(*places: Box, label: int = CYTOPLASM, score: float = 0.9) -> Cells:
    masks = [np.ones((height, width), dtype=bool) for _, _, width, height in places]
    offsets = [(x, y) for x, y, _, _ in places]
    return Cells.build(masks, offsets, [label] * len(places), SHAPE, scores=[score] * len(places))


TRUE = boxes((0, 0, 20, 20), (40, 0, 20, 20), (80, 0, 20, 20))


def scores(found: list[Cells]) -> list[ImageScore]:
    return [score_image(Content(cells=TRUE), cells) for cells in found]


def test_differences_are_those_of_the_scores_in_the_same_samples() -> None:
    rng = np.random.default_rng(0)
    first = scores([TRUE.select(rng.random(3) < 0.6) for _ in range(12)])
    second = scores([TRUE.select(rng.random(3) < 0.9) for _ in range(12)])
    patients = [f"p{i // 2}" for i in range(12)]
    compared = compare_sets(first, second, patients)
    alone = [summarise(side, patients).classes["cytoplasm"] for side in (first, second)]

    for score, way in (("f1", "image_mean"), ("recall", "pooled"), ("ap", "ap")):
        part = compared.classes["cytoplasm"][score][way]
        a, b = (summary.estimate(score, way) for summary in alone)
        assert (part.first.value, part.first.low) == pytest.approx((a.value, a.low))
        assert (part.second.value, part.second.high) == pytest.approx((b.value, b.high))
        assert part.difference.value == pytest.approx(b.value - a.value)
        assert part.difference.low < part.difference.value < part.difference.high
    assert (compared.images, compared.patients) == (12, 6)
    assert "fewer than 10 patients" in compared.intervals


def test_what_is_hard_for_both_cancels() -> None:
    hard = [TRUE.select(slice(0, number % 4)) for number in range(12)]
    easier = [TRUE.select(slice(0, min(3, number % 4 + 1))) for number in range(12)]
    part = compare_sets(scores(hard), scores(easier)).classes["cytoplasm"]["recall"]["pooled"]
    assert part.difference.high - part.difference.low < 0.6 * (part.first.high - part.first.low)
    assert part.is_clear
    same = compare_sets(scores(hard), scores(hard)).classes["cytoplasm"]["recall"]["pooled"]
    assert (same.difference.low, same.difference.high, same.is_clear) == (0, 0, False)


def test_one_image_has_no_interval_and_other_images_are_refused() -> None:
    compared = compare_sets(scores([TRUE]), scores([TRUE.select([0])]))
    part = compared.classes["cytoplasm"]["recall"]["pooled"]
    assert part.difference.value == pytest.approx(-2 / 3)
    assert (part.difference.low, part.is_clear) == (None, False)
    assert compared.intervals == "too few images for intervals"
    with pytest.raises(InputError, match="1 and of 2 images"):
        compare_sets(scores([TRUE]), scores([TRUE, TRUE]))


def test_a_score_that_is_defined_in_one_image_is_not_clear() -> None:
    empty = [score_image(Content(cells=TRUE.select([])), TRUE.select([])) for _ in range(11)]
    compared = compare_sets([*scores([TRUE]), *empty], [*scores([TRUE.select([0])]), *empty])
    part = compared.classes["cytoplasm"]["recall"]["pooled"]
    assert part.difference.low == part.difference.high == pytest.approx(-2 / 3)
    assert not part.is_clear


def test_without_scores_there_is_no_average_precision() -> None:
    compared = compare_sets(scores([TRUE]), scores([TRUE]), scored=False)
    assert "ap" not in compared.classes["cytoplasm"]


def test_every_change_has_its_kind() -> None:
    nucleus = boxes((5, 5, 6, 6), label=NUCLEUS)
    truths = Cells.concat([TRUE, nucleus])
    first = Cells.concat([boxes((0, 0, 20, 20), (80, 0, 20, 20), (150, 0, 9, 9), (120, 0, 9, 9)), nucleus])
    second = boxes((0, 0, 20, 14), (40, 0, 20, 20), (150, 1, 9, 9), (170, 0, 9, 9), score=0.4)
    changes = find_changes(truths, first, second)
    found = {
        (change.kind, change.label, change.truth, change.first, change.second): change for change in changes
    }
    assert set(found) == {
        (WORSE, CYTOPLASM, 0, 0, 0),
        (GAINED, CYTOPLASM, 1, None, 1),
        (LOST, CYTOPLASM, 2, 1, None),
        (LOST, NUCLEUS, 3, 4, None),
        (FALSE, CYTOPLASM, None, None, 3),  # the one at 150 is false in both
        (UNFALSE, CYTOPLASM, None, 3, None),
    }
    assert found[WORSE, CYTOPLASM, 0, 0, 0].ious == pytest.approx((1.0, 0.7))
    assert found[FALSE, CYTOPLASM, None, None, 3].size == 0.4

    turned = find_changes(truths, second, first)
    assert sorted(change.kind for change in turned) == sorted([BETTER, LOST, GAINED, GAINED, FALSE, UNFALSE])
    counts = count_changes([changes, turned])
    assert counts[LOST] == {"cytoplasm": 2, "nucleus": 1}


def test_what_is_found_alike_has_not_changed() -> None:
    true, nearly = boxes((0, 0, 40, 40)), boxes((0, 0, 40, 39))
    assert find_changes(true, true, nearly) == []
    assert find_changes(true.select([]), true, nearly) == []  # false in both
