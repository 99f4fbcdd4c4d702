"""The relation modules against loop-form transcriptions of their equations."""

import math

import pytest
import torch
from torch import Tensor

from irnet.models.duplicate_removal import DuplicateRemoval, drm_labels, drm_loss
from irnet.models.instance_relation import InstanceRelation
from irnet.models.object_relation import keep_top


def random_boxes(n: int, generator: torch.Generator) -> Tensor:
    low = torch.rand(n, 2, generator=generator, dtype=torch.float64) * 300
    size = 20 + 80 * torch.rand(n, 2, generator=generator, dtype=torch.float64)
    return torch.cat([low, low + size], dim=1)


# Eq. 1


def association(B: Tensor, groups: list[int], affinity: str, temperature: float) -> Tensor:
    """w_pq, one number at a time; B (n, c, h, w), groups say who belongs together."""
    n, c, h, w = B.shape
    weights = torch.zeros(n, n, dtype=B.dtype)
    for p in range(n):
        d = {}
        for q in (q for q in range(n) if groups[q] == groups[p]):
            total = 0.0
            for j in range(c):
                dot = float((B[p, j] * B[q, j]).sum())
                if affinity == "cosine":
                    norms = [max(float(B[i, j].norm()), 1e-12) for i in (p, q)]  # a feature may be dead
                    dot *= temperature / (norms[0] * norms[1])
                total += dot
            d[q] = {"scaled_dot": 1 / math.sqrt(h * w), "neg_dot": -1.0}.get(affinity, 1.0) * total / c
        highest = max(d.values())
        denominator = sum(math.exp(value - highest) for value in d.values())
        for q, value in d.items():
            weights[p, q] = math.exp(value - highest) / denominator
    return weights


