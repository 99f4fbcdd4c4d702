"""What a network finds, kept: each image is looked at once, so that other cuts cost nothing.

A find is kept under the hash of what it depends on: weights, settings but for the cuts, the code of the
network, um per pixel, and the pixels. After a change to how prediction calls the network, name a new cache.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import irnet
from irnet.cells import LABEL_NAMES, Cells, Content, Cuts
from irnet.config import change_settings
from irnet.data.coco.coco import entries_of, write_coco
from irnet.data.coco.document import load
from irnet.data.files import sha256
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.inference.devices import choose_device
from irnet.inference.networks import build_network
from irnet.inference.predict import Predictor
from irnet.inference.weights import find_weights, load_weights

CODE = ("models/*.py", "baselines/**/*.py", "inference/networks.py")
CHOSEN_LATER = {"score", "views", "nucleus_px"}  # settings of which finds know nothing


class Finder:
    """Every candidate that a network finds in images, looked for only in those that it has not seen.

    Args:
        source: weights file, run's folder, "bundled" or "bundled-research".
        overrides: of its settings, such as "predict.nms.nucleus=0.4".
        cache: folder of what was found.
        views: 1 or 4, see `Predictor`.
    """

    def __init__(self, source: str, overrides: Sequence[str], cache: Path, views: int = 1) -> None:
        model, settings, _ = load_weights(source)
        if overrides:
            settings, trained = change_settings(settings, overrides), model
            model = build_network(settings, pretrained=False)
            model.load_state_dict(trained.state_dict())
        self.predictor = Predictor(model, settings=settings, device=choose_device("auto"), views=views)
        self.source, self.cache = find_weights(source), cache
        used = self.predictor.settings.model_dump(
            mode="json",
            include={"model": True, "predict": True},
            exclude={"predict": CHOSEN_LATER},
            exclude_defaults=True,
        )
        basis = [sha256(self.source), used, settings.data.mpp, views, _code()]
        self._basis = json.dumps(basis, sort_keys=True)

    @property
    def cuts(self) -> Cuts:
        """The thresholds stored with the weights."""
        return self.predictor.scores

    def find(self, entries: Sequence[Entry], mpp: float | None = None) -> list[Cells]:
        """Every candidate of each image, not linked; `mpp` is the scale of images that do not know theirs.

        Interrupted, it goes on where it stopped.
        """
        return [self._find(entry, entry.content.cells.mpp or mpp) for entry in entries]

    def _find(self, entry: Entry, mpp: float | None) -> Cells:
        if mpp is None:
            raise InputError(f"{entry.name}: um per pixel unknown: give them, or predict first")
        pixels = entry.read().image
        name = hashlib.sha256(f"{self._basis} {mpp} {pixels.shape}".encode() + pixels.tobytes()).hexdigest()
        file = self.cache / f"{name}.json"
        if not file.exists():
            cells = self.predictor.find(pixels, mpp).cells
            write_coco(file, [replace(entry, content=Content(cells=cells), pixels=None)], scores=True)
        return entries_of(load(file))[0].content.cells


def cuts_of(values: Sequence[float] | None) -> Cuts | None:
    """Cuts of cytoplasms and nuclei as the command line gives them."""
    return dict(zip(LABEL_NAMES, values, strict=True)) if values else None


def _code() -> str:
    files = sorted(file for pattern in CODE for file in Path(irnet.__file__).parent.glob(pattern))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
