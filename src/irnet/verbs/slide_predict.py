"""`irnet predict SLIDE`: a slide planned, segmented and finished, with the options of images."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from irnet.errors import DONE, DONE_WITH_ERRORS, NOTHING_DONE, InputError
from irnet.progress import tell
from irnet.verbs.failures import LeftOut
from irnet.verbs.predict_options import PredictOptions
from irnet.verbs.slide_finish import SLIDES_CSV, FinishResult, finish_slides
from irnet.verbs.slide_plan import SlideOptions, plan_slides
from irnet.verbs.slide_run import RunOptions, RunResult, run_slides
from irnet.wording import number_of

TAKEN = ("model", "score", "mpp", "device", "engine", "precision")  # options of images that slides have too


@dataclass(frozen=True)
class SlidesResult:
    """What was done with slides."""

    run: RunResult
    finish: FinishResult | None  # None: no window was done
    left_out: Sequence[str] = ()  # why slides could not be planned

    @property
    def exit_code(self) -> int:
        """0 all done, 2 nothing done, 3 done except for the errors."""
        if not self.finish:
            return NOTHING_DONE
        codes = self.run.exit_code, self.finish.exit_code
        return DONE if codes == (DONE, DONE) and not self.left_out else DONE_WITH_ERRORS

    def lines(self) -> Iterator[str]:
        """What a user should know."""
        if self.left_out:
            yield f"{number_of(len(self.left_out), 'slide')} not planned"
        yield from self.run.lines()
        yield from self.finish.lines() if self.finish else ()


def predict_slides(
    slides: Sequence[Path], out: Path, options: PredictOptions, more: Mapping[str, Any] = {}
) -> SlidesResult:
    """Write what is found on slides to `out`: `irnet slide plan`, `run` and `finish`, one after the other.

    `more` are fields of `SlideOptions` by name. Stopped, the same call goes on. One of several slides that
    cannot be planned or run is told, and the others go on. Raises what they raise, and InputError for options
    that slides have not.
    """
    plain, options = PredictOptions(), replace(options, save=tuple(options.save))
    for field in fields(options):
        if field.name not in TAKEN and getattr(options, field.name) != getattr(plain, field.name):
            raise InputError(
                f"{slides[0]} is a slide, for which there is no --{field.name.replace('_', '-')}: "
                "leave it out, or see irnet slide plan --help"
            )

    asked = SlideOptions(model=options.model, score=options.score, mpp=options.mpp, **more)
    count = len({os.path.abspath(slide) for slide in slides})
    left_out = LeftOut(count) if count > 1 else None
    plan = plan_slides(slides, out, asked, left_out)
    missing = left_out.reasons if left_out else ()
    for name in plan.names:
        for note in plan.slide(name).notes:
            tell(f"{name}: {note}")
    device = RunOptions(device=options.device, engine=options.engine, precision=options.precision)
    ran = run_slides(out, device)
    if not ran.done + ran.before and ran.errors:
        return SlidesResult(ran, None, missing)
    finished = finish_slides(out, partial=bool(ran.errors or ran.left_out))
    return SlidesResult(ran, finished, missing)


def written(out: Path) -> str:
    """Where what was found is."""
    return f"written to {out}: {SLIDES_CSV}, slides/NAME/cells.db"
