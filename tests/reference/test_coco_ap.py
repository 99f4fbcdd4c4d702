"""COCO mask AP against faster-coco-eval, without a cap on detections."""

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.metrics import score_image, summarise

faster_coco_eval = pytest.importorskip("faster_coco_eval")
LABELS = (CYTOPLASM, NUCLEUS)


def scene(rng: np.random.Generator, count: int, side: int = 96) -> tuple[Content, Cells]:
    """Overlapping ellipses of two classes; predictions moved a little, twice, missing or free."""
    y, x = np.mgrid[:side, :side]

    def draw(centres, axes):
        return np.array(
            [
                ((x - a) / p) ** 2 + ((y - b) / q) ** 2 <= 1
                for (a, b), (p, q) in zip(centres, axes, strict=True)
            ]
        ).reshape(-1, side, side)

    centres, axes = rng.uniform(5, side - 5, (count, 2)), rng.uniform(4, 16, (count, 2))
    labels = rng.integers(1, 3, count)
    again = rng.integers(0, max(count, 1), count + 3 if count else 0)
    found = draw(centres[again] + rng.normal(0, 1.5, (len(again), 2)), axes[again] * rng.uniform(0.8, 1.2))
    scores = np.round(rng.random(len(again)), 1)  # many ties
    return (
        Content(cells=Cells.from_dense(draw(centres, axes), labels)),
        Cells.from_dense(found, labels[again], scores=scores),
    )


def as_coco(truths: list[Content], preds: list[Cells]) -> tuple[dict, list[dict]]:
    images = [
        {"id": i, "height": t.cells.image_shape[0], "width": t.cells.image_shape[1], "file_name": str(i)}
        for i, t in enumerate(truths, 1)
    ]
    annotations: list[dict] = []
    for image, truth in enumerate(truths, 1):
        cells = truth.cells
        for rle, label, area, box in zip(cells.to_rle(), cells.labels, cells.areas, cells.boxes, strict=True):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(label),
                    "segmentation": rle,
                    "area": int(area),
                    "bbox": [*box[:2], *(box[2:] - box[:2])],
                    "iscrowd": 0,
                }
            )
    results = [
        {"image_id": image, "category_id": int(label), "segmentation": rle, "score": float(score)}
        for image, cells in enumerate(preds, 1)
        for rle, label, score in zip(cells.to_rle(), cells.labels, cells.scores, strict=True)
    ]
    categories = [{"id": label, "name": str(label)} for label in LABELS]
    return {"images": images, "annotations": annotations, "categories": categories}, results


def reference_ap(truths: list[Content], preds: list[Cells], label: int) -> np.ndarray:
    """AP at the ten thresholds."""
    dataset, results = as_coco(truths, preds)
    known = faster_coco_eval.COCO(dataset)
    judge = faster_coco_eval.COCOeval_faster(known, known.loadRes(results), "segm", separate_eval=True)
    judge.params.maxDets = [1, 10, 100_000]
    judge.params.catIds = [label]
    judge.evaluate()
    judge.accumulate()
    return judge.eval["precision"][:, :, 0, 0, 2].mean(axis=1)


@pytest.mark.parametrize("seed", range(6))
def test_ap_equals_faster_coco_eval(seed):
    rng = np.random.default_rng(seed)
    truths, preds = map(list, zip(*(scene(rng, count) for count in (0, 1, 6, 25)), strict=True))
    summary = summarise([score_image(t, p) for t, p in zip(truths, preds, strict=True)], samples=2)
    for label, name in ((CYTOPLASM, "cytoplasm"), (NUCLEUS, "nucleus")):
        expected = reference_ap(truths, preds, label)
        ours = summary.classes[name].ap
        assert 0.05 < expected.mean() < 0.95
        assert ours.ap.value == pytest.approx(expected.mean(), abs=1e-6)
        assert ours.ap50.value == pytest.approx(expected[0], abs=1e-6)
        assert ours.ap75.value == pytest.approx(expected[5], abs=1e-6)


def test_of_equal_overlaps_the_last_truth_is_taken():
    # P0 is as near to T0 as to T1 and scores highest; P1 is near to T1 alone, and comes too late.
    strips = [np.ones((5, 10), dtype=bool)] * 2
    truth = Content(cells=Cells.build(strips, [(0, 0), (4, 0)], [1, 1], (20, 40)))
    pred = Cells.build(strips, [(2, 0), (7, 0)], [1, 1], (20, 40), scores=[0.9, 0.8])
    ours = summarise([score_image(truth, pred)]).classes["cytoplasm"].ap
    expected = reference_ap([truth], [pred], CYTOPLASM)
    assert expected[0] == pytest.approx(51 / 101)
    assert ours.ap50.value == pytest.approx(expected[0], abs=1e-6)


def test_no_cap_on_detections():
    """150 cells an image, all found: a cap of 100 would hold recall at two thirds."""
    grid = [(x, y) for x in range(0, 150, 10) for y in range(0, 100, 10)]
    masks = [np.ones((8, 8), dtype=bool)] * len(grid)
    cells = Cells.build(masks, grid, np.ones(len(grid)), (100, 150))
    summary = summarise([score_image(Content(cells=cells), cells)])
    assert summary.classes["cytoplasm"].ap.ap.value == pytest.approx(1)
    assert reference_ap([Content(cells=cells)], [cells], CYTOPLASM) == pytest.approx(np.ones(10))
