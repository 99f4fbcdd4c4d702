"""Augmentation: changes of colour and sharpness. Every draw comes from the generator passed in."""

import io

import numpy as np
from numpy.random import Generator
from PIL import Image
from scipy.special import ndtri

from irnet.config import AugmentSettings
from irnet.training.warp import Array, Pixels

JPEG_QUALITY = (50, 95)  # lowest and highest


def recolour(image: Pixels, rng: Generator, augmentation: AugmentSettings) -> Pixels:
    """The image, (H, W, 3) as all here, as another stain, lamp, focus, camera and file would show it."""
    a = augmentation
    if a.stain:
        image = mix_stain(image, np.eye(3) + rng.normal(size=(3, 3)) * a.stain * (0.3 + 0.7 * np.eye(3)))
    if a.grey and rng.random() < a.grey:
        image = np.asarray(Image.fromarray(image).convert("L").convert("RGB"))

    if a.blur and rng.random() < a.blur:
        image = blur(image, rng.uniform(0, a.blur_sigma))

    brightness, contrast, gamma = rng.uniform(-1, 1, 3) * (a.brightness, a.contrast, a.gamma)
    image = adjust_tone(image, brightness=brightness, contrast=1 + contrast, gamma=1 + gamma)

    if a.noise and rng.random() < a.noise:
        image = add_noise(image, rng, rng.uniform(0, a.noise_sigma))
    if a.jpeg and rng.random() < a.jpeg:
        image = compress(image, int(rng.integers(*JPEG_QUALITY, endpoint=True)))
    return image


_QUANTILES = ndtri((np.arange(256) + 0.5) / 256)  # of the normal distribution
_DENSITY = -np.log(np.maximum(np.arange(256), 1) / 255).astype(np.float32)  # Beer-Lambert


def mix_stain(image: Pixels, mixing: Array) -> Pixels:
    """The image with its optical densities (R, G, B) multiplied by `mixing` (3, 3); white stays white."""
    negative = -mixing.T.astype(np.float32)
    mixed = np.empty_like(image)
    for rows in range(0, len(image), 16):  # as much as stays in a core's cache
        light = _DENSITY.take(image[rows : rows + 16]) @ negative
        np.exp(np.minimum(light, 0, out=light), out=light)
        mixed[rows : rows + 16] = light * 255 + 0.5
    return mixed


def adjust_tone(image: Pixels, *, brightness: float, contrast: float, gamma: float) -> Pixels:
    """The image after gamma, contrast about mid-grey and a shift of brightness (a share of white)."""
    levels = ((np.arange(256) / 255) ** gamma - 0.5) * contrast + 0.5 + brightness
    table = (levels.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    return np.asarray(Image.fromarray(image).point(table.tolist() * 3))


def blur(image: Pixels, sigma: float) -> Pixels:
    """The image about as blurred as by a Gaussian of `sigma` px: sent through fewer pixels, which is fast."""
    height, width = image.shape[:2]
    factor = max(1.0, sigma * np.sqrt(3))  # two triangles of half-width f have the variance f^2 / 3

    small = Image.fromarray(image).resize(
        (round(width / factor), round(height / factor)), Image.Resampling.BILINEAR
    )
    return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))


def add_noise(image: Pixels, rng: Generator, sigma: float) -> Pixels:
    """The image with independent normal noise of `sigma` grey levels, drawn through 256 quantiles."""
    quantiles = (_QUANTILES * sigma).round().astype(np.int16)
    noisy = quantiles.take(rng.integers(0, 256, image.shape, dtype=np.uint8))
    noisy += image
    return noisy.clip(0, 255, out=noisy).astype(np.uint8)


def compress(image: Pixels, quality: int) -> Pixels:
    """The image after JPEG at `quality`."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))
