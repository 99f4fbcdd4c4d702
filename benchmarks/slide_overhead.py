"""What plan, blocks and finish of a slide cost beside reading its windows and the bundled network alone.

    OMP_NUM_THREADS=1 python benchmarks/slide_overhead.py [--side 8192] [--rounds 2] [--scheduler local:1]

A generated slide. In each round, in turns and warm: a loop that reads each window and looks for cells in it;
`plan_slides`, `run_slides` and `finish_slides`; and with `--scheduler` the same on a worker of Dask, whose
start counts. CPU seconds of all processes, ratios within rounds. Linux.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from slide_view import write_slide

from irnet.slides.find_block import Detect
from irnet.slides.plan import Plan
from irnet.verbs.slide_finish import finish_slides
from irnet.verbs.slide_plan import SlideOptions, plan_slides
from irnet.verbs.slide_run import RunOptions, open_network, open_planned, run_slides

CPU = RunOptions(device="cpu")


def loop(plan: Plan, detect: Detect) -> int:
    """Look at each window; how many instances they own."""
    slide = plan.slide("smear")
    found = 0
    with open_planned(slide) as opened:
        for window in slide.windows().values():
            cells = detect(slide.layout.cut_out(opened, window), slide.layout.scaled_mpp)
            found += int(window.owns(cells.shift(*window.origin, window.image_shape).boxes).sum())
    return found


def whole(slide: Path, out: Path, run: Callable[[Path], object]) -> list[float]:
    """CPU seconds until the plan is there, the blocks, and cells.db."""
    spent = [seconds()]
    for step in (lambda: plan_slides([slide], out), lambda: run(out), lambda: finish_slides(out)):
        step()
        spent.append(seconds())
    return [after - before for before, after in pairwise(spent)]


def seconds() -> float:
    """CPU seconds of this process and of those that it has seen end."""
    each = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in each)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", type=int, default=8192, help="px of the slide, .25 um each")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--scheduler", help="local:1, or the address of a scheduler of Dask")
    options = parser.parse_args()
    print(f"{time.strftime('%Y-%m-%d')}, load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slide = folder / "smear.tif"
        write_slide(slide, options.side)
        first = plan_slides([slide], folder / "first", SlideOptions())
        detect = open_network(first, CPU)
        print(f"{len(first.slide('smear').windows())} windows")

        for number in range(options.rounds):
            begun = seconds()
            found = loop(first, detect)
            alone = seconds() - begun
            print(f"round {number}: windows alone {alone:.1f} s, {found} candidates", flush=True)
            runs = {"one process": lambda out: run_slides(out, CPU, lambda _: detect)}
            if options.scheduler:
                from irnet.verbs.slide_dask import run_on_scheduler

                runs["Dask"] = lambda out: run_on_scheduler(out, CPU, options.scheduler)
            for what, run in runs.items():
                parts = whole(slide, folder / f"{what}{number}", run)
                each = ", ".join(f"{part:.1f}" for part in parts)
                print(f"  {what}: {each} s for plan, blocks, finish: {sum(parts) / alone:.3f}", flush=True)


if __name__ == "__main__":
    main()
