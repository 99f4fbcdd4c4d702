"""What the relation modules learn: from toys that only relations solve, and behind the bundled detector.

    python benchmarks/relations.py drm       # p(correct) of correct and duplicate boxes, by label and by step
    python benchmarks/relations.py irm       # loss where only neighbours know the mask, by affinity
    python benchmarks/relations.py start     # the same, by the first weights of the IRM's classifier
    python benchmarks/relations.py frozen    # the IRM on deep features of the bundled network
    python benchmarks/relations.py labels    # which candidates of the bundled network the label rules choose

One thread, some minutes each. Figures: docs/decisions/0003, 0004 and 0005.
"""

import argparse
from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from irnet.inference.predict import Predictor
from irnet.models.duplicate_removal import DuplicateRemoval, box_iou, drm_labels, drm_loss
from irnet.models.instance_relation import InstanceRelation
from irnet.models.losses import mask_targets
from irnet.synthetic import generate
from irnet.training.crops import CropDataset, Item

TAU = 4.0  # where nothing else is said
Scene = tuple[Tensor, Tensor, Tensor, Tensor]  # deep features, first logits, labels, masks of the own class


def clump(rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Six objects with four boxes each, and six boxes of background: boxes, scores, truth boxes."""
    centres, sizes = torch.rand(6, 2, generator=rng) * 400, 40 + 40 * torch.rand(6, 2, generator=rng)
    truths = torch.cat([centres - sizes / 2, centres + sizes / 2], dim=1)
    boxes = truths.repeat(4, 1) + 6 * torch.randn(24, 4, generator=rng)
    places = torch.rand(6, 2, generator=rng) * 400
    scores = torch.cat([0.4 + 0.6 * torch.rand(24, generator=rng), 0.3 * torch.rand(6, generator=rng)])
    return torch.cat([boxes, torch.cat([places - 25, places + 25], dim=1)]), scores, truths


def train_drm(rule: str, blur: float, steps: int = 300) -> list[tuple[float, float]]:
    """Mean p of correct and of duplicate boxes, after each tenth of the steps.

    A feature tells each box's IoU with its truth, with an error of sigma `blur`; the others are noise.
    """
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(0)
    module = DuplicateRemoval(in_features=17)
    optimizer = torch.optim.AdamW(module.parameters(), lr=5e-4)
    seen, path = [], []
    for step in range(1, steps + 1):
        boxes, scores, truths = zip(*(clump(rng) for _ in range(4)), strict=True)
        labels = torch.stack([drm_labels(*s, rule=rule) for s in zip(boxes, scores, truths, strict=True)])
        quality = torch.stack([box_iou(b, t).amax(dim=1) for b, t in zip(boxes, truths, strict=True)])
        quality = 10 * (quality + blur * torch.randn(4, 30, generator=rng))
        features = torch.cat([torch.randn(4, 30, 16, generator=rng), quality[..., None]], dim=2)
        logits = module(features, torch.stack(boxes), torch.stack(scores))
        update(optimizer, drm_loss(logits, torch.stack(scores), labels))
        p = logits.detach().sigmoid()
        seen.append((float(p[labels > 0].mean()), float(p[labels == 0].mean())))
        if step % (steps // 10) == 0:
            path.append(mean(seen[-20:]))
    return path


def wardrobe(rng: torch.Generator, n: int = 24) -> Scene:
    """Instances of three random shapes: each wears the code of its shape, half of them show the shape."""
    shapes = F.interpolate(torch.randn(3, 1, 4, 4, generator=rng), size=(28, 28), mode="bicubic") > 0
    kind = torch.randint(3, (n,), generator=rng)
    shown = torch.rand(n, 1, 1, 1, generator=rng) > 0.5
    codes = torch.rand(3, 6, 1, 1, generator=rng)[kind] + 0.1 * torch.randn(n, 6, 14, 14, generator=rng)
    seen = F.avg_pool2d(shapes[kind].float(), 2) * shown
    deep = torch.cat([codes.relu(), seen, shown.expand(-1, -1, 14, 14)], dim=1)
    return deep, torch.zeros(n, 3, 28, 28), torch.ones(n, dtype=torch.long), shapes[kind, 0].float()


def windows(first: int, count: int) -> Iterator[Item]:
    """Generated fields at the scale of the bundled network."""
    palettes, layouts = ("grey", "pap", "vivid", "pale"), ("cps", "dense")
    for seed in range(first, first + count):
        drawn = generate(
            seed, size=(640, 640), mpp=0.37, palette=palettes[seed % 4], layout=layouts[seed // 4 % 2]
        )
        yield CropDataset(lambda _, drawn=drawn: drawn, size=640, length=1)[0]


def fields(first: int, count: int, rng: torch.Generator) -> Iterator[Scene]:
    """What the bundled network knows of the cells of generated fields, in boxes 5 % off."""
    model = Predictor.load(device="cpu").model
    for image, truth in windows(first, count):
        extent = (truth["boxes"][:, 2:] - truth["boxes"][:, :2]).repeat(1, 2)
        boxes = (truth["boxes"] + 0.05 * extent * torch.randn(extent.shape, generator=rng)).clamp(0, 640)
        large = (boxes[:, 2:] - boxes[:, :2]).amin(dim=1) > 4
        boxes, labels = boxes[large], truth["labels"][large]
        if len(labels) > 3:
            targets = mask_targets(boxes, truth["boxes"][large], truth["masks"][large], side=28)
            with torch.no_grad():
                batch, sizes, _ = model.prepare([image.float()])
                deep, logits = model.roi_heads.mask(model.backbone(batch), [boxes], sizes)
            yield deep, logits, labels, targets


def train_irm(scenes: Iterator[Scene], module: InstanceRelation, steps: int, lr: float) -> list[float]:
    """Gamma after each fifth of the steps."""
    optimizer = torch.optim.AdamW(module.parameters(), lr=lr, weight_decay=0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    path = []
    for step in range(1, steps + 1):
        deep, first, labels, masks = next(scenes)
        logits, figures = module(deep, first, labels)
        update(optimizer, mask_bce(logits, labels, masks).mean())
        schedule.step()
        if figures and step % (steps // 5) == 0:
            path.append(round(float(figures["gamma"]), 3))
    return path


@torch.no_grad()
def report(name: str, module: InstanceRelation, scenes: list[Scene], path: list[float]) -> None:
    """One line on held-out scenes."""
    found = [module(deep, first, labels) for deep, first, labels, _ in scenes]
    pairs = list(zip(found, scenes, strict=True))
    bce = torch.cat([mask_bce(logits, labels, masks) for (logits, _), (_, _, labels, masks) in pairs])
    names = ("self_weight", "effective") if module.gamma is not None else ()
    figures = {key: sum(float(f[key]) for _, f in found) / len(found) for key in names}
    shown = "  ".join(f"{key} {value:.2f}" for key, value in figures.items())
    tau = f"tau {float(module.log_temperature.exp()):.1f}" if module.log_temperature is not None else ""
    print(f"{name:28s} loss {float(bce.mean()):.4f}  gamma {path}  {tau}  {shown}", flush=True)


def mask_bce(logits: Tensor, labels: Tensor, masks: Tensor) -> Tensor:
    """Cross-entropy of each instance's own class, (n,)."""
    own = logits[torch.arange(len(labels)), labels]
    return F.binary_cross_entropy_with_logits(own, masks, reduction="none").mean(dim=(1, 2))


def update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step down."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def mean(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    """Of both members, two digits."""
    first, second = (round(sum(values) / len(pairs), 2) for values in zip(*pairs, strict=True))
    return first, second


def run_drm() -> None:
    for rule, blur in product(("max_score", "max_iou"), (0.02, 0.1, 1.0)):
        path = train_drm(rule, blur)
        print(f"{rule:10s} IoU known within {blur:4.2f}: p of correct, duplicate {path[1::4]}", flush=True)


def run_irm(seeds: int = 2) -> None:
    variants: dict[str, dict] = {"encoder alone": {"relation": False}}
    variants |= {f"cosine, tau {tau:g}": {"temperature": tau} for tau in (1.0, 4.0, 14.0)}
    variants |= {name: {"affinity": name} for name in ("dot", "scaled_dot", "neg_dot")}
    variants |= {"gamma 1": {"temperature": TAU, "gamma": 1.0}}
    rng = torch.Generator().manual_seed(999)
    held_out = [wardrobe(rng) for _ in range(40)]
    for (name, arguments), seed in product(variants.items(), range(seeds)):
        torch.manual_seed(seed)
        module = InstanceRelation(channels=8, width=16, **arguments)
        rng = torch.Generator().manual_seed(seed)
        path = train_irm((wardrobe(rng) for _ in range(300)), module, 300, 3e-3)
        report(name, module, held_out, path)


def run_start(seeds: int = 6) -> None:
    rng = torch.Generator().manual_seed(999)
    held_out = [wardrobe(rng) for _ in range(40)]
    for std, seed in product((0.001, 0.1, 0.82), range(seeds)):
        torch.manual_seed(seed)
        module = InstanceRelation(channels=8, width=16, temperature=TAU)
        torch.nn.init.normal_(module.classifier.weight, std=std)
        rng = torch.Generator().manual_seed(seed)
        path = train_irm((wardrobe(rng) for _ in range(300)), module, 300, 3e-3)
        report(f"std {std:g}, seed {seed}", module, held_out, path)


def run_frozen(seeds: int = 2) -> None:
    rng = torch.Generator().manual_seed(0)
    training, held_out = list(fields(900_000, 60, rng)), list(fields(901_000, 24, rng))
    first = torch.cat([mask_bce(logits, labels, masks) for _, logits, labels, masks in held_out])
    print(f"first masks                  loss {float(first.mean()):.4f}")
    variants = {"encoder alone": {"relation": False}, "gamma 0": {}, "gamma 1": {"gamma": 1.0}}
    for (name, arguments), seed in product(variants.items(), range(seeds)):
        torch.manual_seed(seed)
        module = InstanceRelation(channels=training[0][0].shape[1], width=128, **arguments)
        order = torch.randint(len(training), (400,), generator=torch.Generator().manual_seed(seed))
        path = train_irm((training[i] for i in order.tolist()), module, 400, 6e-4)
        report(name, module, held_out, path)


@torch.no_grad()
def run_labels(count: int = 24) -> None:
    model = Predictor.load(device="cpu").model
    choices: list[tuple[int, int, bool]] = []  # by score, by IoU, whether a truth box beats all proposals
    for image, truth in windows(901_000, count):
        batch, sizes, _ = model.prepare([image.float()])
        features = model.backbone(batch)
        proposals = model.rpn(list(features.values()), sizes)[0].each()
        boxes = torch.cat([proposals[0], truth["boxes"]])[None]
        _, logits, codes = model.roi_heads.box(features, boxes, sizes)
        decoded, scores = model.roi_heads.box.decode(codes, boxes, sizes)[0], logits[0].softmax(dim=1)
        for label in (1, 2):
            choices += choose(decoded[:, label - 1], scores[:, label], truth, label, len(proposals[0]))
    both = [score == iou for score, iou, _ in choices]
    won = [truth_box for *_, truth_box in choices]
    print(f"{len(choices)} truths with a candidate: both rules choose the same in {sum(both)}")
    print(f"a truth box among the candidates would be the correct one of {sum(won)}")


def choose(
    boxes: Tensor, scores: Tensor, truth: dict[str, Tensor], label: int, proposed: int
) -> Iterator[tuple[int, int, bool]]:
    """Of each truth of a class: the proposal chosen by score, by IoU, and whether truth boxes change that."""
    for target in truth["boxes"][truth["labels"] == label].split(1):
        overlap = box_iou(boxes, target)[:, 0]
        if (overlap[:proposed] > 0.5).any():
            merit = scores.masked_fill(overlap <= 0.5, -1)
            by_iou = int(overlap[:proposed].argmax())
            yield int(merit[:proposed].argmax()), by_iou, int(merit.argmax()) >= proposed


def main() -> None:
    """Run what was asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("drm", "irm", "start", "frozen", "labels"))
    torch.set_num_threads(1)
    runs = {"drm": run_drm, "irm": run_irm, "start": run_start, "frozen": run_frozen, "labels": run_labels}
    runs[parser.parse_args().what]()


if __name__ == "__main__":
    main()
