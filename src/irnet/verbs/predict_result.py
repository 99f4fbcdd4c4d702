"""What `irnet predict` did, and how it says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from irnet.cells import LABEL_NAMES, Cuts
from irnet.data.nucleus_size import doubt_scarcity
from irnet.errors import DONE, DONE_WITH_ERRORS, NOTHING_DONE
from irnet.wording import number_of


@dataclass(frozen=True)
class PredictResult:
    """What `predict_files` did."""

    images: list[dict[str, Any]]  # what run.json says of each image that was segmented
    errors: list[dict[str, str]]  # file and reason of the others
    method: str
    scores: Cuts  # the cuts that were used, none where the method gives no scores
    notes: Sequence[str] = ()  # on all images together
    before: int = 0  # of the images, how many were done before the run was stopped

    @property
    def exit_code(self) -> int:
        """0 all done, 2 nothing done, 3 done except for the errors."""
        if not self.errors:
            return DONE
        return DONE_WITH_ERRORS if self.images else NOTHING_DONE

    def lines(self) -> list[str]:
        """Return what a user should know: what was found and how, and which cuts were used."""
        lines = [line for image in self.images for line in describe(image)]
        return [*lines, *self.notes, *self.last_lines()]

    def last_lines(self) -> list[str]:
        """Return what of this is known at the end alone; the rest was told on the way."""
        lines = []
        if doubted := sum(image["mpp_doubted"] for image in self.images):
            lines.append(f"nuclei of unusual size on {number_of(doubted, 'image')}: look at um per pixel")
        lines += self._scarce_nuclei()
        if self.before:
            lines.append(f"{number_of(self.before, 'image')} done before the run was stopped")

        cuts = ", ".join(f"{LABEL_NAMES[label]} {cut:g}" for label, cut in self.scores.items())
        kept = f"scores kept from: {cuts}" if cuts else "no scores"
        return [*lines, f"{self.method}; {kept}"]

    def _scarce_nuclei(self) -> tuple[str, ...]:
        """What speaks against um per pixel in the numbers found in all images whose are known."""
        known = [image for image in self.images if image["mpp"] is not None]
        cells, nuclei = (sum(image["found"][name] for image in known) for name in ("cytoplasm", "nucleus"))
        return doubt_scarcity(cells, nuclei, (image["mpp"] for image in known))


def describe(image: Mapping[str, Any]) -> list[str]:
    """Lines on an image that was segmented: what was found, and notes."""
    scale = "" if image["mpp"] is None else f", {image['mpp']:g} um per pixel"
    return [f"{image['name']}: {_counts(image['found'])}{scale}", *(f"  {n}" for n in image["notes"])]


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in found.items())
