"""The model card that training leaves beside a weights file.

It gives what the file and the log of its run say, and leaves out what they do not: no figure is typed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from irnet.config import Settings
from irnet.data.coco.document import naming
from irnet.data.files import sha256, write_text
from irnet.errors import InputError
from irnet.inference.tensors import read_tensors
from irnet.inference.weights import generated_alone, settings_in
from irnet.markdown import facts
from irnet.models.weights import PACKAGE, pretrained_origin
from irnet.training.card_scores import score_sections
from irnet.training.log import read_log, training_seconds
from irnet.wording import RESEARCH_USE, number_of

USE = "**Use.** Finding whole, overlapping cells and their nuclei in images of cervical smears."
METHODS = {"irnet": "IRNet", "maskrcnn": "Mask R-CNN", "cspnet": "CSPNet"}
NOT_FOR = (
    "**Not for** diagnosis, screening or grading; nor, untested, for stains, scanners and preparations other "
    "than those under Data: annotate a few fields of yours and score it there with `irnet evaluate` first."
)


class WeightsFile(NamedTuple):
    """What a weights file says of itself."""

    name: str
    size: int  # bytes
    sha256: str  # of the whole file, as `sha256sum` has it
    parameters: int
    format: int
    settings: Settings
    trained: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> WeightsFile:
        """Raises `InputError` when the file is damaged or holds no weights."""
        tensors, meta = read_tensors(path)
        if meta.get("kind") != "weights":
            raise InputError(f"{path}: not a weights file; name the best.safetensors of a run")
        return cls(
            name=path.name,
            size=path.stat().st_size,
            sha256=sha256(path),
            parameters=sum(tensor.numel() for tensor in tensors.values()),
            format=meta["format"],
            settings=settings_in(path, meta),
            trained=meta["trained"],
        )


def write_card(weights: Path) -> None:
    """Write NAME.md beside NAME.safetensors; the log is that of the same folder."""
    text = render_card(WeightsFile.read(weights), read_log(weights.parent))
    write_text(weights.with_suffix(".md"), text)


def render_card(file: WeightsFile, log: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return the card of a weights file in Markdown; `log` holds the lines of its run."""
    with naming(file.name):
        scores = score_sections(file.settings, file.trained, log)

    parts = [
        f"# Model card of `{file.name}`",
        "Made by irnet from what the weights file and the log of its run say.",
        f"{USE} {RESEARCH_USE}",
        NOT_FOR,
        facts("File", _file(file)),
        facts("Network", _network(file)),
        facts("Data", _data(file.settings, file.trained)),
        facts("Training", _training(file.settings, file.trained, log)),
        *scores,
    ]
    return "\n\n".join(parts) + "\n"


def _file(file: WeightsFile) -> dict[str, str]:
    return {
        "name": f"`{file.name}`, {file.size / 1e6:.1f} MB",
        "SHA-256": file.sha256,
        "format version": str(file.format),
        "licence": _licence(file.settings, file.trained),
    }


def _licence(settings: Settings, trained: Mapping[str, Any]) -> str:
    """As far as it follows from the data and the first weights."""
    backbone = trained.get("trunk") or {"licence": None}
    also = "" if "licence" in backbone else f"; that of `{backbone['source']}` applies too"
    if generated_alone(settings, trained):
        return f"Apache-2.0, like the code: trained on generated smears alone{also}"
    return f"the licence of the data applies{also}"


def _network(file: WeightsFile) -> dict[str, str | None]:
    settings, model = file.settings, file.settings.model
    modules = ", ".join(
        f"{name} {'on' if part.enabled else 'off'}" for name, part in (("DRM", model.drm), ("IRM", model.irm))
    )
    return {
        "method": f"{METHODS[settings.method]} ({modules})",
        "backbone": f"{model.backbone}, {model.trunk_norm}" if model.has_backbone else None,
        "parameters": f"{file.parameters / 1e6:.1f} million",
        "first weights": _first_weights(settings, file.trained),
        "averaged": _averaged(file.trained),
        "widths": f"pyramid {model.fpn_width}, box head {model.fc_width}, masks {model.mask_width}",
        "scale": _network_scale(settings, file.trained.get("data", {}).get("scale")),
    }


def _network_scale(settings: Settings, images: Mapping[str, Any] | None) -> str:
    """The scale that images are brought to; none that nobody gave."""
    if settings.data.mpp:
        return f"{settings.data.mpp:g} um per pixel"
    return "unknown, as that of the images" if images and not images["known"] else "that of each image"


def _image_scale(images: Mapping[str, Any], network: float) -> str:
    """The um per pixel of the training images, and to which they were brought."""
    known, unknown = images["known"], images["unknown"]
    brought = f", brought to {network:g}" if network and any(mpp != network for mpp in known) else ""
    if images["given"] is not None:
        return f"{images['given']:g} of all, given with --mpp{brought}"

    parts = [f"{known[0]:g}" + (f" to {known[-1]:g}" if len(known) > 1 else "")] if known else []
    parts = [f"{part} by the files{brought}" for part in parts]
    if unknown:
        parts.append(f"unknown of {number_of(unknown, 'image')}, taken as they are")
    return "; ".join(parts)


