"""Time of a training item: decoding apart from the window with its masks and its augmentation.

To reach: 50 ms for a 1000 x 1000 window of a field of 23 instances, fully augmented.

    python benchmarks/loader.py [--csv FILE] [--items 60]

CPU milliseconds of one process and one thread. Each item is prepared three times and its fastest counts:
on a shared machine the others measure the neighbours. The mean is over the items.
"""

import argparse
import csv
import io
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and torch start their threads

import numpy as np
import torch
from PIL import Image

from irnet.cells import Content
from irnet.config import AugmentSettings
from irnet.synthetic import generate
from irnet.training.crops import CropDataset

INSTANCES = 23


def field() -> tuple[np.ndarray, Content]:
    """A generated smear of which 23 instances are annotated."""
    fields = (generate(seed, size=(1000, 1000)) for seed in count())
    image, truth = next((image, truth) for image, truth in fields if len(truth.cells) >= INSTANCES)
    return image, Content(cells=truth.cells.select(slice(INSTANCES)))


def measure(work: Callable[[int], object], items: Iterable[int]) -> tuple[float, float]:
    """Mean and largest CPU milliseconds of an item."""
    fastest = []
    for item in items:
        times = []
        for _ in range(3):
            start = time.process_time()
            work(item)
            times.append(time.process_time() - start)
        fastest.append(1000 * min(times))
    return statistics.mean(fastest), max(fastest)


def encoded(image: np.ndarray, form: str) -> bytes:
    """The image as a file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, form)
    return buffer.getvalue()


def decode(file: bytes) -> np.ndarray:
    """The pixels of a file."""
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


def main() -> None:
    """Print the table and, when asked, write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--items", type=int, default=60)
    options = parser.parse_args()
    torch.set_num_threads(1)
    image, truth = field()
    rows = []
    for form in ("PNG", "JPEG"):
        file = encoded(image, form)
        rows.append((f"decode {form}", 1000, *measure(lambda _, file=file: decode(file), range(5))))
    augmented = AugmentSettings()
    for size in (1000, 512):
        for name, augmentation in (("window", AugmentSettings.none()), ("window, augmented", augmented)):
            items = CropDataset(
                lambda _: (image, truth), size=size, length=options.items, augmentation=augmentation
            )
            rows.append((name, size, *measure(items.__getitem__, range(options.items))))
    print(f"{len(truth.cells)} instances, {platform.machine()}, Python {platform.python_version()}")
    for name, size, mean, most in rows:
        print(f"{name:20s} {size:5d} px  mean {mean:6.1f} ms  slowest item {most:6.1f} ms")
    if options.csv:
        with options.csv.open("w", newline="") as file:
            csv.writer(file).writerows([("what", "size_px", "mean_cpu_ms", "most_cpu_ms"), *rows])


if __name__ == "__main__":
    main()
