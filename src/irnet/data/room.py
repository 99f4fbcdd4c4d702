"""How many pixels the masks of one image may have together: a few bytes can stand for gigabytes of them."""

from irnet.errors import InputError
from irnet.wording import number_of

MASK_PIXELS = 2**29  # of all crops of an image, whatever there is in it
INSTANCE_PIXELS = 2**16  # and for each instance: 256 x 256


class MaskRoom:
    """Room for the crops of one image, `times` of what they may have, taken before they are made."""

    def __init__(self, times: int = 1) -> None:
        self.times = times
        self._spent = self._instances = 0

    def take(self, pixels: int, *, instances: int = 1) -> None:
        """Take the pixels of a crop, of one more instance unless `instances` is 0. Raises InputError."""
        self._spent += pixels
        self._instances += instances
        if self._spent > self.times * (limit := MASK_PIXELS + INSTANCE_PIXELS * self._instances):
            raise InputError(
                f"the image's masks together have more than {limit:,} pixels, too many for "
                f"{number_of(self._instances, 'instance')}: look at their sizes, or cut the image into fields"
            )
