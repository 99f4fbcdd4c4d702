"""The pictures of README.md and docs/, all of generated fields: make pictures

    python benchmarks/pictures.py [docs/images]

Draws fields, runs `irnet demo`, `predict`, `evaluate`, `report` and `figure` on them, and photographs their
pages and the viewer at work. Needs the bundled weights, Chromium (apt-get install chromium) and `pip install
".[dev]"`. Look at what it made before you commit it.
"""

import argparse
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from irnet.cells import CYTOPLASM, Cells
from irnet.data.coco.found import read_found
from irnet.data.files import write_atomic
from irnet.geometry.polygons import Ring, contours, simplify
from irnet.synthetic import generate_set
from irnet.verbs.compare import compare
from irnet.verbs.demo import run_demo
from irnet.verbs.evaluate import evaluate
from irnet.verbs.figure import make_figures
from irnet.verbs.figure_options import FigureOptions
from irnet.verbs.predict_files import predict_files
from irnet.verbs.predict_options import PredictOptions
from irnet.verbs.report import write_report
from viewer import FLAGS

CHROMIUM = os.environ.get("IRNET_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FIELDS, SEED = 3, 5
MORE = 0.3  # least score of the predictions that others are compared with
TILES = 12  # of a contact sheet
WIDE, TALL = {"width": 1280, "height": 720}, {"width": 1280, "height": 1700}  # px of the window
SHOWN = 960  # px that a picture is wide
FILM_SHOWN, COLOURS = 800, 256
MOST = {"film": 2_000_000, "pictures": 1_500_000}  # bytes
TO_SCREEN = """([x, y]) => {
  const { frame } = window.irnet.stage.layer;
  const { left, top } = document.getElementById("stage").getBoundingClientRect();
  return [left + frame.x + x * frame.scale, top + frame.y + y * frame.scale];
}"""


def make_folders(work: Path) -> None:
    """demo/, and of a few fields what the verbs write: smears/, found/, scores/, compared/ and figures/."""
    run_demo(work / "demo")
    entries = generate_set(work / "smears", images=FIELDS, seed=SEED, layout="dense", palette="pap")

    options = PredictOptions(mpp=entries[0].content.cells.mpp)
    predict_files([entry.path for entry in entries], work / "found", options)
    predict_files([entry.path for entry in entries], work / "more", replace(options, score=MORE))
    evaluate(work / "found", work / "smears", work / "scores")
    write_report(work / "found")
    write_report(work / "scores")
    compare([work / "found", work / "more"], work / "smears", work / "compared")

    measure = FigureOptions(save=("png",), by="nc_ratio", fill=True)
    field = replace(measure, images=[entries[1].name], ids=True)
    make_figures(work / "found", work / "figures", field)
    make_figures(work / "found", work / "figures", replace(measure, sheet=TILES))


def save(picture: Image.Image, file: Path, width: int = SHOWN) -> None:
    """Write a picture that is shown `width` px wide, as WebP."""
    size = (width, round(picture.height * width / picture.width))
    content = io.BytesIO()
    picture.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(content, "webp", quality=80)
    write_atomic(file, content.getvalue())


def photograph(page: Page) -> Image.Image:
    """The window as it looks now."""
    return Image.open(io.BytesIO(page.screenshot()))


@contextmanager
def viewer_of(found: Path) -> Iterator[str]:
    """The address of `irnet view` over a folder, as long as it is needed."""
    command = [sys.executable, "-m", "irnet", "view", str(found), "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        server.stdout.readline()
        yield re.findall(r"http://\S+", server.stdout.readline())[0]
        server.terminate()


def cell_to_draw(cells: Cells) -> int:
    """Index of the largest cell with a nucleus that the edge of the image does not cut."""
    height, width = cells.image_shape
    boxes = cells.boxes
    inside = (boxes[:, :2].min(axis=1) > 20) & (boxes[:, 2] < width - 20) & (boxes[:, 3] < height - 20)
    whole = [
        i
        for i in cells.parents[cells.parents >= 0].tolist()
        if inside[i] and cells.labels[i] == CYTOPLASM and cells.scores[i] > 0.9
    ]
    return max(whole, key=lambda i: cells.areas[i])


class Film:
    """Frames of the viewer, each shown for a while."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames: list[Image.Image] = []
        self.times: list[int] = []

    def take(self, milliseconds: int, *, wait: int = 700) -> None:
        self.page.wait_for_timeout(wait)
        whole = photograph(self.page).convert("RGB")
        size = (FILM_SHOWN, round(whole.height * FILM_SHOWN / whole.width))
        self.frames.append(whole.resize(size, Image.Resampling.LANCZOS))
        self.times.append(milliseconds)

    def press(self, key: str, milliseconds: int) -> None:
        self.page.keyboard.press(key)
        self.take(milliseconds)

    def draw(self, outline: Ring, parts: int = 9) -> None:
        """Drag along an outline, x and y in px of the image."""
        places = [self.page.evaluate(TO_SCREEN, point) for point in outline.tolist()]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for number, place in enumerate(places, start=1):
            self.page.mouse.move(*place, steps=2)
            if number % max(1, len(places) // parts) == 0:
                self.take(120, wait=50)
        self.page.mouse.up()

    def save(self, file: Path) -> None:
        """All frames with the colours of the last one, as GIF."""
        colours = self.frames[-1].quantize(COLOURS, Image.Quantize.MAXCOVERAGE)
        frames = [frame.quantize(palette=colours) for frame in self.frames]
        content = io.BytesIO()
        frames[0].save(content, "gif", save_all=True, append_images=frames[1:], duration=self.times, loop=0)
        write_atomic(file, content.getvalue())


def film_review(page: Page, found: Path, out: Path) -> None:
    """viewer.webp, a cell that is chosen; viewer.gif, the same cell drawn where it was missed."""
    cells = read_found(found)[0].content.cells
    cell = cell_to_draw(cells)
    rows = json.loads((found / "predictions.json").read_text(encoding="utf-8"))["annotations"]
    page.locator("#table .body .row").first.wait_for(timeout=120_000)
    page.wait_for_timeout(4000)  # until all is measured

    choose(page, rows[cell]["id"], "g")
    save(photograph(page), out / "viewer.webp")
    choose(page, rows[cell]["id"], "d", "Escape", "0")  # as if it had been missed

    film = Film(page)
    film.take(2000)
    choose(page, rows[cells.parents.tolist().index(cell)]["id"], "g", *6 * "-")
    film.take(1500)
    film.press("c", 1000)
    film.draw(simplify(contours(cells.masks[cell], tuple(cells.offsets[cell])), 0.5)[0])
    film.take(1500)
    film.press("Escape", 300)
    film.press("0", 1500)
    film.press("f", 2500)
    film.save(out / "viewer.gif")


def choose(page: Page, instance: int, *keys: str) -> None:
    """Choose a cell or nucleus by its id, then press keys."""
    page.evaluate("(id) => window.irnet.state.select(id)", instance)
    for key in keys:
        page.keyboard.press(key)
        page.wait_for_timeout(1000)


def check_sizes(out: Path) -> None:
    """Raise SystemExit where a clone would become heavy."""
    sizes = {file: file.stat().st_size for file in sorted(out.iterdir())}
    for file, size in sizes.items():
        print(f"{file}  {size / 1000:.0f} kB")
    film = sum(size for file, size in sizes.items() if file.suffix == ".gif")
    if film > MOST["film"] or sum(sizes.values()) - film > MOST["pictures"]:
        raise SystemExit(f"too large: at most {MOST} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, nargs="?", default=Path("docs/images"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as driver:
        work = Path(temporary)
        make_folders(work)
        save(Image.open(work / "demo" / "demo.png"), options.out / "demo.webp", 2 * SHOWN)
        overlays = sorted((work / "found" / "overlays").iterdir())
        save(Image.open(overlays[1]), options.out / "overlay.webp")
        sheet = work / "figures" / "sheet-nc_ratio.png"
        (field,) = set((work / "figures").glob("*.png")) - {sheet}
        save(Image.open(field), options.out / "figure.webp")
        save(Image.open(sheet), options.out / "sheet.webp")

        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        pages = {
            "report": "found/report",
            "scores": "scores/report",
            "gallery": "scores/gallery",
            "compared": "compared/gallery",
        }
        for name, source in pages.items():
            page = browser.new_page(viewport=TALL)
            page.goto((work / f"{source}.html").resolve().as_uri())
            page.wait_for_timeout(1500)
            save(photograph(page), options.out / f"{name}.webp")
        with viewer_of(work / "found") as address:
            page = browser.new_page(viewport=WIDE)
            page.goto(address)
            film_review(page, work / "found", options.out)
        browser.close()
    check_sizes(options.out)


if __name__ == "__main__":
    main()
