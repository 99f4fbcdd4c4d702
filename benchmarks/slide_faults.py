"""A slide is segmented while what can happen happens: is `cells.db` that of an undisturbed run, to the byte?

Processes are killed and stopped at random moments, the disk is full, several runs share one folder. What
detects is the oracle of the tests, slowed down: no network costs time, and each run has windows in flight.

PYTHONPATH=src:tests/slides python benchmarks/slide_faults.py [--times 1] [--seed 0]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from made_slides import write_pyramid
from oracle import dump, scene_12, suppressing_masks

from irnet.slides.plan import Plan
from irnet.verbs import slide_windows
from irnet.verbs.slide_finish import finish_slides
from irnet.verbs.slide_plan import SlideOptions, plan_slides
from irnet.verbs.slide_run import RunOptions, run_slides
from irnet.verbs.slide_workers import run_workers

RUN = """
import sys, time
from pathlib import Path
from oracle import detect_slowly
from irnet.verbs.slide_run import RunOptions, run_slides

out, part, parts, limit = Path(sys.argv[1]), *map(int, sys.argv[2:])
if limit:
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
ran = run_slides(out, RunOptions(shard=(part, parts), most_tries=3), detect_slowly)
sys.exit(ran.exit_code)
"""
PARENT = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[2]]
from slide_faults import command
from irnet.verbs.slide_run import RunOptions
from irnet.verbs.slide_workers import run_workers

run_workers(Path(sys.argv[1]), RunOptions(), 2, command(Path(sys.argv[1])))
"""


def start(out: Path, part: int = 1, parts: int = 1, limit: int = 0) -> subprocess.Popen:
    """A run of a shard; `limit` bytes are all that a file may have."""
    return subprocess.Popen(arguments(out, part, parts, limit), stderr=subprocess.DEVNULL)


def arguments(out: Path, part: int, parts: int, limit: int = 0) -> list[str]:
    return [sys.executable, "-c", RUN, str(out), str(part), str(parts), str(limit)]


def command(out: Path) -> Callable[[RunOptions], list[str]]:
    """What workers of a plan run."""
    return lambda own: arguments(out, *own.shard)


def blocks(out: Path) -> int:
    return len([*out.glob("slides/*/blocks/*/*.safetensors")])


class Faults:
    """Runs that are disturbed, each in a folder of its own."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.draw = folder, np.random.default_rng(seed)
        self.scene, self.number = scene_12(), 0
        plan = self.plan()
        run_slides(plan.out, open_detector=lambda _: self.scene.detect)
        finish_slides(plan.out)
        self.whole, self.windows = dump(plan.out), blocks(plan.out)

    def plan(self) -> Plan:
        self.number += 1
        folder = self.folder / str(self.number)
        folder.mkdir()
        slide = write_pyramid(folder / "smear.tif", self.scene.image(1.48), mpp=0.25, compression=None)
        return suppressing_masks(plan_slides([slide], folder / "out", SlideOptions(window=(256, 128))))

    def wait(self, out: Path, process: subprocess.Popen) -> None:
        """Until a random moment of a run."""
        wanted = int(self.draw.integers(1, self.windows - 1))
        while process.poll() is None and blocks(out) < wanted:
            time.sleep(0.005)
        time.sleep(float(self.draw.uniform(0, 0.2)))

    def is_whole(self, out: Path) -> bool:
        finish_slides(out)
        return blocks(out) == self.windows and dump(out) == self.whole

    def kill_worker(self) -> bool:
        out = self.plan().out
        process = start(out)
        self.wait(out, process)
        process.kill()
        process.wait()
        kept = blocks(out)
        again = run_slides(out, open_detector=lambda _: self.scene.detect)
        return again.before == kept and self.is_whole(out)

    def kill_parent(self) -> bool:
        """The supervisor is killed; its workers may live on beside those of the next one."""
        out = self.plan().out
        code = [sys.executable, "-c", PARENT, str(out), str(Path(__file__).parent)]
        process = subprocess.Popen(code, stderr=subprocess.DEVNULL)
        self.wait(out, process)
        process.kill()
        process.wait()
        return run_workers(out, RunOptions(), 2, command(out)).exit_code == 0 and self.is_whole(out)

    def fill_disk(self) -> bool:
        """Some windows are done, then no block fits, then there is room again."""
        out = self.plan().out
        process = start(out)
        self.wait(out, process)
        process.kill()
        process.wait()
        full = start(out, limit=int(self.draw.integers(500, 3000))).wait() == 0 and blocks(out) < self.windows
        return not full and start(out).wait() == 0 and self.is_whole(out)

    def run_twice(self) -> bool:
        """Two runs of all windows, and one of half of them, at once."""
        out = self.plan().out
        together = [start(out), start(out), start(out, 1, 2)]
        return [process.wait() for process in together] == [0, 0, 0] and self.is_whole(out)

    def stop_worker(self) -> bool:
        """A worker is stopped, and the supervisor notices."""
        out = self.plan().out

        def stopping(own: RunOptions) -> list[str]:
            shell = 'if mkdir "$0" 2>/dev/null; then (sleep 6; kill -STOP $$) & fi; exec "$@"'
            return ["sh", "-c", shell, str(out / f"once-{own.shard[0]}"), *arguments(out, *own.shard)]

        return run_workers(out, RunOptions(), 2, stopping).exit_code == 0 and self.is_whole(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=float, default=1.0, help="share of the runs")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    slide_windows.LEAST_PATIENCE = 20.0  # s; a worker that is stopped is noticed sooner than in earnest
    print(f"{time.strftime('%Y-%m-%d')}, load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    print("| fault | runs | `cells.db` the same |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        faults = Faults(Path(name), options.seed)
        for what, times, fault in (
            ("SIGKILL of a worker", 10, faults.kill_worker),
            ("SIGKILL of the supervisor", 5, faults.kill_parent),
            ("full disk", 5, faults.fill_disk),
            ("three runs at once", 5, faults.run_twice),
            ("SIGSTOP of both workers", 2, faults.stop_worker),
        ):
            same = [fault() for _ in range(max(1, round(times * options.times)))]
            print(f"| {what} | {len(same)} | {sum(same)} |", flush=True)


if __name__ == "__main__":
    main()
