"""Object relation among boxes (Hu et al., CVPR 2018), kept sparse as IRNet section 2.2 asks."""

import math

import torch
from torch import Tensor, nn

WAVELENGTH = 1000.0  # base of the sine and cosine embeddings
GEOMETRY_SCALE = 100.0  # log-distances are small numbers: spread them over the wavelengths
RANK_WIDTH = 1024  # channels of an embedded place in the order of scores
PAIRS_AT_ONCE = 512 * 512  # box pairs whose geometry is held in memory together


class ObjectRelation(nn.Module):
    """What each box of a set learns from the others: attention on appearance with a bias from geometry.

    Each head and box listens only to the `top_k` boxes of highest weight: the sparsity constraint of IRNet.

    Args:
        width: channels of the features in and out, a multiple of `heads`.
        heads: attention heads.
        key_width: channels of the queries and keys of one head.
        geometry_width: channels of the embedded geometry of a pair, a multiple of 8.
        top_k: boxes that one box listens to, itself counted where it is among them.
    """

    def __init__(
        self,
        *,
        width: int = 128,
        heads: int = 16,
        key_width: int = 64,
        geometry_width: int = 64,
        top_k: int = 40,
    ) -> None:
        super().__init__()
        self.heads, self.top_k, self.geometry_width = heads, top_k, geometry_width
        self.geometry = nn.Linear(geometry_width, heads)
        self.query = nn.Linear(width, heads * key_width)
        self.key = nn.Linear(width, heads * key_width)
        # A grouped 1x1 convolution of the attended features is a value projection: weights sum to one.
        self.value = nn.Linear(width, width)

    def forward(
        self,
        features: Tensor,
        boxes: Tensor,
        valid: Tensor | None = None,
        rows: Tensor | None = None,
        reach: float | Tensor | None = None,
    ) -> Tensor:
        """The update of each box's features.

        Args:
            features: (..., N, width).
            boxes: (..., N, 4) xyxy px.
            valid: (..., N) bool, false where a box is padding that nobody may listen to; None: all are real.
            rows: (R,) places of the boxes that are asked for, all at once; None: all boxes, some at a time.
            reach: boxes listen to those whose centres are at most so many px away in x and in y; None: all.

        Returns:
            (..., N, width), or of the `rows`, to be added to `features`. Rows of padding mean nothing.
        """
        asked, places = features, boxes
        if rows is not None:
            asked, places = features.index_select(-2, rows), boxes.index_select(-2, rows)
        query = self._split(self.query(asked))  # (..., heads, N, key)
        key = self._split(self.key(features)).transpose(-1, -2)  # (..., heads, key, N)
        value = self._split(self.value(features))  # (..., heads, N, width / heads)

        if rows is not None:
            allowed = _allowed(places, boxes, valid, reach)
            return self._attend(query, key, value, places, boxes, allowed).transpose(-2, -3).flatten(-2)

        # Row by row where all pairs at once would not fit
        n = boxes.shape[-2]
        step = max(1, PAIRS_AT_ONCE // max(1, boxes[..., 0].numel()))
        updates = []
        for i in range(0, max(n, 1), step):
            some = boxes[..., i : i + step, :]
            allowed = _allowed(some, boxes, valid, reach)
            updates.append(self._attend(query[..., i : i + step, :], key, value, some, boxes, allowed))
        return torch.cat(updates, dim=-2).transpose(-2, -3).flatten(-2)  # (..., N, width)

    def _attend(
        self, query: Tensor, key: Tensor, value: Tensor, rows: Tensor, boxes: Tensor, allowed: Tensor | None
    ) -> Tensor:
        """The update of the boxes `rows`, (..., heads, R, width / heads)."""
        embedded = sinusoid(pair_geometry(rows, boxes) * GEOMETRY_SCALE, self.geometry_width // 4)
        closeness = self.geometry(embedded.flatten(-2).to(query.dtype)).relu()  # (..., R, N, heads)
        bias = closeness.clamp(min=1e-6).log().movedim(-1, -3)  # (..., heads, R, N)

        appearance = query @ key / math.sqrt(query.shape[-1])  # (..., heads, R, N)
        logits = (appearance + bias).to(torch.promote_types(query.dtype, torch.float32))
        if allowed is not None:
            logits = logits.masked_fill(~allowed.unsqueeze(-3), torch.finfo(logits.dtype).min)
        return keep_top(logits, self.top_k).softmax(dim=-1).to(value.dtype) @ value

    def _split(self, features: Tensor) -> Tensor:
        return features.unflatten(-1, (self.heads, -1)).transpose(-2, -3)  # (..., heads, N, channels)


def _allowed(
    rows: Tensor, boxes: Tensor, valid: Tensor | None, reach: float | Tensor | None
) -> Tensor | None:
    """Who may listen to whom, (..., R, N) or (..., 1, N); None: everybody to everybody."""
    allowed = None if valid is None else valid.unsqueeze(-2)
    if reach is None:
        return allowed
    near = are_near(rows, boxes, reach)
    return near if allowed is None else near & allowed


def are_near(a: Tensor, b: Tensor, reach: float | Tensor) -> Tensor:
    """Whether centres of boxes (..., n, 4), (..., m, 4) are within `reach` px in x and in y, (..., n, m)."""
    centre_a, centre_b = ((boxes[..., :2] + boxes[..., 2:]) / 2 for boxes in (a, b))
    return ((centre_a.unsqueeze(-2) - centre_b.unsqueeze(-3)).abs() <= reach).all(dim=-1)


def keep_top(logits: Tensor, k: int) -> Tensor:
    """`logits` (..., N) with all but the k largest of each row at -inf; of equal ones any are kept."""
    best = logits.topk(min(k, logits.shape[-1]), dim=-1, sorted=False)
    return torch.full_like(logits, -torch.inf).scatter(-1, best.indices, best.values)


def pair_geometry(a: Tensor, b: Tensor) -> Tensor:
    """Place and size of each box of `b` seen from each of `a`, scale-free, (..., n, m, 4).

    Boxes are xyxy px with their last pixel counted (widths carry + 1), as in the source.
    """
    centre_a, size_a = _centres(a)
    centre_b, size_b = _centres(b)
    size_a, size_b = size_a.unsqueeze(-2), size_b.unsqueeze(-3)
    distance = (centre_a.unsqueeze(-2) - centre_b.unsqueeze(-3)).abs() / size_a
    return torch.cat([distance.clamp(min=1e-3).log(), (size_a / size_b).log()], dim=-1)


def _centres(boxes: Tensor) -> tuple[Tensor, Tensor]:
    boxes = boxes.to(torch.promote_types(boxes.dtype, torch.float32))
    low, high = boxes.split(2, dim=-1)
    return (low + high) / 2, high - low + 1


def sinusoid(values: Tensor, width: int) -> Tensor:
    """Sines then cosines of `values` (...) at width / 2 geometric wavelengths, (..., width)."""
    half = width // 2
    steps = torch.arange(half, device=values.device, dtype=values.dtype) / half
    phases = values.unsqueeze(-1) / WAVELENGTH**steps
    return torch.cat([phases.sin(), phases.cos()], dim=-1)


def rank_embedding(ranks: Tensor, width: int = RANK_WIDTH) -> Tensor:
    """Embedding of places in the order of scores, (..., N) -> (..., N, width) float32."""
    return sinusoid(ranks.float(), width)
