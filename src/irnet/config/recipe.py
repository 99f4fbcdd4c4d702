"""A recipe: one complete TOML file a run, no inheritance, changed by overrides `section.key=value`."""

from __future__ import annotations

import difflib
import reprlib
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError, model_validator

from irnet.config.network import LossSettings, ModelSettings
from irnet.config.section import Section
from irnet.config.training import DataSettings, PredictSettings, TrainSettings, UnlabelledSettings
from irnet.errors import InputError

PACKAGE = Path(__file__).parents[1]
FOLDERS = (PACKAGE / "recipes", PACKAGE.parents[1] / "recipes")  # of the wheel, of a checkout

_LONGEST = 200  # characters of a message
_VALUE = reprlib.Repr()
_VALUE.maxstring = _VALUE.maxother = _VALUE.maxlong = _LONGEST

Method = Literal["irnet", "maskrcnn", "cspnet"]


class Settings(Section):
    """A whole recipe."""

    model: ModelSettings = ModelSettings()
    loss: LossSettings = LossSettings()
    train: TrainSettings = TrainSettings()
    data: DataSettings = DataSettings()
    unlabelled: UnlabelledSettings = UnlabelledSettings()
    predict: PredictSettings = PredictSettings()

    @model_validator(mode="after")
    def _check_modules_learn(self) -> Settings:
        if self.model.drm.enabled and self.loss.alpha == 0:
            raise ValueError("loss.alpha = 0 never trains the DRM: raise it or set model.drm.enabled = false")
        if self.model.irm.enabled and self.loss.beta == 0:
            raise ValueError("loss.beta = 0 never trains the IRM: raise it or set model.irm.enabled = false")
        return self

    @model_validator(mode="after")
    def _check_masks_are_suppressed(self) -> Settings:
        if self.model.cspnet.enabled and self.predict.suppression != "mask":
            raise ValueError(
                f"model.cspnet.enabled = true with predict.suppression = {self.predict.suppression!r}: "
                "CSPNet keeps boxes that overlap and compares their masks, set predict.suppression = 'mask'"
            )
        return self

    @property
    def method(self) -> Method:
        """What the network is: Mask R-CNN is IRNet without DRM and IRM."""
        if self.model.cspnet.enabled:
            return "cspnet"
        return "irnet" if self.model.drm.enabled or self.model.irm.enabled else "maskrcnn"


def load_recipe(recipe: str | Path, overrides: Sequence[str] = ()) -> Settings:
    """Read a recipe by path or by name ("default", "paper" ...), with overrides such as "train.lr=1e-3".

    Raises `InputError` that names file, key, value and remedy.
    """
    path = find_recipe(recipe)
    try:
        values = _parse(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: not a readable TOML file: {error}") from error
    for override in overrides:
        _apply(values, override)
    return parse_settings(values, source=" with --set ".join([str(path), *map(_short, overrides)]))


def change_settings(settings: Settings, overrides: Sequence[str]) -> Settings:
    """The settings with overrides such as "train.lr=1e-3". Raises `InputError`, see `load_recipe`."""
    values = settings.model_dump(mode="json")
    for override in overrides:
        _apply(values, override)
    return parse_settings(values, source=f"--set {', '.join(map(_short, overrides))}")


def find_recipe(recipe: str | Path) -> Path:
    """The file of a recipe given by path or name."""
    path = Path(recipe)
    if path.suffix == ".toml" or path.is_file():
        return path
    found = {file.stem: file for folder in FOLDERS for file in sorted(folder.glob("*.toml"))}
    if (name := str(recipe)) not in found:
        raise InputError(
            f"unknown recipe {name!r}{_nearest(path.name, found)}; "
            f"give a .toml file or one of: {', '.join(found)}"
        )
    return found[name]


def parse_settings(values: dict[str, Any], *, source: str) -> Settings:
    """Validate nested plain values, such as those of a recipe or of a checkpoint.

    Raises `InputError` that names `source`, key, value and remedy.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        problems = [_explain(problem) for problem in error.errors(include_url=False)]
        raise InputError(f"{source}: " + "; ".join(problems)) from error


def json_schema() -> dict[str, Any]:
    """The JSON schema of a recipe, for editors."""
    return Settings.model_json_schema()


def _parse(text: str) -> dict[str, Any]:
    """The values of a TOML text. Raises TOMLDecodeError, also where it is nested too deep."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise tomllib.TOMLDecodeError("nested too deep") from None
    except ValueError as error:  # a number of thousands of digits
        raise tomllib.TOMLDecodeError(str(error)) from None


def _apply(values: dict[str, Any], override: str) -> None:
    """Set one `section.key=value`; the value is TOML, or else a plain string."""
    name, separator, text = override.partition("=")
    *sections, key = name.strip().split(".")
    if not separator or not key:
        raise InputError(f"--set {_short(override)}: write section.key=value, such as train.lr=1e-3")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise InputError(f"--set {_short(override)}: {section:.80} is a value, not a section")
    try:
        values[key] = _parse(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        values[key] = text.strip()


def _short(text: str) -> str:
    """A text as it stands in a message, however long it is."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _explain(problem: Any) -> str:
    """One line that names key, value and remedy, from one of pydantic's error details."""
    location = problem["loc"]
    key = _short(".".join(str(part) for part in location))
    if problem["type"] == "extra_forbidden":
        known = _keys(location[:-1])
        return f"unknown key {key}{_nearest(str(location[-1]), known)}"
    if problem["type"] == "removed_setting":
        said = problem["ctx"]
        return (
            f"{key}.{said['name']} = {_VALUE.repr(said['value'])}: no setting any more, always "
            f"{said['always']!r}: leave it out, or use the version of irnet that the file is of"
        )

    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return message
    return f"{key} = {_VALUE.repr(problem['input'])}: {message[:1].lower()}{message[1:]}"


def _keys(sections: Iterable[str | int]) -> list[str]:
    """The keys known in a section, none where any name may stand."""
    kind: Any = Settings
    for section in sections:
        of_names = get_origin(kind) is dict
        kind = get_args(kind)[1] if of_names else kind.model_fields[str(section)].annotation
    return list(getattr(kind, "model_fields", ()))


def _nearest(name: str, known: Iterable[str]) -> str:
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {matches[0]}?" if matches else ""
