"""The scores that decide, of a network on sets of composites.py, with intervals; or of two, in pairs.

    python benchmarks/yardstick.py SET ... --model bundled --cache finds
    python benchmarks/yardstick.py SET ... --cache finds --versus bundled --versus-set predict.nms.nucleus=0.4
    python benchmarks/yardstick.py SET ... --cache finds --versus bundled --versus-views 4

Thresholds are those stored with the weights unless `--cuts` says others (AP takes every candidate). What is
found is kept in the cache, so that other thresholds cost nothing. Intervals are over the fields and over the
cells that they were composed of (sources.json): whichever is wider is the one to believe.

- recall under others: of cells of which more than .6 lies under the others (recall at IoU .5)
- densest fifth: the fields with the largest mean share of a cell under another one
- links right: of all true ones, of those of nuclei inside two cells or more, of those whose nucleus and cell
  were both found
- N:C error: median of |predicted / true - 1|, ratio of areas of nucleus and cell, where both are matched and
  linked to one another
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from finds import Finder, cuts_of
from numpy.typing import ArrayLike, NDArray
from overlaps import overlapped
from resample import AveragePrecision, Bench, Median, Score, Share

from irnet.cells import CYTOPLASM, LABEL_NAMES, NO_PARENT, NUCLEUS, Cells, Cuts, reaching
from irnet.data.coco.coco import read_coco
from irnet.data.sample import Entry
from irnet.metrics.aji import aji_parts, most_alike
from irnet.metrics.coco_ap import PooledRanking, Ranking
from irnet.metrics.degree import degrees
from irnet.metrics.links import link_scores
from irnet.metrics.match import Pairwise, match_iou, partners
from irnet.morphometry.pairing import pair_nuclei

COVERED = 0.6
NO_SOURCE = -1

Parts = NDArray[np.float64]  # (k, 3) numerator, denominator, source


class Field(NamedTuple):
    """A composed field, what was found in it, and the source of each true instance."""

    truths: Cells
    every: Cells  # every candidate
    found: Cells  # those from the cuts on, linked
    sources: NDArray[np.int64]  # (n,)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="sets of composites.py")
    parser.add_argument("--cache", type=Path, required=True, help="folder of what was found")
    for prefix in ("", "versus-"):
        default = None if prefix else "bundled"
        parser.add_argument(f"--{prefix or 'model'}".rstrip("-"), default=default, help="weights")
        parser.add_argument(f"--{prefix}set", action="append", default=[], help="section.key=value")
        parser.add_argument(f"--{prefix}views", type=int, choices=(1, 4), default=1, help="of each field")
        parser.add_argument(f"--{prefix}cuts", type=float, nargs=2, help="of cytoplasms and nuclei")
    options = parser.parse_args()
    sides = [(options.model, options.set, options.views, options.cuts)]
    if options.versus:
        sides.append((options.versus, options.versus_set, options.versus_views, options.versus_cuts))
    finders = []
    for source, overrides, views, values in sides:
        finder = Finder(source, overrides, options.cache, views)
        cuts = cuts_of(values) or finder.cuts
        finders.append((finder, cuts))
        print(finder.source.name, *overrides, f"views {views}, cuts {', '.join(map(str, cuts.values()))}")
    for path in options.data:
        entries, names = read_coco(path), json.loads((path / "sources.json").read_text())
        every = sorted({name for cells in names.values() for name in cells})
        numbers = {name: number for number, name in enumerate(every)}
        sources = [np.array([numbers[name] for name in names[entry.name]]) for entry in entries]
        scores = [
            score(read_fields(entries, finder.find(entries), cuts, sources)) for finder, cuts in finders
        ]
        print(
            f"\n{path.name}\n\n{Bench({'fields': len(entries), 'sources': len(numbers)}).table(*scores)}",
            flush=True,
        )


def read_fields(
    entries: Sequence[Entry], found: Sequence[Cells], cuts: Cuts, sources: Sequence[NDArray[np.int64]]
) -> list[Field]:
    """Fields with what was found in them; `sources` are those of the cytoplasms."""
    fields = []
    for entry, every, named in zip(entries, found, sources, strict=True):
        truths = entry.content.cells
        cells = truths.labels == CYTOPLASM
        own = np.full(len(truths) + 1, NO_SOURCE)  # the last entry serves NO_PARENT
        own[np.flatnonzero(cells)] = named
        source = np.where(cells, own[:-1], own[truths.parents])
        fields.append(Field(truths, every, pair_nuclei(every.select(reaching(every, cuts))), source))
    return fields


def score(fields: Sequence[Field]) -> dict[str, Score]:
    """Every score of a set, by name."""
    scores: dict[str, Score] = {}
    for label, name in LABEL_NAMES.items():
        scores[f"{name} AJI"] = share([aji(field, label) for field in fields])
        scores[f"{name} F1"] = share([f1(field, label) for field in fields])
        rankings = [ranking(field, label) for field in fields]
        scores[f"{name} AP"] = AveragePrecision(PooledRanking.of(rankings))
        if label == CYTOPLASM:
            scores |= overlap_scores(fields)
    links = [link_scores(field.truths, field.found) for field in fields]
    for name, key in {
        "links right, of all": "link_recall",
        "links right, of ambiguous": "link_recall_ambiguous",
        "links right, of found": "link_accuracy",
    }.items():
        above, below = np.array([field.get(key, (0, 0)) for field in links], dtype=float).T
        scores[name] = Share.of(above, below, np.arange(len(fields)), counted=True)
    errors = [ratio_errors(field) for field in fields]
    scores["N:C error"] = Median(np.concatenate([e for e, _ in errors]), _units([s for _, s in errors]))
    return scores


def ranking(field: Field, label: int) -> Ranking:
    """Every candidate counts."""
    every = field.every.of(label)
    return Ranking.of(Pairwise.between(field.truths.of(label), every), every.scores)


def overlap_scores(fields: Sequence[Field]) -> dict[str, Score]:
    """What cytoplasms alone have."""
    falling = np.argsort([-overlapped(field.truths.of(CYTOPLASM)) for field in fields], kind="stable")
    dense = set(falling[: max(1, len(fields) // 5)].tolist())
    overlaps = [overlap(field) for field in fields]
    none = np.zeros((0, 3))
    return {
        "overlap recall": share([recall for recall, _ in overlaps]),
        "overlap precision": share([precision for _, precision in overlaps]),
        f"recall under others, > {COVERED}": share([recall_under(field) for field in fields]),
        "AJI, densest fifth": share(
            [aji(f, CYTOPLASM) if i in dense else none for i, f in enumerate(fields)]
        ),
    }


def share(fields: Sequence[Parts]) -> Share:
    """The parts of all fields as one score."""
    above, below, _ = np.concatenate(fields).T
    return Share(above, below, _units([part[:, 2].astype(np.int64) for part in fields]))


def aji(field: Field, label: int) -> Parts:
    """A false find has the source of the truth that it resembles most."""
    pairs, own = _pairs(field, label), field.sources[field.truths.labels == label]
    shared, union, unclaimed = aji_parts(pairs)
    near = most_alike(pairs.turned)  # NONE, the last entry, has no source
    theirs = np.append(own, NO_SOURCE)[near]
    return np.concatenate([_parts(shared, union, own), _parts(0, unclaimed, theirs)])


def f1(field: Field, label: int) -> Parts:
    """Two for a match, of one for each instance."""
    pairs, own = _pairs(field, label), field.sources[field.truths.labels == label]
    matches = match_iou(pairs)
    hit = np.isin(np.arange(len(own)), matches[:, 0])
    false = np.full(len(pairs.pred_areas) - len(matches), NO_SOURCE)
    return np.concatenate([_parts(2 * hit, 1 + hit, own), _parts(0, 1, false)])


def overlap(field: Field) -> tuple[Parts, Parts]:
    """Recall and precision of the pixels under two cytoplasms or more, shared out among these."""
    own, matches = field.sources[field.truths.labels == CYTOPLASM], match_iou(_pairs(field, CYTOPLASM))
    true = field.truths.of(CYTOPLASM).to_dense()  # (n, H, W) of small images
    found = field.found.of(CYTOPLASM).to_dense()
    matched = np.zeros_like(true)
    matched[matches[:, 0]] = found[matches[:, 1]]
    held = _shared_out(true, ~(true & ~matched).any(axis=0))

    theirs = np.full(len(found), NO_SOURCE)
    theirs[matches[:, 1]] = own[matches[:, 0]]
    recall = _parts(held, _shared_out(true), own)
    return recall, np.concatenate([_parts(held, 0, own), _parts(0, _shared_out(found), theirs)])


def recall_under(field: Field) -> Parts:
    """Of the cytoplasms of which most lies under others."""
    own = field.sources[field.truths.labels == CYTOPLASM]
    under = np.flatnonzero(degrees(field.truths.of(CYTOPLASM)) > COVERED)
    return _parts(np.isin(under, match_iou(_pairs(field, CYTOPLASM))[:, 0]), 1, own[under])


def ratio_errors(field: Field) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Error of N:C and source of each matched nucleus whose link is right."""
    truths, found = field.truths, field.found
    partner = partners(truths, found)
    nuclei = np.flatnonzero(
        (truths.labels == NUCLEUS) & (truths.parents != NO_PARENT) & (partner != NO_PARENT)
    )
    homes = truths.parents[nuclei]
    right = (partner[homes] != NO_PARENT) & (found.parents[partner[nuclei]] == partner[homes])
    nuclei, homes = nuclei[right], homes[right]
    true = truths.areas[nuclei] / truths.areas[homes]
    measured = found.areas[partner[nuclei]] / found.areas[partner[homes]]
    return np.abs(measured / true - 1), field.sources[nuclei]


def _pairs(field: Field, label: int) -> Pairwise:
    return Pairwise.between(field.truths.of(label), field.found.of(label))


def _parts(above: ArrayLike, below: ArrayLike, sources: NDArray[np.int64]) -> Parts:
    return np.stack(np.broadcast_arrays(above, below, sources), axis=1).astype(float)


def _shared_out(masks: NDArray[np.bool_], among: ArrayLike = True) -> NDArray[np.float64]:
    """Pixels of each mask (n, H, W) under two or more and `among`, each divided among its masks, (n,)."""
    depth = masks.sum(axis=0)
    pixels = np.where((depth >= 2) & among, 1 / np.maximum(depth, 1), 0)
    return np.array([pixels[mask].sum() for mask in masks])


def _units(sources: Sequence[NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
    fields = np.repeat(np.arange(len(sources)), [len(part) for part in sources])
    return {"fields": fields, "sources": np.concatenate([np.zeros(0, dtype=np.int64), *sources])}


if __name__ == "__main__":
    main()
