"""JOMLS, the classical method of the comparison: joint level sets (Lu, Carneiro and Bradley, TIP 2015)."""

from irnet.errors import InputError
from irnet.wording import install_extra

try:
    import cv2  # noqa: F401
    import numba  # noqa: F401
except ModuleNotFoundError as error:
    raise InputError(f"JOMLS needs numba and OpenCV: {install_extra('jomls')}") from error

from irnet.baselines.jomls.segment import JOMLS

__all__ = ["JOMLS"]
