"""What windows of a slide cost in CPU seconds a megapixel: resampling, and the bundled network.

OMP_NUM_THREADS=1 python benchmarks/slides.py [--engine torch]
"""

import argparse
import os
import resource
import time

import numpy as np

import irnet
from irnet.inference.predict import Predictor
from irnet.slides.resample import STEPS, Resampling

SIDE, CELLS, MPP = 1024, 120, 0.37  # of a generated field, four of which make a window
WINDOW = 1536  # px a side that are resampled at a time


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def time_resampling(px: float) -> tuple[float, float]:
    """Milliseconds for a megapixel of the network's scale, and of the slide."""
    image = np.random.default_rng(0).integers(0, 256, (6000, 6000, 3), dtype=np.uint8)
    how = Resampling(image.shape[:2], round(px * STEPS))
    begun, rounds = cpu(), 8
    for _ in range(rounds):
        how.cut_out(lambda box: image[box[1] : box[3], box[0] : box[2]], (64, 64, 64 + WINDOW, 64 + WINDOW))
    each = 1e3 * (cpu() - begun) / rounds / (WINDOW**2 / 1e6)
    return each, each / px**2


def time_network(engine: str) -> tuple[int, float]:
    """How many candidates a window of generated cells has, and seconds for a megapixel of it."""
    field, _ = irnet.generate(3, size=(SIDE, SIDE), mpp=MPP, count=CELLS)
    window = np.tile(field, (2, 2, 1))
    predictor = Predictor.load(None, device="cpu", engine=engine)
    predictor.find_at(1.0, field[:512, :512])  # warm
    begun = cpu()
    found = predictor.find_at(1.0, window)
    return len(found.cells), (cpu() - begun) / (window.shape[0] * window.shape[1] / 1e6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="openvino", choices=("openvino", "torch"))
    engine = parser.parse_args().engine
    print(f"{time.strftime('%Y-%m-%d')}, load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    for px in (0.74, 1.48, 2.4):
        ours, theirs = time_resampling(px)
        print(
            f"resampling {px} px to 1: {ours:.0f} ms a megapixel of the network's, {theirs:.0f} of the slide"
        )
    count, seconds = time_network(engine)
    print(
        f"{engine}: {seconds:.2f} CPU s a megapixel, {count} candidates in {4 * SIDE**2 / 1e6:.1f} megapixels"
    )


if __name__ == "__main__":
    main()
