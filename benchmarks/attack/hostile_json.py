"""Parsed JSON changed at random."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

DEEP = "\u2060deep\u2060"  # a text that stands for something nested deeper than Python writes
ODD: list[Any] = [None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, 1e12, -1e9, 1e-300, 1e300, 0.5]
ODD += [
    float("nan"),
    float("inf"),
    "",
    " ",
    "x",
    "0",
    "-1",
    "NaN",
    "1e999",
    "../a",
    "/etc/passwd",
    "C:\\a",
    "\0",
]
ODD += ["\ud800", "a\ud800.png", "\u202egnp.a", "P" * 2000, "o" * 99, "=1+1", "a/" * 2000, DEEP, [], [[]], {}]
ODD += [
    [None],
    ["x"],
    [1, 2, 3, 4],
    [1e9] * 6,
    [0] * 99,
    {"counts": [9], "size": [1, 9]},
    [DEEP],
    {"a": {"b": []}},
]


def places(node: Any, path: tuple = ()) -> Iterator[tuple]:
    """Where something stands in parsed JSON."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def dump(data: Any) -> bytes:
    """JSON text of what Python's json will not write too: half surrogate pairs, thousands of levels."""
    depth = 100_000
    return json.dumps(data).replace(json.dumps(DEEP), "[" * depth + "]" * depth).encode()


def change_json(data: Any, rng: random.Random) -> Any:
    """A value replaced by an odd one, dropped, doubled, moved or of another type."""
    data = copy.deepcopy(data)
    everywhere = list(places(data))
    if not everywhere:
        return rng.choice(ODD)
    depth = rng.randint(1, max(map(len, everywhere)))  # the few at the top as often as the many below
    path = rng.choice([place for place in everywhere if len(place) >= depth])[:depth]
    node, key = _reach(data, path[:-1]), path[-1]
    match rng.randrange(7):
        case 0 | 1:
            node[key] = copy.deepcopy(rng.choice(ODD))
        case 2:
            del node[key]
        case 3 if isinstance(node, list):
            node.insert(rng.randrange(len(node) + 1), copy.deepcopy(node[key]))
        case 4:
            node[key] = _other_type(node[key], rng)
        case 5:
            node[key] = copy.deepcopy(_reach(data, rng.choice(everywhere)))
        case _:
            node[key] = _nearby(node[key], rng)
    return data


def _reach(node: Any, path: tuple) -> Any:
    for key in path:
        node = node[key]
    return node


def _other_type(value: Any, rng: random.Random) -> Any:
    forms = [str(value), [value], {"value": value}, {"0": value}, bool(value), None]
    if isinstance(value, int | float):
        forms += [float(value), int(value), value + 0.5, str(value)]
    return rng.choice(forms)


def _nearby(value: Any, rng: random.Random) -> Any:
    """A number that may still make sense, or a text with a character changed."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int | float):
        return rng.choice([value + 1, value - 1, -value, value * 2, value / 3, value + rng.uniform(-99, 99)])
    if isinstance(value, str) and value:
        at = rng.randrange(len(value))
        return value[:at] + chr(rng.randrange(32, 127)) * rng.randrange(3) + value[at + 1 :]
    return value[::-1] if isinstance(value, list) else {}
