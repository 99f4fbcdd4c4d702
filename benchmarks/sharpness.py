"""Sharpness and ink of generated smears, sharp and blurred, which the limits of `slides/quality.py` rest on.

OMP_NUM_THREADS=1 python benchmarks/sharpness.py [--fields 2]
"""

import argparse
import time
from itertools import product

import numpy as np
from scipy.ndimage import gaussian_filter

import irnet
from irnet.slides.quality import FLOOR, patches_of
from irnet.slides.windows import plan_windows

SIDE, MPP = 768, 0.37
BLURS = (0.0, 1.0, 2.0, 3.0, 5.0)  # px of a Gaussian
PALETTES, LAYOUTS = ("pap", "pale", "vivid", "strong"), ("cps", "crowded", "heaped", "sparse")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fields", type=int, default=2, help="of each stain and arrangement")
    fields = parser.parse_args().fields
    print(time.strftime("%Y-%m-%d"))

    window = next(iter(plan_windows((SIDE, SIDE), core=SIDE, halo=0)))
    sharpness, inked = {blur: [] for blur in BLURS}, 0
    for palette, layout, seed in product(PALETTES, LAYOUTS, range(fields)):
        image, _ = irnet.generate(seed, size=(SIDE, SIDE), mpp=MPP, palette=palette, layout=layout)
        red, green, blue = np.percentile(image.reshape(-1, 3), 95, axis=0).tolist()
        for blur in BLURS:
            seen = gaussian_filter(image, (blur, blur, 0)) if blur else image
            patches = patches_of(np.asarray(seen, dtype=np.uint8), window, (red, green, blue), MPP)
            sharpness[blur] += patches[~np.isnan(patches[:, 4]), 4].tolist()
            inked += int((patches[:, 5] > 0).sum())

    for blur, values in sharpness.items():
        low, middle, high = np.percentile(values, (5, 50, 95))
        below = np.mean(np.array(values) < FLOOR)
        share = f"{below:.1%} of {len(values)} below {FLOOR}"
        print(f"blur {blur:g} px: {low:.2f} to {high:.2f}, median {middle:.2f}, {share}")
    print(f"{inked} patches with ink")


if __name__ == "__main__":
    main()
