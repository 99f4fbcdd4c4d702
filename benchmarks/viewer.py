"""How fluent the viewer is: frame times with 2,000 cells, each with a nucleus, on an image of 4000 x 4000 px.

    python benchmarks/viewer.py [--cells 2000] [--csv FILE]

Needs Chromium (apt-get install chromium) and `pip install ".[dev]"`. Chromium draws without a GPU here, so
a desktop is faster.
"""

import argparse
import csv
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page, sync_playwright

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.data.coco.coco import write_coco
from irnet.data.files import write_atomic
from irnet.data.pixels import to_png
from irnet.data.sample import Entry

SIDE = 4000
WINDOW = {"width": 1440, "height": 900}
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
FRAMES = """async ([kind, frames]) => {
  const { viewport } = window.irnet.stage.viewer, Point = viewport.getCenter().constructor, times = [];
  let last = performance.now();
  for (let f = 0; f < frames; f++) {
    const step = .01 * viewport.getBounds().width;
    if (kind === "pan") viewport.panBy(new Point(step * Math.cos(f / 5), step * Math.sin(f / 5)), true);
    else viewport.zoomBy(f % 40 < 20 ? 1.05 : 1 / 1.05, null, true);
    await new Promise((next) => requestAnimationFrame(next));
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  return times;
}"""
ZOOM = """(zoom) => {
  const { viewport } = window.irnet.stage.viewer;
  if (zoom) viewport.zoomTo(zoom, null, true);
  else viewport.goHome(true);
}"""
MEASURED = """async () => {
  const all = () => [...window.irnet.state.instances.values()];
  const waits = () => all().some((one) => one.measures.area_px === undefined);
  while (waits()) await new Promise((next) => setTimeout(next, 100));
}"""
EDIT = """async () => {
  const { state } = window.irnet, begun = performance.now();
  await state.edit({ op: "delete", ids: [state.rows[0].id] });
  await new Promise((next) => requestAnimationFrame(next));
  return performance.now() - begun;
}"""


def blob(rng: np.random.Generator, radius: float) -> NDArray[np.bool_]:
    """A wobbly disc."""
    side = int(2.6 * radius)
    y, x = np.mgrid[:side, :side] - side / 2
    angle, phases = np.arctan2(y, x), rng.uniform(0, 2 * np.pi, 3)
    edge = sum(0.06 * np.sin((k + 2) * angle + phase) for k, phase in enumerate(phases))
    return np.hypot(x, y) < radius * (1 + edge)


def make_set(folder: Path, cells: int) -> None:
    """One image with `cells` cells at random places, overlapping, and a nucleus in each."""
    rng = np.random.default_rng(0)
    masks, offsets, labels, parents = [], [], [], []
    image = np.full((SIDE, SIDE, 3), 235, np.uint8)
    for _ in range(cells):
        whole, nucleus = blob(rng, rng.uniform(35, 60)), blob(rng, rng.uniform(8, 14))
        x, y = (int(value) for value in rng.integers(0, SIDE - whole.shape[0], 2))
        inset = (whole.shape[0] - nucleus.shape[0]) // 2
        parents += [-1, len(masks)]
        masks += [whole, nucleus]
        offsets += [(x, y), (x + inset, y + inset)]
        labels += [CYTOPLASM, NUCLEUS]
        image[y : y + whole.shape[0], x : x + whole.shape[1]][whole] -= 14
    found = Cells.build(masks, offsets, labels, (SIDE, SIDE), parents=parents, mpp=0.25)
    write_atomic(folder / "images" / "field.png", to_png(image))
    entry = Entry(name="field.png", path=folder / "images" / "field.png", content=Content(cells=found))
    write_coco(folder / "predictions.json", [entry], scores=True)


def measure(page: Page, url: str) -> dict[str, float]:
    """Seconds to open, milliseconds of a frame and of an edit."""
    begun = time.perf_counter()
    page.goto(url)
    page.locator("#table .body .row").first.wait_for(timeout=120_000)
    numbers = {"outlines shown, s": time.perf_counter() - begun}
    page.wait_for_timeout(1000)
    for name, zoom in (("whole image", 0), ("a quarter", 2), ("a few cells", 12)):
        page.evaluate(ZOOM, zoom)
        page.wait_for_timeout(1500)
        for kind in ("pan", "zoom"):
            times = np.array(page.evaluate(FRAMES, [kind, 60]))
            numbers[f"{kind}, {name}: median, ms"] = float(np.median(times))
            numbers[f"{kind}, {name}: 95 %, ms"] = float(np.percentile(times, 95))
    page.evaluate(MEASURED)
    numbers["measures complete, s"] = time.perf_counter() - begun
    numbers["edit to screen, ms"] = page.evaluate(EDIT)
    return numbers


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=2000)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_set(Path(folder), options.cells)
        command = [sys.executable, "-m", "irnet", "view", folder, "--port", "0"]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
            sync_playwright() as driver,
        ):
            assert server.stdout is not None
            server.stdout.readline()
            url = re.findall(r"http://\S+", server.stdout.readline())[0]
            browser = driver.chromium.launch(executable_path=options.chromium, args=FLAGS.split())
            numbers = measure(browser.new_page(viewport=WINDOW), url)
            browser.close()
            server.terminate()
    for name, value in numbers.items():
        print(f"{name:36}{value:9.1f}")
    if options.csv:
        with options.csv.open("w", newline="") as file:
            csv.writer(file).writerows([("what", "value"), *((k, round(v, 2)) for k, v in numbers.items())])


if __name__ == "__main__":
    main()
