"""The documentation names what exists: links, verbs, options, and the files and functions of paper.md."""

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest
import typer

from irnet.cli import app
from irnet.config import json_schema, load_recipe

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAPER = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")
LINK = re.compile(r"\]\((?!https?://)([^)#]+)[^)]*\)")


def definitions(path: Path) -> set[str]:
    """Names of the functions and classes of a file, methods as Class.method."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {
                f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)
            }
    return names


def commands() -> dict[str, typer.core.TyperCommand]:
    found = {}
    for name, command in typer.main.get_group(app).commands.items():
        inner = command.commands if isinstance(command, typer.core.TyperGroup) else {"": command}
        found |= {f"{name} {verb}".strip(): one for verb, one in inner.items()}
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_pictures_are_shown_and_light() -> None:
    shown = set()
    for page in PAGES:
        targets = LINK.findall(page.read_text(encoding="utf-8"))
        shown |= {(page.parent / target).resolve() for target in targets}

    files = set((ROOT / "docs" / "images").iterdir())
    assert files - shown == set()
    films = sum(file.stat().st_size for file in files if file.suffix == ".gif")
    assert films < 2_000_000
    assert sum(file.stat().st_size for file in files) - films < 1_500_000


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / target).resolve() for target in LINK.findall(index.read_text(encoding="utf-8"))}
    pages = {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - {index}
    assert {
        page.relative_to(ROOT) for page in pages if "decisions" not in page.parts and page not in linked
    } == set()


def test_every_decision_is_in_their_list() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = LINK.findall((folder / "README.md").read_text(encoding="utf-8"))
    assert listed == sorted(page.name for page in folder.glob("[0-9]*.md"))


def test_what_is_said_of_installing_works_from_a_clone() -> None:
    """irnet is on no index: extras are installed out of the clone, and are those of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    places = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", ROOT / "Makefile"]
    for folder, pattern in (("docs", "*.md"), ("src", "*.py"), ("benchmarks", "*.py"), ("recipes", "*.toml")):
        places += (ROOT / folder).rglob(pattern)

    named = set()
    for place in places:
        text = place.read_text(encoding="utf-8")
        from_an_index = re.findall(r"pip install ['\"]?irnet\b", text)
        assert from_an_index == [] or place.name == "releasing.md", place
        named |= set(re.findall(r"['\"]\.\[(\w+)\]['\"]|install_extra\(['\"](\w+)", text))
    extras = {extra or other for extra, other in named}
    assert len(extras) > 6
    assert extras <= project["optional-dependencies"].keys()


def test_every_verb_and_option_is_in_the_reference() -> None:
    text = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## irnet ([a-z -]+[a-z]).*?\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    assert sections.keys() == commands().keys()
    shared = text[: text.index("## irnet doctor")]
    for verb, command in commands().items():
        for parameter in command.params:
            for option in (o for o in parameter.opts if o.startswith("--")):
                assert option in sections[verb] or option in shared, f"{verb} {option}"


def test_the_reference_names_no_option_that_is_not_there() -> None:
    text = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    options = [p for command in commands().values() for p in command.params]
    known = {name for option in options for name in (*option.opts, *option.secondary_opts)}
    assert set(re.findall(r"`(--[a-z-]+)", text)) <= known | {"--help"}


def test_the_readme_shows_how_to_predict_train_and_cite() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for needed in ("irnet predict", "irnet train", "make demo", "make test", "arXiv:1908.06623"):
        assert needed in text
    assert "Research use only; not a diagnostic device; it measures cells, it does not grade them" in text


@pytest.mark.parametrize(("path", "name"), re.findall(r"`((?:src|benchmarks)/[\w/]+\.py):([\w.]+)`", PAPER))
def test_the_code_that_paper_md_names_exists(path: str, name: str) -> None:
    assert name in definitions(ROOT / path)


@pytest.mark.parametrize(("path", "name"), re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAPER))
def test_the_tests_that_paper_md_names_exist(path: str, name: str) -> None:
    assert (ROOT / path).exists()
    assert not name or name in definitions(ROOT / path)


@pytest.mark.parametrize("row", re.findall(r"^\| Table.*$", PAPER, re.M))
def test_the_settings_of_table_rows_are_accepted(row: str) -> None:
    overrides = re.findall(r"--set ([\w.=]+)", row)
    assert overrides or "none" in row or "not in this version" in row
    load_recipe("paper", overrides)


def test_the_recipes_part_as_paper_md_says() -> None:
    rows = re.findall(r"^\| `(model[\w.]+)`.*?\| `(\w+)` \| `(\w+)` \| `(\w+)` \|$", PAPER, re.M)
    assert len(rows) == 3
    for key, *values in rows:
        for recipe, value in zip(("paper", "authors", "default"), values, strict=True):
            setting: object = load_recipe(recipe)
            for part in key.split("."):
                setting = getattr(setting, part)
            assert setting == value


def test_files_that_paper_md_and_architecture_name_exist() -> None:
    text = PAPER + (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:src|tests|recipes|benchmarks)/[\w/.-]*)`", text))
    assert len(named) > 30
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_file_of_the_wings_has_its_line_in_architecture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    package = ROOT / "src" / "irnet"
    wings = ("inference", "training", "verbs", "study", "data/coco", "data/checks")
    files = [file.relative_to(package) for wing in wings for file in (package / wing).rglob("*.py")]
    there = sorted(file.as_posix() for file in files if file.name != "__init__.py")
    assert sorted(re.findall(rf"^\| `((?:{'|'.join(wings)})/[\w/]+\.py)`", text, re.M)) == there


def test_the_published_schema_is_that_of_the_settings() -> None:
    published = json.loads((ROOT / "docs" / "reference" / "recipe.schema.json").read_text(encoding="utf-8"))
    assert published == json_schema(), (
        "write it again: python -c 'import json; from irnet.config import json_schema; "
        "print(json.dumps(json_schema(), indent=1))' > docs/reference/recipe.schema.json"
    )
