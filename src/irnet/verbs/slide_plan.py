"""`irnet slide plan`: how slides will be segmented, fixed before any window is."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from irnet.cells import LABEL_NAMES
from irnet.conventions import check_mpp
from irnet.data.file_names import PREDICTIONS, SLIDES_RUN
from irnet.data.files import clean_name, sha256
from irnet.data.locking import writing
from irnet.data.naming import name_images
from irnet.data.own import contradiction
from irnet.errors import InputError
from irnet.inference.weights import find_weights, read_settings
from irnet.inference.windows import WINDOWS
from irnet.models.constants import by_label
from irnet.progress import each
from irnet.slides.bubbles import find_bubbles
from irnet.slides.focus import choose_focus, in_focus, say_focus
from irnet.slides.key import slide_key
from irnet.slides.layout import Layout, audited
from irnet.slides.plan import DamagedPlanError, Plan, SlidePlan
from irnet.slides.readers.opening import open_slide
from irnet.slides.readers.slide import Slide
from irnet.slides.tissue import find_tissue
from irnet.slides.windows import Window
from irnet.verbs.failures import LeftOut
from irnet.verbs.slide_scale import Finder, estimate_mpp, say_missing

_REGION = re.compile(r"(\d+),(\d+),(\d+),(\d+)")


@dataclass(frozen=True)
class SlideOptions:
    """What is asked of a plan.

    Args:
        model: weights file or run's folder, None for the bundled weights.
        score: cut for both classes, None for the operating threshold of each.
        mpp: um per pixel of all slides, None for what each file says.
        estimate_scale: estimate them from nuclei where neither says them.
        plane: see `choose_focus`.
        region: x, y, w, h in px of the finest level: windows whose cores lie outside are left out.
        window: core and halo, px at the network's scale.
        every: segment windows that show nothing as well.
        rename: slide-0001 ... instead of the names of the files.
        full_hash: tell slides apart by all of their bytes.
    """

    model: str | Path | None = None
    score: float | None = None
    mpp: float | None = None
    estimate_scale: bool = False
    plane: str | int | None = None
    region: str | None = None
    window: tuple[int, int] = WINDOWS[0]
    every: bool = False
    rename: bool = False
    full_hash: bool = False


def plan_slides(
    paths: Sequence[str | Path],
    out: str | Path,
    options: SlideOptions = SlideOptions(),
    left_out: LeftOut | None = None,
) -> Plan:
    """Write the plan of slides to `out`, which gets slides.json and slides/NAME/plan.json.

    The same plan may be made again; another one is refused where there is one. Raises InputError: a slide
    cannot be read or says no um per pixel, the weights are no weights, an option is wrong.

    With `left_out` a slide that cannot be planned is told, and the others are planned: one that was planned
    there before keeps that plan, another is left out until the same call finds it in order.
    """
    check_mpp(options.mpp)
    files, out = [*{os.path.abspath(path): Path(path) for path in paths}.values()], Path(out)  # each once
    names = _names(files, rename=options.rename)
    network = _network(options)
    plan = Plan(out, tuple(names), network)

    @cache
    def finder() -> Finder:  # opened where um per pixel are to be estimated
        from irnet.inference.predict import Predictor

        return Predictor.load(network["model"], engine="auto")

    with writing(out, "irnet slide plan"):
        if (out / PREDICTIONS).exists():  # which view, report and export would take
            raise InputError(f"{out}: it holds predictions of images: write slides to another folder with -o")
        slides, read = [], []
        for name, file in each([*zip(names, files, strict=True)], "planning", lambda pair: pair[0]):
            before = _planned_before(out, name, file) if left_out else None
            try:
                slide = _plan_slide(name, file, network, options, finder)
            except InputError as error:
                if not left_out:
                    raise
                if before is None:
                    left_out.add(error)
                    continue
                slide = before
            slides.append(before if before and before.key != slide.key else slide)
            read.append(file)
        if left_out:
            left_out.refuse_all()
        plan = replace(plan, names=tuple(slide.name for slide in slides))
        _refuse_twice(read, slides)
        if (out / SLIDES_RUN).exists():
            _refuse_other(plan, slides, grows=left_out is not None)
        plan.write(slides)
    return plan


def _planned_before(out: Path, name: str, file: Path) -> SlidePlan | None:
    """The plan that a folder has of a file; a damaged one is none."""
    with suppress(DamagedPlanError):
        if (out / SLIDES_RUN).exists() and name in (there := Plan.read(out)).names:
            slide = there.slide(name)
            return slide if slide.path == str(file.resolve()) else None
    return None


def _plan_slide(
    name: str, file: Path, network: dict[str, Any], options: SlideOptions, finder: Callable[[], Finder]
) -> SlidePlan:
    with open_slide(file) as opened:
        plane, focus = choose_focus(opened, options.plane)
        slide = in_focus(opened, focus)
        mpp = options.mpp or slide.mpp
        other = contradiction(options.mpp, slide.mpp)
        told = [other] if other else []
        if mpp is None:
            if not options.estimate_scale:
                raise InputError(f"{file}: {say_missing(slide)}")
            estimate = estimate_mpp(slide, plane, finder, network["mpp"], network["predict"]["nucleus_px"])
            mpp, told = estimate.mpp, [estimate.note()]
        layout = Layout.of(slide, mpp, network["mpp"], plane=plane, focus=focus, window=options.window)
        tissue = find_tissue(slide, plane, mpp)

        windows = layout.windows()
        outside = _outside(windows, layout, options.region)
        left = set() if options.every else {*range(len(windows))} - {*outside}
        skipped = [number for number in sorted(left) if not layout.shows(windows[number], tissue)]
        return SlidePlan(
            name,
            str(file.resolve()),
            slide_key(slide.files, full=options.full_hash),
            slide.reader,
            slide.shape,
            tissue.background,
            layout,
            tuple(skipped),
            tuple(audited(skipped)),
            outside,
            (*slide.notes, *told, *_plane_note(slide, layout)),
            options.full_hash,
            find_bubbles(tissue, mpp),
        )


def _plane_note(slide: Slide, layout: Layout) -> list[str]:
    return [say_focus(slide.planes, layout.plane, layout.focus)] if slide.planes > 1 else []


def _outside(windows: Sequence[Window], layout: Layout, region: str | None) -> tuple[int, ...]:
    """Numbers of the windows whose cores lie outside of a region. Raises InputError for no such text."""
    if region is None:
        return ()
    found = _REGION.fullmatch(region.replace(" ", ""))
    if found is None or 0 in map(int, found.groups()[2:]):
        raise InputError(f"region {region!r}: give x,y,width,height in px, such as 10000,20000,4096,4096")

    x, y, width, height = (int(value) / layout.px for value in found.groups())
    outside = []
    for number, window in enumerate(windows):
        x1, y1, x2, y2 = window.core
        if x2 <= x or y2 <= y or x1 >= x + width or y1 >= y + height:
            outside.append(number)
    if len(outside) == len(windows):
        raise InputError(f"region {region}: it lies outside of the slide")
    return tuple(outside)


def _network(options: SlideOptions) -> dict[str, Any]:
    """What the results depend on besides the slides."""
    source = find_weights(options.model)
    settings, _ = read_settings(source)
    if options.score is not None and not settings.predict.floor <= options.score <= 1:
        raise InputError(f"score {options.score} is out of range: give {settings.predict.floor} to 1")
    cuts = by_label(settings.predict.score)
    if options.score is not None:
        cuts = dict.fromkeys(LABEL_NAMES, options.score)
    return {
        "method": settings.method,
        "model": str(source.resolve()),
        "sha256": sha256(source),
        "mpp": settings.data.mpp,
        "views": 1,
        "scores": {LABEL_NAMES[label]: cut for label, cut in cuts.items()},
        "predict": settings.predict.model_dump(mode="json"),
    }


def _names(files: Sequence[Path], *, rename: bool) -> list[str]:
    """A folder's name for each slide, no two alike."""
    if not files:
        raise InputError("no slide is named")
    if rename:
        return [f"slide-{number:04}" for number in range(1, len(files) + 1)]
    whole = [Path(os.path.abspath(file)) for file in files]  # "." has no name
    stems = [file.parent / (file.name.partition(".")[0] or file.name or "slide") for file in whole]
    return [clean_name(name.replace("/", "-")) for name in name_images(stems)]


