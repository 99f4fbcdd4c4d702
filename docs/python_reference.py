"""Write docs/reference/python.md from the docstrings: `python docs/python_reference.py` in the repository."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

import irnet
from irnet.inference.predict import Predictor
from irnet.inference.prompts import EncodedImage
from irnet.shortcuts import Shortcuts

PAGE = Path(__file__).parent / "reference" / "python.md"
WIDTH = 110
HEAD = """# Python

What `import irnet` offers, made from the docstrings by `python docs/python_reference.py`; the examples run as
tests. Masks overlap: each instance has its own, cropped. Boxes are x1, y1, x2, y2 in px, images (H, W, 3)
uint8 RGB, a scale is um per pixel (`mpp`). Wrong input raises `irnet.errors.InputError`, a `ValueError`, with
what is wrong and the remedy.

[First steps](../../examples/first_steps.ipynb) is a notebook. `irnet.CYTOPLASM` (1) and `irnet.NUCLEUS` (2)
are the classes; a cytoplasm is the whole cell outline, nucleus included.
"""
CLASSES = {  # heading -> the class, where its methods are defined, and which of them
    "Cells": (irnet.Cells, (Shortcuts, irnet.Cells), None),
    "Content": (irnet.Content, (), None),
    "Predictor": (Predictor, (Predictor,), ("predict", "encode")),
    "EncodedImage": (EncodedImage, (EncodedImage,), ("candidates", "mask_of")),
}
FUNCTIONS = ("load", "read_coco", "write_coco", "measure", "score_image", "summarise", "generate")
FIELD = re.compile(r"^    (\w+): ([^#]+?)(?: = [^#]+)?  # (.+)$", re.M)
SPECIAL = ("__iter__", "__getitem__")
LISTED = {"Args": "Arguments", "Raises": "Raises"}


def write() -> str:
    """The page."""
    parts = [
        HEAD,
        *_function("load", irnet.load, 2),
        *_class("Predictor"),
        *_class("EncodedImage"),
        *_class("Cells"),
        *_class("Content"),
    ]
    for name in FUNCTIONS[1:]:
        parts += _function(name, getattr(irnet, name), 2)
    return "\n".join(parts)


def _class(name: str) -> Iterator[str]:
    """A class: what it is, its fields, its methods in the order of the source."""
    kind, owners, chosen = CLASSES[name]
    yield f"## {name}\n"
    yield from _docstring(kind.__doc__ or "")

    fields = FIELD.findall(inspect.getsource(kind))
    if fields:
        rows = [
            f"| `{field}` | `{hint.replace('|', chr(92) + '|')}` | {said} |" for field, hint, said in fields
        ]
        yield "\n".join(["| field | type | holds |", "|---|---|---|", *rows, ""])

    for owner in owners:
        for method, value in vars(owner).items():
            public = method in chosen if chosen else not method.startswith("_") or method in SPECIAL
            if public and isinstance(value, FunctionType | classmethod | property):
                yield from _function(f"{name}.{method}", value, 3)


def _function(name: str, value: object, level: int) -> Iterator[str]:
    """A function, method or property: heading, signature, docstring."""
    function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
    yield f"{'#' * level} {name if '.' in name else f'irnet.{name}'}\n"
    if not isinstance(value, property):
        yield f"```text\n{_signature(function, name)}\n```\n"
    yield from _docstring(function.__doc__ or "")


def _signature(function: FunctionType, name: str) -> str:
    """As the source has it, without `self`, on one line or a line an argument."""
    node = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(node, ast.FunctionDef)
    if node.args.args and node.args.args[0].arg in ("self", "cls"):
        del node.args.args[0]

    node.body, node.decorator_list, node.name = [ast.Pass()], [], name.rpartition(".")[2]
    line = ast.unparse(node).removeprefix("def ").removesuffix(":\n    pass")
    line = re.sub(r"(?<=\S)=(?=\S)", " = ", line)
    if len(line) <= WIDTH:
        return line

    arguments, _, returned = line.rpartition(" -> ")
    inside = arguments[arguments.index("(") + 1 : -1]
    split = re.split(r", (?=\w+:|\*)", inside)
    return "\n".join([f"{node.name}(", *(f"    {one}," for one in split), f") -> {returned}"])


def _docstring(text: str) -> Iterator[str]:
    """The paragraphs and sections of a docstring, as Markdown."""
    blocks = re.split(r"^(Args|Returns|Raises|Example):\n", inspect.cleandoc(text), flags=re.M)
    for paragraph in blocks[0].strip().split("\n\n"):
        yield _fill(paragraph) + "\n"

    for heading, body in zip(blocks[1::2], blocks[2::2], strict=True):
        body = inspect.cleandoc(body).strip()
        if heading == "Example":
            yield f"```pycon\n{body}\n```\n"
        elif heading == "Returns":
            yield _fill(f"**Returns** {body}") + "\n"
        else:
            items = re.split(r"^(?=\w+: )", body, flags=re.M)[1:]
            listed = [_fill(re.sub(r"^(\w+): ", r"- `\1`: ", item), "  ") for item in items]
            yield "\n".join([f"**{LISTED[heading]}**", "", *listed, ""])


def _fill(text: str, indent: str = "") -> str:
    return textwrap.fill(
        " ".join(text.split()),
        WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    PAGE.write_text(write(), encoding="utf-8")
