"""What a reader needs of the page and no linter keeps: paragraphs, and no comprehension inside another."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "irnet"
LONG = 15  # lines of a body that should have a paragraph
UNBROKEN = 1 / 3  # share of long functions that may be without one
NESTED = 20  # comprehensions that may hold another one
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.Module]:
    return {file: ast.parse(file.read_text(encoding="utf-8")) for file in sorted(SOURCE.rglob("*.py"))}


def long_functions(tree: ast.Module) -> Iterator[tuple[ast.stmt, range]]:
    """Functions and the lines of their bodies, from 1; docstrings are no part of them."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        body = node.body[1:] if ast.get_docstring(node) else node.body
        lines = range(body[0].lineno, (body[-1].end_lineno or 0) + 1) if body else range(0)
        if len(lines) >= LONG:
            yield node, lines


def test_long_functions_have_paragraphs(trees: dict[Path, ast.Module]) -> None:
    total, unbroken = 0, []
    for file, tree in trees.items():
        text = file.read_text(encoding="utf-8").splitlines()
        for node, lines in long_functions(tree):
            total += 1
            if all(text[number - 1].strip() for number in lines):
                unbroken.append(f"{file.relative_to(SOURCE)}:{node.lineno}")
    assert total
    assert len(unbroken) < UNBROKEN * total, "set a blank line where a step ends: " + ", ".join(unbroken)


def test_few_comprehensions_hold_another(trees: dict[Path, ast.Module]) -> None:
    nested = []
    for file, tree in trees.items():
        for node in ast.walk(tree):
            inner = [one for one in ast.walk(node) if isinstance(one, COMPREHENSIONS)]
            if isinstance(node, COMPREHENSIONS) and len(inner) > 1:
                nested.append(f"{file.relative_to(SOURCE)}:{node.lineno}")
    assert len(nested) < NESTED, "write a loop, or name the inner one: " + ", ".join(nested)
