"""Scores of sets of overlapping masks: truth and predictions in, numbers out."""

from irnet.metrics.image import ClassScore, ImageScore, score_image
from irnet.metrics.image_set import summarise
from irnet.metrics.operating import best_score, choose_scores, f1_curve
from irnet.metrics.summary import Summary
from irnet.metrics.table import render_table

__all__ = [
    "ClassScore",
    "ImageScore",
    "Summary",
    "best_score",
    "choose_scores",
    "f1_curve",
    "render_table",
    "score_image",
    "summarise",
]
