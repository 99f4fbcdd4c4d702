"""`irnet predict SLIDE`: a slide planned, segmented and finished, with the options of images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from irnet.errors import DONE, NOTHING_DONE, InputError
from irnet.progress import tell
from irnet.verbs.predict_options import PredictOptions
from irnet.verbs.slide_finish import SLIDES_CSV, FinishResult, finish_slides
from irnet.verbs.slide_plan import SlideOptions, plan_slides
from irnet.verbs.slide_run import RunOptions, RunResult, run_slides

TAKEN = ("model", "score", "mpp", "device", "engine", "precision")  # options of images that slides have too


@dataclass(frozen=True)
class SlidesResult:
    """What was done with slides."""

    run: RunResult
    finish: FinishResult | None  # None: no window was done

    @property
    def exit_code(self) -> int:
        """0 all done, 2 nothing done, 3 done except for the errors."""
        if self.run.exit_code == DONE:
            return DONE
        return self.run.exit_code if self.finish else NOTHING_DONE

    def lines(self) -> Iterator[str]:
        """What a user should know."""
        yield from self.run.lines()
        for row in self.finish.rows if self.finish else ():
            yield f"{row['slide']}: {row['cells']} cells, {row['nuclei']} nuclei on {row['area_mm2']:g} mm2"


def predict_slides(
    slides: Sequence[Path], out: Path, options: PredictOptions, more: Mapping[str, Any] = {}
) -> SlidesResult:
    """Write what is found on slides to `out`: `irnet slide plan`, `run` and `finish`, one after the other.

    `more` are fields of `SlideOptions` by name. Stopped, the same call goes on. Raises what they raise, and
    InputError for options that slides have not.
    """
    plain, options = PredictOptions(), replace(options, save=tuple(options.save))
    for field in fields(options):
        if field.name not in TAKEN and getattr(options, field.name) != getattr(plain, field.name):
            raise InputError(
                f"{slides[0]} is a slide, for which there is no --{field.name.replace('_', '-')}: "
                "leave it out, or see irnet slide plan --help"
            )

    asked = SlideOptions(model=options.model, score=options.score, mpp=options.mpp, **more)
    plan = plan_slides(slides, out, asked)
    for name in plan.names:
        for note in plan.slide(name).notes:
            tell(f"{name}: {note}")
    device = RunOptions(device=options.device, engine=options.engine, precision=options.precision)
    ran = run_slides(out, device)
    if not ran.done + ran.before and ran.errors:
        return SlidesResult(ran, None)
    return SlidesResult(ran, finish_slides(out, partial=bool(ran.errors)))


def written(out: Path) -> str:
    """Where what was found is."""
    return f"written to {out}: {SLIDES_CSV}, slides/NAME/cells.db"
