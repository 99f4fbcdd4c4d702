"""Instance relation: what it computes, what it must not mix, and that it learns from neighbours."""

import math
from typing import get_args

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from irnet.models.instance_relation import Affinity, InstanceRelation

Batch = tuple[Tensor, Tensor, Tensor]


def instances(n: int, generator: torch.Generator | None = None) -> Batch:
    """Deep features, first masks and labels of n instances."""
    return (
        torch.randn(n, 6, 14, 14, generator=generator).relu(),
        torch.randn(n, 3, 28, 28, generator=generator),
        torch.randint(1, 3, (n,), generator=generator),
    )


def build(*, gamma: float = 0.0, **arguments: object) -> InstanceRelation:
    """A small module whose logits, and whose gamma, are not near zero, as they are at first."""
    torch.manual_seed(0)
    module = InstanceRelation(channels=6, width=8, **arguments).eval()  # type: ignore[arg-type]
    if module.gamma is not None:
        torch.nn.init.constant_(module.gamma, gamma)
    if module.inputs != "msk":
        torch.nn.init.normal_(module.classifier.weight)
    return module


def test_parameters_are_those_of_the_paper_and_the_temperature() -> None:
    assert sum(p.numel() for p in InstanceRelation(affinity="dot").parameters()) == 1_810_516
    assert sum(p.numel() for p in InstanceRelation().parameters()) == 1_810_517


def test_instances_out_of_reach_are_not_heard() -> None:
    module, (deep, logits, labels) = build(gamma=0.5), instances(6)
    near = torch.eye(6, dtype=torch.bool)
    near[:3, :3] = near[3:, 3:] = True
    some, _ = module(deep, logits, labels, near=near)
    for part in (slice(0, 3), slice(3, 6)):
        torch.testing.assert_close(some[part], module(deep[part], logits[part], labels[part])[0])
    assert not torch.allclose(some, module(deep, logits, labels)[0])


@pytest.mark.parametrize("affinity", get_args(Affinity))
def test_without_gamma_it_is_its_encoder(affinity: Affinity) -> None:
    batch = instances(5)
    refined, figures = build(affinity=affinity)(*batch)
    plain, nothing = build(relation=False)(*batch)
    assert refined.shape == (5, 3, 28, 28)
    assert refined.equal(plain)
    assert figures["gamma"] == 0
    assert nothing == {}


def test_without_gamma_masks_alone_stay_as_they_are() -> None:
    deep, masks, labels = instances(5)
    assert build(inputs="msk")(deep, masks, labels)[0].equal(masks)


@pytest.mark.parametrize("seed", range(3))
def test_masks_start_undecided(seed: int) -> None:
    deep, masks, labels = instances(20)
    torch.manual_seed(seed)
    refined, _ = InstanceRelation(channels=6)(3 * deep, masks, labels)
    loss = F.binary_cross_entropy_with_logits(refined, (masks > 0).float())
    assert float(loss.detach()) == pytest.approx(math.log(2), abs=0.05)


def test_masks_alone_without_relation_mean_nothing() -> None:
    with pytest.raises(ValueError, match="set relation=True"):
        InstanceRelation(inputs="msk", relation=False)


@pytest.mark.parametrize("inputs", ["df+msk", "df", "msk"])
def test_order_of_the_instances_does_not_matter(inputs: str) -> None:
    module = build(inputs=inputs, gamma=0.8)
    deep, masks, labels = instances(8)
    order, images = torch.randperm(8), torch.tensor([0, 0, 0, 1, 1, 1, 1, 1])
    refined, _ = module(deep, masks, labels, images)
    shuffled, _ = module(deep[order], masks[order], labels[order], images[order])
    torch.testing.assert_close(shuffled, refined[order], rtol=1e-4, atol=1e-4)


def test_classes_and_images_never_mix() -> None:
    """Each block of a batch is what the block alone gives."""
    module = build(gamma=0.8)
    deep, masks, labels = instances(12, torch.Generator().manual_seed(5))
    images = torch.arange(12) % 3
    refined, _ = module(deep, masks, labels, images)
    for image in range(3):
        for label in (1, 2):
            block = (images == image) & (labels == label)
            alone, _ = module(deep[block], masks[block], labels[block])
            torch.testing.assert_close(refined[block], alone, rtol=1e-4, atol=1e-4)


