"""Several processes at the windows of a plan: each runs a shard, and one that dies is started again.

Workers are `irnet slide run` themselves, and give nothing back but files. So their supervisor holds no
result, and what is done stays done whatever happens to it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from irnet.errors import DONE, DONE_WITH_ERRORS, NOTHING_DONE, InputError
from irnet.inference.engines import GPU_DRIVERS
from irnet.inference.slide_blocks import MOST_TRIES
from irnet.progress import stage, tell
from irnet.verbs.slide_run import TRY_AGAIN, RunOptions, RunResult, going_on, read_plan
from irnet.verbs.slide_windows import Windows

MOST_DEATHS = 4  # of a worker in a row, without a window done or given up in between
Command = Callable[[RunOptions], list[str]]

_LOOK = 0.5  # s between two looks at the workers
_ASLEEP = 60.0  # s between two looks: the machine slept, or a shell had stopped the run
_GRACE = 30.0  # s that a worker has to stop


def run_workers(
    out: str | Path, options: RunOptions, workers: int, command: Command | None = None
) -> RunResult:
    """Segment the windows of a plan that are not done, in so many processes of this machine.

    Args:
        out: folder of a plan.
        options: as for `run_slides`; its shard is shared out among the workers.
        workers: 1 to 64.
        command: makes what a worker runs of the options that are its own, None for `irnet slide run`.

    Raises:
        InputError: what `run_slides` raises, or a worker died several times in a row.
        KeyboardInterrupt: stopped; what is done is kept.
    """
    if not 1 <= workers <= 64:
        raise InputError(f"{workers} workers: give 1 to 64")
    plan = read_plan(out, options)
    windows = Windows(plan, options)
    for name in dict.fromkeys(windows.places[key][0] for key in windows.in_order()):
        windows.leave_out(name)  # a worker would say so to its log
    windows.left_out.refuse_all()
    windows.forgive()
    options = replace(options, only=windows.slides)

    before = len(windows.places) - len(windows.left)
    make = command or (lambda own: _command(out, own))
    team = [_Worker(make(own), workers, Windows(plan, own)) for own in _shares(options, workers)]
    with going_on(), _all_ended(team), stage("segmenting", len(windows.places)) as progress:
        progress.first = before
        for worker in team:
            worker.start()
        while sum([worker.look_after() for worker in team]):  # all of them
            looked = time.monotonic()
            time.sleep(_LOOK)
            if time.monotonic() - looked > _ASLEEP:
                for worker in team:
                    worker.windows.wait_anew()
            progress.at(len(windows.places) - len(windows.look()))

    windows.look()
    done = len(windows.places) - len(windows.left) - before
    return RunResult(done, before, windows.reasons(), windows.left_out.reasons)


def _new_file() -> Path:
    """An empty file for what a worker prints."""
    number, name = tempfile.mkstemp(prefix="irnet-worker-")
    os.close(number)
    return Path(name)


@dataclass
class _Worker:
    """A process, started again when it dies."""

    command: Sequence[str]
    share: int  # of how many the machine's cores are shared out
    windows: Windows  # its own
    deaths: int = 0  # in a row
    settled: int = -1  # of its windows, when it died last
    process: subprocess.Popen | None = None
    log: Path = field(default_factory=_new_file)

    def start(self) -> None:
        """Start its process."""
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(self.share)
            )
        self.windows.wait_anew()

    def look_after(self) -> bool:
        """Whether it is at work; where it died or stands still it is started again.

        Raises InputError for bad input, or too many deaths in a row.
        """
        self.windows.look()
        code, why = self.process.poll() if self.process else None, ""
        if code is None and self.windows.stand_still():
            code, why = self._end_standing()
        if code is None:
            return True
        if code == NOTHING_DONE and TRY_AGAIN not in self.said():
            raise InputError(self.said().rpartition("irnet: ")[2] or "a worker found bad input")
        if code in (DONE, DONE_WITH_ERRORS, NOTHING_DONE):
            return False

        now, why = self.windows.settled(), why or f"died ({_cause(code)})"
        self.deaths, self.settled = 1 if now > self.settled else self.deaths + 1, now
        if self.deaths >= MOST_DEATHS:
            said = self.said() or "it said nothing"
            raise InputError(f"a worker {why}, {self.deaths} times in a row: {said}")
        tell(f"a worker {why} and is started again", error=True)
        self.start()
        return True

    def _end_standing(self) -> tuple[int | None, str]:
        """End its process, which gives no window any more; its code, and what it was like."""
        assert self.process
        begun = ", ".join(self.windows.begun()) or "none begun"
        waited, state = self.windows.patience(), _state(self.process.pid)
        self.process.kill()
        return self.process.wait(), f"gave no window for {waited:.0f} s ({state}{begun})"

    def said(self) -> str:
        """The last lines that it printed."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            return ""
        return "; ".join(line for line in lines[-3:] if not line.startswith("segmenting "))

    def stop(self) -> None:
        """Ask it to stop."""
        if self.process and self.process.poll() is None:
            self.process.terminate()

    def end(self, until: float) -> None:
        """Wait until it has ended, and end it where it does not."""
        if self.process:
            try:
                self.process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.unlink(missing_ok=True)


@contextmanager
def _all_ended(team: Sequence[_Worker]) -> Iterator[None]:
    """No worker outlives the block."""
    try:
        yield
    finally:
        for worker in team:
            worker.stop()
        until = time.monotonic() + _GRACE
        for worker in team:
            worker.end(until)


def _shares(options: RunOptions, workers: int) -> list[RunOptions]:
    """The options of each worker: its shard, its device, and how often it tries a window."""
    part, parts = options.shard
    found = gpus() if options.device in ("auto", "cuda") and options.engine != "openvino" else 0
    shares = []
    for number in range(workers):
        shard = part + parts * number, parts * workers
        device = f"cuda:{number % found}" if found > 1 else options.device
        shares.append(replace(options, shard=shard, device=device, most_tries=MOST_TRIES))
    return shares


def gpus() -> int:
    """How many GPUs PyTorch sees; a process of its own asks it, so that this one need not hold torch."""
    if sys.platform != "win32" and not any(map(os.path.exists, GPU_DRIVERS)):
        return 0
    ask = [sys.executable, "-c", "import torch; print(torch.cuda.device_count())"]
    said = subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip()
    return int(said) if said.isdecimal() else 0


def _command(out: str | Path, own: RunOptions) -> list[str]:
    part, parts = own.shard
    command = [sys.executable, "-m", "irnet", "slide", "run", str(out), "--shard", f"{part}/{parts}"]
    command += ["--most-tries", str(own.most_tries), "--device", own.device, "--engine", own.engine]
    command += ["--precision", own.precision]
    for name in own.only:
        command += ["--only", name]
    return command


def environment(share: int) -> Mapping[str, str]:
    """The environment of one of so many processes that share the cores of this machine."""
    threads = str(max(1, (os.cpu_count() or 1) // share))
    return {"OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "PASSIVE", **os.environ}


def _state(process: int) -> str:
    """What Linux knows of a process: whether it is stopped, and its memory."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return ""
    known = dict(line.split(":", 1) for line in lines if ":" in line)
    state = re.sub(r".*\((.*)\)", r"\1", known.get("State", "").strip())
    memory = int(known.get("VmRSS", "0 kB").split()[0]) / 1e6
    return f"{state}, {memory:.1f} GB of memory; "


def _cause(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
