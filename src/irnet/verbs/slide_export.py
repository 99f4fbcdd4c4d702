"""`irnet export` and `irnet measure` of whole slides, few of their cells in memory at a time."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from irnet.cells import Content
from irnet.data.coco.document import Row as Feature
from irnet.data.coco.run_record import made_from
from irnet.data.files import remove_drafts, safe_join, unwritable, write_atomic
from irnet.data.formats import qupath, qupath_geometry
from irnet.data.formats.qupath_names import name_measurements
from irnet.data.formats.qupath_objects import annotations, cell_objects, write_features
from irnet.data.locking import writing
from irnet.data.sample import Entry
from irnet.errors import InputError
from irnet.geometry.polygons import Ring
from irnet.morphometry.parquet import check_parquet, write_parquet
from irnet.morphometry.table import Row, write_csv
from irnet.progress import each
from irnet.slides.geoparquet import write_geoparquet
from irnet.slides.instance import AGAIN, as_cells
from irnet.slides.reading import Instance, Store, StoreMeta, open_store
from irnet.slides.store import TILE
from irnet.slides.table import rows_of, tables
from irnet.verbs.exported import Exported
from irnet.verbs.finished_slides import finished_slides
from irnet.wording import number_of

FORMATS = ("qupath", "csv", "parquet")
TABLE = "cells.csv"
_SIDE = 8  # tiles of cells.db a side of what one file of GeoJSON holds
_DIGITS = 2  # of coordinates: what QuPath rounds to
_logger = logging.getLogger(__name__)


def export_slides(source: str | Path, to: str, out: Path | None, *, style: str, replace: bool) -> Exported:
    """Write the cells of slides: of all of a folder, of one slide's folder, or of a cells.db.

    "csv": one cells.csv. "parquet": GeoParquet, a file a slide. "qupath": GeoJSON, a folder a slide, a file
    for so many tiles. The rest is as in `export`.
    """
    if to != "csv":
        qupath_geometry.check()
    if to == "parquet":
        check_parquet()

    done = Exported(made_from(source, to) if out is None else out, 0, what="slide")
    paths, done.errors = finished_slides(source)
    metas, done.images = _check(paths), len(paths)
    if not any(meta.cells + meta.nuclei for meta in metas):
        done.notes.append(f"{source}: no cell and no nucleus in {number_of(len(paths), 'slide')}")

    names = {"csv": [TABLE], "parquet": [f"{meta.name}.parquet" for meta in metas]}
    targets = [safe_join(done.folder, name) for name in names.get(to, [meta.name for meta in metas])]
    with writing(done.folder, "irnet export"):
        if not replace and (there := [target for target in targets if target.exists()]):
            raise InputError(
                f"{there[0]} is there already: write to another folder with -o, or move the old one away"
            )
        if to == "csv":
            write_atomic(targets[0], partial(write_csv, rows=chain.from_iterable(_tables(paths))))
        else:
            for target, path in zip(targets, paths, strict=True):
                with open_store(path) as store:
                    _write_slide(target, store, to, style, done)
        remove_drafts([done.folder])
    return done


def measure_slides(source: str | Path, save: Sequence[str]) -> tuple[list[Path], int, list[str]]:
    """Write cells.csv, cells.parquet or both of slides beside what was found.

    What windows measured is written as it is. Returns the files, how many rows, and why slides are left out.
    Raises InputError.
    """
    folder = Path(source) if Path(source).is_dir() else Path(source).parent
    paths, left_out = finished_slides(source)
    metas, files = _check(paths), [folder / f"cells.{kind}" for kind in save]
    with writing(folder, "irnet measure"):
        for file in files:
            if file.name == TABLE:
                write_atomic(file, partial(write_csv, rows=chain.from_iterable(_tables(paths))))
            else:
                write_atomic(file, partial(write_parquet, parts=_tables(paths)))
        remove_drafts([folder])
    return files, sum(meta.cells + meta.nuclei for meta in metas), left_out


def _check(paths: Sequence[Path]) -> list[StoreMeta]:
    """What the stores say of themselves, before anything is written. Raises InputError."""
    metas = []
    for path in paths:
        with open_store(path) as store:
            metas.append(store.meta)
            if lost := store.lost():
                of = f"{number_of(lost, 'nucleus')} of cells that are not there"
                _logger.warning("%s: damaged: %s, written as nuclei without a cell: %s", path, of, AGAIN)
    return metas


def _tables(paths: Sequence[Path]) -> Iterator[list[Row]]:
    """The rows of all slides, those of a tile at a time."""
    for path in paths:
        with open_store(path) as store:
            yield from (rows for _, rows in tables(store))


def _write_slide(target: Path, store: Store, to: str, style: str, done: Exported) -> None:
    if to == "parquet":
        write_atomic(target, partial(write_geoparquet, store=store))
    else:
        _write_qupath(target, store, style, done)


def _write_qupath(folder: Path, store: Store, style: str, done: Exported) -> None:
    """Write the folder of a slide, whole or not at all: a file for _SIDE x _SIDE tiles with any cell."""
    draft, earlier = (folder.with_name(f".{folder.name}.{what}") for what in ("draft", "earlier"))
    try:
        for left in (draft, earlier):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        tiles = store.tiles()[:, :2]
        blocks = np.unique(tiles // _SIDE, axis=0).tolist()
        for block in each(blocks, f"writing {store.meta.name}"):
            mine = tiles[(tiles // _SIDE == block).all(axis=1)].tolist()
            left, top = (round(place * _SIDE * TILE * store.meta.px) for place in block)
            apart = [0]
            features = (feature for tile in mine for feature in _objects(store, tile, style, apart))
            path = draft / f"{folder.name}-x{left}-y{top}{qupath.SUFFIX}"
            write_atomic(path, partial(write_features, features=features))
            if any(apart):
                of = f"{path.name}: {number_of(sum(apart), 'object')} beside the cell's"
                done.notes.append(f"{of}: nuclei that touch another of their cell")
        if folder.exists():
            os.replace(folder, earlier)
        if blocks:
            os.replace(draft, folder)
        shutil.rmtree(earlier, ignore_errors=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _objects(store: Store, tile: Sequence[int], style: str, apart: list[int]) -> Iterator[Feature]:
    """The cells with middles in a tile, their nuclei, and the bare nuclei there."""
    instances = store.in_tile(*tile)
    nuclei = store.nuclei_of(instances[0].id, instances[-1].id)
    rest = [one for one in instances if one.parent is None]
    every = sorted({one.id: one for one in (*rest, *nuclei)}.values(), key=lambda one: one.id)

    entry = _entry(every, store)
    drawn = {one.id: _rings(one, store) for one in every}

    def draw(indices: Sequence[int]) -> Iterator[list[Ring]]:
        return (drawn[every[index].id] for index in indices)

    if style == "annotations":
        return annotations(entry, draw)
    rows = rows_of(every, nuclei, store.meta)
    return cell_objects(entry, draw, name_measurements(rows), apart)


def _entry(instances: Sequence[Instance], store: Store) -> Entry:
    """Instances as those of an image; they bring their cells."""
    numbers = tuple(one.id for one in instances)
    content = Content(cells=as_cells(instances, store.meta), numbers=numbers)
    return Entry(name=store.meta.name, path=store.path, content=content)


def _rings(one: Instance, store: Store) -> list[Ring]:
    return [np.round(ring, _DIGITS) for ring in one.rings(store.meta.px)]
