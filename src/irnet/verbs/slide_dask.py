"""`irnet slide run --scheduler`: the windows of a plan on the workers of Dask (extra `cluster`).

Dask carries numbers of windows, and whether they are done; cells are files in a folder that all workers see.
A worker has one window at a time, given to it by name. Where Dask would wait without a word, for one that is
gone, paused or stands still, the window goes to another, and where none is left the run ends with the reason.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import irnet
from irnet.data.files import unwritable
from irnet.errors import InputError
from irnet.inference.slide_blocks import MOST_TRIES
from irnet.progress import stage, tell
from irnet.slides.find_block import Detect
from irnet.verbs.dask_client import Client, Future, connected
from irnet.verbs.slide_run import (
    OpenDetector,
    RunOptions,
    RunResult,
    SlideError,
    going_on,
    open_network,
    read_plan,
    run_slides,
)
from irnet.verbs.slide_windows import Windows
from irnet.wording import command

SAID, GIVEN_UP = 5.0, 60.0  # s without a worker that can work: it is said, the run ends
_LOOK = 1.0  # s between two looks at the workers
_APART = 10**6 - 1  # shards of which each has one window
_REMEDIES = "start workers, with more memory where they are paused (or --memory-limit 0)"


@dataclass(frozen=True)
class Job:
    """What all tasks of a run share.

    Args:
        out: the folder of the plan, under the name that it has on all workers.
        probe: a file in it that is new, so that a worker that sees it sees the folder.
        version: of irnet.
        options, open_detector: as for `run_slides`.
    """

    out: str
    probe: str
    version: str
    options: RunOptions
    open_detector: OpenDetector | None


class WindowError(Exception):
    """A window failed; the text says why."""


def segment(job: Job, name: str, number: int) -> None:
    """In a worker: segment a window. Raises WindowError where it failed, InputError where this worker cannot.

    Nothing is returned: Dask leaves what is with the worker, and waits for ever where that has died since.
    """
    if job.version != irnet.__version__:
        raise InputError(f"irnet {irnet.__version__} is there, and {job.version} here: install one version")
    if not Path(job.probe).is_file():
        raise InputError(f"{job.out}: not the same folder there: share it with all workers, under this name")
    own = replace(job.options, shard=(number + 1, _APART), only=(name,), most_tries=MOST_TRIES)
    if errors := run_slides(job.out, own, lambda _: _network(job)).errors:
        raise WindowError("; ".join(errors))


@lru_cache(maxsize=1)
def _network(job: Job) -> Detect:
    """The network of a run, held by the process of a worker."""
    plan = read_plan(job.out, job.options)
    return job.open_detector(plan) if job.open_detector else open_network(plan, job.options)


def run_on_scheduler(
    out: str | Path, options: RunOptions, scheduler: str, open_detector: OpenDetector | None = None
) -> RunResult:
    """Segment the windows of a plan that are not done, on the workers of a scheduler of Dask.

    Args:
        out: folder of a plan, which all workers see under this name.
        options: as for `run_slides`.
        scheduler: its address, such as tcp://host:8786, its file, or local:N for N processes here.
        open_detector: as for `run_slides`; workers import it by its name.

    Raises:
        InputError: what `run_slides` raises, no scheduler answers, or no worker can do anything.
        KeyboardInterrupt: stopped; what is done is kept.
    """
    plan = read_plan(out, options)
    windows = Windows(plan, options, verified=True)
    windows.left_out.refuse_all()
    windows.forgive()
    folder = Path(out).absolute()
    options = replace(options, only=(), shard=(1, 1))
    with going_on(), connected(scheduler) as client, _probed(folder) as probe:
        job = Job(str(folder), probe, irnet.__version__, options, open_detector)
        result = _Crew(client, windows, job).run()
    if result.stopped:
        result.stopped += f"; go on with {command('slide', 'run', out, '--scheduler', scheduler)}"
    return result


@dataclass(frozen=True)
class _Given:
    """A window that a worker has."""

    key: str
    future: Future
    since: float


class _Crew:
    """The workers of a scheduler, and which window each of them has."""

    def __init__(self, client: Client, windows: Windows, job: Job) -> None:
        self.client, self.windows, self.job = client, windows, job
        self.queue = deque(windows.in_order())
        self.given: dict[str, _Given] = {}  # by the address of the worker
        self.refused: dict[str, str] = {}  # why workers get none any more
        self.paused: set[str] = set()
        self.lost = Counter[str]()  # how often the worker of a window was
        before = len(windows.places) - len(windows.left)
        self.result = RunResult(before=before, left_out=windows.left_out.reasons)
        self._event, self._able = threading.Event(), time.monotonic()

    def run(self) -> RunResult:
        """Give windows until none is left, or no worker."""
        total = len(self.windows.places)
        with stage("segmenting", total) as progress:
            progress.first = self.result.before
            while (self.queue or self.given) and not self.result.stopped:
                seen = self._look()
                for address in [*self.given]:
                    if address in self.given:
                        self._settle(address, seen.get(address))
                self._give(seen)
                progress.at(total - len(self.queue) - len(self.given))
                self._event.wait(_LOOK)
                self._event.clear()

        return self.result

    def _look(self) -> Mapping[str, Any]:
        """What the scheduler knows of its workers, by address."""
        try:
            return self.client.scheduler_info(n_workers=-1)["workers"]
        except (OSError, RuntimeError, KeyError) as error:  # any of them without a connection
            self.result.stopped = f"the scheduler is gone ({error!r}): start it and its workers again"
            self.given.clear()
            return {}

    def _settle(self, address: str, seen: Mapping[str, Any] | None) -> None:
        """Take the window of a worker back, if it is done or never will be."""
        given, now = self.given[address], time.monotonic()
        status = given.future.status
        if status == "finished":
            self._end(address, "")
            self.windows.took.append(now - given.since)
        elif status == "error":
            error = given.future.exception()
            if isinstance(error, WindowError):
                self._end(address, str(error))
                return
            if isinstance(error, SlideError) and self._is_left_out(address):
                return
            self.refused[address] = why = str(error) if isinstance(error, InputError) else repr(error)
            self._again(address, f"cannot work: {why}")
        elif seen is None or status != "pending":
            self._again(address, "is gone", lost=True)
        elif now - given.since > self.windows.patience():
            self.refused[address] = why = f"stands still ({_memory(seen)})"
            self._again(address, why, lost=True)
        elif self._idles(seen) and now - given.since > SAID:
            self._again(address, "was paused before it began")

    @staticmethod
    def _idles(seen: Mapping[str, Any]) -> bool:
        return seen["status"] != "running" and not seen["metrics"].get("task_counts", {}).get("executing")

    def _end(self, address: str, reason: str) -> None:
        """A window is done, or failed."""
        key = self.given.pop(address).key
        if reason:
            self.result.errors.append(reason)
            tell(f"{self.windows.name(key)}: {reason}", error=True)
        else:
            self.result.done += 1

    def _is_left_out(self, address: str) -> bool:
        """Whether the slide of a worker's window is not there as planned, and not only not there for it."""
        name = self.windows.places[self.given[address].key][0]
        holders = [one for one, given in self.given.items() if self.windows.places[given.key][0] == name]
        if not self.windows.leave_out(name):
            return False
        self.client.cancel([self.given.pop(one).future for one in holders])
        self.queue = deque(key for key in self.queue if key in self.windows.places)
        if not self.result.done + self.result.before:
            self.windows.left_out.refuse_all()
        return True

    def _again(self, address: str, why: str, *, lost: bool = False) -> None:
        """A worker gave nothing: its window goes to another, some times."""
        key, future = self.given[address].key, self.given[address].future
        tell(f"{self.windows.name(key)}: worker {address} {why}", error=True)
        self.client.cancel([future])
        self.lost[key] += lost
        if self.lost[key] < MOST_TRIES:
            self.queue.append(self.given.pop(address).key)
            return
        reason = f"its worker was lost {MOST_TRIES} times; the last one {why}"
        self.windows.folders[key].fail(key, self.windows.places[key][1], reason)
        self._end(address, reason)

    def _give(self, seen: Mapping[str, Any]) -> None:
        """Give windows to workers that have none; say why where nobody can take any."""
        able = {address for address, one in seen.items() if one["status"] == "running"} - {*self.refused}
        for address in sorted(able - {*self.given})[: len(self.queue)]:
            key = self.queue.popleft()
            place = self.windows.places[key]
            future = self.client.submit(segment, self.job, *place, workers=[address], pure=False)
            self.given[address] = _Given(key, future, time.monotonic())
            future.add_done_callback(lambda _: self._event.set())

        paused = {address for address, one in seen.items() if one["status"] == "paused"}
        for address in sorted(paused - self.paused):
            tell(f"worker {address} is paused by Dask, {_memory(seen[address])}", error=True)
        self.paused = paused
        if able or self.given or self.result.stopped:
            self._able = time.monotonic()
        else:
            self._nobody(seen)

    def _nobody(self, seen: Mapping[str, Any]) -> None:
        """Say that no worker can work, and end the run where none comes."""
        waited = time.monotonic() - self._able
        workers = [
            f"{address} {self.refused.get(address) or one['status']}, {_memory(one)}"
            for address, one in sorted(seen.items())
        ]
        why = f"no worker can work ({'; '.join(workers) or 'the scheduler has none'})"
        if seen and all(address in self.refused for address in seen):
            if not self.result.done:
                raise InputError(why)
            self.result.stopped = why
        elif waited > GIVEN_UP:
            self.result.stopped = f"{why}: {_REMEDIES}"
        elif SAID < waited <= SAID + _LOOK:
            tell(f"{why}: the run ends in {GIVEN_UP - SAID:.0f} s unless one comes", error=True)


def _memory(seen: Mapping[str, Any]) -> str:
    used, limit = seen["metrics"].get("memory", 0), seen["memory_limit"]
    return f"{used / 1e9:.2f} GB of memory" + (f" of {limit / 1e9:.2f}" if limit else "")


@contextmanager
def _probed(folder: Path) -> Iterator[str]:
    """A file that was not in a folder before."""
    try:
        file = NamedTemporaryFile(prefix=".seen-", dir=folder)  # noqa: SIM115
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        yield file.name
    finally:
        with suppress(FileNotFoundError):  # removed by another
            file.close()
