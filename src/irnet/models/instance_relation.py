"""Instance Relation Module (IRNet, section 2.1, Eq. 1)."""

import math
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Inputs = Literal["df+msk", "df", "msk"]
Affinity = Literal["cosine", "dot", "scaled_dot", "neg_dot"]

FEATURES = 16  # channels of A, the fused features


class InstanceRelation(nn.Module):
    """Second-pass masks from deep features and first-pass masks, refined by the other instances of a class.

    Instances relate only to instances of their own class in their own image; the weights serve all classes.

    Args:
        channels: channels of the deep features, the input of the mask head's deconvolution.
        classes: channels of the mask logits, which labels index (background included where it has one).
        inputs: what the encoder reads: deep features and own-class mask, or features alone; "msk": none,
            instances exchange their mask logits directly (Table 2).
        relation: false leaves Eq. 1 out and keeps the layers (Table 2, row DF + MSK).
        affinity: d_pq. "dot" is the paper's text, "neg_dot" the authors' later code; see docs/decisions/0003.
        temperature: factor of the cosine at the start of training; it is learned.
        width: channels inside the encoder.
        exclude_same_truth: in training, hide instances of one truth from each other.
    """

    def __init__(
        self,
        *,
        channels: int = 256,
        classes: int = 3,
        inputs: Inputs = "df+msk",
        relation: bool = True,
        affinity: Affinity = "cosine",
        temperature: float = 5.0,
        width: int = 256,
        exclude_same_truth: bool = False,
    ) -> None:
        super().__init__()
        if inputs == "msk" and not relation:
            raise ValueError('inputs "msk" has no layer but the relation: set relation=True')
        self.inputs, self.affinity = inputs, affinity
        self.exclude_same_truth = exclude_same_truth

        self.gamma = nn.Parameter(torch.tensor(0.0)) if relation else None
        learned = relation and affinity == "cosine"
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature))) if learned else None

        if inputs != "msk":
            self.encoder = _encoder(channels + (inputs == "df+msk"), width)
            self.deconv = nn.ConvTranspose2d(FEATURES, FEATURES, 2, stride=2)
            self.classifier = nn.Conv2d(FEATURES, classes, 1)
            self.apply(_init)
            # Small logits at first: from Kaiming's, of +-3, some runs never recover (docs/decisions/0003)
            nn.init.normal_(self.classifier.weight, std=0.1)

    def forward(
        self,
        deep: Tensor,
        mask_logits: Tensor,
        labels: Tensor,
        images: Tensor | None = None,
        truths: Tensor | None = None,
        real: Tensor | None = None,
        near: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Refined mask logits (n, classes, 28, 28) in the order of the instances, and figures to log.

        Only an instance's own class channel means anything.

        Args:
            deep: (n, channels, 14, 14) deep features (DF).
            mask_logits: (n, classes, 28, 28) of the first pass; gradients reach it.
            labels: (n,) class of each instance, the truth's in training and the predicted one at test.
            images: (n,) which image of the batch each instance is from; None: all from one.
            truths: (n,) in training, which truth of its image each instance is matched to, -1 for none.
            real: (n,) bool, false for padding, which the figures leave out and which needs a label of its
                own; None: all are real.
            near: (n, n) bool, in test of large images who is near enough to be heard; None: everybody.

        Returns:
            Logits, and detached scalars: gamma; self_weight, the mean w_pp; effective, the mean exp(entropy)
            of the weights; hub, the mean share of instances that listen most to one and the same.
        """
        channel = labels.view(-1, 1, 1, 1).expand(-1, 1, *mask_logits.shape[2:])  # (n, 1, 28, 28)
        A = self._encode(deep, mask_logits.gather(1, channel))  # (n, 16, 14, 14), of masks alone their size

        figures = {}
        if self.gamma is not None:
            allowed = self._allowed(labels, images, truths)
            allowed = allowed if near is None else allowed & near
            weights = self.associate(A, allowed)
            A = exchange(A, weights, self.gamma)
            real = torch.ones_like(labels, dtype=torch.bool) if real is None else real
            figures = {"gamma": self.gamma.detach(), **describe(weights.detach(), allowed, real)}

        if self.inputs == "msk":
            return mask_logits.scatter(1, channel, A), figures
        return self.classifier(self.deconv(A).relu()), figures  # (n, classes, 28, 28)

    @torch.no_grad()
    def associations(self, deep: Tensor, mask_logits: Tensor, labels: Tensor) -> Tensor:
        """w_pq, how much each instance of one image listens to each other, (n, n): to be looked at.

        The arguments are those of `forward`, which computes the same. Rows sum to one.
        """
        if self.gamma is None:
            raise ValueError("without the relation nobody listens to anybody: build with relation=True")
        own = mask_logits[torch.arange(len(labels), device=labels.device), labels][:, None]
        return self.associate(self._encode(deep, own), self._allowed(labels, None, None))

    def _encode(self, deep: Tensor, own: Tensor) -> Tensor:
        """A = B, the fused features, (n, 16, 14, 14); of masks alone the own-class logits (n, 1, 28, 28)."""
        if self.inputs == "msk":
            return own
        if self.inputs == "df+msk":
            mask = F.max_pool2d(own.sigmoid(), 2)  # (n, 1, 14, 14)
            deep = torch.cat([deep, mask.to(deep.dtype)], dim=1)
        return self.encoder(deep)

    def _allowed(self, labels: Tensor, images: Tensor | None, truths: Tensor | None) -> Tensor:
        """Who may listen to whom, (n, n) bool."""
        images = torch.zeros_like(labels) if images is None else images
        allowed = _equal(labels) & _equal(images)
        if self.training and self.exclude_same_truth and truths is not None:
            itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
            allowed &= ~(_equal(truths) & (truths >= 0)) | itself
        return allowed

    def associate(self, B: Tensor, allowed: Tensor) -> Tensor:
        """w_pq, the association of the instances, (n, n) float32; rows sum to one, rows of nobody to zero."""
        B = B.to(torch.promote_types(B.dtype, torch.float32)).flatten(2)  # (n, 16, 196)

        # Float32 whatever autocast says: each d_pq is a sum over 16 x 196 products
        with torch.autocast(B.device.type, enabled=False):
            if self.affinity == "cosine":
                B = F.normalize(B, dim=2)
            D = B.flatten(1) @ B.flatten(1).T / B.shape[1]  # (n, n): avg(D_1 ... D_16), D_j = B_j B_j^T
            match self.affinity:
                case "cosine" if self.log_temperature is not None:
                    D = D * self.log_temperature.exp()
                case "scaled_dot":
                    D = D / math.sqrt(B.shape[2])
                case "neg_dot":
                    D = -D

            weights = D.masked_fill(~allowed, torch.finfo(D.dtype).min).softmax(dim=1)
        return weights * allowed


def exchange(A: Tensor, weights: Tensor, gamma: Tensor) -> Tensor:
    """Eq. 1: A'_p = gamma * sum_q w_pq A_q + A_p, for A (n, c, h, w) and weights (n, n)."""
    with torch.autocast(A.device.type, enabled=False):
        message = (weights @ A.flatten(1).to(weights.dtype)).view_as(A)
        return (gamma * message + A).to(A.dtype)


def describe(weights: Tensor, allowed: Tensor, real: Tensor) -> dict[str, Tensor]:
    """Figures that show a degenerate association, which the loss hides: means over the `real` instances (n,).

    Zeros for no instance.
    """
    entropy = -torch.special.xlogy(weights, weights).sum(dim=1)
    hub = entropy
    if len(weights):
        votes = torch.zeros_like(entropy).scatter_add(0, weights.argmax(dim=1), torch.ones_like(entropy))
        hub = (votes * allowed).amax(dim=1) / allowed.sum(dim=1).clamp(min=1)

    figures = {"self_weight": weights.diagonal(), "effective": entropy.exp(), "hub": hub}
    n = real.sum().clamp(min=1)
    return {name: torch.where(real, values, 0.0).sum() / n for name, values in figures.items()}


def _equal(ids: Tensor) -> Tensor:
    return ids[:, None] == ids[None, :]


def _encoder(channels: int, width: int) -> nn.Sequential:
    """E: four 3x3 convolutions, the last of which aggregates into FEATURES channels."""
    layers: list[nn.Module] = []
    for size_in, size_out in pairwise([channels, width, width, width, FEATURES]):
        layers += [nn.Conv2d(size_in, size_out, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


def _init(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
