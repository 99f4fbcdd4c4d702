"""`irnet slide run`: the windows of planned slides that are not done yet, one after the other.

What a window gives is a file of its own, and a function of its key. So whatever ends the process, the same
command goes on. Shards, or two processes at one window, do no harm.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import pairwise
from pathlib import Path

from irnet.cells import LABEL_NAMES, Cells, reaching
from irnet.data.files import sha256
from irnet.errors import DONE, DONE_WITH_ERRORS, NOTHING_DONE, InputError
from irnet.inference.engine import EngineName, Precision
from irnet.inference.slide_blocks import BlockFolder
from irnet.inference.weights import BUNDLED, RESEARCH
from irnet.progress import each, tell
from irnet.slides.ahead import ReadingAhead
from irnet.slides.block import Block
from irnet.slides.find_block import Detect, find_block
from irnet.slides.focus import in_focus
from irnet.slides.key import slide_key
from irnet.slides.plan import Plan, SlidePlan
from irnet.slides.readers.opening import open_slide
from irnet.slides.readers.slide import Pixels, Slide
from irnet.slides.windows import Window
from irnet.verbs.failures import LeftOut, explain
from irnet.wording import number_of

NO_MEMORY = "not enough memory for a window: plan with a smaller --window, or use a device with more"
TRY_AGAIN = "failed: the same command tries them again"

OpenDetector = Callable[[Plan], Detect]
Numbered = tuple[int, Window, str]  # number, window and key


class SlideError(InputError):
    """A slide is not there as it was planned."""


@dataclass(frozen=True)
class RunOptions:
    """What is asked of a run.

    Args:
        shard: (i, n): of all windows every n-th from the i-th on, i from 1.
        only: names of slides, () for all.
        device, engine, precision: see `PredictOptions`.
        most_tries: windows that failed so often are left; None tries all of them again.
    """

    shard: tuple[int, int] = (1, 1)
    only: Sequence[str] = ()
    device: str = "auto"
    engine: EngineName = "auto"
    precision: Precision = "fp32"
    most_tries: int | None = None


@dataclass
class RunResult:
    """What a run did."""

    done: int = 0  # windows, now
    before: int = 0  # and before
    errors: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)  # why whole slides are
    stopped: str = ""  # why it ended before all windows were tried

    @property
    def exit_code(self) -> int:
        """0 all done, 2 nothing done, 3 done except for errors and slides left out, or stopped."""
        if self.stopped:
            return DONE_WITH_ERRORS
        if not self.errors:
            return DONE_WITH_ERRORS if self.left_out else DONE
        return DONE_WITH_ERRORS if self.done + self.before else NOTHING_DONE

    def lines(self) -> Iterator[str]:
        """What a user should know."""
        done = f"{number_of(self.done, 'window')} done"
        yield f"{done}, {self.before} before" if self.before else done
        if self.errors:
            yield f"{number_of(len(self.errors), 'window')} {TRY_AGAIN}"
        if self.left_out:
            yield f"{number_of(len(self.left_out), 'slide')} left out"
        if self.stopped:
            yield f"stopped: {self.stopped}"


def run_slides(
    out: str | Path, options: RunOptions = RunOptions(), open_detector: OpenDetector | None = None
) -> RunResult:
    """Segment the windows of a plan that are not done.

    A window that fails is told, and so is one of several slides that is not there as planned; the others go
    on.

    Args:
        out: folder of a plan.
        options: which windows, and what computes.
        open_detector: makes what finds candidates, None for the plan's network.

    Raises:
        InputError: there is no plan, no slide or not the weights that were planned, a shard or a name is
            none, or nothing can be written.
        KeyboardInterrupt: stopped; its text says how to go on.
    """
    plan = read_plan(out, options)

    @cache
    def detector() -> Detect:  # opened once something is to do
        return open_detector(plan) if open_detector else open_network(plan, options)

    names, result = options.only or plan.names, RunResult()
    left_out = LeftOut(len(names), result.left_out)
    for name in names:
        try:
            slide = plan.slide(name)
            left = _windows_left(plan, slide, options, result)
            opened = open_planned(slide) if left else None
        except InputError as error:
            left_out.add(error)
            continue
        if opened:
            _run_slide(plan, slide, left, opened, detector, result)
    left_out.refuse_all()
    return result


def read_plan(out: str | Path, options: RunOptions) -> Plan:
    """The plan of a folder. Raises InputError: there is none, or the options ask for what it has not."""
    part, parts = options.shard
    if not 1 <= part <= parts:
        given = f"give 1/{parts} to {parts}/{parts}" if parts else "give i/n, such as 2/4"
        raise InputError(f"shard {part}/{parts}: {given}")
    plan = Plan.read(Path(out))
    if unknown := sorted({*options.only} - {*plan.names}):
        raise InputError(f"{out}: no slide {unknown[0]!r} in its plan: choose from {', '.join(plan.names)}")
    return plan


def read_shard(text: str) -> tuple[int, int]:
    """The shard of text such as 2/4. Raises InputError."""
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
    if found is None:
        raise InputError(f"shard {text!r}: give i/n, such as 2/4")
    return int(found[1]), int(found[2])


def _windows_left(plan: Plan, slide: SlidePlan, options: RunOptions, result: RunResult) -> list[Numbered]:
    """The windows of a slide that are to be segmented, those that never failed first."""
    folder = BlockFolder(plan.folder(slide.name))
    left = []
    for number, window in slide.windows().items():
        if number % options.shard[1] != options.shard[0] - 1:
            continue
        key = plan.key(slide, window)
        if folder.has(key):
            result.before += 1
        elif (tries := folder.tries(key)) and options.most_tries and tries >= options.most_tries:
            result.errors.append(f"window {number} failed {number_of(tries, 'time')}")
        else:
            left.append((number, window, key))
    return sorted(left, key=lambda item: folder.tries(item[2]))


def _run_slide(
    plan: Plan,
    slide: SlidePlan,
    left: Sequence[Numbered],
    opened: Slide,
    detector: Callable[[], Detect],
    result: RunResult,
) -> None:
    folder = BlockFolder(plan.folder(slide.name))
    with opened, ReadingAhead(opened, slide.layout) as read, going_on():
        find = partial(find_block, read, slide, detect=detector())
        following = {item[2]: after for item, after in pairwise(left)}
        for item in each(left, f"segmenting {slide.name}", lambda item: f"window {item[0]}"):
            after = following.get(item[2])
            # One that ended a process is read alone: else those before it would seem to have done so.
            beside = after and not folder.error(item[2]) and not folder.error(after[2])
            read.following = after[1] if after and beside else None
            _run_window(folder, slide.name, item, find, result)


@contextmanager
def going_on() -> Iterator[None]:
    """Let a stop inside the block say how to go on."""
    try:
        yield
    except KeyboardInterrupt as stop:
        stop.args = (f"{str(stop) or 'stopped'}; what is done is kept: the same command goes on",)
        raise


def _run_window(
    folder: BlockFolder, slide: str, what: Numbered, find: Callable[[Window], Block], result: RunResult
) -> None:
    """Keep what is found in a window of a slide, or why it failed."""
    number, window, key = what
    before = folder.begin(key, number)
    try:
        block = find(window)
    except KeyboardInterrupt:
        folder.leave(key, before)
        raise
    except Exception as error:
        reason = explain(error, "a window", memory=NO_MEMORY)
        result.errors.append(reason)
        tell(f"{slide}, window {number}: {reason}", error=True)
        folder.fail(key, number, reason)
        return
    folder.write(key, block, number)
    result.done += 1


def open_planned(slide: SlidePlan, *, same_reader: bool = True) -> Slide:
    """The slide of a plan, open and in the planned focus. Raises SlideError where it is gone or another one.

    To be looked at, another version may read it (`same_reader`).
    """
    if not Path(slide.path).exists():
        raise SlideError(
            f"{slide.path}: no such file: put the slide back, or repeat its plan with where it is now"
        )
    try:
        opened = open_slide(slide.path)
    except InputError as error:
        reason = str(error).removeprefix(f"{slide.path}: ")
        raise SlideError(
            f"{slide.path}: not read as the slide that was planned ({reason}): put the slide back, or plan "
            "again to another folder"
        ) from None
    try:
        _check_same(opened, slide, same_reader)
    except SlideError:
        opened.close()
        raise
    return in_focus(opened, slide.layout.focus)


def _check_same(opened: Slide, slide: SlidePlan, same_reader: bool) -> None:
    if same_reader and opened.reader != slide.reader:
        there = f"planned with {slide.reader}, and {opened.reader} reads it here"
        raise SlideError(f"{slide.path}: {there}: install that version, or plan again to another folder")
    if slide.key != slide_key(opened.files, full=slide.full_hash):
        raise SlideError(
            f"{slide.path}: not the file that was planned: put it back, or plan again to another folder"
        )


def open_network(plan: Plan, options: RunOptions) -> Detect:
    """What finds candidates with the network of a plan. Raises InputError where its weights have changed."""
    from irnet.inference.predict import Predictor

    model, labels = planned_weights(plan), {text: label for label, text in LABEL_NAMES.items()}
    predictor = Predictor.load(
        model, options.device, engine=options.engine, precision=options.precision, views=plan.network["views"]
    )
    cuts = {labels[name]: cut for name, cut in plan.network["scores"].items()}

    def detect(pixels: Pixels, mpp: float) -> Cells:
        found = predictor.find_in_window(pixels, mpp).cells
        return found.select(reaching(found, cuts))

    return detect


def planned_weights(plan: Plan) -> Path:
    """The weights of a plan where they were, or the bundled ones of this installation if they are those."""
    for path in (planned := Path(plan.network["model"]), BUNDLED, RESEARCH):
        if path.is_file() and sha256(path) == plan.network["sha256"]:
            return path
    raise InputError(
        f"{planned}: not the weights that were planned with: put them back, or repeat the plan with --model "
        "and where they are now"
    )
