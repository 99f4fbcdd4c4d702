"""Is JOMLS the same window by window? How far its cells in windows are from those of the whole image.

python benchmarks/jomls_windows.py
"""

import argparse
import time

import numpy as np
from numpy.typing import NDArray

from irnet.baselines.jomls import JOMLS
from irnet.cells import LABEL_NAMES, Cells
from irnet.slides.seams import segment_windows
from irnet.synthetic import generate

MPP = 0.37  # its working scale
SIZE, CORE, HALO = 1200, 640, 384  # px
EVERY = dict.fromkeys(LABEL_NAMES, 1.0)  # no suppression: there are no scores to go by


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=3, help="of the generated field")
    image, _ = generate(parser.parse_args().seed, size=(SIZE, SIZE), mpp=MPP, layout="cps")
    jomls = JOMLS()

    def segment(window: NDArray[np.uint8]) -> Cells:
        return jomls(window, MPP)

    begun = time.process_time()
    whole = segment(image)
    middle = time.process_time()
    pieces = segment_windows(segment, image, core=CORE, halo=HALO, nms=EVERY)
    print(f"whole {middle - begun:.0f} CPU s, windows {time.process_time() - middle:.0f} CPU s")
    for label, name in LABEL_NAMES.items():
        one, other = whole.of(label), pieces.of(label)
        best = one.iou(other).max(axis=1, initial=0.0)
        print(
            f"{name}: {len(one)} and {len(other)}, equal {(best == 1).sum()}, IoU > .9 {(best > 0.9).sum()}"
        )


if __name__ == "__main__":
    main()
