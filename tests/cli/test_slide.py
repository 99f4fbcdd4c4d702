"""`irnet slide` on the command line: what is on a slide, and no word of what stands in its tags."""

import shlex
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from made_slides import noise, write_ome, write_pyramid

from irnet.synthetic import generate
from irnet.verbs.slide_info import slide_info


def glass(height: int, width: int) -> np.ndarray:
    image = np.full((height, width, 3), 235, np.uint8)
    image[100:300, 200:500] = 150
    return image


def test_info_says_how_a_slide_is_read(run, tmp_path: Path) -> None:
    path = write_pyramid(
        tmp_path / "a.svs", glass(1000, 1200), description="Aperio |MPP = 0.5|Patient = ANNA EXAMPLE"
    )
    ran = run("slide", "info", path)
    assert ran.code == 0
    for said in (
        "a.svs: 1200 x 1000 px",
        "OpenSlide",
        "600 x 500",
        "0.5 um per pixel",
        "0.3 mm2",
        "show something",
    ):
        assert said in ran.out
    assert "ANNA" not in ran.out + ran.err

    empty = write_pyramid(tmp_path / "empty.tif", np.full((300, 300, 3), 235, np.uint8), mpp=0.5)
    said = run("slide", "info", empty).out
    assert ("nothing to segment" in said, "min of one CPU core" in said) == (True, False)

    found = slide_info(path)
    assert found.tissue is not None
    assert found.tissue.share * 0.3 == pytest.approx(200 * 300 * 0.5**2 / 1e6, rel=0.1)  # mm2


def test_info_of_planes_and_of_unknown_scale(run, tmp_path: Path) -> None:
    planes = np.stack([glass(400, 600)] * 5)
    path = write_ome(tmp_path / "a.ome.tif", planes)
    assert "5 focal planes are fused" in run("slide", "info", path).out
    assert "plane 4 of 5 focal planes is taken" in run("slide", "info", path, "--plane", 4).out
    refused = run("slide", "info", path, "--plane", 5)
    assert (refused.code, "give 0 to 4" in refused.err) == (2, True)

    unknown = write_pyramid(tmp_path / "b.tif", noise(1, 300, 300, 3), mpp=None)
    assert "um per pixel unknown: give --mpp" in run("slide", "info", unknown).out
    assert "0.3 um per pixel" in run("slide", "info", unknown, "--mpp", 0.3).out


def test_info_of_what_is_no_slide(run, tmp_path: Path) -> None:
    (tmp_path / "a.svs").write_text("no slide")
    for name in ("a.svs", "none.svs", "."):
        ran = run("slide", "info", tmp_path / name)
        assert ran.code == 2
        assert str(tmp_path) in ran.err
    for name, content in (("a.svs", b"text"), ("a.NDPI", b"")):
        (tmp_path / name).write_bytes(content)
        assert "no slide, or damaged" in run("slide", "info", tmp_path / name).err


def test_from_slide_to_table(run, network: Path, tmp_path: Path) -> None:
    image, _ = generate(1, size=(300, 400), mpp=0.3, count=6)
    slide, out = write_pyramid(tmp_path / "a.tif", image, mpp=0.3, levels=1), tmp_path / "out"
    planned = run("slide", "plan", slide, "-o", out, "--model", network, "--window", 128, "--rename", "--all")
    assert planned.code == 0
    assert "slide-0001: 6 windows to segment of 6" in planned.out

    assert run("slide", "finish", out).code == 2
    first = run("slide", "run", out, "--shard", "1/2", "--device", "cpu")
    assert (first.code, "3 windows done" in first.out) == (0, True), first.err
    assert "3 done, 0 failed, 3 missing" in run("slide", "status", out).out
    assert "3 windows done, 3 before" in run("slide", "run", out, "--device", "cpu").out

    finished = run("slide", "finish", out)
    assert finished.code == 0, finished.err
    assert (out / "slides" / "slide-0001" / "cells.db").is_file()
    table = (out / "slides.csv").read_text(encoding="utf-8-sig").splitlines()
    assert table[0].startswith("slide,cells,nuclei")
    assert table[1].startswith("slide-0001,")
    assert "cells.csv" in run("measure", out).out
    assert "1 slide written" in run("export", out, "--to", "csv").out
    assert "report.html" in run("report", out).out
    for place in (out, out / "slides" / "slide-0001" / "cells.db"):
        told = run("data", "check", place)
        assert (told.code, "take slides.csv" in told.err) == (2, True), told.err
    refused = run("slide", "run", out, "--shard", "half")
    assert (refused.code, "2/4" in refused.err) == (2, True)


