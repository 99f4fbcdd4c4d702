"""Names of lengths, as OME, ImageJ and microscopes' own tags spell them, in um."""

import math
import re

from irnet.errors import InputError

_PREFIXES = {
    **{"Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1, "": 0},
    **{
        "d": -1,
        "c": -2,
        "m": -3,
        "µ": -6,
        "u": -6,
        "n": -9,
        "p": -12,
        "f": -15,
        "a": -18,
        "z": -21,
        "y": -24,
    },
}
_INCH = 25_400.0
_UM = {f"{prefix}m": 10.0 ** (power + 6) for prefix, power in _PREFIXES.items()}
_UM |= {
    "Å": 1e-4,
    "\u212b": 1e-4,
    "thou": _INCH / 1000,
    "mil": _INCH / 1000,
    "li": _INCH / 12,
    "pt": _INCH / 72,
}
_UM |= {"in": _INCH, '"': _INCH, "ft": 12 * _INCH, "yd": 36 * _INCH, "mi": 63_360 * _INCH}
_UM |= {"ua": 1.495978707e17, "ly": 9.4607304725808e21, "pc": 3.0856775814913673e22}  # the rest of OME's
_NAMES = {  # in small letters, without the s of the plural
    **{"micron": "um", "mikron": "um", "µ": "um", "um": "um", "µm": "um", "inch": "in", "inche": "in"},
    **{"angstrom": "Å", "foot": "ft", "feet": "ft", "yard": "yd", "mile": "mi", "point": "pt", "nm": "nm"},
    **{"mm": "mm", "cm": "cm", "in": "in"},
    **{
        prefix + end: unit
        for prefix, unit in (("micro", "um"), ("nano", "nm"), ("milli", "mm"), ("centi", "cm"), ("", "m"))
        for end in ("meter", "metre")
    },
}
_NO_LENGTH = ("pixel", "px", "pix", "reference frame", "referenceframe")
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})")


def unit_of(name: str) -> float:
    """um of one unit. Raises InputError for pixels and for what is no length."""
    plain = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), name).strip().replace("\u03bc", "µ")
    if plain in _UM:
        return _UM[plain]
    small = plain.lower().removesuffix("s")
    if small in _NO_LENGTH or not plain:
        raise InputError(f"they are in {plain or 'no unit'}, which is no length")
    if small not in _NAMES:
        raise InputError(f"their unit {name[:40]!r} is not known")
    return _UM[_NAMES[small]]


def parse(value: str, unit: str, name: str) -> float:
    """A length in um. Raises InputError that calls it `name`."""
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise InputError(f"{name} is {value[:40]!r}, no number above 0")
    return number * unit_of(unit)
