"""What every part agrees on: the classes of instances, by number and name, and um per pixel."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from irnet.errors import InputError

CYTOPLASM, NUCLEUS = 1, 2
LABEL_NAMES = {CYTOPLASM: "cytoplasm", NUCLEUS: "nucleus"}
EVERY_CLASS = 0  # label of a region that is ignored for every class
PLAUSIBLE_MPP = (0.05, 2.0)  # um per pixel of microscopes

Cuts = Mapping[int, float]  # label -> least score


def check_labels(labels: Iterable[object], what: str) -> None:
    """Refuse what is no number of a class, such as its name (`InputError`).

    >>> check_labels(["nucleus"], "annotated")
    Traceback (most recent call last):
    irnet.errors.InputError: annotated: 'nucleus' is no class: give 1 (cytoplasm) or 2 (nucleus)
    """
    for label in labels:
        if label not in LABEL_NAMES:
            known = " or ".join(f"{number} ({name})" for number, name in LABEL_NAMES.items())
            raise InputError(f"{what}: {label!r} is no class: give {known}")


def as_labels(labels: ArrayLike) -> NDArray[np.int64]:
    """Return labels (n,) as whole numbers; `InputError` for names of classes, and for what is no class."""
    given = np.asarray(labels).reshape(-1)
    if given.dtype.kind not in "iu":
        check_labels([label for label in given.tolist() if label != EVERY_CLASS], "labels")
    return given.astype(np.int64)


def whole_numbers(values: ArrayLike, what: str) -> NDArray[np.int64]:
    """Return the values as whole numbers; `InputError` for those that are not, which a cast would round."""
    given = np.asarray(values)
    whole = given.dtype.kind in "iu" or (given.dtype.kind == "f" and (given == np.floor(given)).all())
    if not whole:
        raise InputError(f"{what}: give whole numbers")
    return given.astype(np.int64)


def is_number(value: object) -> bool:
    """Whether it is a real number, of Python or of NumPy; True and False are not."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def check_mpp(mpp: float | None) -> None:
    """Refuse um per pixel that no microscope has (`InputError`)."""
    low, high = PLAUSIBLE_MPP
    if mpp is not None and not (is_number(mpp) and low <= mpp <= high):
        said = f"{mpp:g}" if is_number(mpp) else repr(mpp)
        raise InputError(f"{said} um per pixel is out of range: give {low:g} to {high:g}, or leave it out")
