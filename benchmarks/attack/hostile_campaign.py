"""Inputs read one after the other in a process of their own: what became of each, its time and memory."""

import logging
import multiprocessing
import random
import shutil
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

from hostile_bombs import BOMBS
from hostile_bombs import MOST_MEGABYTES as BOMB_MEGABYTES
from hostile_bombs import MOST_SECONDS as BOMB_SECONDS
from hostile_changes import damage
from hostile_clock import childrens_cpu, cpu
from hostile_flaws import FLAWS, Warned
from hostile_formats import FORMATS, drawn, seen
from hostile_scene import draw
from hostile_targets import Target, targets
from hostile_variants import VARIANTS, Variant

from irnet.errors import InputError

MOST_SECONDS = 10  # of the processor, for one input
MOST_WALL = 90  # on a machine that others use
GOOD = ("read", "refused")
BAD = ("crash", "hang", "traceback", "unnamed", "wrong", "burst")
SCENES = 16  # inputs that are made of one scene, turns of rare ones left out


class Job(NamedTuple):
    """An input: a function of these three and of nothing else."""

    kind: str  # damaged | variant | flaw | bomb
    name: str
    number: int

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}/{self.number}"


class Result(NamedTuple):
    """What became of it."""

    job: Job
    outcome: str  # of GOOD and BAD
    detail: str
    seconds: float  # of the processor
    megabytes: float  # more than before


def damaged(numbers: Sequence[int], names: Sequence[str] = ()) -> list[Job]:
    """Damaged files, all kinds in turn."""
    every = targets()
    return [
        Job("damaged", name, number)
        for number in numbers
        for name in names or every
        if number % every[name].rare == 0
    ]


def variants(numbers: Sequence[int], names: Sequence[str] = ()) -> list[Job]:
    """The same scene in every format, written in every way."""
    return [
        Job("variant", f"{name}: {variant}", number)
        for number in numbers
        for name in names or FORMATS
        for variant, how in {"as it is": Variant(), **VARIANTS}.items()
        if not how.only or Path(FORMATS[name].files).suffix in how.only
    ]


def flaws(numbers: Sequence[int]) -> list[Job]:
    """Scenes in files that mean something else."""
    return [
        Job("flaw", f"{name}: {flaw}", number)
        for number in numbers
        for flaw, how in FLAWS.items()
        for name in how.formats
    ]


def bombs() -> list[Job]:
    """Small files that stand for gigabytes."""
    return [Job("bomb", name, 0) for name in BOMBS]


def run(jobs: Sequence[Job]) -> Iterator[Result]:
    """The results in their order; a process that dies or hangs is replaced, and goes on with the next."""
    done = 0
    while done < len(jobs):
        with tempfile.TemporaryDirectory() as folder:
            receiver, process = _start(jobs[done:], Path(folder))
            try:
                while done < len(jobs):
                    result = _await(receiver, process, jobs[done])
                    done += 1
                    yield result
                    if result.outcome in ("crash", "hang"):
                        break
            finally:
                process.kill()
                process.join()
                receiver.close()


def _start(jobs: Sequence[Job], folder: Path) -> tuple[Connection, BaseProcess]:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(sender, jobs, folder))
    process.start()
    sender.close()  # the process holds the other one: its death ends the wait
    return receiver, process


def _await(receiver: Connection, process: BaseProcess, job: Job) -> Result:
    begun, before = time.monotonic(), cpu(process.pid)
    while not receiver.poll(0.5):
        waited, spent = time.monotonic() - begun, cpu(process.pid) - before
        if (spent > 3 * MOST_SECONDS or waited > MOST_WALL) and not receiver.poll():
            return Result(job, "hang", f"no answer after {waited:.0f} s", spent, 0.0)
    try:
        return receiver.recv()
    except EOFError:
        process.join()
        if process.exitcode == 1:  # an error of Python, told on the way out
            raise RuntimeError(f"{job}: the campaign itself went wrong") from None
        return Result(job, "crash", f"exit code {process.exitcode}", 0.0, 0.0)


def work(sender: Connection, jobs: Sequence[Job], folder: Path) -> None:
    """Read the inputs and send what became of each. For a process of its own."""
    logging.disable()
    warnings.simplefilter("ignore")
    every, prepared = targets(), Prepared(folder / "prepared")
    for job in jobs:
        if job.kind == "damaged":
            prepared.get(every[job.name], job)  # not part of what is measured
        if job.kind == "bomb":
            shutil.rmtree(folder / "bomb", ignore_errors=True)
            BOMBS[job.name].make(folder / "bomb")
        before, begun, spent = _reset_memory(), time.process_time(), childrens_cpu()
        try:
            outcome, detail = _one(job, every, prepared, folder)
        except Exception as error:
            outcome, detail = "traceback", "".join(traceback.format_exception(error, limit=-4))
        own, childrens = time.process_time() - begun, childrens_cpu() - spent
        seconds = own + childrens
        megabytes = max(0.0, memory("VmHWM") - before)
        if seconds > MOST_SECONDS:
            outcome, detail = "hang", f"{seconds:.0f} s of the processor"
        elif job.kind == "bomb" and _bursts(own, childrens, megabytes):
            outcome, detail = "burst", f"{seconds:.1f} s and {megabytes:.0f} MB: {detail}"
        sender.send(Result(job, outcome, detail, seconds, megabytes))


