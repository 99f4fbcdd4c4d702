"""What relations should see in large images: all of a window, or a neighbourhood? One piece against windows.

    python benchmarks/relation_context.py --fields 2 --seed 9100

Generated fields of 2304 px at the network's scale, in one piece and in windows (core 1152, halo 256 px),
with the DRM's ranks and attention over the whole window, or within a radius (px in x and in y). Once more
with the group norms of pyramid and proposals as they were in one piece: what windows differ in then is not
theirs. PyTorch, bundled weights, their operating point; --paper: p(correct) counts in full for both classes.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from irnet.cells import LABEL_NAMES, Cells, Content, reaching
from irnet.inference.predict import Predictor
from irnet.metrics import score_image, summarise
from irnet.models.candidates import Candidates, top_candidates
from irnet.models.constants import area_growth, by_label
from irnet.models.duplicate_removal import ranks_of
from irnet.models.irnet import IRNet
from irnet.models.mask_branch import enlarge
from irnet.models.object_relation import rank_embedding
from irnet.models.pasting import Found, to_cells
from irnet.slides.seams import survivors_at_seams
from irnet.slides.windows import plan_windows
from irnet.synthetic import generate

SIDE, MPP, CORE, HALO = 2304, 0.37, 1152, 256
LAYOUTS = ("dense", "heaped", "crowded")
RADII = (None, 200.0, 300.0, 354.0, 400.0)
SAME = (0.9, 0.99)


class Norms:
    """The group norms of a network, whose moments can be kept and used again."""

    def __init__(self, model: IRNet) -> None:
        self.kept: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
        self.mode, self.calls = "own", [0] * 99
        modules = [*model.backbone.fpn.modules(), *model.rpn.head.modules()]
        for number, norm in enumerate(module for module in modules if isinstance(module, nn.GroupNorm)):
            norm.forward = lambda x, norm=norm, number=number: self._apply(norm, number, x)  # type: ignore[method-assign]

    @contextmanager
    def computing(self, mode: str) -> Iterator[None]:
        """Within, moments are those of the window ("own", and "keep" keeps them), or kept ones ("kept")."""
        self.mode, self.calls = mode, [0] * 99
        yield
        self.mode = "own"

    def _apply(self, norm: nn.GroupNorm, number: int, x: Tensor) -> Tensor:
        place = number, self.calls[number]
        self.calls[number] += 1
        if self.mode == "kept":
            mean, variance = self.kept[place]
        else:
            grouped = x.contiguous().flatten(2).unflatten(1, (norm.num_groups, -1)).flatten(2)
            mean, variance = grouped.mean(dim=2), grouped.var(dim=2, correction=0)
        if self.mode == "keep":
            self.kept[place] = mean, variance

        share = x.shape[1] // norm.num_groups
        factor = norm.weight / torch.sqrt(variance[0] + norm.eps).repeat_interleave(share)
        shift = norm.bias - mean[0].repeat_interleave(share) * factor
        return x * factor[:, None, None] + shift[:, None, None]


class Looker:
    """A network, taken apart where relations begin."""

    def __init__(self, paper: bool) -> None:
        self.predictor = Predictor.load(device="cpu", engine="torch")
        self.model, self.settings = self.predictor.model, self.predictor.settings
        self.norms = Norms(self.model)
        powers = tuple(by_label(self.settings.predict.drm_power).values())
        self.powers = (1.0,) * len(powers) if paper else powers

    @torch.inference_mode()
    def look(self, image: np.ndarray, mode: str) -> dict[float | None, Cells]:
        """Candidates for each radius."""
        box, field = self.model.roi_heads.box, self.settings.model.field_megapixels
        picture = torch.tensor(np.ascontiguousarray(image)).permute(2, 0, 1)
        batch, sizes, _ = self.model.prepare([picture])
        with self.norms.computing(mode):
            features = self.model.backbone(batch)
            proposals, _ = self.model.rpn(list(features.values()), sizes)
        hidden, logits, codes = box(features, proposals.boxes, sizes)

        scores, boxes = logits.softmax(dim=2)[..., 1:], box.decode(codes, proposals.boxes, sizes)
        growth = area_growth(sizes, field)
        among = proposals.valid[..., None].expand_as(scores)
        count = round(self.settings.model.drm.candidates * growth)
        best = top_candidates(hidden, boxes, scores, among, count=count)

        found = {}
        for radius in RADII:
            correct = self._correct(best, radius, growth)
            powered = [correct[:, place] ** power for place, power in enumerate(self.powers)]
            ranked = best.scores * torch.stack(powered, dim=1)
            places, kept = box.select(best.boxes[0], ranked[0], sizes)
            found[radius] = self._draw(features, sizes, best.boxes[0], places, kept)
        return found

    def _correct(self, best: Candidates, radius: float | None, growth: float) -> Tensor:
        """p(correct) (1, C, N); without a radius as before: ranks in the window shrink with its area."""
        drm = self.model.roi_heads.box.drm
        if radius is not None:
            return drm._correct_above(self.settings.predict.floor, best, radius)
        embedded = rank_embedding(ranks_of(best.scores, best.valid) / growth)
        return drm.judge(best.features, embedded, best.boxes, valid=best.valid).sigmoid()

    def _draw(
        self, features: dict[str, Tensor], sizes: list, boxes: Tensor, places: Tensor, scores: Tensor
    ) -> Cells:
        mask, labels = self.model.roi_heads.mask, places // boxes.shape[1] + 1
        frames = enlarge(boxes.flatten(0, 1)[places], mask.box_scale)
        masks = mask.masks(features, [frames], labels, sizes)
        found = Found(*(field.numpy() for field in (frames, labels, scores, masks)))
        return to_cells(found, sizes[0], MPP, thresholds=by_label(self.settings.predict.mask_threshold))

    def look_by_windows(self, image: np.ndarray, mode: str) -> dict[float | None, Cells]:
        parts: dict[float | None, list[Cells]] = {radius: [] for radius in RADII}
        for window in plan_windows(image.shape[:2], core=CORE, halo=HALO):
            for radius, cells in self.look(window.cut_out(image), mode).items():
                placed = cells.shift(*window.origin, image.shape[:2])
                parts[radius].append(placed.select(window.owns(placed.boxes)))

        found, nms = {}, by_label(self.settings.predict.nms)
        for radius, some in parts.items():
            owners = np.repeat(np.arange(len(some)), [len(part) for part in some])
            cells = Cells.concat(some)
            found[radius] = cells.select(survivors_at_seams(cells, owners, nms=nms))
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--fields", type=int, default=2)
    parser.add_argument("--seed", type=int, default=9100)
    parser.add_argument("--side", type=int, default=SIDE)
    parser.add_argument("--paper", action="store_true")
    arguments = parser.parse_args()

    looker, truths = Looker(arguments.paper), []
    ways: dict[str, list[dict[float | None, Cells]]] = {"one piece": [], "windows": [], "norms kept": []}
    for seed in range(arguments.seed, arguments.seed + arguments.fields):
        image, truth = generate(
            seed, size=(arguments.side,) * 2, mpp=MPP, layout=LAYOUTS[seed % len(LAYOUTS)]
        )
        truths.append(truth)
        ways["one piece"].append(looker.look(image, "keep"))
        ways["windows"].append(looker.look_by_windows(image, "own"))
        ways["norms kept"].append(looker.look_by_windows(image, "kept"))
    report(truths, ways, looker.predictor)


def report(truths: list[Content], ways: dict[str, list], predictor: Predictor) -> None:
    print(
        "| relations | way | class | AJI, F1 to truth | same at IoU .9, .99 | others | score shift 50, 95 % |"
    )
    print("|---|---|---|---|---|---|---|")
    for radius in RADII:
        for way, fields in ways.items():
            cells = [field[radius] for field in fields]
            sure = [some.select(reaching(some, predictor.scores)) for some in cells]
            summary = summarise([score_image(*pair) for pair in zip(truths, sure, strict=True)], samples=0)
            for label, name in LABEL_NAMES.items():
                whole = [field[radius].of(label) for field in ways["one piece"]]
                scores = summary.classes[name].scores
                figures = ", ".join(f"{scores[key].pooled.value:.4f}" for key in ("aji", "f1"))
                agreement = agree(whole, [some.of(label) for some in cells], predictor)
                print(f"| {radius or 'window'} | {way} | {name} | {figures} | {agreement} |", flush=True)


def agree(wholes: list[Cells], parts: list[Cells], predictor: Predictor) -> str:
    """How far windows are from one piece, of one class."""
    same, total, count, shifts = np.zeros(2), 0, 0, []
    for whole, part in zip(wholes, parts, strict=True):
        one, other = (cells.select(reaching(cells, predictor.scores)) for cells in (whole, part))
        best = one.iou(other).max(axis=1, initial=0)
        same += [(best > least).sum() for least in SAME]
        total, count = total + len(one), count + len(other)
        near = one.iou(part)
        shift = np.abs(one.scores - part.scores[near.argmax(axis=1)])
        shifts.append(shift[near.max(axis=1) > 0.7])
    middle, high = np.percentile(np.concatenate(shifts), [50, 95])
    shares = ", ".join(f"{share:.4f}" for share in same / total)
    return f"{shares} of {total} | {(count - same[0]) / total:.4f} | {middle:.4f}, {high:.4f}"


if __name__ == "__main__":
    main()
