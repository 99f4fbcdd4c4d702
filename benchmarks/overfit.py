"""One generated field learned by heart, by each of Mask R-CNN, + DRM, + IRM and both.

    python benchmarks/overfit.py --steps 400 --set model.trunk_weights=efficientnet-lite2.pth

A network whose targets, masks or pasting are off by a little cannot reach a pooled AJI of .95; a perfect
mask of 28 x 28 samples reaches about .98. Native resolution, both classes, score cut .5, no augmentation.
"""

import argparse
import math
import time

import numpy as np
import torch

from irnet.cells import LABEL_NAMES, Cells, Content
from irnet.config import Settings, load_recipe
from irnet.metrics import score_image
from irnet.metrics.ratio import pool
from irnet.models.build import build_model
from irnet.models.irnet import IRNet
from irnet.models.pasting import to_cells
from irnet.synthetic import generate
from irnet.training.crops import CropDataset, InstanceRules

VARIANTS = {
    "Mask R-CNN": ["model.drm.enabled=false", "model.irm.enabled=false"],
    "+ DRM": ["model.irm.enabled=false"],
    "+ IRM": ["model.drm.enabled=false"],
    "IRNet": [],
}
CUT = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--cells", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--only", nargs="*", default=list(VARIANTS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    size = (arguments.side, arguments.side)
    picture, truth = generate(arguments.seed, size=size, mpp=0.37, layout="dense", count=arguments.cells)
    numbers = [f"{(truth.cells.labels == label).sum()} {name}" for label, name in LABEL_NAMES.items()]
    print(f"{arguments.side} px, {', '.join(numbers)}, {arguments.steps} steps", flush=True)
    print("| | AJI pooled | AJI cytoplasm | AJI nucleus | found / truths | CPU s |", flush=True)
    print("|---|---|---|---|---|---|", flush=True)
    recipes = {name: load_recipe("default", [*VARIANTS[name], *arguments.set]) for name in arguments.only}
    for name, settings in recipes.items():
        torch.manual_seed(arguments.seed)
        start = time.process_time()
        model, figures = learn(settings, picture, truth, arguments.steps)
        seconds = time.process_time() - start
        found = detect(model, picture)
        print(f"| {name} | {describe(truth, found)} | {seconds:.0f} |", flush=True)
        print(f"  {figures}", flush=True)


def learn(
    settings: Settings, picture: np.ndarray, truth: Content, steps: int
) -> tuple[IRNet, dict[str, float]]:
    """The network after `steps` on the one picture, and its last losses and figures."""
    model = build_model(settings.model, settings.loss, settings.predict).train()
    item = CropDataset(
        lambda _: (picture, truth), size=picture.shape[0], length=1, rules=InstanceRules(min_share=0.0)
    )[0]
    train = settings.train
    trunk = [p for n, p in model.named_parameters() if n.startswith("backbone.body.") and p.requires_grad]
    heads = [p for n, p in model.named_parameters() if not n.startswith("backbone.body.")]
    groups = [{"params": trunk, "rate": train.lr * train.trunk_lr}, {"params": heads, "rate": train.lr}]
    optimizer = torch.optim.AdamW(groups, weight_decay=train.weight_decay)
    losses: dict[str, torch.Tensor] = {}
    for step in range(steps):
        factor = min(1, (step + 1) / 30) * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = group["rate"] * factor
        optimizer.zero_grad()
        losses = model([item[0]], [item[1]])  # type: ignore[assignment]
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), train.clip)
        optimizer.step()
    return model, {name: round(value.item(), 3) for name, value in (losses | model.diagnostics).items()}


@torch.inference_mode()
def detect(model: IRNet, picture: np.ndarray) -> Cells:
    """Cells at the score cut."""
    image = torch.from_numpy(picture.copy()).permute(2, 0, 1)
    found = to_cells(model.eval()([image])[0].found(), picture.shape[:2])  # type: ignore[arg-type]
    return found.select(found.scores >= CUT)


def describe(truth: Content, found: Cells) -> str:
    """Columns of the table."""
    score = score_image(truth, found)
    parts = [score.classes[label].ratios["aji"] for label in LABEL_NAMES]
    columns = [f"{part.value or 0:.3f}" for part in (pool(parts), *parts)]
    return " | ".join([*columns, f"{len(found)} / {len(truth.cells)}"])


if __name__ == "__main__":
    main()
