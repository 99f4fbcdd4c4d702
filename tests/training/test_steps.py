"""One optimiser step."""

import os
import signal

import pytest
import torch
from torch import nn

from irnet.training.feed import Batch
from irnet.training.steps import NotFiniteError, optimise, read_steps, step_seed, stop_requested

CPU = torch.device("cpu")


class Mean(nn.Module):
    """Loss: squared distance of a weight from each image's mean."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, images, targets):
        return {"cls": torch.stack([(self.weight - image.float().mean()) ** 2 for image in images]).mean()}


def batch(*levels: int, first: int = 0) -> Batch:
    target = {
        "boxes": torch.zeros(0, 4),
        "labels": torch.zeros(0, dtype=torch.int64),
        "masks": torch.zeros(0, 4, 4, dtype=torch.uint8),
        "ignore": torch.zeros(0, 4),
        "annotated": torch.ones(2, dtype=torch.bool),
    }
    images = [torch.full((3, 2, 2), level, dtype=torch.uint8) for level in levels]
    return Batch.of(range(first, first + len(levels)), [(image, target) for image in images])


def step(model: nn.Module, *batches: Batch, clip: float = 0.0) -> dict[str, float]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    taken = optimise(model, optimizer, batches, device=CPU, precision="fp32", clip=clip)
    (values,) = read_steps([taken])
    return values


def test_accumulated_batches_are_one_large_batch():
    whole, parts = Mean(), Mean()
    losses = step(whole, batch(1, 2, 3, 4))
    assert step(parts, batch(1, 2), batch(3, 4)) == pytest.approx(losses)
    assert parts.weight.item() == pytest.approx(whole.weight.item())
    assert losses["loss/cls"] == losses["loss"] == pytest.approx((1 + 4 + 9 + 16) / 4)


def test_the_gradient_is_clipped_and_its_norm_told():
    model = Mean()
    assert step(model, batch(10), clip=1.0)["gradient_norm"] == pytest.approx(20)
    assert model.weight.item() == pytest.approx(0.1, rel=1e-4)  # lr 0.1 times a gradient of norm 1


def test_the_first_step_whose_loss_is_not_finite_is_told():
    model = Mean()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    taken = []
    for number in (1, 2, 3):
        if number == 2:
            model.weight.data.fill_(float("inf"))
        given = [batch(1, first=10 * number), batch(1, first=10 * number + 5)]
        taken.append(optimise(model, optimizer, given, device=CPU, precision="fp32", clip=0))
    values = read_steps(taken)
    assert next(values)["loss/cls"] == 1
    with pytest.raises(NotFiniteError) as caught:
        next(values)
    assert caught.value.record == {"losses": {"loss/cls": "inf"}, "gradient_norm": None, "items": [20]}


def test_a_gradient_that_is_not_finite_is_told():
    model = Mean()
    model.weight.register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(NotFiniteError) as caught:
        step(model, batch(3, first=7), batch(3, first=8))
    assert caught.value.record == {"losses": {"loss/cls": "9.0"}, "gradient_norm": "nan", "items": [7, 8]}


def test_figures_are_those_of_their_step_however_late_they_are_read():
    model = Mean()
    model.diagnostics = {"weight": model.weight.detach()[0]}  # a view, which the next step changes
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    taken = [optimise(model, optimizer, [batch(1)], device=CPU, precision="fp32", clip=0) for _ in range(2)]
    assert [values["weight"] for values in read_steps(taken)] == pytest.approx([0.2, 0.36])


def test_bf16_steps_are_finite():
    model = Mean()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    (losses,) = read_steps([optimise(model, optimizer, [batch(3)], device=CPU, precision="bf16", clip=0)])
    assert losses["loss"] == pytest.approx(9, rel=0.02)
    assert model.weight.dtype == torch.float32


def test_seeds_differ_by_step_and_rank():
    seeds = {step_seed(seed, number, rank) for seed in range(3) for number in range(20) for rank in range(3)}
    assert len(seeds) == 180
    assert step_seed(0, 1, 2) == step_seed(0, 1, 2)


@pytest.mark.skipif(os.name == "nt", reason="no POSIX signals")
def test_a_signal_asks_to_stop_and_handlers_come_back():
    before = signal.getsignal(signal.SIGTERM)
    with stop_requested() as stopping:
        assert not stopping()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopping()
        assert signal.getsignal(signal.SIGTERM) == before
    assert signal.getsignal(signal.SIGTERM) == before
