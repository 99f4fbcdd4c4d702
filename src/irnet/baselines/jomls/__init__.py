"""JOMLS, the classical method of the comparison: joint level sets (Lu, Carneiro and Bradley, TIP 2015)."""

from irnet.errors import InputError

try:
    import cv2  # noqa: F401
    import numba  # noqa: F401
except ModuleNotFoundError as error:
    raise InputError("JOMLS needs numba and OpenCV: pip install 'irnet[jomls]'") from error

from irnet.baselines.jomls.segment import JOMLS

__all__ = ["JOMLS"]
