"""Sections and tables in Markdown."""

from collections.abc import Mapping, Sequence


def facts(title: str, values: Mapping[str, str | None]) -> str:
    """A section of names and values; what is not known is left out.

    >>> print(facts("File", {"name": "a|b", "licence": None}))
    ## File
    <BLANKLINE>
    | | |
    |---|---|
    | name | a\\|b |
    """
    return f"## {title}\n\n" + table(["", ""], [[name, text] for name, text in values.items() if text])


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = False) -> str:
    """A table; the first column is text, and so are the others unless they hold `numbers`, which stand right.

    >>> print(table(["row", "AJI"], [["IRNet", ".718"]], numbers=True))
    | row | AJI |
    |---|---:|
    | IRNet | .718 |
    """
    aligned = ["---", *["---:" if numbers else "---"] * (len(header) - 1)]
    return "\n".join([_line(header), f"|{'|'.join(aligned)}|", *map(_line, rows)])


def _line(cells: Sequence[str]) -> str:
    return "|" + "".join(f" {_escape(cell)} |" if cell else " |" for cell in cells)


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
