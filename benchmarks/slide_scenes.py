"""Cells of a slide from windows against those of the slide in one piece, by a detector that knows the answer.

Scenes of marked cells are written as pyramids of TIFF, planned, segmented window by window by the oracle of
the tests, and finished; cells.db has to hold what one suppression of the whole scene leaves, mask by mask.

nice -n 19 env OMP_NUM_THREADS=1 python benchmarks/slide_scenes.py [--scenes 50] [--cells 3100]
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from irnet.cells import Cells
from irnet.geometry.boxes import overlapping_pairs
from irnet.slides.reading import open_store
from irnet.slides.windows import Window
from irnet.verbs.slide_finish import finish_slides
from irnet.verbs.slide_plan import SlideOptions, plan_slides
from irnet.verbs.slide_run import run_slides

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "slides"))
from made_slides import write_pyramid  # pyright: ignore[reportMissingImports]
from oracle import LARGEST, REACH, Scene, as_set, suppressing_masks  # pyright: ignore[reportMissingImports]

ZOOMS = (1.0, 1.48, 2.4)  # px of the slide per px at the network's scale, scene by scene
SIDE, CORE = 2000, 512  # px at the network's scale
HALO, SMALL = 128, 64  # at least LARGEST / 2 + REACH, and less
assert LARGEST / 2 + REACH <= HALO


def segment(scene: Scene, px: float, halo: int) -> tuple[Cells, list[Window]]:
    """What cells.db holds of a scene, and the windows of the plan."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slide = write_pyramid(folder / "a.tif", scene.image(px), mpp=0.37 / px, compression=None)
        options = SlideOptions(window=(CORE, halo))
        plan = suppressing_masks(plan_slides([slide], folder / "out", options))
        run_slides(plan.out, open_detector=lambda _: scene.detect)
        finish_slides(plan.out)
        with open_store(plan.folder("a")) as store:
            found = [one for instances in store.by_tile() for one in instances]
            shape = store.meta.shape
        windows = plan.slide("a").layout.windows()
    offsets = np.array([one.box[:2] for one in found]).reshape(-1, 2)
    labels, scores = [one.label for one in found], [one.score for one in found]
    return Cells.build([one.mask() for one in found], offsets, labels, shape, scores=scores), windows


def across_seams(cells: Cells, windows: list[Window]) -> int:
    """How many pairs of cells have boxes that overlap and centres in different windows."""
    owner = np.zeros(len(cells), dtype=np.int64)
    for number, window in enumerate(windows):
        owner[window.owns(cells.boxes)] = number
    first, second = overlapping_pairs(cells.boxes, cells.boxes).T
    return int((owner[first] < owner[second]).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=50)
    parser.add_argument("--cells", type=int, default=3100)
    args = parser.parse_args()
    print(f"{time.strftime('%Y-%m-%d')}, load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")

    exact = seams = lost = more = failed = 0
    for seed in range(args.scenes):
        scene, px = Scene(seed, (SIDE, SIDE), args.cells), ZOOMS[seed % len(ZOOMS)]
        answer = scene.answer()
        cells, windows = segment(scene, px, HALO)
        found = as_set(cells)
        exact += found == answer
        seams += across_seams(cells, windows)
        lost, more = lost + len(answer - found), more + len(found - answer)
        if seed < len(ZOOMS):
            failed += as_set(segment(scene, px, SMALL)[0]) != answer
        said = "the same" if found == answer else "NOT the same"
        print(
            f"scene {seed} at {px} px: {len(found)} of {len(answer)}, {said}; {seams} pairs so far",
            flush=True,
        )

    print(f"{exact} of {args.scenes} scenes exact, {seams} pairs across seams")
    print(f"{lost} instances missing, {more} others")
    print(f"with a halo of {SMALL} px {failed} of {min(args.scenes, len(ZOOMS))} are not")


if __name__ == "__main__":
    main()
