"""A network small enough for tests, and truth for it."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from irnet.config import load_recipe
from irnet.models.build import build_model
from irnet.models.irnet import IRNet

SIDE = 128  # px of the images


@pytest.fixture
def tiny() -> Callable[..., IRNet]:
    """Builds the network of recipes/tiny.toml, changed by overrides."""

    def build(*overrides: str) -> IRNet:
        torch.manual_seed(0)
        settings = load_recipe("tiny", overrides)
        return build_model(settings.model, settings.loss, settings.predict)

    return build


@pytest.fixture
def target() -> Callable[..., dict[str, Tensor]]:
    """Makes the truth of an image: n discs of the given classes, (1, 2, 1, 2 ...) by default."""

    def make(n: int = 6, labels: tuple[int, ...] = (1, 2), seed: int = 0) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        corner = torch.rand(n, 2, generator=generator) * (SIDE - 60)
        size = 20 + torch.rand(n, 2, generator=generator) * 40
        y, x = torch.meshgrid(torch.linspace(-1, 1, 112), torch.linspace(-1, 1, 112), indexing="ij")
        disc = ((x**2 + y**2 < 1) * 255).to(torch.uint8)
        return {
            "boxes": torch.cat([corner, corner + size], dim=1),
            "labels": torch.tensor([labels[i % len(labels)] for i in range(n)], dtype=torch.int64),
            "masks": disc.expand(n, -1, -1).clone(),
            "annotated": torch.ones(2, dtype=torch.bool),
            "ignore": torch.zeros(0, 4),
        }

    return make


@pytest.fixture
def images() -> list[Tensor]:
    """Two images of noise, (3, 128, 128) uint8."""
    generator = torch.Generator().manual_seed(1)
    return list(torch.randint(0, 256, (2, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For many steps of a small network: threads that wait for each other cost more than they give."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
