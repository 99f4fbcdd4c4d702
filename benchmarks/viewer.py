"""How fluent the viewer is: 2,000 cells, each with a nucleus, on an image of 4000 x 4000 px.

    python benchmarks/viewer.py [--cells 2000] [--frames 60] [--csv FILE]

Times to the first rows, to all outlines and to all measures; of edits while it still measures and after; of
frames while the picture moves. Wall time and, as machines are shared, CPU time of the server and of the
page's main thread. Needs Chromium (apt-get install chromium) and `pip install ".[dev]"`; CPU time is read
from /proc (Linux). Chromium draws without a GPU here, so a desktop is faster.
"""

import argparse
import csv
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
  const { viewport } = window.irnet.stage.viewer, by = viewport.getCenter(), times = [];
  let last = performance.now();
  for (let f = 0; f < frames; f++) {
    const step = .01 * viewport.getBounds().width;
    [by.x, by.y] = [step * Math.cos(f / 5), step * Math.sin(f / 5)];
    if (kind === "pan") viewport.panBy(by, true);
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
WAIT = """async (what) => {
  const done = (one) => what === "rings" ? one.rings : one.measures?.area_px !== undefined;
  const all = () => [...window.irnet.state.instances.values()].every(done);
  while (!all()) await new Promise((next) => setTimeout(next, 20));
}"""
EDIT = """async ([kind, place]) => {
  const { state } = window.irnet, begun = performance.now(), one = state.rows[place];
  const [x, y] = one.box, ring = one.rings[0].map((at, i) => at + (i % 2 ? y - at : x - at) / 20);
  if (kind === "delete") await state.edit({ op: "delete", ids: [one.id] });
  else if (kind === "reshape") await state.edit({ op: "reshape", id: one.id, how: "replace", rings: [ring] });
  else await state.step("undo");
  await new Promise((next) => requestAnimationFrame(() => setTimeout(next)));
  return performance.now() - begun;
}"""
EDITS = ("delete", "undo", "reshape", "undo")


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


class Clock:
    """Wall time, and CPU time of a server's process and of the main thread of a page."""

    def __init__(self, server: int, page: Page) -> None:
        self.stat = Path(f"/proc/{server}/stat")
        self.protocol = page.context.new_cdp_session(page)
        self.protocol.send("Performance.enable", {"timeDomain": "threadTicks"})

    def read(self) -> NDArray[np.float64]:
        """Seconds on the wall, of the server and of the page."""
        fields = self.stat.read_text().rsplit(") ", 1)[1].split()
        ticks = sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
        metrics = {
            each["name"]: each["value"] for each in self.protocol.send("Performance.getMetrics")["metrics"]
        }
        return np.array([time.perf_counter(), ticks, metrics["TaskDuration"]])


def measure(page: Page, url: str, server: int, frames: int) -> dict[str, list[float]]:
    """Wall, server's and page's seconds until something is shown, and of an edit; milliseconds of a frame."""
    clock = Clock(server, page)
    begun = clock.read()
    numbers: dict[str, list[float]] = {}

    def note(name: str, since: NDArray[np.float64]) -> None:
        numbers[name] = (clock.read() - since).tolist()

    page.goto(url)
    page.locator("#table .body .row").first.wait_for(timeout=300_000)
    note("first rows, s", begun)
    page.evaluate(WAIT, "rings")
    note("all outlines, s", begun)
    for moment in ("measuring", "after"):
        for place, kind in enumerate(EDITS):
            before = clock.read()
            seconds = page.evaluate(EDIT, [kind, 10 * (place // 2)]) / 1000
            note(f"{kind} {'again ' if kind == 'undo' and place > 1 else ''}({moment}), s", before)
            numbers[next(reversed(numbers))][0] = seconds
        if moment == "measuring":
            page.evaluate(WAIT, "measures")
            note("all measures, s", begun)

    for name, zoom in (("whole image", 0), ("a quarter", 2), ("a few cells", 12)):
        page.evaluate(ZOOM, zoom)
        page.wait_for_timeout(1500)
        for kind in ("pan", "zoom") if frames else ():
            before = clock.read()
            times = np.array(page.evaluate(FRAMES, [kind, frames])) / 1000
            note(f"{kind}, {name}: frame, s", before)
            frame = [
                float(np.median(times)),
                *(value / frames for value in numbers[next(reversed(numbers))][1:]),
            ]
            numbers[next(reversed(numbers))] = frame
            numbers[f"{kind}, {name}: 95 %, s"] = [float(np.percentile(times, 95)), 0, 0]
    return numbers


@contextmanager
def opened(folder: Path, chromium: str) -> Iterator[tuple[Page, str, int]]:
    """`irnet view` over a folder, and Chromium: an empty page, the address, the server's process."""
    command = [sys.executable, "-m", "irnet", "view", str(folder), "--port", "0", "--no-browser"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
        sync_playwright() as driver,
    ):
        assert server.stdout is not None
        server.stdout.readline()
        url = re.findall(r"http://\S+", server.stdout.readline())[0]
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS.split())
        yield browser.new_page(viewport=WINDOW), url, server.pid
        browser.close()
        server.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=2000)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_set(Path(folder), options.cells)
        with opened(Path(folder), options.chromium) as (page, url, server):
            numbers = measure(page, url, server, options.frames)
    print(f"{'':36}{'wall':>9}{'server':>9}{'page':>9}   (load {os.getloadavg()[0]:.1f})")
    for name, values in numbers.items():
        print(f"{name:36}" + "".join(f"{value:9.3f}" for value in values))
    if options.csv:
        with options.csv.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["what", "wall", "server", "page"])
            writer.writerows(
                [name, *(round(value, 4) for value in values)] for name, values in numbers.items()
            )


if __name__ == "__main__":
    main()
