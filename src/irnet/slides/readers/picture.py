"""A plain image as a slide of one level: whole in memory, decoded by the one decoder of images."""

from __future__ import annotations

from pathlib import Path

from irnet.data.image import check_kinds, read_image
from irnet.errors import InputError
from irnet.slides.readers.slide import Box, Pixels, Slide


class PictureSlide(Slide):
    """Pixels (H, W, 3) that are in memory, of a file or not."""

    def __init__(
        self, pixels: Pixels, mpp: float | None = None, *, path: Path = Path("image"), reader: str = "array"
    ) -> None:
        self.pixels, self.mpp, self.reader, self.files = pixels, mpp, reader, (path,)
        self.levels = (pixels.shape[:2],)

    @classmethod
    def open(cls, path: Path) -> PictureSlide:
        """The slide of an image file. Raises InputError."""
        import PIL

        try:
            check_kinds([path])
        except InputError:
            raise InputError(
                f"{path}: no slide and no picture, by its first bytes: copy or export it again"
            ) from None
        image = read_image(path)
        slide = cls(image.pixels, image.mpp, path=path, reader=f"Pillow {PIL.__version__}")
        slide.notes = image.notes
        return slide

    def _read(self, plane: int, level: int, box: Box) -> Pixels:
        x1, y1, x2, y2 = box
        return self.pixels[y1:y2, x1:x2]
