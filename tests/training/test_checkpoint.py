"""A checkpoint brings back all that the next step depends on."""

from pathlib import Path

import pytest
import torch
from torch import nn

from irnet.errors import InputError
from irnet.training.checkpoint import load_checkpoint, save_checkpoint
from irnet.training.optim import MovingAverage


def trained(seed: int) -> tuple[nn.Module, MovingAverage, torch.optim.Optimizer]:
    """A small network after one step."""
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3).to(memory_format=torch.channels_last), nn.Flatten(), nn.Linear(2, 1)
    )
    average, optimizer = MovingAverage(model, decay=0.9), torch.optim.AdamW(model.parameters())
    model(torch.randn(1, 1, 3, 3)).sum().backward()
    optimizer.step()
    return model, average, optimizer


def test_a_checkpoint_brings_back_weights_average_and_optimiser(tmp_path: Path):
    model, average, optimizer = trained(0)
    save_checkpoint(
        tmp_path / "c", model=model, average=average.model, optimizer=optimizer, state={"step": 1}
    )
    again, its_average, its_optimizer = trained(1)
    assert (
        load_checkpoint(tmp_path / "c", model=again, average=its_average.model, optimizer=its_optimizer)[
            "step"
        ]
        == 1
    )
    for mine, other in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(mine, other)
        for key, value in optimizer.state[mine].items():
            assert torch.equal(value, its_optimizer.state[other][key]), key
    assert torch.equal(average.model[0].weight, its_average.model[0].weight)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path):
    model, average, optimizer = trained(0)
    save_checkpoint(
        tmp_path / "c", model=model, average=average.model, optimizer=optimizer, state={"step": 1}
    )
    other = nn.Linear(1, 1)
    with pytest.raises(InputError, match="another model"):
        load_checkpoint(tmp_path / "c", model=other, average=other, optimizer=optimizer)
