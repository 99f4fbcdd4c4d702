"""Rehearsal: what is found at every option is what a predictor with that option finds, from one look."""

import numpy as np
import pytest
import torch

from irnet.cells import Cells, Content
from irnet.config import Settings, load_recipe
from irnet.data.sample import Sample
from irnet.inference.networks import build_network
from irnet.inference.predict import Predictor
from irnet.inference.rehearsal import POWERS, THRESHOLDS, Option, Rehearsal
from irnet.inference.scale import OWN

SIZE = (80, 96)


@pytest.fixture
def settings() -> Settings:
    return load_recipe("tiny", ["model.trunk_weights=", "predict.floor=0.0", "predict.max_per_megapixel=12"])


@pytest.fixture
def network(settings: Settings):
    torch.manual_seed(0)
    return build_network(settings, pretrained=False)


def sample(mpp: float | None) -> Sample:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    image = np.full((*SIZE, 3), 235, np.uint8)
    for cx, cy in ((30, 30), (50, 45), (75, 40)):
        image[np.hypot(x - cx, y - cy) < 18] = 170
        image[np.hypot(x - cx, y - cy) < 6] = 60
    return Sample(name="discs", image=image, content=Content(cells=Cells.empty(SIZE, mpp=mpp)))


@pytest.mark.parametrize(("mpp", "views"), [(0.37, 1), (0.5, 1), (0.37, 4), (None, 1)])
def test_every_option_is_what_a_predictor_finds(network, settings: Settings, mpp, views: int) -> None:
    found = Rehearsal(network, settings=settings, views=views).find(sample(mpp), OWN)
    assert set(found) == {Option(power, threshold) for power in POWERS for threshold in THRESHOLDS}
    for option in (Option(1.0, 0.5), Option(0.5, 0.4)):
        point = {name: {"cytoplasm": value, "nucleus": value} for name, value in option._asdict().items()}
        values = settings.model_dump() | {"predict": settings.predict.model_dump() | point}
        changed = Settings.model_validate(values)
        alone = build_network(changed, pretrained=False)
        alone.load_state_dict(network.state_dict())
        cells = Predictor(alone, settings=changed, views=views).find(sample(mpp).image, mpp, scale=OWN).cells
        assert len(cells) == len(found[option]) > 0
        assert np.allclose(cells.scores, found[option].scores, atol=1e-5)
        assert np.allclose(cells.areas, found[option].areas, atol=2)


def test_one_look_for_all_options(network, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    forward = network.backbone.forward
    monkeypatch.setattr(network.backbone, "forward", lambda batch: (looks.append(1), forward(batch))[1])
    rehearsal = Rehearsal(network, settings=settings)
    rehearsal.find(sample(0.37), OWN)
    assert len(looks) == 1
    rehearsal.find(sample(0.37), OWN)
    assert len(looks) == 2  # nothing is kept from image to image
