"""The rows of Tables 1 and 2: how each is made, and the paper's own figures (section 3).

The paper's percentages are relative: its 4.97 % more AJI of cytoplasm is .7185 / .6845 - 1. Slips of its text
stand in `SLIPS`, below every table that shows its figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from irnet.errors import InputError

FIGURES = ("aji/cytoplasm", "aji/nucleus", "f1/cytoplasm", "f1/nucleus")  # columns, in the paper's order
TITLES = dict(zip(FIGURES, ("AJI cytoplasm", "AJI nuclei", "F1 cytoplasm", "F1 nuclei"), strict=True))

NO_DRM, NO_IRM = "model.drm.enabled=false", "model.irm.enabled=false"
PLAIN = (NO_DRM, NO_IRM)  # Mask R-CNN: the base that the other rows fork from
SLIPS = (
    'The paper\'s text gives relative gains. Its 4.33 % and 2.88 % "over DF + RL" are those over IRNet w/o '
    "IRM; over DF + RL its Table 2 has +1.24 % and +2.40 %.",
    "The paper names no score threshold. With the authors' later code Mask R-CNN enters from a score of .05 "
    "on, so that a part of its gains in F1 may be one of thresholds. Here every row has thresholds of its "
    "own, chosen on validation images.",
)

Base = Literal["fork", "scratch", "frozen"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a table. Rows of one key are one and the same, trained once."""

    key: str  # folder under OUT/rows, and name for --rows
    title: str
    base: Base | None = "fork"
    """Where its weights come from: forked from the base and trained on, trained from scratch under every
    protocol, heads over the frozen base; None is a method that is not trained."""
    overrides: tuple[str, ...] = ()  # of the study's recipe
    paper: Mapping[str, float] = field(default_factory=dict)  # figure -> the paper's
    parts: tuple[str, ...] = ()  # check marks of Table 2
    scored: bool = True  # its finds have scores; else nothing is cut, and AP is undefined
    nms_ious: tuple[float, ...] = ()  # IoUs of suppression that validation images choose from
    note: str = ""  # what a reader of a table has to know
    asked: bool = False  # beyond the paper's table: made only where --rows names it

    @property
    def has_seeds(self) -> bool:
        """Whether another seed gives another result: not where nothing is trained."""
        return self.base is not None and not (self.base == "frozen" and set(PLAIN) <= set(self.overrides))


def _paper(*values: float) -> dict[str, float]:
    return dict(zip(FIGURES, values, strict=True))


JOMLS = Row(
    key="jomls",
    title="JOMLS",
    base=None,
    paper=_paper(0.1974, 0.3167, 0.3794, 0.3618),
    scored=False,
    note="not trained except for its two Gaussians (training images); its finds have no scores",
)
CSPNET = Row(
    key="cspnet",
    title="CSPNet",
    overrides=(*PLAIN, "model.cspnet.enabled=true", "predict.suppression=mask"),
    paper=_paper(0.4607, 0.3891, 0.5307, 0.5942),
    nms_ious=(0.3, 0.4, 0.5, 0.6, 0.7),
    note="its first stage forks from the trunk's detector, its second starts from random weights; the IoU "
    "at which it suppresses masks is chosen on validation images",
)
MASK_RCNN = Row(
    key="maskrcnn", title="Mask R-CNN", overrides=PLAIN, paper=_paper(0.6845, 0.5169, 0.6664, 0.7192)
)
WITHOUT_IRM = Row(
    key="irnet-no-irm",
    title="IRNet w/o IRM",
    overrides=(NO_IRM,),
    paper=_paper(0.6887, 0.5342, 0.7266, 0.7424),
)
END_TO_END = Row(
    key="irnet-no-irm-end-to-end",
    title="IRNet w/o IRM, DRM end to end",
    overrides=(NO_IRM, "model.drm.end_to_end=true"),
    note="not in the paper's table: the loss of the DRM reaches the box head and the backbone through all "
    "proposals, which the other rows hold fixed for it",
    asked=True,
)
WITHOUT_DRM = Row(
    key="irnet-no-drm",
    title="IRNet w/o DRM",
    overrides=(NO_DRM,),
    paper=_paper(0.6995, 0.5471, 0.7010, 0.7501),
)
IRNET = Row(
    key="irnet",
    title="IRNet",
    paper=_paper(0.7185, 0.5496, 0.7497, 0.7554),
    parts=("DF", "MSK", "RL"),
)
DF_MSK = Row(
    key="irnet-df-msk",
    title="DF + MSK",
    overrides=("model.irm.relation=false",),
    paper=_paper(0.7042, 0.5283, 0.7355, 0.7306),
    parts=("DF", "MSK"),
)
DF_RL = Row(
    key="irnet-df-rl",
    title="DF + RL",
    overrides=("model.irm.inputs=df",),
    paper=_paper(0.7097, 0.5367, 0.7350, 0.7442),
    parts=("DF", "RL"),
)
MSK_RL = Row(
    key="irnet-msk-rl",
    title="MSK + RL",
    overrides=("model.irm.inputs=msk",),
    paper=_paper(0.7071, 0.5299, 0.7324, 0.7366),
    parts=("MSK", "RL"),
)

TABLE1 = (JOMLS, CSPNET, MASK_RCNN, WITHOUT_IRM, END_TO_END, WITHOUT_DRM, IRNET)
TABLE2 = (WITHOUT_IRM, DF_MSK, DF_RL, MSK_RL, IRNET)


def choose_rows(rows: Sequence[Row], keys: str | None) -> tuple[Row, ...]:
    """The rows of a table that --rows names, without it the paper's. Raises `InputError` for an unknown one.

    >>> [row.title for row in choose_rows(TABLE1, "irnet,maskrcnn")]
    ['Mask R-CNN', 'IRNet']
    """
    if keys is None:
        return tuple(row for row in rows if not row.asked)
    wanted = {key.strip() for key in keys.split(",")}
    known = [row.key for row in rows]
    if unknown := sorted(wanted - set(known)):
        raise InputError(f"--rows {','.join(unknown)}: not in this table; choose from {', '.join(known)}")
    return tuple(row for row in rows if row.key in wanted)
