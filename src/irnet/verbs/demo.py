"""`irnet demo`: draw a field, find its cells with the bundled weights, score and report them; offline."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from irnet.data.coco.coco import write_coco
from irnet.data.coco.found import read_found
from irnet.data.file_names import ANNOTATIONS
from irnet.data.files import write_atomic
from irnet.data.pixels import to_png
from irnet.data.sample import Entry
from irnet.inference.weights import find_weights
from irnet.report.figure import compare, count
from irnet.synthetic import generate
from irnet.training.scores import headline
from irnet.verbs.evaluate import evaluate
from irnet.verbs.predict_files import predict_files
from irnet.verbs.predict_options import PredictOptions
from irnet.verbs.report import write_report

NAME = "field.png"
CELLS = 20  # enough for clumps


class Demo(NamedTuple):
    """What `run_demo` wrote and found."""

    picture: Path  # field, truth and finding side by side
    reports: tuple[Path, Path]  # pages of what was found, and of how it scored
    truth: str  # how many cells and nuclei there are
    found: str  # how many were found
    scores: dict[str, float]  # such as cytoplasm/AJI

    def lines(self) -> list[str]:
        """What was there, what was found, and the scores, a line for each class."""
        lines = [f"truth: {self.truth}", f"found: {self.found}"]
        for name in dict.fromkeys(key.partition("/")[0] for key in self.scores):
            values = {k.partition("/")[2]: v for k, v in self.scores.items() if k.startswith(f"{name}/")}
            lines.append(f"{name}: " + ", ".join(f"{title} {value:.3f}" for title, value in values.items()))
        return lines


def run_demo(out_dir: str | Path, *, seed: int = 12, model: str | None = None, device: str = "auto") -> Demo:
    """Generate a field, find its cells, and write what the verbs write, each into its own folder.

    `out_dir` gets data/ (the field and its truth), found/ (as from `irnet predict`), scores/ (as from `irnet
    evaluate`), a report in both, and demo.png. Raises InputError when there are no weights.
    """
    out = Path(out_dir)
    find_weights(model)

    image, truth = generate(seed, layout="dense", count=CELLS)
    field = out / "data" / "images" / NAME
    write_atomic(field, to_png(image))
    entry = Entry(name=NAME, path=field, content=truth)
    write_coco(out / "data" / ANNOTATIONS, [entry], info={"description": f"generated, seed {seed}"})

    options = PredictOptions(model=model, mpp=truth.cells.mpp, device=device)
    predict_files([field], out / "found", options)
    summary = evaluate(out / "found", out / "data", out / "scores").summary
    found = read_found(out / "found")[0].content.cells

    figure = compare(image, truth.cells, found, title="generated field")
    write_atomic(out / "demo.png", to_png(figure))
    reports = write_report(out / "found").file, write_report(out / "scores").file
    return Demo(out / "demo.png", reports, count(truth.cells), count(found), headline(summary))
