"""What all settings share: ranges, and sections that refuse unknown keys."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
CountOrZero = Annotated[int, Field(ge=0)]
Width = Annotated[int, Field(ge=1, le=8192)]
"""Channels of a layer: bounded, or a file's header could ask for more memory than there is."""
Triple = tuple[float, float, float]


class Section(BaseModel):
    """A group of settings: unknown keys are refused, fields are documented by the string below them."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True
    )


class PerClass(Section):
    """One value for each class of cell."""

    cytoplasm: Fraction
    nucleus: Fraction