def _bursts(own: float, childrens: float, megabytes: float) -> bool:
    """Whether a bomb took more than it may; a child first imports its libraries, which takes a while."""
    return own > BOMB_SECONDS or childrens > 3 * BOMB_SECONDS or megabytes > BOMB_MEGABYTES


def _one(job: Job, every: dict[str, Target], prepared: "Prepared", folder: Path) -> tuple[str, str]:
    if job.kind == "variant":
        return _vary(job, folder / "variant")
    if job.kind == "flaw":
        return _mislead(job, folder / "flaw")
    if job.kind == "bomb":
        return _read(lambda: BOMBS[job.name].read(folder / "bomb"), BOMBS[job.name].file)
    return _damage(every[job.name], job, prepared)


def _damage(target: Target, job: Job, prepared: "Prepared") -> tuple[str, str]:
    folder, contents = prepared.get(target, job)
    rng = random.Random(str(job))
    file = rng.choice(sorted(contents))
    try:
        file.write_bytes(damage(contents[file], file.name, rng))
        return _read(lambda: target.read(folder), target.named or file.name)
    finally:
        file.write_bytes(contents[file])


def _read(read, name: str) -> tuple[str, str]:
    try:
        read()
    except InputError as error:
        return ("refused", str(error)[:300]) if name in str(error) else ("unnamed", str(error)[:300])
    return "read", ""


def _vary(job: Job, folder: Path) -> tuple[str, str]:
    name, _, variant = job.name.partition(": ")
    form, how = FORMATS[name], VARIANTS.get(variant)
    rng = random.Random(f"{name}/{job.number}")
    scene = draw(rng, **form.drawn)
    shutil.rmtree(folder, ignore_errors=True)
    scene = how.scene(scene) if how and how.scene else scene
    form.write(folder / "in", scene)
    if how and how.folder:
        how.folder(folder / "in", rng)
    try:
        found = seen(form.convert(folder / "in", folder / "out"))
    except InputError as error:
        return "refused" if how and how.refusable else "wrong", str(error).replace(str(folder), "")
    right = drawn(form.truth(scene))
    if found == right:
        return "read", ""
    sizes = [[(label, sum(mask), sum(owner)) for label, mask, owner in rows] for rows in (found, right)]
    return "wrong", f"class, area, area of its cell: {sizes[0]}, not {sizes[1]}"


def _mislead(job: Job, folder: Path) -> tuple[str, str]:
    """Wrong unless it is refused, or told of in a warning."""
    name, _, flaw = job.name.partition(": ")
    form, warned = FORMATS[name], Warned()
    shutil.rmtree(folder, ignore_errors=True)
    form.write(folder / "in", draw(random.Random(f"{name}/{job.number}"), **form.drawn))
    FLAWS[flaw].folder(folder / "in")
    logging.disable(logging.NOTSET)
    logging.getLogger().addHandler(warned)
    try:
        form.convert(folder / "in", folder / "out")
    except InputError as error:
        return "refused", str(error).replace(str(folder), "")
    finally:
        logging.getLogger().removeHandler(warned)
        logging.disable()
    if not warned.lines:
        return "wrong", "read without a word"
    return "read", "; ".join(warned.lines).replace(str(folder), "")[:300]


class Prepared:
    """Valid files of each kind, made once for some inputs and put back after each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, tuple[int, Path, dict[Path, bytes]]] = {}

    def get(self, target: Target, job: Job) -> tuple[Path, dict[Path, bytes]]:
        """The folder, and the contents of the files to damage."""
        generation = job.number // (SCENES * target.rare)
        known = self._known.get(job.name)
        if known is None or known[0] != generation:
            folder = self.folder / job.name.replace(" ", "-")
            shutil.rmtree(folder, ignore_errors=True)
            target.make(folder, draw(random.Random(f"{job.name}/{generation}"), **target.drawn))
            contents = {file: file.read_bytes() for file in folder.glob(target.files)}
            target.read(folder)  # it is valid
            known = self._known[job.name] = generation, folder, contents
        return known[1], known[2]


def memory(field: str) -> float:
    """MB of this process (VmRSS, VmHWM); 0 where the system does not say. (getrusage counts the parent's.)"""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    line = next(line for line in status.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 2**10


def _reset_memory() -> float:
    """Forget the most memory so far; MB in use."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return memory("VmHWM")
    return memory("VmRSS")
