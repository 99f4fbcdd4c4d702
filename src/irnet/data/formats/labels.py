"""Label maps: pictures in which each pixel holds the number of the one instance it belongs to, or 0.

Cellpose (`STEM_cp_masks.png` or `.tif`), StarDist and InstanSeg write them, as PNG or TIFF. A page holds one
class. No pixel can belong to two instances of a class, so that the overlap of cells is lost.

Ours are two: STEM_cells.tif and STEM_nuclei.tif. The nuclei of a cell have the number of the cell. A tag says
that they are ours: cells that others cut in pieces look like a binary map or a picture.
"""

import io
import logging
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from skimage.measure import label as number_pieces

from irnet.cells import CYTOPLASM, NO_PARENT, NUCLEUS, Cells
from irnet.data.beside import ImageFinder, list_files
from irnet.data.coco.document import naming
from irnet.data.components import split_components
from irnet.data.files import write_atomic
from irnet.data.formats.gathering import Gathering
from irnet.data.formats.label_pieces import box_size, check_pieces
from irnet.data.mask_image import Map, read_integers
from irnet.data.sample import Entry
from irnet.data.stored import software_of
from irnet.errors import InputError
from irnet.geometry.masks import Mask, Offset, Shape
from irnet.progress import each
from irnet.wording import number_of

MARK = "irnet label map"  # in the Software tag of ours
MAX_LABELS = 2**16
MAX_OWN_LABELS = 2**20
MAX_CROP_PIXELS = 2**30  # all crops of a page together: labels strewn over the frame stand for gigabytes
_ROWS = 256  # at a time
_CROPS_A_PIXEL = 8  # or, in large frames, a pixel
CELLS, NUCLEI = "_cells.tif", "_nuclei.tif"
_TOGETHER = 0.9  # share of nuclei that lie mostly in the cell of their number, where maps share numbers
_logger = logging.getLogger(__name__)


class Lost(NamedTuple):
    """What two maps cannot hold of the instances of an image."""

    pixels: int  # that belong to several instances of a class, except for one each
    hidden: int  # instances that lie under others whole
    changed: int  # nuclei that come back as others: in pieces, or joined with one of their cell

    def lines(self, areas: int) -> Iterator[str]:
        """Lines for the user; `areas` are the pixels of all instances."""
        if self.pixels:
            yield f"{self.pixels:,} of {areas:,} px of instances lost under others"
        if self.hidden:
            yield f"{number_of(self.hidden, 'instance')} lost whole, under others"
        if self.changed:
            yield (
                f"{self.changed:,} nuclei lie in pieces or touch another of their cell: each piece is read "
                "back as one"
            )


class _Piece(NamedTuple):
    """A nucleus in a map: a piece of a number."""

    number: int
    crop: Mask
    place: Offset


def write(stem: str | os.PathLike, cells: Cells) -> Lost:
    """Write `stem`_cells.tif and `stem`_nuclei.tif; return what is lost.

    A pixel of several instances goes to the one of the highest score, of equals to the first. Raises
    InputError for more instances than `read` takes.
    """
    if len(cells) > MAX_OWN_LABELS:
        raise InputError(f"{len(cells):,} instances are more than {MAX_OWN_LABELS:,} labels: cut the image")
    owned = np.where(cells.labels == CYTOPLASM, np.arange(len(cells)), cells.parents)
    alone = owned == NO_PARENT
    owned[alone] = len(cells) + np.arange(np.count_nonzero(alone))
    _, numbers = np.unique(owned, return_inverse=True)
    lost = np.zeros(len(Lost._fields), dtype=np.int64)
    for label, suffix in ((CYTOPLASM, CELLS), (NUCLEUS, NUCLEI)):
        some = cells.of(label)
        owners, table = _flatten(some), np.concatenate([[0], numbers[cells.labels == label] + 1])
        values = np.empty(owners.shape, dtype=np.uint16 if table.max() < 2**16 else np.uint32)
        seen = np.zeros(len(table), dtype=np.int64)
        for top in range(0, len(owners), _ROWS):  # a lookup takes 8 bytes a pixel
            own = owners[top : top + _ROWS]
            values[top : top + _ROWS] = table[own]
            seen += np.bincount(own.ravel(), minlength=len(table))
        lost[0] += some.areas.sum() - seen[1:].sum()
        lost[1] += np.count_nonzero((some.areas > 0) & (seen[1:] == 0))
        lost[2] += _changed(owners, values) if label == NUCLEUS else 0
        write_atomic(f"{os.fspath(stem)}{suffix}", _to_tiff(values, cells.mpp))
    return Lost(*lost.tolist())