def test_a_slide_of_unknown_scale_is_not_planned(run, network: Path, tmp_path: Path) -> None:
    slide = write_pyramid(tmp_path / "a.tif", noise(1, 300, 300, 3), mpp=None)
    refused = run("slide", "plan", slide, "-o", tmp_path / "out", "--model", network)
    assert (refused.code, "give --mpp" in refused.err) == (2, True)
    for window, use in ((0, 64), (700, 704)):
        told = ("-o", tmp_path / "out", "--model", network, "--mpp", 0.3, "--window", window)
        refused = run("slide", "plan", slide, *told)
        assert (refused.code, "(--window)" in refused.err, f"use {use} and 256" in refused.err) == (
            2,
            True,
            True,
        )
    for region in ("1,2,3", "5000,0,10,10"):
        told = ("-o", tmp_path / "out", "--model", network, "--mpp", 0.3, "--region", region)
        assert run("slide", "plan", slide, *told).code == 2
    assert not (tmp_path / "out" / "slides.json").exists()


def test_predict_takes_a_slide(run, network: Path, tmp_path: Path) -> None:
    image, _ = generate(1, size=(200, 300), mpp=0.3, count=3)
    slide = write_pyramid(
        tmp_path / "a.svs", image, levels=1, description="Aperio |MPP = 0.3|Name = ANNA EXAMPLE"
    )
    out, told = tmp_path / "out", ("--model", network, "--device", "cpu")
    ran = run("predict", slide, "-o", out, *told)
    assert (ran.code, "1 window done" in ran.out) == (0, True), ran.err
    assert "0 windows done, 1 before" in run("predict", tmp_path, "-o", out, *told).out
    for file in out.rglob("*"):
        assert not file.is_file() or b"ANNA" not in file.read_bytes()

    refused = run("predict", slide, "-o", out, *told, "--scale", 1)
    assert (refused.code, "no --scale" in refused.err) == (2, True)
    PIL.Image.fromarray(image).save(tmp_path / "b.png")
    mixed = run("predict", slide, tmp_path / "b.png", "-o", tmp_path / "both", *told)
    assert (mixed.code, "two calls" in mixed.err) == (2, True)


def test_slides_beside_images_are_told_how_they_are_run(run, network: Path, tmp_path: Path) -> None:
    folder = tmp_path / "both"
    folder.mkdir()
    image, _ = generate(1, size=(120, 120), mpp=0.3, count=1)
    PIL.Image.fromarray(image).save(folder / "a.png")
    for name in ("b.svs", "c.svs"):
        write_pyramid(folder / name, image, levels=1)
    ran = run("predict", folder, "-o", tmp_path / "out", "--model", network, "--device", "cpu", "--scale", 1)
    assert ran.code == 0
    assert f"irnet predict {folder / 'b.svs'} -o ANOTHER_FOLDER" in ran.err
    refused = run("predict", folder, "-o", tmp_path / "out", "--plane", "fuse")
    assert (refused.code, "--plane is of slides" in refused.err) == (2, True)


def test_commands_to_go_on_with_are_quoted(run, network: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Anna's slides (2)"
    folder.mkdir()
    image, _ = generate(1, size=(120, 120), mpp=0.3, count=1)
    slide, out = write_pyramid(folder / "a b.svs", image, mpp=0.3, levels=1), folder / "out"
    quoted = shlex.quote(str(out))
    assert f"irnet slide plan SLIDE -o {quoted}" in run("slide", "run", out).err
    planned = run("slide", "plan", slide, "-o", out, "--model", network, "--mpp", 0.3)
    assert planned.out.endswith(f": irnet slide run {quoted}\n"), planned.err
    assert f"irnet slide run {quoted} does them" in run("slide", "finish", out).err
    assert f"irnet slide finish {quoted} writes it" in run("export", out, "--to", "csv").err
    (out / "slides.json").write_text("{}")
    assert f"irnet slide plan SLIDE -o {quoted} with" in run("slide", "status", out).err

    PIL.Image.fromarray(image).save(folder / "c.png")
    beside = run("predict", folder, "-o", tmp_path / "found", "--model", network, "--scale", 1)
    assert f"irnet predict {shlex.quote(str(slide))} -o ANOTHER_FOLDER" in beside.err
