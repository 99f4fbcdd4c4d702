"""All scores of one image: `score_image`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content, Cuts, Distractor, reaching
from irnet.errors import InputError
from irnet.metrics.aji import aji
from irnet.metrics.boundary import boundary_scores, measure_boundaries
from irnet.metrics.coco_ap import Ranking
from irnet.metrics.degree import DEGREE_NAMES, degree_bins, scores_by_degree
from irnet.metrics.distractors import false_finds
from irnet.metrics.f1 import detection, unmatched
from irnet.metrics.ignore import outside_ignored
from irnet.metrics.isbi import isbi2014, isbi_greedy
from irnet.metrics.links import link_scores
from irnet.metrics.match import Pairwise, match_iou
from irnet.metrics.overlap import overlap_scores
from irnet.metrics.ratio import Ratio


@dataclass(frozen=True, eq=False, kw_only=True)
class ClassScore:
    """Scores of one class in one image: ratios by name, and what AP and calibration need of m predictions."""

    truths: int
    predictions: int  # those from the operating score on
    operating_score: float
    ratios: dict[str, Ratio]
    by_degree: dict[str, dict[str, Ratio]]  # overlap degree -> name -> ratio
    false_by_kind: Counter[str]
    ranking: Ranking  # of every prediction, regardless of its score
    matched_iou: NDArray[np.float64]  # (m,) IoU with the match, 0 without one; of every prediction


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageScore:
    """Scores of one image: each class that was annotated in it, its links; and its distractors by kind."""

    classes: dict[int, ClassScore]
    links: dict[str, Ratio]  # {} where cells, nuclei or links were not annotated
    distractors: Counter[str]


def score_image(truth: Content, pred: Cells, scores: Cuts | None = None) -> ImageScore:
    """Score the predictions of one image.

    Classes that were not annotated are left out, and so is every instance with more than half of its area
    inside ignore regions. Lengths are in um where the truth or the predictions say how long a pixel is.

    Args:
        truth: what is annotated.
        pred: what was found, in the same frame.
        scores: the operating score of each class (see `choose_scores`): AP and calibration take every
            prediction, all the rest those with at least this score. None: everything takes every prediction.

    Returns:
        `ImageScore`: for each class the ratios by name (docs/reference/metrics.md), and the links.

    Raises:
        InputError: truth and predictions belong to frames of different size, or scores of what is no class.

    Example:
        >>> import irnet
        >>> truth = irnet.generate(1, size=(200, 200), mpp=0.5, count=2)[1]
        >>> score = irnet.score_image(truth, truth.cells["cytoplasm"])
        >>> score.classes[irnet.CYTOPLASM].ratios["aji"].value
        1.0
    """
    if not isinstance(truth, Content):
        raise InputError("the truth is a Content: give Content(cells=...), which says what was annotated too")
    if truth.cells.image_shape != pred.image_shape:
        raise InputError(
            f"predictions of a frame of {pred.image_shape} cannot be scored against a truth of"
            f" {truth.cells.image_shape}: bring both to one scale first"
        )

    known, found = outside_ignored(truth.cells, truth.ignore), outside_ignored(pred, truth.ignore)
    classes = {}
    for label in sorted(truth.annotated):
        ours, theirs = known.of(label), found.of(label)
        classes[label] = _score_class(
            ours, theirs, label=label, cuts=scores or {}, distractors=truth.distractors
        )

    kept = found.select(reaching(found, scores))
    return ImageScore(
        classes=classes,
        links=link_scores(known, kept) if truth.annotated >= {CYTOPLASM, NUCLEUS} else {},
        distractors=Counter(d.kind for d in truth.distractors),
    )


def _score_class(
    truths: Cells, every: Cells, *, label: int, cuts: Cuts, distractors: Sequence[Distractor]
) -> ClassScore:
    """Scores of n truths against `every` prediction (AP, calibration), or those from the cut on, m."""
    every_pair = Pairwise.between(truths, every)
    kept = reaching(every, cuts)
    preds, pairs = every.select(kept), every_pair.keep(kept)
    matches = match_iou(pairs)  # (l, 2)
    truth_bin = degree_bins(truths)  # (n,)

    frame_pixels = truths.image_shape[0] * truths.image_shape[1]
    ratios = {
        "aji": aji(pairs),
        **detection(pairs, matches),
        **overlap_scores(truths, preds, matches),
        **isbi2014(pairs, frame_pixels),
        **isbi_greedy(pairs, frame_pixels),
    }
    by_degree = scores_by_degree(pairs, matches, truth_bin)

    # Outlines are those of cytoplasms alone: how they run where cells overlap is what is hard.
    if label == CYTOPLASM:
        mpp = truths.mpp or preds.mpp
        unit = "px" if mpp is None else "um"
        figures = measure_boundaries(truths, preds, matches, mpp)  # (l, 2, 3)
        ratios |= boundary_scores(figures, unit)
        for index, name in enumerate(DEGREE_NAMES):
            by_degree[name] |= boundary_scores(figures[truth_bin[matches[:, 0]] == index], unit)

    return ClassScore(
        truths=len(truths),
        predictions=len(preds),
        operating_score=cuts.get(label, 0.0),
        ratios=ratios,
        by_degree=by_degree,
        false_by_kind=false_finds(distractors, preds.select(unmatched(len(preds), matches[:, 1]))),
        ranking=Ranking.of(every_pair, every.scores),
        matched_iou=_matched_iou(every_pair),
    )


def _matched_iou(pairs: Pairwise) -> NDArray[np.float64]:
    """IoU of each prediction with its match, 0 without one, (m,)."""
    matches = match_iou(pairs)
    reached = np.zeros(len(pairs.pred_areas))
    reached[matches[:, 1]] = pairs.iou[pairs.find(matches)]
    return reached
