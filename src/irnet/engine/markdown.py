"""Sections and tables in Markdown."""

from collections.abc import Mapping, Sequence


def facts(title: str, values: Mapping[str, str | None]) -> str:
    """A section of names and values; what is not known is left out.

    >>> print(facts("File", {"name": "a|b", "licence": None}))
    ## File
    <BLANKLINE>
    | | |
    | --- | --- |
    | name | a\\|b |
    """
    return f"## {title}\n\n" + table(["", ""], [[name, text] for name, text in values.items() if text])


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown, all text in it."""
    return "\n".join(_line(cells) for cells in (header, ["---"] * len(header), *rows))


def _line(cells: Sequence[str]) -> str:
    return "|" + "".join(f" {_escape(cell)} |" if cell else " |" for cell in cells)


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
