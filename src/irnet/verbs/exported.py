"""What `irnet export` did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from irnet.errors import DONE, DONE_WITH_ERRORS
from irnet.morphometry.table import Row


@dataclass
class Exported:
    """What `export` did."""

    folder: Path
    images: int  # or slides
    notes: list[str] = field(default_factory=list)  # what the format cannot hold
    errors: list[str] = field(default_factory=list)  # what could not be done: an image or a slide is missing
    measured: Mapping[str, list[Row]] = field(default_factory=dict)  # rows that predict measured, by image
    what: str = "image"

    @property
    def exit_code(self) -> int:
        """0 all done, 3 done except for the errors."""
        return DONE_WITH_ERRORS if self.errors else DONE
