"""One tool looks at one field: CPU seconds, peak memory and number of finds, as a line of JSON.

    python benchmarks/side_by_side/look.py TOOL FIELD.npy FINDS [--weights FILE]

Nothing of irnet is imported but by its own tools, so that other tools run in an environment of theirs. Exit
code 3: the tool, or what it needs, is not there; 4: memory did not suffice.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

MPP = 0.37
SMALL = 1_000_000  # px: up to here the second look counts, above the first after one at a corner
CORNER = 256  # px
NOT_THERE, NO_MEMORY = 3, 4

Look = Callable[[np.ndarray], int]  # an image (H, W, 3) of 8 bits in, the number of finds out


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("tool", choices=list(TOOLS))
    parser.add_argument("field", type=Path)
    parser.add_argument("finds", type=int, help="how many finds an untrained detector shall make")
    parser.add_argument("--weights", type=Path, help="of the untrained ResNet-50 of irnet")
    args = parser.parse_args()

    field = np.load(args.field)
    try:
        look = TOOLS[args.tool](args)
        _say(look, field)
    except (ImportError, UnavailableError) as error:
        print(error, file=sys.stderr)
        sys.exit(NOT_THERE)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "alloc" not in str(error).lower():
            raise
        sys.exit(NO_MEMORY)


class UnavailableError(Exception):
    """The tool is installed but does not run here."""


def _say(look: Look, field: np.ndarray) -> None:
    look(field if field[..., 0].size <= SMALL else field[:CORNER, :CORNER])  # caches, compiled kernels
    begun = time.process_time()
    finds = look(field)
    seconds = time.process_time() - begun
    print(json.dumps({"cpu_s": round(seconds, 3), "peak_mib": _peak(), "finds": finds}))


def _peak() -> int:
    """Peak memory of this process alone, MiB: what getrusage says begins with the parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def _one_thread() -> Any:
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    return torch


def mask_rcnn(side: int, finds: int) -> Any:
    """torchvision's network, untrained, for fields of a side (px): it finds so many in each."""
    from torchvision.models.detection import maskrcnn_resnet50_fpn

    return maskrcnn_resnet50_fpn(
        weights=None,
        weights_backbone=None,
        num_classes=3,
        min_size=side,  # else it shrinks the field to 800 px
        max_size=side,
        box_score_thresh=0.0,
        box_detections_per_img=finds,
    ).eval()


def torchvision(args: argparse.Namespace) -> Look:
    torch = _one_thread()
    model = mask_rcnn(np.load(args.field, mmap_mode="r").shape[0], args.finds)

    @torch.inference_mode()
    def look(image: np.ndarray) -> int:
        return len(model([torch.tensor(image).permute(2, 0, 1) / 255])[0]["boxes"])

    return look


def ours(engine: str, precision: str = "fp32", *, own: bool = False) -> Callable[[argparse.Namespace], Look]:
    """The bundled network, or the untrained one that `--weights` names."""

    def load(args: argparse.Namespace) -> Look:
        from irnet.errors import InputError
        from irnet.inference.predict import Predictor

        if engine == "torch":
            _one_thread()
        try:
            predictor = Predictor.load(
                args.weights if own else None, device="cpu", engine=engine, precision=precision
            )
        except InputError as error:
            raise UnavailableError(str(error)) from error
        return lambda image: len(predictor.find(image, MPP).cells)

    return load


def yolo(args: argparse.Namespace) -> Look:
    torch = _one_thread()
    from ultralytics import YOLO

    return _forward(torch, YOLO("yolo11s-seg.yaml").model.eval().fuse(), multiple=32)


def instanseg(args: argparse.Namespace) -> Look:
    torch = _one_thread()
    from instanseg.utils.models.InstanSeg_UNet import InstanSeg_UNet

    network = InstanSeg_UNet(in_channels=3, layers=[256, 128, 64, 32], out_channels=[[2, 2, 1]], norm="BATCH")
    return _forward(torch, network.eval(), multiple=32)


def cellpose(args: argparse.Namespace) -> Look:
    torch = _one_thread()
    from cellpose.resnet_torch import CPnet

    return _forward(torch, CPnet([2, 32, 64, 128, 256], 3, 3).eval(), multiple=16, channels=2)


def stardist(args: argparse.Namespace) -> Look:
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(1)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    from stardist.models import Config2D, StarDist2D

    model = StarDist2D(Config2D(n_channel_in=3, grid=(2, 2)), name=None, basedir=None)

    def look(image: np.ndarray) -> int:
        model.predict(image.astype(np.float32) / 255)
        return 0

    return look


def _forward(torch: Any, network: Any, *, multiple: int, channels: int = 3) -> Look:
    """A look that is one pass of a network without what follows it."""

    @torch.inference_mode()
    def look(image: np.ndarray) -> int:
        height, width = (-(-side // multiple) * multiple for side in image.shape[:2])
        batch = torch.zeros(1, channels, height, width)
        picture = torch.tensor(image[..., :channels]).permute(2, 0, 1) / 255
        batch[0, :, : image.shape[0], : image.shape[1]] = picture
        network(batch)
        return 0

    return look


TOOLS: dict[str, Callable[[argparse.Namespace], Look]] = {
    "torchvision-r50": torchvision,
    "irnet-r50-torch": ours("torch", own=True),
    "irnet-r50-openvino": ours("openvino", own=True),
    "bundled-torch": ours("torch"),
    "bundled-openvino": ours("openvino"),
    "bundled-bf16": ours("openvino", "bf16"),
    "bundled-int8": ours("openvino", "int8"),
    "stardist": stardist,
    "instanseg": instanseg,
    "cellpose": cellpose,
    "yolo11s-seg": yolo,
}

if __name__ == "__main__":
    main()
