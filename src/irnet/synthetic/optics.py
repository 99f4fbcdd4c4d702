"""From optical density to the file: light, lens, sensor and compression, one camera a patient."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from irnet.synthetic.stain import Palette
from irnet.synthetic.texture import noise, wide_noise

Raster = NDArray[np.floating]
LN10 = np.float32(np.log(10.0))
EMPTY = 0.985  # transmittance above which a pixel counts as background
SATURATED = 0.5  # share of the cameras of strongly stained smears whose background is saturated
SHARPENED_UM = 1.8  # reach of the bright fringe that sharpening leaves
STACKED = 0.75  # share of grey cameras with an extended depth of field
FALL_OFF = 250  # px from the calm middle of a focus-stacked field to its noisy rest


@dataclass(frozen=True)
class Camera:
    """Microscope and sensor."""

    white: tuple[float, float, float]  # grey levels of the empty background; above 255 it is saturated
    gamma: float
    vignetting: float  # loss of light in the corners
    unevenness: float  # of the illumination, relative
    blur: float  # of the lens (px)
    depth: float  # spread of the cells over the depth of the specimen (um); 0 where all is in focus
    deep: float  # probability that a group lies out of focus
    glare: float  # stray light, a share of the background's: nothing is darker
    sharpening: float
    shot_noise: float  # grey levels on white
    read_noise: float  # grey levels
    noise_scale: float  # smoothness of the noise (px); 0 for white noise
    calm: float  # radius (px) within which focus stacking has averaged the background's noise away
    quality: int | None  # of JPEG

    @classmethod
    def draw(cls, rng: np.random.Generator, palette: Palette) -> "Camera":
        """A patient's camera; grey ones mostly have an extended depth of field."""
        grey, strong = palette == "grey", palette == "strong"
        if grey and rng.random() < STACKED:
            return cls._draw_stacked(rng)

        return cls(
            white=_draw_white(rng, palette),
            gamma=float(np.exp(rng.normal(0, 0.08))),
            vignetting=rng.uniform(0, 0.12) * (rng.random() < 0.7),
            unevenness=rng.uniform(0, 0.008),
            blur=rng.uniform(0.35, 1.0),
            depth=rng.uniform(0.3, 0.9 if strong else 1.6) * (rng.random() < 0.75),
            deep=0.3 if strong else 0.0,
            glare=rng.uniform(0.02, 0.08) if strong else 0.0,
            sharpening=rng.uniform(0, 0.8 if strong else 0.25) * (rng.random() < (0.85 if strong else 0.35)),
            shot_noise=rng.uniform(0.3, 2.3),
            read_noise=rng.uniform(0.2, 1.2),
            noise_scale=float(rng.choice([0.0, 0.5, 0.7])),
            calm=0.0,
            quality=int(rng.integers(70, 97)) if rng.random() < 0.7 else None,
        )

    @classmethod
    def _draw_stacked(cls, rng: np.random.Generator) -> "Camera":
        """A grey camera with an extended depth of field: even light, white noise, all in focus."""
        level = float(rng.normal(230, 3))

        return cls(
            white=(level, level, level),
            gamma=1.0,
            vignetting=rng.uniform(-0.01, 0.02),
            unevenness=rng.uniform(0, 0.004),
            blur=rng.uniform(0.35, 0.6),
            depth=0.0,
            deep=0.0,
            glare=0.0,
            sharpening=rng.uniform(0, 0.2) * (rng.random() < 0.3),
            shot_noise=rng.uniform(0.8, 1.6),
            read_noise=rng.uniform(1.4, 2.1),
            noise_scale=0.0,
            calm=rng.uniform(80, 250) if rng.random() < 0.5 else 0.0,
            quality=None,
        )

    def defocus(self, rng: np.random.Generator, mpp: float) -> float:
        """Blur of one layer (px): half the cone of light of NA .75 beyond the depth of field, capped."""
        beyond = max(0.0, abs(rng.normal(0, 2 * self.depth)) - 0.5)
        return min(0.28 * beyond / mpp, 1.0 / mpp)

    def photograph(self, rng: np.random.Generator, density: Raster, mpp: float) -> NDArray[np.uint8]:
        """The picture (H, W, 3) uint8 of optical densities (channels, H, W)."""
        light = self._illumination(rng, density.shape[1:], mpp)
        channels = []
        for values, white in zip(density, self.white, strict=False):
            level = gaussian_filter(np.exp(values * -LN10), self.blur, truncate=3.0)
            if self.glare:
                level += np.float32(self.glare) * (1 - level)
            if self.sharpening:
                wide = gaussian_filter(level, SHARPENED_UM / mpp, truncate=2.0)
                level += np.float32(self.sharpening) * (level - wide)
            channels.append(self._expose(rng, level, light, white))
        picture = np.stack(channels * (3 // len(channels)), axis=-1)
        return self._compress(picture)

    def _illumination(self, rng: np.random.Generator, shape: tuple[int, ...], mpp: float) -> Raster:
        height, width = shape
        y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
        centre = rng.normal(0, 0.2, 2)
        fall = self.vignetting / 2 * ((x - centre[0]) ** 2 + (y - centre[1]) ** 2)
        uneven = self.unevenness * wide_noise(rng, (height, width), 60 / mpp)
        return (1 - fall + uneven).astype(np.float32)

    def _expose(
        self, rng: np.random.Generator, level: Raster, light: Raster, white: float
    ) -> NDArray[np.uint8]:
        """Grey levels with noise: that of the photons grows with the root of the light."""
        if self.noise_scale:
            grain = noise(rng, level.shape, self.noise_scale)
        else:
            grain = rng.standard_normal(level.shape, dtype=np.float32)
        deviation = np.sqrt(
            np.float32(self.shot_noise**2) * np.maximum(level, 0) + np.float32(self.read_noise**2)
        )
        if self.calm:
            deviation *= self._unrest(level)
        exposed = level * light
        if self.gamma != 1:
            exposed = np.maximum(exposed, 0) ** np.float32(self.gamma)
        return np.clip(exposed * np.float32(white) + deviation * grain + 0.5, 0, 255).astype(np.uint8)

    def _unrest(self, level: Raster) -> Raster:
        """Share of the noise that focus stacking left: all on cells, none on the background of the middle."""
        height, width = level.shape
        y, x = np.ogrid[:height, :width]
        distance = np.hypot(x - width / 2, y - height / 2).astype(np.float32)
        rest = np.clip((distance - np.float32(self.calm)) / np.float32(FALL_OFF), 0, 1)
        return np.maximum(rest, level < EMPTY)

    def _compress(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.quality is None:
            return picture
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=self.quality)
        return np.asarray(Image.open(file))


def _draw_white(rng: np.random.Generator, palette: Palette) -> tuple[float, float, float]:
    """Background of a camera: grey ones near 230, colour ones saturated, bright or dim and pinkish."""
    if palette == "grey":
        level = float(np.clip(rng.normal(231, 7), 200, 250))
        return level, level, level
    if palette == "strong" and rng.random() > SATURATED:
        level, tint = rng.uniform(232, 254), rng.normal(0, 4 if rng.random() < 0.9 else 20, 3)
    elif rng.random() < {"vivid": 0.8, "strong": 1.0}.get(palette, 0.3):
        level, tint = rng.uniform(250, 268), rng.normal(0, 4, 3)
    else:
        level, tint = rng.uniform(180, 248), rng.normal((4, -6, 4), 6)
    white = np.clip(level + tint, 150, 270)
    return float(white[0]), float(white[1]), float(white[2])
