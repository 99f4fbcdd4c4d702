"""Scores of sets of overlapping masks: truth and predictions in, numbers out."""

from irnet.metrics.operating import choose_scores
from irnet.metrics.summary import ClassScore, ImageScore, score_image, summarise

__all__ = ["ClassScore", "ImageScore", "choose_scores", "score_image", "summarise"]