def read(source: str | os.PathLike, *, images: str | os.PathLike | None = None) -> list[Entry]:
    """The images of STEM_cells.tif files with their cells, and with the nuclei of STEM_nuclei.tif.

    A piece of a number is a nucleus of its own. It belongs to the cell with that number if the maps are ours,
    or if they overlap and nearly all nuclei do so; else to the cell that holds most of it: tools number
    the two maps apart. Without any map of nuclei these are not annotated. InputError.
    """
    pictures = ImageFinder(source, images)
    files = list_files(source, CELLS)
    lacking = [file for file in map(_nuclei_of, files) if not file.is_file()]
    if 0 < len(lacking) < len(files):
        have = f"{len(files) - len(lacking)} of {number_of(len(files), 'image')} have one"
        raise InputError(f"{lacking[0]}: no such file, and {have}: add a map of 0 where there is no nucleus")
    if lacking:
        _logger.warning("%s: no STEM%s: nuclei count as not annotated", source, NUCLEI)
    entries = []
    for file in each(files, "reading", lambda file: file.name):
        picture = pictures.of_file(file, CELLS)
        gathering = Gathering(*picture.measure())
        nuclei = _nuclei_of(file)
        owners, own = _only_page(file, gathering.shape), software_of(file) == MARK
        cells = _cells(owners, CYTOPLASM, file, own=own)
        numbers = [number for number in _numbers(owners).tolist() if number]
        for number, crop, place in zip(numbers, cells.masks, cells.offsets.tolist(), strict=True):
            gathering.add(crop, (place[0], place[1]), CYTOPLASM, group=number)
        if not lacking:
            linked = set(numbers) if own and software_of(nuclei) == MARK else None
            _add_nuclei(nuclei, owners, linked, gathering)
        content = gathering.content(file)
        entries.append(Entry(name=picture.name, path=picture.path, content=content, patient=picture.patient))
    return entries


def _nuclei_of(file: Path) -> Path:
    """The map of nuclei beside a map of cells."""
    return file.with_name(file.name[: -len(CELLS)] + NUCLEI)


def read_labels(path: str | os.PathLike, shape: Shape, labels: Sequence[int] = (CYTOPLASM,)) -> Cells:
    """The instances of a file's label maps, in a frame of `shape` (H, W).

    `labels` says of which class the instances of each page are. Raises InputError that names the file and
    the remedy, also for a binary map or a picture: its "labels" lie in many pieces.
    """
    path = Path(path)
    pages, own = read_integers(path, shape), software_of(path) == MARK
    if len(pages) != len(labels):
        raise InputError(
            f"{path}: {len(pages)} pages, but {len(labels)} classes: name the class of each page, for "
            "example --label nucleus,cytoplasm"
        )
    pairs = zip(pages, labels, strict=True)
    return Cells.concat([_cells(page, label, path, own=own) for page, label in pairs])


def _only_page(file: Path, shape: Shape) -> Map:
    pages = read_integers(file, shape)
    if len(pages) != 1:
        raise InputError(f"{file}: {len(pages)} pages, not one: export it again")
    return pages[0]


def _add_nuclei(file: Path, owners: Map, linked: Collection[int] | None, gathering: Gathering) -> None:
    """The pieces of a map of nuclei; `linked` are numbers that mean a cell wherever it lies, None: none."""
    values = _only_page(file, gathering.shape)
    nuclei = _cells(values, NUCLEUS, file, in_pieces=True, own=linked is not None)
    numbers = [number for number in _numbers(values).tolist() if number]
    pieces: list[_Piece] = []
    for number, mask, (x, y) in zip(numbers, nuclei.masks, nuclei.offsets.tolist(), strict=True):
        for crop, (left, top) in zip(*split_components(mask), strict=True):
            pieces.append(_Piece(number, crop, (x + left, y + top)))

    if linked is None:
        groups = _find_owners(owners, pieces)
    else:
        groups = [piece.number if piece.number in linked else None for piece in pieces]
    for piece, group in zip(pieces, groups, strict=True):
        gathering.add(piece.crop, piece.place, NUCLEUS, group=group)


