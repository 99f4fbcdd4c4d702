"""Every setting of a run: typed, documented, validated. A recipe is a TOML file of six sections.

Section numbers are those of the paper (IRNet, MICCAI 2019). "px" are pixels at the network's scale, after
the image has been resampled to `data.mpp`. The defaults are those of `recipes/default.toml`.
"""

from irnet.config.network import (
    CSPNetSettings,
    DRMSettings,
    IRMSettings,
    LossSettings,
    ModelSettings,
    RPNSettings,
)
from irnet.config.recipe import (
    Method,
    Settings,
    change_settings,
    find_recipe,
    json_schema,
    load_recipe,
    parse_settings,
)
from irnet.config.section import AWAY, PerClass
from irnet.config.training import (
    AugmentSettings,
    DataSettings,
    GeneratedSettings,
    OperatingPoint,
    PredictSettings,
    TrainSettings,
    UnlabelledSettings,
)

__all__ = [
    "AWAY",
    "AugmentSettings",
    "CSPNetSettings",
    "DRMSettings",
    "DataSettings",
    "GeneratedSettings",
    "IRMSettings",
    "LossSettings",
    "Method",
    "ModelSettings",
    "OperatingPoint",
    "PerClass",
    "PredictSettings",
    "RPNSettings",
    "Settings",
    "TrainSettings",
    "UnlabelledSettings",
    "change_settings",
    "find_recipe",
    "json_schema",
    "load_recipe",
    "parse_settings",
]
