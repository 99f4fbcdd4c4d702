"""Memory of plan, run and finish of a slide of 80,000 x 80,000 px, each a process of its own.

    OMP_NUM_THREADS=1 python benchmarks/slide_memory.py OUT [--side 80000] [--share 10]

Every tenth window is looked at by the bundled network, the others by a detector that costs nothing and gives
as many instances as a smear has. Printed are resident GB of the process that looks at windows while it does,
and each process's most. Linux.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from slide_view import write_slide

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.slides.find_block import Detect
from irnet.slides.plan import Plan
from irnet.slides.readers.slide import Pixels
from irnet.verbs.slide_run import RunOptions, open_network, run_slides

DENSITY = 30e-6  # cells a px of the network's scale, with a nucleus each
TOLD = 5  # times
COMMAND = """
import atexit, re, sys
from irnet.cli import main

def told():
    print("  at most", re.search("VmHWM: *(.*)", open("/proc/self/status").read())[1].strip(), flush=True)

atexit.register(told)
main(sys.argv[1:])
"""


def memory() -> str:
    """GB of this process."""
    status = Path("/proc/self/status").read_text()
    now, most = (float(re.findall(rf"{name}:\s+(\d+) kB", status)[0]) / 1e6 for name in ("VmRSS", "VmHWM"))
    return f"{now:.2f} GB now, {most:.2f} at most"


def telling(detect: Detect, windows: int) -> Detect:
    """Says now and then what a detector's process holds."""
    done = 0

    def told(pixels: Pixels, mpp: float) -> Cells:
        nonlocal done
        found = detect(pixels, mpp)
        done += 1
        if done % max(1, windows // TOLD) == 0:
            print(f"  {done} windows looked at: {memory()}", flush=True)
        return found

    return told


def scattered(pixels: Pixels, mpp: float) -> Cells:
    """Ellipses, from the pixels' own seed."""
    draw = np.random.default_rng(int(pixels[::64, ::64].sum()))
    height, width = pixels.shape[:2]
    count = round(DENSITY * height * width)
    masks, offsets = [], []
    for low, high in ((90, 170), (15, 35)):
        for _ in range(count):
            sides = draw.integers(low, high, 2)
            rows, columns = np.ogrid[-1 : 1 : sides[0] * 1j, -1 : 1 : sides[1] * 1j]
            masks.append(rows**2 + columns**2 <= 1)
            offsets.append(draw.integers(0, (width - sides[1], height - sides[0])))
    labels = np.repeat([CYTOPLASM, NUCLEUS], count)
    return Cells.build(masks, np.array(offsets), labels, (height, width), scores=draw.random(2 * count))


def run(out: Path, shard: tuple[int, int], detector: Callable[[Plan], Detect], windows: int) -> None:
    print(f"{detector.__name__}: {windows} windows", flush=True)
    ran = run_slides(out, RunOptions(shard=shard), lambda made: telling(detector(made), windows))
    print(f"  {ran.done} windows done, {len(ran.errors)} failed, {memory()}", flush=True)


def by_network(made: Plan) -> Detect:
    return open_network(made, RunOptions(device="cpu"))


def by_chance(_: Plan) -> Detect:
    return scattered


def alone(work: Callable[..., None], *arguments: object) -> None:
    """Do something in a process of its own."""
    process = get_context("spawn").Process(target=work, args=arguments)
    process.start()
    process.join()


def irnet(*arguments: str) -> None:
    """Run a command, and say what it took."""
    print(f"$ irnet {' '.join(arguments)}", flush=True)
    subprocess.run([sys.executable, "-c", COMMAND, *arguments], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--side", type=int, default=80_000, help="px of the slide, .25 um each")
    parser.add_argument("--share", type=int, default=10, help="the network looks at every such window")
    options = parser.parse_args()
    print(f"{time.strftime('%Y-%m-%d')}, load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    options.out.mkdir(parents=True)
    write_slide(options.out / "smear.tif", options.side)

    found = options.out / "found"
    irnet("slide", "plan", str(options.out / "smear.tif"), "-o", str(found), "--all")
    windows = len(Plan.read(found).slide("smear").windows())
    alone(run, found, (1, options.share), by_network, windows // options.share)
    alone(run, found, (1, 1), by_chance, windows - windows // options.share)
    irnet("slide", "run", str(found), "--workers", "2")  # nothing is left: what supervising takes
    irnet("slide", "finish", str(found))


if __name__ == "__main__":
    main()
