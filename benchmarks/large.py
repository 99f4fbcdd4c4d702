"""What an image of many instances costs on the way from predict's own files to scores, tables and exports.

    python benchmarks/large.py --instances 100000 --megapixels 300

The cells of one generated field are repeated over a frame of the size asked for, with its picture; no
network runs. What is scored against lacks every seventh instance and lies a pixel aside. Each step runs in a
process of its own and prints CPU seconds and peak memory. What is read back must equal what was written.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from irnet.cells import LABEL_NAMES, Cells, Content
from irnet.data.coco.coco import read_coco, write_coco
from irnet.data.sample import Entry
from irnet.inference.detections import ImageDetections
from irnet.inference.windows import WINDOWS
from irnet.morphometry.pairing import pair_nuclei
from irnet.slides.seams import segment_windows, survivors
from irnet.slides.windows import plan_windows
from irnet.synthetic import generate
from irnet.verbs import predict_files
from irnet.verbs.evaluate import evaluate
from irnet.verbs.export import FORMATS, export
from irnet.verbs.measure import measure_files
from irnet.verbs.report import write_report

SIDE, MPP, SEED = 1000, 0.25, 7
NMS = dict.fromkeys(LABEL_NAMES, 0.5)


def main() -> None:
    """Run every step, or the one that is named, on a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--instances", type=int, default=5000)
    parser.add_argument("--megapixels", type=float, default=15)
    parser.add_argument(
        "--folder", type=Path, help="where to work: about 5 bytes a pixel; removed afterwards"
    )
    parser.add_argument(
        "--steps", nargs="+", choices=list(STEPS), default=list(STEPS), help="the first is needed"
    )
    parser.add_argument("--step", choices=list(STEPS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        work(arguments.step, arguments.folder, arguments.instances, arguments.megapixels)
        return
    folder = Path(tempfile.mkdtemp(dir=arguments.folder))
    try:
        print("| step | CPU s | peak MB |\n|---|---|---|", flush=True)
        size = ["--instances", str(arguments.instances), "--megapixels", str(arguments.megapixels)]
        for step in arguments.steps:
            command = [sys.executable, __file__, *size, "--folder", str(folder), "--step", step]
            subprocess.run(command, check=True)
    finally:
        shutil.rmtree(folder)


def work(step: str, folder: Path, instances: int, megapixels: float) -> None:
    """Do one step and print what it took, imports left out of the time."""
    begun = time.process_time()
    if step == "make":
        make(folder, instances, megapixels)
    else:
        STEPS[step](folder)
    seconds, peak = time.process_time() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"| {step} | {seconds:.1f} | {peak:.0f} |", flush=True)


def make(folder: Path, instances: int, megapixels: float) -> None:
    """Write the picture, what was found in it, and the truth to score that by."""
    picture, truth = generate(SEED, size=(SIDE, SIDE), mpp=MPP, layout="cps")
    columns = int(np.ceil(np.sqrt(instances / len(truth.cells))))
    side = int(np.sqrt(megapixels * 1e6))
    cells = repeat(truth.cells, columns, side, instances)
    repeats = -(-side // SIDE)
    PIL.Image.fromarray(np.tile(picture, (repeats, repeats, 1))[:side, :side]).save(folder / "a.tif")
    for name, found in (("predictions", cells), ("truth", aside(cells))):
        write_coco(folder / f"{name}.json", [entry(folder, found)], scores=name == "predictions")


def repeat(cells: Cells, columns: int, side: int, instances: int) -> Cells:
    """`instances` of the cells of a field, over and over in a square frame; their scores fall."""
    starts = np.linspace(0, side - SIDE, columns).astype(int)
    corners = np.array([(x, y) for y in starts for x in starts])
    copies = len(corners)
    masks = cells.masks * copies
    parents = [np.where(cells.parents < 0, -1, cells.parents + k * len(cells)) for k in range(copies)]
    everything = Cells(
        masks=masks,
        offsets=np.concatenate([cells.offsets + corner for corner in corners]),
        labels=np.tile(cells.labels, copies),
        scores=np.linspace(1, 0.1, len(masks)),
        parents=np.concatenate(parents),
        image_shape=(side, side),
        mpp=MPP,
    )
    return everything.select(np.arange(min(instances, len(masks))))


def aside(cells: Cells) -> Cells:
    """The cells without every seventh, a pixel to the right."""
    return cells.select(np.arange(len(cells)) % 7 > 0).shift(1, 0, cells.image_shape)


def entry(folder: Path, cells: Cells) -> Entry:
    return Entry(name="a.tif", path=folder / "a.tif", content=Content(cells=cells))


def found(folder: Path) -> Cells:
    (read,) = read_coco(folder / "predictions.json")
    return read.content.cells


def rewrite(folder: Path) -> None:
    """Read, write again, compare the bytes of all annotations."""
    write_coco(folder / "again.json", [entry(folder, found(folder))], scores=True)
    if (folder / "again.json").read_bytes() != (folder / "predictions.json").read_bytes():
        raise AssertionError("what was read back is not what was written")


def predict(folder: Path) -> None:
    """The picture through `irnet predict`, whose network knows what each of its windows holds."""
    cells = found(folder)
    stand_in = _StandIn(cells)
    predict_files.open_method = lambda *_, **__: stand_in
    report = predict_files.predict_files(
        [folder / "a.tif"], folder / "predicted", predict_files.PredictOptions(mpp=MPP)
    )
    if report.exit_code or sum(report.images[0]["found"].values()) != len(cells):
        raise AssertionError("what was found is not what is there")


class _StandIn:
    """A method that finds the cells it was given, window by window."""

    name, scored, scores, source, batch = "irnet", True, dict.fromkeys(LABEL_NAMES, 0.0), None, 1

    def __init__(self, cells: Cells) -> None:
        self.cells = cells

    def check(self, **_: object) -> None:
        pass

    def origin(self) -> dict[str, object]:
        return {"method": self.name, "scored": True, "model": None, "model_sha256": None}

    def find(self, image: NDArray[np.uint8], mpp: float | None = None, **_: object) -> ImageDetections:
        core, halo = WINDOWS[0]
        windows, again = plan_windows(image.shape[:2], core=core, halo=halo), None

        def see(pixels: NDArray[np.uint8]) -> Cells:
            nonlocal again
            window = again or next(windows)
            x, y = window.origin
            held = self.cells.shift(-x, -y, window.frame_shape)
            placed = held.shift(x, y, image.shape[:2])
            cut = window.truncates(placed.boxes[window.owns(placed.boxes)]).any()
            again = window.widen(2 * halo) if cut and not again else None
            return held

        kept = segment_windows(
            see, image, core=core, halo=halo, suppress=lambda cells, windows: np.arange(len(cells))
        )
        return ImageDetections(kept, 1.0, ())

    def choose(self, cells: Cells, score: float | None = None) -> Cells:
        return pair_nuclei(cells)


def suppress(folder: Path) -> None:
    """Each instance twice, the second less sure, as windows give them: half must go."""
    cells = found(folder)
    twice = Cells.concat([cells, replace(cells, scores=cells.scores / 2)])
    kept: NDArray[np.int64] = survivors(twice, nms=NMS)
    if kept.max() >= len(cells):
        raise AssertionError("a copy survived its original")


def export_to(to: str, folder: Path) -> None:
    export(folder / "predictions.json", to, folder / to)


STEPS: dict[str, Callable[[Path], object]] = {
    "make": lambda folder: None,
    "read": found,
    "write again": rewrite,
    "measure": lambda folder: measure_files(folder / "predictions.json", save=("csv", "parquet")),
    "pair": lambda folder: pair_nuclei(found(folder)),
    "suppress": suppress,
    "predict": predict,
    "evaluate": lambda folder: evaluate(
        folder / "predictions.json", folder / "truth.json", folder / "scores"
    ),
    "report": lambda folder: write_report(folder / "predictions.json"),
} | {f"export {to}": partial(export_to, to) for to in FORMATS}

if __name__ == "__main__":
    main()
