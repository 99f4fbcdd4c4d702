"""What a user reads while work goes on, and numbers in such lines."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with the name of each image, its number from 1 and how many there are."""

AS_SHARES = "outlines lie within the first pixel: are they shares of the image's size? Pixels are meant"


def number_of(number: int, noun: str) -> str:
    """A number of things.

    >>> number_of(1, "image"), number_of(0, "image")
    ('1 image', '0 images')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"
