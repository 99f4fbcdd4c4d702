"""The validation of a run: every image found and scored, shared out among the ranks."""

from __future__ import annotations

from irnet.config import Settings
from irnet.data.sample import Sample
from irnet.inference.methods import find_all
from irnet.inference.networks import Network
from irnet.inference.predict import Predictor
from irnet.inference.scale import OWN, median_nucleus
from irnet.progress import each
from irnet.training.ranks import Ranks
from irnet.training.scores import Validation, score_validation
from irnet.training.source import Source


class Validator:
    """Scores a network on the validation images of a run, shared out among the ranks."""

    def __init__(self, source: Source, ranks: Ranks) -> None:
        self.source, self.ranks = source, ranks
        self._samples: list[Sample] | None = None

    def read(self) -> list[Sample]:
        """Return this rank's share of the images, read once."""
        if self._samples is None:
            self._samples = self.source.read_validation(self.ranks.rank, self.ranks.size)
        return self._samples

    def __call__(self, network: Network, settings: Settings) -> Validation | None:
        """Return a network's scores, on every rank; None without validation images."""
        samples = self.read()

        predictor = Predictor(network, settings=settings, device=self.ranks.device)
        found = self.ranks.collect(find_all(predictor, each(samples, "validating"), scale=OWN))
        truths = self.ranks.collect([sample.content for sample in samples])
        patients = self.ranks.collect([sample.patient for sample in samples])

        if not truths:
            return None

        scored = score_validation(truths, found, floor=settings.predict.floor)
        nucleus_px = median_nucleus(truths, settings.data.mpp)
        return scored._replace(nucleus_px=nucleus_px, patients=patients)
