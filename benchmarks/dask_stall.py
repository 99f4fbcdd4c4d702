"""Dask waits without a word where workers are killed or paused; `irnet slide run --scheduler` says so.

Two workers as a site may start them (`dask worker --no-nanny --memory-limit 500MB`): one holds memory above
the share at which Dask pauses it, the other is killed at work. `--plain` leaves waiting to Dask.

PYTHONPATH=src:tests/slides python benchmarks/dask_stall.py [--plain] [--seconds 60]
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from distributed import Client, as_completed
from made_slides import write_pyramid
from oracle import detect_slowly, scene_12, suppressing_masks

from irnet.progress import listening
from irnet.verbs.slide_dask import run_on_scheduler
from irnet.verbs.slide_plan import SlideOptions, plan_slides
from irnet.verbs.slide_run import RunOptions


class Said:
    """Prints what is told."""

    def __init__(self) -> None:
        self.stages = []

    def changed(self) -> None: ...

    def tell(self, text: str, *, error: bool) -> None:
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def hold(size: int) -> int:
    """Keep memory in a worker."""
    sys.held = os.urandom(size)  # longer than the client that asked
    return os.getpid()


def work(number: int) -> int:
    time.sleep(0.5)
    return number


def start(folder: Path) -> tuple[list[subprocess.Popen], Path]:
    """A scheduler and two workers; the file that names the scheduler."""
    file, dask = folder / "scheduler.json", [sys.executable, "-m", "dask"]
    scheduler = [*dask, "scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    worker = [*dask, "worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-nanny"]
    worker += ["--no-dashboard", "--memory-limit", "500MB", "--local-directory", str(folder)]
    return [
        subprocess.Popen(command, stderr=subprocess.DEVNULL) for command in (scheduler, worker, worker)
    ], file


def wait_in_dask(client: Client, seconds: float, victim: int) -> None:
    """What a plain loop over futures sees."""
    futures = client.map(work, range(40))
    begun, done = time.monotonic(), 0
    try:
        for _ in as_completed(futures, timeout=seconds):
            done += 1
            if done == 3:
                os.kill(victim, signal.SIGKILL)
    except TimeoutError:
        print(f"Dask: {done} of {len(futures)} done after {time.monotonic() - begun:.0f} s, and no word")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        processes, file = start(folder)
        try:
            with Client(scheduler_file=str(file), timeout=60) as client:
                client.wait_for_workers(2)
                addresses = sorted(client.scheduler_info(n_workers=-1)["workers"])
                holds = client.submit(hold, 420_000_000, workers=[addresses[0]])
                victim = client.submit(os.getpid, workers=[addresses[1]], pure=False).result()
                holds.result()
                if options.plain:
                    wait_in_dask(client, options.seconds, victim)
                    return
            slide = write_pyramid(folder / "smear.tif", scene_12().image(1.48), mpp=0.25, compression=None)
            plan = suppressing_masks(plan_slides([slide], folder / "out", SlideOptions(window=(256, 128))))
            subprocess.Popen(["sh", "-c", f"sleep 8; kill -9 {victim}"])
            with listening(Said()):
                ran = run_on_scheduler(plan.out, RunOptions(), str(file), detect_slowly)
            print(*ran.lines(), f"exit code {ran.exit_code}", sep="\n")
        finally:
            for process in processes:
                process.kill()


if __name__ == "__main__":
    main()
