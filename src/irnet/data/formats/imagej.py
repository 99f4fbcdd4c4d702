"""ImageJ regions: a zip of .roi files an image, as ImageJ's ROI Manager opens and saves it.

Regions know neither classes nor links. Their names give both: `c0012` is a cell, `c0012-n13` a nucleus of it,
`n0003` a bare nucleus. The numbers are those of instances in their image, -n13 that of the nucleus; the whole
id and the score stand among a region's properties.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.data.beside import ImageFinder, list_files
from irnet.data.coco.document import naming, short
from irnet.data.coco.rows import parse_score
from irnet.data.files import write_atomic
from irnet.data.formats.gathering import Gathering
from irnet.data.formats.imagej_shapes import name_without_area, outlines_of
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.geometry import polygons
from irnet.geometry.polygons import Ring
from irnet.progress import each
from irnet.wording import install_extra, name_instance

if TYPE_CHECKING:
    from roifile import ImagejRoi

SUFFIX = ".zip"
MAX_BYTES = 2**28  # of all regions, unpacked
MAX_SIDE = 2**15 - 1  # px: corners of regions are 16-bit numbers
COLOURS = {CYTOPLASM: bytes([255, 0, 114, 178]), NUCLEUS: bytes([255, 213, 94, 0])}  # ARGB
_NAME = re.compile(r"(?:c(?P<cell>\d{1,15})(?P<nucleus>-n\d{1,15})?|n\d{1,15})")
_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0  # of java.awt.geom.PathIterator
_START = (1980, 1, 1, 0, 0, 0)  # the same file each time


def write(path: str | os.PathLike, entry: Entry) -> None:
    """Write a region for each instance of an image. Raises InputError where roifile is missing."""
    cells = entry.content.cells
    if max(cells.image_shape) > MAX_SIDE:
        raise InputError(
            f"{entry.name}: ImageJ's regions reach no further than {MAX_SIDE:,} px: cut the image"
        )

    def stream(file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            names = _names(cells, entry.content.numbered)
            chosen = [index for _, index in names]
            drawn = polygons.outlines([cells.masks[index] for index in chosen], cells.offsets[chosen])
            size = 0
            for (name, index), rings in zip(names, drawn, strict=True):
                region = _region(entry, index, name, [ring[:-1] for ring in rings])
                if (size := size + len(region)) > MAX_BYTES:
                    raise InputError(
                        f"{entry.name}: its regions have more than {MAX_BYTES:,} bytes, which are not read "
                        "back: cut the image"
                    )
                info = zipfile.ZipInfo(f"{name}.roi", _START)
                archive.writestr(info, region, zipfile.ZIP_DEFLATED)

    write_atomic(path, stream)


def read(source: str | os.PathLike, *, images: str | os.PathLike | None = None) -> list[Entry]:
    """The images of STEM.zip files with their regions, as ImageJ fills them (`imagej_shapes`).

    Lines, points and texts are left out and counted. Raises InputError with file, region and remedy.
    """
    pictures = ImageFinder(source, images)
    entries = []
    for file in each(list_files(source, SUFFIX), "reading", lambda file: file.name):
        picture = pictures.of_file(file, SUFFIX)
        gathering = Gathering(*picture.measure())
        slices = set()
        for name, content in _unpack(file, gathering):
            with naming(f"{file}: region {name!r}"):
                slices.add(_take(name, content, gathering) or (0, 0, 0))
        with naming(str(file)):
            _refuse_slices(slices)
        content = gathering.content(file)
        entries.append(Entry(name=picture.name, path=picture.path, content=content, patient=picture.patient))
    return entries


def _names(cells: Cells, numbers: Sequence[int]) -> list[tuple[str, int]]:
    """A name for each instance that has pixels, cells before nuclei, and its index."""
    owners, names = {}, []
    for index in np.flatnonzero((cells.labels == CYTOPLASM) & (cells.areas > 0)).tolist():
        owners[index] = f"c{numbers[index]:04}"
        names.append((owners[index], index))
    for index in np.flatnonzero((cells.labels == NUCLEUS) & (cells.areas > 0)).tolist():
        owner = int(cells.parents[index])
        within = f"{owners[owner]}-" if owner in owners else ""
        names.append((f"{within}n{numbers[index]}" if within else f"n{numbers[index]:04}", index))
    return names


def _region(entry: Entry, index: int, name: str, rings: list[Ring]) -> bytes:
    """An instance as the content of a .roi file: a polygon, or a composite if it has holes or pieces."""
    roifile, cells = _roifile(), entry.content.cells
    region = roifile.ImagejRoi.frompoints(rings[0], name=name)
    region.roitype = roifile.ROI_TYPE.POLYGON
    region.stroke_color = COLOURS[int(cells.labels[index])]
    instance = " ".join(name_instance(entry.name, entry.content.numbered[index]).splitlines())
    region.props = f"id: {instance}\nscore: {cells.scores[index]:.6g}\n"
    if len(rings) > 1:
        _make_composite(region, rings)
        x1, y1, x2, y2 = cells.boxes[index].astype(int).tolist()
        region.left, region.top, region.right, region.bottom = x1, y1, x2, y2
    return region.tobytes()


def _make_composite(region: ImagejRoi, rings: list[Ring]) -> None:
    roifile = _roifile()
    path: list[float] = []
    for ring in rings:
        for step, (x, y) in zip([_MOVE] + [_LINE] * (len(ring) - 1), ring.tolist(), strict=True):
            path += [step, x, y]
        path.append(_CLOSE)
    region.roitype, region.options = roifile.ROI_TYPE.RECT, roifile.ROI_OPTIONS.NONE
    region.integer_coordinates = region.subpixel_coordinates = None
    region.multi_coordinates = np.array(path, dtype=np.float32)
    region.n_coordinates, region.shape_roi_size = 0, len(path)


def _unpack(file: Path, gathering: Gathering) -> list[tuple[str, bytes]]:
    """Names and contents of the regions, within MAX_BYTES; other files are counted. Raises InputError."""
    try:
        with zipfile.ZipFile(file) as archive:
            infos = [info for info in archive.infolist() if not _is_hidden(info)]
            others = [info for info in infos if not info.filename.lower().endswith(".roi")]
            infos = [info for info in infos if info not in others]
            if (size := sum(info.file_size for info in infos)) > MAX_BYTES:
                raise InputError(f"{size:,} bytes unpacked are more than {MAX_BYTES:,}: not read")
            for _ in others:
                gathering.leave_out("file that is no .roi")
            return [(info.filename.rpartition("/")[2][:-4], _read_member(archive, info)) for info in infos]
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
    except MemoryError:
        raise
    except Exception as error:  # a damaged archive can raise anything in the reader
        raise InputError(
            f"{file}: not a zip of regions, or a damaged one ({error}): save it again"
        ) from error


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The content, no more of it than the archive says: `ZipFile.read` unpacks it all before it looks."""
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError(f"{info.filename} is compressed as ImageJ never does: zip the regions again")
    with archive.open(info) as member:
        content = member.read(info.file_size)
        member.read(1)  # at the end the checksum is compared
    return content


