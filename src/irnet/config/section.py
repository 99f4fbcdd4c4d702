"""What all settings share: ranges, and sections that refuse unknown keys."""

from __future__ import annotations

from pathlib import PureWindowsPath
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, SerializationInfo, model_validator
from pydantic_core import PydanticCustomError

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
CountOrZero = Annotated[int, Field(ge=0)]
Width = Annotated[int, Field(ge=1, le=8192)]
"""Channels of a layer: bounded, or a file's header could ask for more memory than there is."""
Triple = tuple[float, float, float]
AWAY = {"away": True}  # the context of `model_dump` for who gets settings away from this machine


def _dump_path(value: str, info: SerializationInfo) -> str:
    name = PureWindowsPath(value).name or value  # of a path of Windows too
    return name if info.context == AWAY else value


Place = Annotated[str, PlainSerializer(_dump_path, return_type=str)]
"""A file or folder of this machine, or a word for one: `AWAY` gets its last name alone."""


class Section(BaseModel):
    """A group of settings: unknown keys are refused, fields are documented by the string below them.

    `removed` holds settings of earlier versions, each with the value that it has for good: files may say it.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True
    )
    removed: ClassVar[dict[str, Any]] = {}

    @model_validator(mode="before")
    @classmethod
    def _leave_removed_out(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        for name in cls.removed.keys() & values.keys():
            if values[name] != cls.removed[name]:
                said = {"name": name, "value": values[name], "always": cls.removed[name]}
                raise PydanticCustomError("removed_setting", "removed", said)
        return {name: value for name, value in values.items() if name not in cls.removed}


class PerClass(Section):
    """One value for each class of cell."""

    cytoplasm: Fraction
    nucleus: Fraction