def test_images_are_apart_in_the_gradient_too() -> None:
    module = build(gamma=0.8)
    deep, masks, labels = instances(6)
    deep.requires_grad_()
    refined, _ = module(deep, masks, torch.ones_like(labels), torch.tensor([0, 0, 0, 1, 1, 1]))
    refined[:3].sum().backward()
    assert deep.grad is not None
    assert deep.grad[:3].abs().sum() > 0
    assert deep.grad[3:].abs().sum() == 0


def test_other_classes_of_the_first_mask_are_not_read() -> None:
    deep, masks, _ = instances(4)
    labels = torch.tensor([1, 1, 2, 2])
    changed = masks.clone()
    changed[:2, 2] += 5
    changed[2:, 1] += 5
    changed[:, 0] -= 5
    module = build(gamma=0.5)
    assert module(deep, masks, labels)[0].equal(module(deep, changed, labels)[0])


@pytest.mark.parametrize("inputs", ["df+msk", "df", "msk"])
@pytest.mark.parametrize("n", [0, 1])
def test_few_instances(inputs: str, n: int) -> None:
    deep, masks, labels = instances(n)
    refined, figures = build(inputs=inputs, gamma=0.5)(deep, masks, labels)
    assert refined.shape == (n, 3, 28, 28)
    assert all(value.isfinite() for value in figures.values())


def test_one_instance_listens_to_itself() -> None:
    """n = 1: w = 1, A' = (1 + gamma) A."""
    deep, masks, labels = instances(1)
    module = build(gamma=0.5)
    doubled = build(relation=False)
    A = doubled.encoder(torch.cat([deep, F.max_pool2d(masks[:, labels].sigmoid(), 2)], dim=1))
    expected = doubled.classifier(doubled.deconv(1.5 * A).relu())
    torch.testing.assert_close(module(deep, masks, labels)[0], expected)


def test_rows_of_those_who_may_hear_nobody_are_zero() -> None:
    labels = torch.tensor([1, 1, 1, 2])
    allowed = (labels[:, None] == labels) & ~torch.eye(4, dtype=torch.bool)
    weights = build(gamma=0.5).associate(torch.rand(4, 16, 14, 14), allowed)
    assert weights.diagonal().abs().sum() == 0
    torch.testing.assert_close(weights.sum(dim=1), torch.tensor([1.0, 1.0, 1.0, 0.0]))  # the last is alone


@pytest.mark.parametrize("inputs", ["df+msk", "df", "msk"])
def test_associations_are_those_that_refine_the_masks(inputs: str) -> None:
    deep, masks, labels = instances(6)
    module = build(inputs=inputs, gamma=0.5)
    weights = module.associations(deep, masks, labels)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(6))
    assert (weights[labels[:, None] != labels] == 0).all()
    _, figures = module(deep, masks, labels)
    torch.testing.assert_close(weights.diagonal().mean(), figures["self_weight"])
    with pytest.raises(ValueError, match="relation=True"):
        build(relation=False).associations(deep, masks, labels)


def test_instances_of_one_truth_can_be_hidden_in_training_only() -> None:
    module = build(exclude_same_truth=True)
    labels, truths = torch.ones(5, dtype=torch.long), torch.tensor([3, 3, 4, -1, -1])
    assert module._allowed(labels, None, truths).all()
    allowed = module.train()._allowed(labels, None, truths)
    hidden = [(p, q) for p in range(5) for q in range(5) if not allowed[p, q]]
    assert hidden == [(0, 1), (1, 0)]


def test_gradient() -> None:
    torch.manual_seed(0)
    module = InstanceRelation(channels=2, width=3).double()
    deep = torch.randn(3, 2, 14, 14, dtype=torch.float64)
    masks, labels = torch.randn(3, 3, 28, 28, dtype=torch.float64), torch.tensor([1, 1, 2])
    weight = torch.randn(3, 3, 28, 28, dtype=torch.float64)
    B = torch.rand(3, 2, 2, 2, dtype=torch.float64, requires_grad=True)

    def of_parameters(gamma: Tensor, log_temperature: Tensor) -> Tensor:
        changed = {"gamma": gamma, "log_temperature": log_temperature}
        return (torch.func.functional_call(module, changed, (deep, masks, labels))[0] * weight).sum()

    scalars = tuple(torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (0.6, 1.4))
    assert torch.autograd.gradcheck(of_parameters, scalars)
    assert torch.autograd.gradcheck(lambda b: module.associate(b, torch.ones(3, 3, dtype=torch.bool)), B)


