"""`irnet slide status`: how far the windows of a plan are."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from irnet.data.coco.document import Row
from irnet.inference.slide_blocks import ENDED, MOST_TRIES, BlockFolder
from irnet.slides.plan import Plan, SlidePlan
from irnet.verbs.slide_info import duration

_RECENT = 50  # blocks that give the rate
_IDLE = 3600.0  # s without a block: nothing runs


@dataclass(frozen=True)
class SlideStatus:
    """How far a slide is."""

    slide: SlidePlan
    done: Mapping[int, str]  # key of each window that has a block, by number
    errors: Sequence[Row]  # window, reason and tries of those that failed
    missing: int  # neither done nor failed
    begun: int = 0  # of the missing: a process is at them, or ended at them
    rate: float | None = None  # windows a second, of late; None where nothing runs

    @property
    def failed(self) -> int:
        """How many windows failed and are not done."""
        return len(self.errors)

    def lines(self) -> Iterator[str]:
        """What a user should know."""
        counts = f"{len(self.done)} done, {self.failed} failed, {self.missing} missing"
        skipped = len(self.slide.skipped) - len(self.slide.audited)
        begun = f" ({self.begun} begun)" if self.begun else ""
        yield f"{self.slide.name}: {counts}{begun}, {skipped} show nothing"
        for row in self.errors:
            yield f"  window {row.get('window')}: {row.get('reason')} (tries: {row.get('tries')})"
        if self.rate and self.missing:
            left = duration(self.missing / self.rate)
            yield f"  {self.rate * 3600:.0f} windows an hour of late, at which about {left} are left"


def status_of(plan: Plan, name: str) -> SlideStatus:
    """How far a slide of a plan is; blocks are not opened. Raises InputError for a damaged plan."""
    slide = plan.slide(name)
    folder = BlockFolder(plan.folder(name))
    done, errors, written, missing, begun = {}, [], [], 0, 0
    for number, window in slide.windows().items():
        key = plan.key(slide, window)
        path = folder.path(key)
        if path.is_file():
            done[number] = key
            written.append(path.stat().st_mtime)
            continue
        row = folder.error(key)
        if row and (row.get("reason") != ENDED or folder.tries(key) >= MOST_TRIES):
            errors.append(row)
        else:
            missing += 1
            begun += row is not None
    return SlideStatus(slide, done, errors, missing, begun, _rate(written))


def _rate(written: Sequence[float]) -> float | None:
    """Blocks a second, of the last ones."""
    recent = sorted(written)[-_RECENT:]
    if len(recent) < 2 or time.time() - recent[-1] > _IDLE or recent[-1] == recent[0]:
        return None
    return (len(recent) - 1) / (recent[-1] - recent[0])
