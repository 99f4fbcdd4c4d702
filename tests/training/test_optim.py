"""Parameter groups, schedules by hand, and the moving average."""

import pytest
import torch
from torch import nn

from irnet.training.optim import (
    MovingAverage,
    build_optimizer,
    parameter_groups,
    schedule_factor,
    set_learning_rate,
    warmup_factor,
)


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.ModuleDict({"body": nn.Conv2d(3, 8, 1), "fpn": nn.Conv2d(8, 8, 1)})
        self.norm = nn.GroupNorm(2, 8)
        self.head = nn.Linear(8, 2)
        self.frozen = nn.Linear(2, 2).requires_grad_(False)
        self.gamma = nn.Parameter(torch.zeros(()))


def test_every_trainable_parameter_is_in_one_group_with_its_rate_and_decay():
    model = Network()
    groups = parameter_groups(model, lr=0.1, trunk_lr_factor=0.25, bias_lr_factor=2, weight_decay=1e-4)
    rates = {id(p): (g["base_lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    assert len(rates) == sum(len(g["params"]) for g in groups) == 9
    assert rates[id(model.backbone["body"].weight)] == (0.025, 1e-4)
    assert rates[id(model.backbone["body"].bias)] == (0.05, 0)
    assert rates[id(model.backbone["fpn"].weight)] == (0.1, 1e-4)
    assert rates[id(model.head.weight)] == (0.1, 1e-4)
    assert rates[id(model.head.bias)] == (0.2, 0)
    for plain in (model.norm.weight, model.norm.bias, model.gamma):
        assert rates[id(plain)] == (0.1, 0)


def test_warm_up_is_linear_and_ends():
    values = [warmup_factor(step, warmup_steps=500, start=1 / 3) for step in (0, 250, 500, 9000)]
    assert values == pytest.approx([1 / 3, 2 / 3, 1, 1])
    assert warmup_factor(0, warmup_steps=0, start=0.1) == 1


def test_the_step_schedule_of_the_paper_drops_at_30k_and_45k():
    values = [
        schedule_factor(step, 50_000, schedule="step", milestones=(0.6, 0.9), decay=0.1)
        for step in (0, 29_999, 30_000, 44_999, 45_000)
    ]
    assert values == pytest.approx([1, 1, 0.1, 0.1, 0.01])


def test_the_cosine_schedule_ends_at_zero():
    values = [
        schedule_factor(step, 100, schedule="cosine", milestones=(), decay=0.1) for step in (0, 50, 100, 120)
    ]
    assert values == pytest.approx([1, 0.5, 0, 0], abs=1e-12)


def test_the_rate_is_a_share_of_each_groups_base_rate():
    groups = parameter_groups(Network(), lr=0.5, trunk_lr_factor=0.125, bias_lr_factor=1, weight_decay=0)
    optimizer = build_optimizer(groups, kind="sgd", momentum=0.9)
    for factor in (0.5, 0.1):
        set_learning_rate(optimizer, factor)
        assert {g["lr"] for g in optimizer.param_groups} == {factor * 0.5, factor * 0.0625}


def test_the_average_follows_closely_at_first_and_slowly_later():
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(0.0)
    average = MovingAverage(model, decay=0.99)
    model.weight.data.fill_(1.0)
    average.update(0)  # decay (1 + 0) / (10 + 0)
    assert average.model.weight.item() == pytest.approx(0.9)
    average.update(10_000)
    assert average.model.weight.item() == pytest.approx(0.9 * 0.99 + 0.01)
    assert not average.model.weight.requires_grad


def test_the_average_copies_counters_and_running_statistics_move():
    model = nn.BatchNorm1d(2)
    average = MovingAverage(model, decay=0.5)
    model(torch.randn(8, 2, generator=torch.Generator().manual_seed(0)))
    average.update(10_000)
    assert average.model.num_batches_tracked == 1
    assert torch.equal(average.model.running_mean, model.running_mean / 2)


def test_without_decay_the_average_is_the_model():
    model = nn.Linear(2, 2)
    average = MovingAverage(model, decay=0)
    model.weight.data.add_(1)
    average.update(0)
    assert torch.equal(average.model.weight, model.weight)