def test_gradient_reaches_the_first_mask() -> None:
    deep, masks, labels = instances(3)
    masks.requires_grad_()
    build()(deep, masks, labels)[0].sum().backward()
    assert masks.grad is not None
    assert masks.grad.abs().sum() > 0


@pytest.mark.parametrize("inputs", ["df+msk", "msk"])
def test_bfloat16(inputs: str) -> None:
    module = build(inputs=inputs, gamma=0.5)
    deep, masks, labels = instances(6)
    expected, _ = module(deep, masks, labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        refined, figures = module(deep.bfloat16(), masks.bfloat16(), labels)
        weights = module.associate(deep.bfloat16(), torch.ones(6, 6, dtype=torch.bool))
    assert weights.dtype == figures["effective"].dtype == torch.float32
    scale = expected.abs().max()
    torch.testing.assert_close(refined.float() / scale, expected / scale, rtol=0, atol=0.03)


def test_figures_of_known_associations() -> None:
    module = build(gamma=0.25, temperature=1e-6)
    same = torch.ones(4, dtype=torch.long)
    deep, masks, _ = instances(4)
    _, uniform = module(deep, masks, same)  # no temperature: everybody alike
    assert float(uniform["self_weight"]) == pytest.approx(0.25, abs=1e-3)
    assert float(uniform["effective"]) == pytest.approx(4, abs=1e-3)
    _, apart = module(deep, masks, same, torch.arange(4))  # four images of one instance each
    assert {name: round(float(value), 4) for name, value in apart.items()} == {
        "gamma": 0.25,
        "self_weight": 1.0,
        "effective": 1.0,
        "hub": 1.0,
    }
    assert not any(value.requires_grad for value in apart.values())


def test_a_loud_instance_becomes_a_hub_of_the_dot_product_alone() -> None:
    """Paper: dot. Default: cosine. Why: docs/decisions/0003."""
    A = torch.rand(20, 16, 14, 14, generator=torch.Generator().manual_seed(0))
    A[7] *= 3
    allowed = torch.ones(20, 20, dtype=torch.bool)
    votes = {a: build(affinity=a).associate(A, allowed).argmax(dim=1) for a in ("dot", "cosine")}
    assert (votes["dot"] == 7).all()
    assert (votes["cosine"] == 7).sum() == 1


# A toy in which only the neighbours know


def wardrobe(generator: torch.Generator) -> tuple[Batch, Tensor, Tensor]:
    """12 instances of three random shapes: each wears the code of its shape, half of them show the shape.

    What a hidden one looks like is known to the instances of the same code alone.
    """
    shapes = F.interpolate(torch.randn(3, 1, 4, 4, generator=generator), size=(28, 28), mode="bicubic") > 0
    codes = torch.rand(3, 4, 1, 1, generator=generator).expand(-1, -1, 14, 14)
    kind = torch.randint(3, (12,), generator=generator)
    shown = torch.rand(12, 1, 1, 1, generator=generator) > 0.5
    seen = F.avg_pool2d(shapes[kind].float(), 2) * shown
    deep = torch.cat([codes[kind], seen, shown.expand(-1, -1, 14, 14)], dim=1)  # (12, 6, 14, 14)
    batch = deep, torch.zeros(12, 3, 28, 28), torch.ones(12, dtype=torch.long)
    return batch, shapes[kind].float(), shown.flatten()


def train(relation: bool, steps: int = 200) -> tuple[float, dict[str, Tensor]]:
    """Loss on hidden instances after training, and the last figures."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    module = InstanceRelation(channels=6, width=12, relation=relation)
    optimizer = torch.optim.AdamW(module.parameters(), lr=3e-3, weight_decay=0)
    losses, figures = [], {}
    for step in range(steps):
        batch, masks, shown = wardrobe(generator)
        logits, figures = module(*batch)
        loss = F.binary_cross_entropy_with_logits(logits[:, 1:2], masks, reduction="none").mean((1, 2, 3))
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()
        if step >= steps - 40:
            losses.append(loss.detach()[~shown])
    return float(torch.cat(losses).mean()), figures


@pytest.mark.usefixtures("one_thread")
def test_learns_what_only_neighbours_know() -> None:
    alone, _ = train(relation=False)
    related, figures = train(relation=True)
    assert alone == pytest.approx(math.log(2), abs=0.02)  # a guess
    assert related < alone - 0.05  # .09 as a rule; the last bit of a processor's sums moves it by .01
    assert abs(figures["gamma"]) > 0.1