def _refuse_twice(files: Sequence[Path], slides: Sequence[SlidePlan]) -> None:
    """Raise InputError where two files are of one slide, as those of a DICOM series are."""
    first: dict[str, Path] = {}
    for file, slide in zip(files, slides, strict=True):
        if (other := first.setdefault(slide.key, file)) != file:
            raise InputError(f"{other} and {file} are one slide: name one of them")


def _refuse_other(plan: Plan, slides: Sequence[SlidePlan], *, grows: bool) -> None:
    """Raise InputError where a folder holds another plan: its blocks would be no part of this one.

    Slides and weights may lie elsewhere by now; what is damaged there is written anew. `grows`: there may be
    slides more now.
    """
    with suppress(DamagedPlanError):
        there = Plan.read(plan.out)
        known = there.names == plan.names or (grows and {*there.names} < {*plan.names})
        same = known and {**there.network, "model": plan.network["model"]} == plan.network
        if not same or any(_is_other(there, slide) for slide in slides if slide.name in there.names):
            raise InputError(f"{plan.out}: it holds another plan: write to another folder, or run that one")


def _is_other(there: Plan, slide: SlidePlan) -> bool:
    with suppress(DamagedPlanError):
        return replace(there.slide(slide.name), path=slide.path) != slide
    return False