def _is_hidden(info: zipfile.ZipInfo) -> bool:
    """Folders, and what macOS and file managers add to an archive."""
    parts = info.filename.split("/")
    return info.is_dir() or "__MACOSX" in parts or parts[-1].startswith(".")


def _take(name: str, content: bytes, gathering: Gathering) -> tuple[int, int, int] | None:
    """Add a region; the slice of a stack that it was drawn on, None: it covers nothing."""
    try:
        region = _roifile().ImagejRoi.frombytes(content)
        if without_area := name_without_area(region):
            gathering.leave_out(f"{without_area}: no area")
            return None
        rings, score = outlines_of(region, content), _score(region.props)
        named = re.search(r"^id: *(.*#\d+) *$", region.props, re.MULTILINE)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # a damaged file can raise anything in the reader
        raise InputError(f"damaged ({error}): save it again") from error
    if not (match := _NAME.fullmatch(name)):
        raise InputError("call a cell c0012, its nuclei c0012-n1 and c0012-n2, a bare nucleus n0003")
    label = CYTOPLASM if match["cell"] and not match["nucleus"] else NUCLEUS
    group = int(match["cell"]) if match["cell"] else None
    gathering.add(*gathering.draw(rings), label, group=group, score=score, name=named[1] if named else None)
    return region.position, region.z_position, region.t_position


def _refuse_slices(places: set[tuple[int, int, int]]) -> None:
    """Raise InputError for regions of several slices of a stack: an image here is one of them."""
    if len(slices := places - {(0, 0, 0)}) > 1:
        raise InputError(
            f"regions of {len(slices)} slices or frames of a stack: save those of one slice, with its image"
        )


def _score(properties: str) -> float:
    found = re.search(r"^score: *(\S+) *$", properties, re.MULTILINE)
    if not found:
        return 1.0
    try:
        score = float(found[1])
    except ValueError:
        raise InputError(f"the property score must be a number, not {short(found[1])}") from None
    return parse_score(score)


def check() -> None:
    """Raise InputError where what is needed to read and write is missing."""
    _roifile()


def _roifile() -> ModuleType:
    """The library. Raises InputError where it is missing."""
    try:
        import roifile
    except ImportError as error:
        raise InputError(f"ImageJ's regions need roifile: {install_extra('export')}") from error
    return roifile
