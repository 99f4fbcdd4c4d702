"""What a run learns from, whether it is read or drawn."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from irnet.data.sample import Sample
from irnet.training.crops import CropDataset

ReadShare = Callable[[int, int], list[Sample]]  # of (rank, number of ranks)


@dataclass(frozen=True)
class Source:
    """What a run learns from."""

    crops: CropDataset
    reuse: int  # crops of each image
    read_validation: ReadShare
    identity: dict[str, Any]  # distinguishes other data from the same
    facts: dict[str, Any]  # what else the model card says of it
    scaled: bool = True  # whether um per pixel of any image is known
