"""From optical density to the file: light, lens, sensor and compression, one camera a patient."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from irnet.synthetic.texture import noise, wide_noise

Field = NDArray[np.float32]
LN10 = np.float32(np.log(10.0))


@dataclass(frozen=True)
class Camera:
    """Microscope and sensor."""

    white: tuple[float, float, float]  # grey levels of the empty background
    vignetting: float  # loss of light in the corners
    unevenness: float  # of the illumination, relative
    blur: float  # of the lens (px)
    depth: float  # spread of the defocus of single cells (um); 0 for an extended depth of field
    shot_noise: float  # grey levels on white
    read_noise: float  # grey levels
    noise_scale: float  # smoothness of the noise (px); 0 for white noise
    quality: int | None  # of JPEG

    @classmethod
    def draw(cls, rng: np.random.Generator, *, grey: bool) -> "Camera":
        """A patient's camera; grey ones often have an extended depth of field."""
        level = rng.uniform(218, 248)
        tint = np.zeros(3) if grey else rng.normal(0, 3, 3)
        white = np.clip(level + tint, 190, 254)
        return cls(
            white=(float(white[0]), float(white[1]), float(white[2])),
            vignetting=rng.uniform(0, 0.10) * (rng.random() < 0.6),
            unevenness=rng.uniform(0, 0.012),
            blur=rng.uniform(0.35, 1.1),
            depth=0.0 if rng.random() < (0.7 if grey else 0.25) else rng.uniform(0.3, 1.5),
            shot_noise=rng.uniform(0.4, 2.2),
            read_noise=rng.uniform(0.2, 1.2),
            noise_scale=float(rng.choice([0.0, 0.5, 0.7])),
            quality=int(rng.integers(70, 97)) if rng.random() < 0.6 else None,
        )

    def defocus(self, rng: np.random.Generator, mpp: float) -> float:
        """Blur of one cell (px): half the cone of light beyond the depth of field (synthetic.md, 4.4)."""
        beyond = max(0.0, abs(rng.normal(0, 2 * self.depth)) - 0.5)
        return min(0.28 * beyond / mpp, 1.0 / mpp)

    def photograph(self, rng: np.random.Generator, density: Field, mpp: float) -> NDArray[np.uint8]:
        """The picture (H, W, 3) uint8 of optical densities (channels, H, W)."""
        light = self._illumination(rng, density.shape[1:], mpp)
        channels = []
        for values, white in zip(density, self.white, strict=False):
            level = np.exp(values * -LN10)
            level *= light
            channels.append(self._expose(rng, gaussian_filter(level, self.blur), np.float32(white)))
        picture = np.stack(channels * (3 // len(channels)), axis=-1)
        return self._compress(picture)

    def _illumination(self, rng: np.random.Generator, shape: tuple[int, ...], mpp: float) -> Field:
        height, width = shape
        y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
        centre = rng.normal(0, 0.2, 2)
        fall = self.vignetting / 2 * ((x - centre[0]) ** 2 + (y - centre[1]) ** 2)
        uneven = self.unevenness * wide_noise(rng, (height, width), 60 / mpp)
        return (1 - fall + uneven).astype(np.float32)

    def _expose(self, rng: np.random.Generator, level: Field, white: np.float32) -> NDArray[np.uint8]:
        """Grey levels with noise: that of the photons grows with the root of the light."""
        if self.noise_scale:
            grain = noise(rng, level.shape, self.noise_scale)
        else:
            grain = rng.standard_normal(level.shape, dtype=np.float32)
        deviation = np.sqrt(np.float32(self.shot_noise**2) * level + np.float32(self.read_noise**2))
        return np.clip(level * white + deviation * grain + 0.5, 0, 255).astype(np.uint8)

    def _compress(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.quality is None:
            return picture
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=self.quality)
        return np.asarray(Image.open(file))
