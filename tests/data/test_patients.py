"""Patients by table or pattern: every form that a spreadsheet saves, and what is wrong with one."""

import codecs
from pathlib import Path

import pytest

from irnet.data.patients import read_patients
from irnet.errors import InputError

NAMES = ["a.png", "sub/b.png", "Zelle ä.tif"]
RIGHT = {"a.png": "1", "sub/b.png": "P 2", "Zelle ä.tif": "007"}
ROWS = "a.png;1\nb.png;P 2\nZelle ä.tif;007\n"


@pytest.mark.parametrize(
    "content",
    [
        ROWS.encode(),
        codecs.BOM_UTF8 + ROWS.encode(),
        ROWS.replace(";", "\t").encode("utf-16"),
        ROWS.replace(";", "|").encode(),
        ROWS.replace(";", ",").replace("\n", "\r\n").encode(),
        ROWS.replace(";", ", ").encode(),
        b"sep=;\r\n" + ROWS.encode(),
        b"Image;Patient\n\n;\n" + ROWS.encode(),
        b"Bild;Nummer\n" + ROWS.encode(),
        "patient_id,age,file_name\n1,30,a.png\nP 2,,b.png\n007,50,Zelle ä.tif".encode(),
        "slide;name;file;patient\n8;x;a.png;1\n9;y;b.png;P 2\n9;z;Zelle ä.tif;007\n".encode(),
        "Fall;Name\n1;a\nP 2;b\n007;Zelle ä\n".encode(),
        'a.png,1\n"sub/b.png","P 2"\n"C:\\data\\Zelle ä.tif",007\nof another set.png,9\n'.encode(),
        'a.png;1\n"b.png";"P 2"\nZelle ä.tif;"007"\n"x, y; z.png";3'.encode(),
    ],
    ids=lambda content: content[:24].decode("latin-1"),
)
def test_tables_of_every_form(tmp_path: Path, content: bytes) -> None:
    table = tmp_path / "patients.csv"
    table.write_bytes(content)
    assert read_patients(str(table), NAMES) == RIGHT


def test_names_with_spaces_at_their_ends(tmp_path: Path) -> None:
    table = tmp_path / "patients.csv"
    table.write_text("image,patient\n a.png,1\nb ,2\nd/c.png ,3\n")
    names = [" a.png", "b .png", "d/c.png "]
    assert read_patients(str(table), names) == dict(zip(names, "123", strict=True))


def test_names_that_a_spreadsheet_would_take_for_formulas(tmp_path: Path) -> None:
    table = tmp_path / "patients.csv"
    table.write_text("image,patient\n'=1+1.png,'@p\n''-x.png,p'2\n", encoding="utf-8")
    assert read_patients(str(table), ["=1+1.png", "'-x.png"]) == {"=1+1.png": "@p", "'-x.png": "p'2"}


@pytest.mark.parametrize("word", ["NA", "nan", "NaN", "N/A", "#N/A", "<NA>", "null", "NULL", "None"])
def test_what_programs_write_for_none_is_no_patient(tmp_path: Path, word: str) -> None:
    table = tmp_path / "patients.csv"
    table.write_text(
        f'"image","patient"\n"a.png","Nana"\n"x.png",{word}\n"sub/b.png",{word}\n', encoding="utf-8"
    )
    with pytest.raises(
        InputError, match=rf"csv, line 4: no patient of sub/b\.png \({word} stands for none\): write one"
    ):
        read_patients(str(table), NAMES)
    assert read_patients(str(table), NAMES[:1]) == {"a.png": "Nana"}  # rows of other images are left alone


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a.png;1\n", r"no row for the image sub/b\.png and 1 more"),
        (ROWS + "a.png;1\n", r"line 4: a\.png is in line 1 too"),
        (ROWS.replace("007", ""), "line 3: no patient of Zelle ä.tif"),
        ("a.png;1;2\nb.png;3;4\n", "3 columns: call two of them image and patient"),
        ("image;patient;Patient\na.png;1;2\n", "2 columns are called patient"),
        ("a.png\nb.png\n", "needs two columns"),
        ("", "needs two columns"),
        (ROWS + "c.png\n", "line 4: 1 cells, where the first line has 2"),
        ('image;patient\na.png;"p1\nZelle ä.tif;p2\n', "a cell of several lines: close its quotes"),
    ],
)
def test_tables_that_say_too_little_or_too_much(tmp_path: Path, content: str, message: str) -> None:
    table = tmp_path / "patients.csv"
    table.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_patients(str(table), NAMES)


def test_a_row_that_fits_two_images_and_tables_that_are_none(tmp_path: Path) -> None:
    table = tmp_path / "patients.txt"
    table.write_text("a.png;1\n")
    with pytest.raises(InputError, match=r"line 1: 'a\.png' may be x/a\.png or y/a\.png"):
        read_patients(str(table), ["x/a.png", "y/a.png"])
    table.write_bytes(b"\xff\xd8\x00 no text")
    with pytest.raises(InputError, match="UTF-8"):
        read_patients(str(table), ["a.png"])
    with pytest.raises(InputError, match=r"none\.csv: no table that can be read"):
        read_patients(str(tmp_path / "none.csv"), ["a.png"])


def test_patterns() -> None:
    names = ["P01_a.png", "x/P2_b.png"]
    right = {"P01_a.png": "P01", "x/P2_b.png": "P2"}
    for pattern in (r"(P\d+)_", r"(?P<patient>P\d+)", r"(?:^|/)(P\d+)"):
        assert read_patients(pattern, names) == right


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r"P\d+_", "has no groups"),
        (r"(P)(\d+)", "has 2 groups"),
        (r"(P\d+", "no such table, and no pattern"),
        (r"(P\d\d)_", "no patient in the name P2_b.png"),
        (r"(Q?)\w", "no patient in the name P01_a.png"),
        ("patients.xlsx", "no such table"),
    ],
)
def test_patterns_that_name_no_patient(pattern: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_patients(pattern, ["P01_a.png", "P2_b.png"])