def _find_owners(owners: Map, pieces: Sequence[_Piece]) -> list[int | None]:
    """The number of the cell that each nucleus belongs to, None where it lies in no cell.

    One rule for both maps: where nearly all nuclei lie mostly in the cell of their number it is that cell, if
    they overlap; else the cell that holds most of them.
    """
    under = [_count_under(owners, piece.crop, piece.place) for piece in pieces]
    same, inside = 0, 0
    for piece, pixels in zip(pieces, under, strict=True):
        inside += bool(pixels)
        same += bool(pixels) and pixels.get(piece.number) == max(pixels.values())

    together = same >= _TOGETHER * inside
    return [
        piece.number
        if together and piece.number in pixels
        else max(pixels, key=pixels.__getitem__, default=None)
        for piece, pixels in zip(pieces, under, strict=True)
    ]


def _count_under(owners: Map, crop: Mask, place: Offset) -> dict[int, int]:
    """Pixels of a nucleus in each cell that holds any, by the cell's number."""
    x, y = place
    under = owners[y : y + crop.shape[0], x : x + crop.shape[1]][crop]
    found, counts = np.unique(under[under != 0], return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _flatten(cells: Cells) -> NDArray[np.int32]:
    """The place of the instance, from 1, that each pixel goes to, 0 for none."""
    owners = np.zeros(cells.image_shape, dtype=np.int32)
    order = np.argsort(-cells.scores, kind="stable")
    for index in order[::-1].tolist():  # the best one last, on top
        (x, y), mask = cells.offsets[index].tolist(), cells.masks[index]
        owners[y : y + mask.shape[0], x : x + mask.shape[1]][mask] = index + 1
    return owners


def _changed(owners: NDArray[np.int32], values: NDArray[np.unsignedinteger]) -> int:
    """How many nuclei that are seen are not the one whole piece of their number."""
    changed = 0
    for number, place in enumerate(find_objects(values), start=1):
        if place is None:
            continue
        chosen = values[place] == number
        pieces = np.asarray(number_pieces(chosen, connectivity=2))
        pairs = np.unique(np.stack([owners[place][chosen], pieces[chosen]], axis=1), axis=0)
        nuclei, in_piece = np.unique(pairs[:, 0]), np.bincount(pairs[:, 1])
        whole = np.bincount(np.searchsorted(nuclei, pairs[:, 0])) == 1
        alone = in_piece[pairs[np.searchsorted(pairs[:, 0], nuclei), 1]] == 1
        changed += len(nuclei) - int(np.count_nonzero(whole & alone))
    return changed


def _to_tiff(values: NDArray[np.unsignedinteger], mpp: float | None) -> bytes:
    scale = {} if mpp is None else {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(content := io.BytesIO(), values, compression="zlib", software=MARK, **scale)
    return content.getvalue()


def _cells(values: Map, label: int, file: Path, *, in_pieces: bool = False, own: bool = False) -> Cells:
    """The instances of a map. Raises InputError for what is none, unless it is our `own`."""
    with naming(str(file)):
        if values.min() < 0:
            raise InputError(f"the label {values.min()} is negative: save the map with more bits")
        numbered, count = _renumber(values, MAX_OWN_LABELS if own else MAX_LABELS)
        several = 0 if own else check_pieces(values, numbered, count, apart=in_pieces)
        places = find_objects(numbered)
        if sum(map(box_size, places)) > max(MAX_CROP_PIXELS, _CROPS_A_PIXEL * values.size):
            raise InputError("its labels are scattered over the whole frame: is it a picture?")
    if several:
        _logger.warning("%s: labels in several pieces, each read as one cell or nucleus: %d", file, several)

    return Cells.build(
        [numbered[place] == number for number, place in enumerate(places, start=1)],
        [(columns.start, rows.start) for rows, columns in places],
        [label] * count,
        (values.shape[0], values.shape[1]),
    )


def _renumber(values: Map, most: int) -> tuple[NDArray[np.int32], int]:
    """The map with labels 1, 2, 3, ... in their order, however large they were, and their number."""
    found = _numbers(values)
    first = 0 if found[0] == 0 else 1
    if (count := len(found) + first - 1) > most:
        raise InputError(f"{count:,} labels are more than {most:,}: is it a picture?")
    numbered = np.empty(values.shape, dtype=np.int32)
    for top in range(0, len(values), _ROWS):
        numbered[top : top + _ROWS] = np.searchsorted(found, values[top : top + _ROWS]) + first
    return numbered, count


def _numbers(values: Map) -> NDArray:
    """The numbers of a map, ascending; the whole of a large one is never sorted."""
    some = [np.unique(values[top : top + _ROWS]) for top in range(0, len(values), _ROWS)]
    return np.unique(np.concatenate(some))
