"""Options that several verbs share, spelled once, and options of a verb that are gathered in a record."""

import functools
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_type_hints

import typer

if TYPE_CHECKING:
    from irnet.data.own import OwnData


def gathered(verb: Callable[..., None]) -> Callable[..., None]:
    """Let a verb take records: each field of a dataclass among its parameters becomes an option.

    Typer reads options from a signature, which would have a dozen parameters.
    """
    hints = get_type_hints(verb, include_extras=True)
    records: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}

    shown = []  # what Typer sees
    for parameter in inspect.signature(verb).parameters.values():
        if kind := records.get(parameter.name):
            own = get_type_hints(kind, include_extras=True)
            for field in fields(kind):
                option = parameter.replace(name=field.name, annotation=own[field.name], default=field.default)
                shown.append(option)
        else:
            shown.append(parameter.replace(annotation=hints[parameter.name]))

    @functools.wraps(verb)
    def call(**given: Any) -> None:
        for name, kind in records.items():
            given[name] = kind(**{field.name: given.pop(field.name) for field in fields(kind)})
        verb(**given)

    every = [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in shown]
    call.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    return call


def ease(app: typer.Typer) -> None:
    """Let the options of all verbs take choices in any case, and say how a decimal comma is written."""
    for group in app.registered_groups:
        if group.typer_instance:
            ease(group.typer_instance)
    for command in app.registered_commands:
        assert command.callback
        for parameter in inspect.signature(command.callback).parameters.values():
            _ease_option(parameter.annotation)


def _ease_option(hint: Any) -> None:
    info = next((meta for meta in getattr(hint, "__metadata__", ()) if hasattr(meta, "case_sensitive")), None)
    if info is None:
        return
    info.case_sensitive = False
    if float in (hint.__origin__, *get_args(hint.__origin__)):
        info.parser, info.metavar = _read_number, "FLOAT"


def _read_number(text: str | float) -> float:
    try:
        return float(text)
    except ValueError:
        hint = f": write {str(text).replace(',', '.')}" if "," in str(text) else ""
        raise typer.BadParameter(f"{text!r} is not a number{hint}") from None


def fold(name: str | None) -> str | None:
    """A name that is no file in lower case: Bundled is bundled."""
    if name is None or "/" in name or "." in name or os.path.exists(name):
        return name
    return name.lower()


def fold_each(names: list[str]) -> list[str]:
    """The same of several names."""
    return [fold(name) or "" for name in names]


def lower(name: str) -> str:
    """A choice in lower case."""
    return name.lower()


def fold_list(names: str) -> list[str]:
    """The names of a list, as in "coco, CSV"."""
    return [name.strip().lower() for name in names.split(",")]


def check_folder(folder: Path | None) -> Path | None:
    """Refuse a folder that cannot be written to before the work, not after it."""
    if folder is not None:
        from irnet.data.files import check_writable

        check_writable(folder)
    return folder


def check_file(file: Path | None) -> Path | None:
    """Refuse a file whose folder cannot be written to before the work, not after it."""
    if file is not None:
        check_folder(file.parent)
    return file


@dataclass(frozen=True)
class Own:
    """What a user says of own images."""

    mpp: Annotated[
        float | None, typer.Option(help="um per pixel of all images.", show_default="what the files say")
    ] = None
    patients: Annotated[
        str | None,
        typer.Option(
            help="Patient of each image: a table (CSV: image, patient), or a pattern of names with a group, "
            r"such as '(P\d+)_'.",
            show_default="what the files say",
        ),
    ] = None

    def data(self) -> "OwnData":
        """The same for the verbs."""
        from irnet.data.own import OwnData

        return OwnData(**vars(self))


Link = Annotated[
    bool,
    typer.Option("--link", help="Pair nuclei with cells where the source links none."),
]
Out = Annotated[
    Path,
    typer.Option("-o", "--out", help="Folder to write to; created if it is missing.", callback=check_folder),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.", callback=fold)]
Engine = Annotated[
    Literal["auto", "torch", "openvino"],
    typer.Option(help="What computes; auto: OpenVINO on CPUs where it is installed, else PyTorch."),
]
Precision = Annotated[
    Literal["fp32", "bf16", "int8"],
    typer.Option(help="Of the arithmetic; bf16 for CPUs that have it, int8 after irnet quantise."),
]
Model = Annotated[
    str | None,
    typer.Option(
        help="Weights file, folder of a run, or bundled-research.",
        show_default="the bundled weights",
        callback=fold,
    ),
]
Network = Annotated[
    str,
    typer.Argument(
        help="Weights file, folder of a run, bundled or bundled-research.", show_default=False, callback=fold
    ),
]
NewWeights = Annotated[
    Path,
    typer.Option(
        "-o", "--out", help="New weights file, with a card.", show_default=False, callback=check_file
    ),
]
Score = Annotated[
    float | None,
    typer.Option(
        help="Minimum score of a cell; 0.05 keeps every candidate.",
        show_default="the threshold of each class stored with the weights",
    ),
]
Plane = Annotated[
    str | None,
    typer.Option(
        help="Of a slide with focal planes: fuse, best or a number from 0.",
        show_default="fuse",
        callback=fold,
    ),
]
EstimateScale = Annotated[
    bool,
    typer.Option("--estimate-scale", help="Where a slide says no um per pixel: estimate them from nuclei."),
]
Views = Annotated[
    int,
    typer.Option(help="1, or 4: images are seen mirrored and transposed too, in four times the time."),
]
ExcludeBorder = Annotated[
    bool,
    typer.Option(
        "--exclude-border", help="Leave out what the border cuts, if the annotations leave it out too."
    ),
]
Map = Annotated[
    str | None, typer.Option("--map", help="What categories mean: 'Cell=cytoplasm,nuclei=nucleus,dirt=drop'.")
]
Crowd = Annotated[
    Literal["ignore", "instances"], typer.Option(help="How to read annotations with iscrowd = 1.")
]