def _first_weights(settings: Settings, trained: Mapping[str, Any]) -> str:
    """Where the weights came from before the first step."""
    model = settings.model
    if init := trained.get("init"):
        fresh = f"; fresh: {', '.join(init['fresh'])}" if init["fresh"] else ""
        return f"forked from `{init['source']}`, SHA-256 inside {init['sha256']}{fresh}"
    backbone = trained.get("trunk")
    if backbone is None and model.has_backbone and model.trunk_weights == PACKAGE:
        backbone = pretrained_origin(model.backbone, PACKAGE, sha256=model.trunk_sha256)
    if backbone is None:
        return "random"
    licence = f"licence {backbone['licence']}, " if "licence" in backbone else ""
    return f"backbone from `{backbone['source']}`, {licence}SHA-256 {backbone['sha256']}; all else random"


def _averaged(trained: Mapping[str, Any]) -> str | None:
    """The other weights that have a share in these."""
    if not (other := trained.get("averaged")):
        return None
    return (
        f"with `{other['source']}`, SHA-256 inside {other['sha256']}, whose share is {other['share']:.0%}; "
        "what follows is of the first"
    )


def _data(settings: Settings, trained: Mapping[str, Any]) -> dict[str, str | None]:
    data = trained.get("data", {})
    s = settings.train
    images = (
        _generated(settings, data) if settings.data.source == "generated" else _own(data, settings.data.mpp)
    )
    seen = _crops_seen(s.batch * s.accumulate, trained)
    return images | _unlabelled(data) | {"crops": f"{settings.data.crop} x {settings.data.crop} px{seen}"}


def _generated(settings: Settings, data: Mapping[str, Any]) -> dict[str, str | None]:
    drawn = settings.data.generated
    version = f", version {data['generator']} of the generator" if "generator" in data else ""
    cutouts = data.get("cutouts")
    cut_from = (
        cutouts
        and f"{number_of(cutouts['cells'], 'cell')} of `{cutouts['file']}`, SHA-256 {cutouts['sha256']}"
    )

    return {
        "images": f"generated smears, drawn while training{version}, seed {settings.train.seed}",
        "fields": f"{drawn.size} x {drawn.size} px, {drawn.mpp:g} um per pixel, {drawn.reuse} crops of each",
        "layouts": ", ".join(drawn.layouts),
        "palettes": ", ".join(drawn.palettes),
        "abnormal smears": f"{drawn.abnormal:.0%}",
        "composed of cut-outs": f"{drawn.composed:.0%} of the fields",
        "cut-outs": cut_from,
        "validation images": f"{settings.train.validate_images} generated fields of their own",
    }


def _own(data: Mapping[str, Any], network: float) -> dict[str, str | None]:
    files = {f"file `{name}`": f"SHA-256 {digest}" for name, digest in data.get("files", {}).items()}
    parts = {f"{part} images": _part(data[part]) for part in ("training", "validation") if part in data}
    scale = {"um per pixel": _image_scale(data["scale"], network)} if "scale" in data else {}
    return {"images": "annotated files", **files, **parts, **scale}


def _unlabelled(data: Mapping[str, Any]) -> dict[str, str | None]:
    """Fields that the running mean of the weights labelled."""
    if "unlabelled" not in data:
        return {}
    known = (
        f", centres of {number_of(data['unlabelled_points'], 'nucleus')} known"
        if data.get("unlabelled_points")
        else ""
    )
    source = f"of `{data['unlabelled_from']}`, SHA-256 of their list {data['unlabelled_sha256']}"
    return {"unlabelled": f"{number_of(data['unlabelled'], 'image')} without outlines {source}{known}"}


def _part(part: Mapping[str, int]) -> str:
    of = f", of {number_of(part['patients'], 'patient')}" if part["patients"] else ""
    return f"{part['images']}{of}"


def _crops_seen(per_step: int, trained: Mapping[str, Any]) -> str:
    if "machine" not in trained:
        return ""
    return f", {trained['step'] * per_step * trained['machine']['processes']:,} of them seen"


def _training(
    settings: Settings, trained: Mapping[str, Any], log: Sequence[Mapping[str, Any]]
) -> dict[str, str | None]:
    s = settings.train
    machine = trained.get("machine", {})
    passes = f" x {s.accumulate} passes" if s.accumulate > 1 else ""
    processes = f" x {machine['processes']} processes" if machine.get("processes", 1) > 1 else ""
    of = f" of {trained['steps']}" if trained.get("steps") else ""
    average = f"moving average of the weights, decay {s.ema:g}, " if s.ema else ""
    versions = ", ".join(f"{name} {value}" for name, value in trained.get("versions", {}).items())

    return {
        "kept": f"{average}after step {trained['step']}{of}" if "step" in trained else None,
        "batch": f"{s.batch} crops{passes}{processes}",
        "optimiser": f"{s.optimizer}, learning rate {s.lr:g}, {s.schedule}",
        "seed": str(s.seed),
        "precision": s.precision,
        "machine": machine.get("device"),
        "time": _time(log),
        "date": _date(log),
        "versions": versions or None,
    }


def _date(log: Sequence[Mapping[str, Any]]) -> str | None:
    """The day of the log's last line."""
    return datetime.fromtimestamp(log[-1]["time"], UTC).date().isoformat() if log else None


def _time(log: Sequence[Mapping[str, Any]]) -> str | None:
    """How long training took."""
    steps = max((line["step"] for line in log if line["kind"] == "train"), default=None)
    return f"{training_seconds(log) / 60:.1f} min for {steps} steps, without validation" if steps else None