@torch.no_grad()
@pytest.mark.parametrize("affinity", ["cosine", "dot", "scaled_dot", "neg_dot"])
def test_instance_relation_is_equation_1(affinity: str) -> None:
    torch.manual_seed(0)
    n, classes, gamma = 7, 3, 0.7
    module = InstanceRelation(
        channels=5, width=6, classes=classes, affinity=affinity, temperature=3.0
    ).double()
    torch.nn.init.constant_(module.gamma, gamma)
    deep = torch.randn(n, 5, 14, 14, dtype=torch.float64)
    first = torch.randn(n, classes, 28, 28, dtype=torch.float64)
    labels, images = [1, 2, 1, 1, 2, 1, 1], [0, 0, 0, 1, 1, 1, 1]
    refined, _ = module(deep, first, torch.tensor(labels), torch.tensor(images))

    pooled = torch.zeros(n, 1, 14, 14, dtype=torch.float64)
    for p in range(n):
        for y in range(14):
            for x in range(14):
                window = first[p, labels[p], 2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
                pooled[p, 0, y, x] = window.sigmoid().max()
    A = module.encoder(torch.cat([deep, pooled], dim=1))
    groups = [10 * image + label for image, label in zip(images, labels, strict=True)]
    w = association(A, groups, affinity, 3.0)
    expected = torch.stack([gamma * sum(w[p, q] * A[q] for q in range(n)) + A[p] for p in range(n)])
    torch.testing.assert_close(refined, module.classifier(module.deconv(expected).relu()))


@torch.no_grad()
def test_masks_alone_are_exchanged_without_layers() -> None:
    torch.manual_seed(0)
    module = InstanceRelation(inputs="msk", temperature=5.0).double()
    torch.nn.init.constant_(module.gamma, 0.3)
    assert {name for name, _ in module.named_parameters()} == {"gamma", "log_temperature"}
    first = torch.randn(4, 3, 28, 28, dtype=torch.float64)
    labels = torch.tensor([1, 2, 1, 1])
    refined, _ = module(torch.empty(4, 0, 14, 14), first, labels)
    A = torch.stack([first[p, labels[p]] for p in range(4)])[:, None]
    w = association(A, labels.tolist(), "cosine", 5.0)
    for p in range(4):
        torch.testing.assert_close(
            refined[p, labels[p]], 0.3 * sum(w[p, q] * A[q, 0] for q in range(4)) + A[p, 0]
        )
        other = 3 - labels[p]
        torch.testing.assert_close(refined[p, other], first[p, other])


# Duplicate removal


def embed(value: float, width: int) -> list[float]:
    """Sines and cosines at wavelengths 1000^(i / (width / 2))."""
    phases = [value / 1000 ** (2 * i / width) for i in range(width // 2)]
    return [math.sin(phase) for phase in phases] + [math.cos(phase) for phase in phases]


def geometry(m: Tensor, n: Tensor) -> list[float]:
    """The four numbers of a pair of boxes, times 100."""
    (ax, ay, aw, ah), (bx, by, bw, bh) = (
        (
            (float(b[0]) + float(b[2])) / 2,
            (float(b[1]) + float(b[3])) / 2,
            float(b[2]) - float(b[0]) + 1,
            float(b[3]) - float(b[1]) + 1,
        )
        for b in (m, n)
    )
    return [
        100 * math.log(max(abs(ax - bx) / aw, 1e-3)),
        100 * math.log(max(abs(ay - by) / ah, 1e-3)),
        100 * math.log(aw / bw),
        100 * math.log(ah / bh),
    ]


def transcribe(module: DuplicateRemoval, features: Tensor, boxes: Tensor, scores: Tensor) -> Tensor:
    """The whole module for one class of one image, box by box and head by head."""
    relation, (N, heads, k) = (
        module.relation,
        (len(boxes), module.relation.heads, module.relation.top_k),
    )
    order = sorted(range(N), key=lambda i: (-float(scores[i]), i))
    ranks = [torch.tensor(embed(float(order.index(i)), 1024), dtype=torch.float32).double() for i in range(N)]
    f = torch.stack([module.appearance(features[i]) + module.rank(ranks[i]) for i in range(N)])
    query, key = (layer(f).view(N, heads, -1) for layer in (relation.query, relation.key))
    kernel = relation.value.weight.view(heads, -1, f.shape[1])  # grouped 1x1 convolution, one group a head
    bias = relation.value.bias.view(heads, -1)
    update = []
    for m in range(N):
        outputs = []
        for head in range(heads):
            logits = []
            for n in range(N):
                pair = torch.tensor([e for g in geometry(boxes[m], boxes[n]) for e in embed(g, 16)])
                G = max(float((relation.geometry(pair.double()))[head]), 0.0)
                appearance = float(query[m, head] @ key[n, head]) / math.sqrt(key.shape[2])
                logits.append(math.log(max(G, 1e-6)) + appearance)
            kept = sorted(range(N), key=lambda n: (-logits[n], n))[: min(k, N)]
            total = sum(math.exp(logits[n]) for n in kept)
            attended = sum(math.exp(logits[n]) / total * f[n] for n in kept)
            outputs.append(kernel[head] @ attended + bias[head])
        update.append(torch.cat(outputs))
    return torch.stack([module.logit((f[m] + update[m]).relu())[0] for m in range(N)])


@torch.no_grad()
@pytest.mark.parametrize("top_k", [1, 4, 40])
def test_duplicate_removal_is_its_transcription(top_k: int) -> None:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    module = DuplicateRemoval(in_features=12, width=16, heads=4, key_width=8, top_k=top_k).double()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    features = torch.randn(9, 12, generator=generator, dtype=torch.float64)
    boxes, scores = random_boxes(9, generator), torch.rand(9, generator=generator, dtype=torch.float64)
    expected = transcribe(module, features, boxes, scores)
    torch.testing.assert_close(module(features, boxes, scores), expected, rtol=1e-5, atol=1e-5)


def test_top_k_keeps_k_of_each_row_itself_counted() -> None:
    logits = torch.tensor([[3.0, 1.0, 2.0, 1.0], [1.0, 1.0, 1.0, 1.0], [0.0, 5.0, 5.0, 5.0]])
    kept = keep_top(logits, 2).isfinite()
    # Row 0: itself and the 2. Row 1: any two of equal ones. Row 2: two of three fives, itself (0) not.
    assert kept[0].tolist() == [True, False, True, False]
    assert kept.sum(dim=1).tolist() == [2, 2, 2]
    assert not kept[2, 0]
    assert keep_top(logits, 40).equal(logits)


@pytest.mark.parametrize("rule", ["max_score", "max_iou"])
def test_labels_are_their_transcription(rule: str) -> None:
    generator = torch.Generator().manual_seed(2)
    truths = random_boxes(6, generator)
    boxes = truths.repeat(5, 1) + 8 * torch.randn(30, 4, generator=generator, dtype=torch.float64)
    scores = torch.rand(30, generator=generator, dtype=torch.float64)

    def iou(a: Tensor, b: Tensor) -> float:
        wide = max(0.0, float(min(a[2], b[2]) - max(a[0], b[0])))
        high = max(0.0, float(min(a[3], b[3]) - max(a[1], b[1])))
        areas = [float((box[2] - box[0]) * (box[3] - box[1])) for box in (a, b)]
        return wide * high / (sum(areas) - wide * high)

    expected = [0.0] * 30
    for t in range(6):
        chosen = None
        for i in range(30):
            overlaps = [iou(boxes[i], truth) for truth in truths]
            if overlaps[t] <= 0.5 or overlaps[t] < max(overlaps):
                continue
            merit = float(scores[i]) if rule == "max_score" else overlaps[t]
            if chosen is None or merit > chosen[0]:
                chosen = (merit, i)
        if chosen is not None:
            expected[chosen[1]] = 1.0
    labels = drm_labels(boxes, scores, truths, rule=rule)
    assert labels.tolist() == expected
    assert 0 < labels.sum() <= 6
    quality = [max(iou(box, truth) for truth in truths) for box in boxes]
    assert drm_labels(boxes, scores, truths, rule="quality").tolist() == pytest.approx(quality)


@pytest.mark.parametrize("form", ["product", "probability"])
def test_loss_is_the_cross_entropy(form: str) -> None:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(20, generator=generator, dtype=torch.float64)
    scores = torch.rand(20, generator=generator, dtype=torch.float64)
    labels = torch.randint(2, (20,), generator=generator).double()
    labels[::4] = torch.rand(5, generator=generator, dtype=torch.float64)  # qualities
    total = 0.0
    for z, s, y in zip(logits.tolist(), scores.tolist(), labels.tolist(), strict=True):
        p = 1 / (1 + math.exp(-z)) * (s if form == "product" else 1)
        total -= y * math.log(p) + (1 - y) * math.log(1 - p)
    assert float(drm_loss(logits, scores, labels, form=form)) == pytest.approx(total / 20)
