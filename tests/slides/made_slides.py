"""Slides that tests make: pyramids, stacks of focal planes, and what a scanner writes of the patient."""

from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Pixels = NDArray[np.uint8]


def halve(image: Pixels) -> Pixels:
    """The mean of 2 x 2 pixels, as scanners make smaller levels."""
    height, width = (length // 2 * 2 for length in image.shape[:2])
    blocks = image[:height, :width].reshape(height // 2, 2, width // 2, 2, 3).astype(np.float32)
    return blocks.mean(axis=(1, 3)).round().astype(np.uint8)


def write_pyramid(
    path: Path,
    image: Pixels,
    *,
    levels: int = 3,
    mpp: float | None = 0.25,
    compression: str | None = "deflate",
    description: str | None = None,
) -> Path:
    """A TIFF of tiles whose smaller levels follow as pages of their own."""
    with tifffile.TiffWriter(path) as file:
        for level in range(levels):
            file.write(
                image,
                photometric="rgb",
                tile=(256, 256),
                compression=compression,
                subfiletype=int(level > 0),
                description=description if level == 0 else None,
                metadata=None,
                **resolution(None if mpp is None else mpp * 2**level),
            )
            image = halve(image)
    return path


def write_ome(path: Path, planes: Pixels, *, mpp: float | None = 0.25, levels: int = 2) -> Path:
    """An OME-TIFF of focal planes (Z, H, W, 3), smaller levels in SubIFDs."""
    size = {} if mpp is None else {"PhysicalSizeX": mpp, "PhysicalSizeY": mpp}
    options = {"photometric": "rgb", "tile": (256, 256), "compression": "deflate"}
    with tifffile.TiffWriter(path, ome=True) as file:
        metadata = {"axes": "ZYXS", **size}
        file.write(planes, subifds=levels - 1, metadata=metadata, **options)
        for _ in range(levels - 1):
            planes = np.stack([halve(plane) for plane in planes])
            file.write(planes, subfiletype=1, **options)
    return path


def resolution(mpp: float | None) -> dict:
    """Tags of um per pixel."""
    return {} if mpp is None else {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": "CENTIMETER"}


def noise(seed: int, *shape: int) -> Pixels:
    """Pixels of which no two places are alike."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def focal_stack(
    image: Pixels,
    first: NDArray,
    *,
    planes: int = 5,
    sharp: tuple[int, int] = (1, 3),
    blur: float,
) -> Pixels:
    """Focal planes (Z, H, W, 3) of an image whose stain lies in two of them.

    `first` (H, W) is the share of each pixel's stain that is sharp in the first of them. Away from its plane,
    light is spread by a Gaussian of `blur` px for each plane between.
    """
    density = -np.log10(np.maximum(image, 1) / 255)
    parts = density * first[..., None], density * (1 - first)[..., None]
    stack = []
    for plane in range(planes):
        total = np.zeros_like(density)
        for part, at in zip(parts, sharp, strict=True):
            reach = blur * abs(plane - at)
            total += gaussian_filter(part, (reach, reach, 0)) if reach else part
        stack.append(np.clip(255 * 10**-total, 0, 255).round().astype(np.uint8))
    return np.stack(stack)
