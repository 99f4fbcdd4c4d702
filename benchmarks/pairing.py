"""Which cell a nucleus belongs to: weights of the terms on validation fields, and the score on test fields.

    python benchmarks/pairing.py fit     # weights by maximum likelihood, and what each term is worth
    python benchmarks/pairing.py test    # links against those of simple rules, perfect and predicted masks
    python benchmarks/pairing.py test --cutouts cells.json    # real cells, laid on one another

Generated fields of 700 px, two of three dense; predicted masks are those of the bundled weights. One thread,
four minutes each. `fit` prints what stands in morphometry/pairing.py. Its weights maximise the likelihood of
each nucleus's cell given all others', which trusts the others too much where nuclei or cells were missed: so
the gain of a further nucleus is the one with the most right links. `test` fields have other seeds; nothing is
chosen by them.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter
from scipy.optimize import minimize

from irnet.cells import NO_PARENT, NUCLEUS, Cells, Content
from irnet.data.coco.coco import read_coco
from irnet.geometry.masks import cover
from irnet.inference.predict import Predictor
from irnet.metrics import summarise
from irnet.metrics.image import ImageScore
from irnet.metrics.links import link_scores, partners
from irnet.metrics.ratio import Ratio, pool
from irnet.morphometry import pairing
from irnet.morphometry.colour import estimate_background, optical_density
from irnet.morphometry.evidence import TERMS, find_candidates
from irnet.morphometry.pairing import pair_nuclei, pairing_confidence
from irnet.synthetic import generate
from irnet.synthetic.compose import compose, cut_out

SEEDS = {"fit": 20_000, "test": 40_000}
PALETTES, LAYOUTS = ("pap", "pale", "vivid", "grey", "pap"), ("dense", "dense", "cps")
SIDE, MPP = 700, 0.2529
EDF_MPP = 0.37  # of cut-outs whose file does not say
EDGE_TERMS = ("sharpness", "edge", "contrast")  # of the picture: tried, not used
GAINS = ("first", "further")
RIDGE, FOLDS = 0.01, 6
FURTHER = (2.5, 3.5, 4.5, 5.5, 6.5, 7.5)  # gains tried
ACCURACIES = ("link_accuracy", "link_accuracy_ambiguous")
UNKNOWN = -2
BAND = 3  # px on either side of an outline
BINS = (0.5, 0.7, 0.9, 0.97, 0.99, 1.0)

Picture = NDArray[np.uint8]
Weights = NDArray[np.float64]


class Choice(NamedTuple):
    """One nucleus, the true links of all others given: its options, bare first, and which is right."""

    field: int
    terms: NDArray[np.float64]  # (options, terms and gains)
    right: int


def draw_fields(work: str, count: int) -> Iterator[tuple[Picture, Content]]:
    """Generated fields of every stain."""
    for k in range(count):
        yield generate(
            SEEDS[work] + k,
            size=(SIDE, SIDE),
            mpp=MPP,
            layout=LAYOUTS[k % len(LAYOUTS)],
            palette=PALETTES[k % len(PALETTES)],
        )


def owners(truth: Cells, cells: Cells) -> NDArray[np.int64]:
    """Index of each nucleus's right cell among `cells`, NO_PARENT, or UNKNOWN where either was missed."""
    partner = partners(truth, cells)
    right = np.full(len(cells), UNKNOWN)
    for index in np.flatnonzero((truth.labels == NUCLEUS) & (partner != NO_PARENT)):
        parent = truth.parents[index]
        found = NO_PARENT if parent == NO_PARENT else partner[parent]
        right[partner[index]] = UNKNOWN if found == NO_PARENT != parent else found
    return right


def choices(field: int, picture: Picture, cells: Cells, right: NDArray[np.int64]) -> Iterator[Choice]:
    """The choices of one image, with the terms of the picture after those of the masks."""
    found = find_candidates(cells)
    edges = edge_terms(picture, cells, found.nuclei, found.cells)
    terms = np.concatenate([found.terms, edges], axis=1)
    for nucleus in np.unique(found.nuclei):
        if right[nucleus] == UNKNOWN:
            continue
        mine = np.flatnonzero(found.nuclei == nucleus)
        others = np.array([(np.delete(right, nucleus) == cell).any() for cell in found.cells[mine]])
        links = np.column_stack([terms[mine], np.where(others, 0.0, -1.0), np.where(others, -1.0, 0.0)])
        options = np.concatenate([np.zeros((1, links.shape[1])), links])
        place = np.flatnonzero(found.cells[mine] == right[nucleus])
        if len(place) or right[nucleus] == NO_PARENT:
            yield Choice(field, options, int(place[0]) + 1 if len(place) else 0)


def edge_terms(
    picture: Picture, cells: Cells, nuclei: NDArray[np.int64], owners: NDArray[np.int64]
) -> NDArray[np.float64]:
    """What the picture's edges say of each pair, (k, 3).

    - sharpness: how differently sharp the outlines of nucleus and cell are (one focus for both)
    - edge, contrast: how weak the gradient along the cell's outline and the step across it are
    """
    density = optical_density(picture, estimate_background(picture, cells)).mean(axis=0)
    slope = np.hypot(*(gaussian_filter(density, 1, order=order) for order in ((0, 1), (1, 0))))
    outlines = {i: outline(slope, density, cells, i) for i in {*nuclei.tolist(), *owners.tolist()}}
    rows = []
    for nucleus, owner in zip(nuclei.tolist(), owners.tolist(), strict=True):
        (mine, my_step), (gradient, step) = outlines[nucleus], outlines[owner]
        rows.append([abs(np.log(mine / my_step) - np.log(gradient / step)), -np.log(gradient), -np.log(step)])
    return np.array(rows).reshape(-1, len(EDGE_TERMS))


def outline(slope: NDArray, density: NDArray, cells: Cells, index: int) -> tuple[float, float]:
    """Mean gradient along an instance's outline, and how much denser it is inside than outside."""
    x1, y1, x2, y2 = cells.boxes[index].astype(int) + np.array([-BAND, -BAND, BAND, BAND])
    window = max(0, x1), max(0, y1), min(SIDE, x2), min(SIDE, y2)
    mask = cover([cells.masks[index]], cells.offsets[[index]], window)
    inner = mask & ~binary_erosion(mask, iterations=BAND, border_value=1)
    outer = binary_dilation(mask, iterations=BAND) & ~mask
    here = slice(window[1], window[3]), slice(window[0], window[2])
    if not (inner.any() and outer.any()):
        return 1e-3, 1e-2
    step = density[here][inner].mean() - density[here][outer].mean()
    return max(float(slope[here][inner | outer].mean()), 1e-3), max(float(step), 1e-2)


def loss(weights: Weights, data: Sequence[Choice]) -> tuple[float, Weights]:
    """Negative log-likelihood of the right options (nats) and its gradient."""
    total, gradient = RIDGE * float(weights @ weights), 2 * RIDGE * weights
    for _, terms, right in data:
        gains = -terms @ weights
        odds = np.exp(gains - gains.max())
        shares = odds / odds.sum()
        total -= float(np.log(shares[right]))
        gradient = gradient + terms[right] - shares @ terms
    return total, gradient


def fit(data: Sequence[Choice], columns: Sequence[int]) -> Weights:
    """Weights of the chosen columns."""
    chosen = [choice._replace(terms=choice.terms[:, columns]) for choice in data]
    return minimize(loss, np.zeros(len(columns)), args=(chosen,), jac=True, method="L-BFGS-B").x


def held_out(data: Sequence[Choice], columns: Sequence[int]) -> tuple[float, int]:
    """Nats lost on fields that were not fitted to, and right choices among several cells."""
    lost, right = 0.0, 0
    for fold in range(FOLDS):
        weights = fit([c for c in data if c.field % FOLDS != fold], columns)
        for choice in (c for c in data if c.field % FOLDS == fold):
            terms = choice.terms[:, columns]
            lost += loss(weights, [choice._replace(terms=terms)])[0] - RIDGE * float(weights @ weights)
            right += len(terms) > 2 and int((-terms @ weights).argmax()) == choice.right
    return lost, right


def print_fit(count: int) -> None:
    """Weights, the loss with one term less or more, and the links by the gain of a further nucleus."""
    predictor, data = Predictor.load(device="cpu"), []
    masks: dict[str, list[tuple[Content, Cells]]] = {"perfect": [], "predicted": []}
    for k, (picture, truth) in enumerate(draw_fields("fit", count)):
        cells = predictor.predict(picture, MPP)
        masks["perfect"].append((truth, truth.cells))
        masks["predicted"].append((truth, cells))
        data += choices(k, picture, truth.cells, truth.cells.parents)
        data += choices(k, picture, cells, owners(truth.cells, cells))
    names = (*TERMS, *EDGE_TERMS, *GAINS)
    base = [i for i, name in enumerate(names) if name not in EDGE_TERMS]
    several = sum(len(choice.terms) > 2 for choice in data)
    print(f"{len(data)} nuclei, {several} with several cells to choose from")
    for name, weight in zip([names[i] for i in base], fit(data, base), strict=True):
        print(f"  {name:13} {weight:6.2f}")
    print(f"{'terms':24} held-out nats  right of {several}")
    trials = {"all": base} | {f"without {names[i]}": [b for b in base if b != i] for i in base[: len(TERMS)]}
    trials |= {f"with {name}": sorted([*base, names.index(name)]) for name in EDGE_TERMS}
    for title, columns in trials.items():
        lost, right = held_out(data, columns)
        print(f"{title:24} {lost:13.1f}  {right}")
    for further in FURTHER:
        pairing.FURTHER = further
        print(f"gain of a further nucleus {further:.1f}: {', '.join(map(count_right, masks.values()))}")


def count_right(images: Sequence[tuple[Content, Cells]]) -> str:
    """Right links, all and ambiguous, as the pairing makes them."""
    links = [link_scores(truth.cells, pair_nuclei(cells)) for truth, cells in images]
    parts = [pool(link.get(name, Ratio(0, 0)) for link in links) for name in ACCURACIES]
    return " and ".join(f"{part.numerator} of {part.denominator}" for part in parts)


def largest_overlap(cells: Cells) -> Cells:
    """The simple rule: the cell that covers most of the nucleus, of equal ones that of the higher score."""
    return _by_rule(cells, lambda inside, terms: inside)


def nearest_centre(cells: Cells) -> Cells:
    """Another: of the cells that hold it, the one whose centroid is nearest by the cell's radius."""
    return _by_rule(cells, lambda inside, terms: -terms[TERMS.index("off_centre")])


def _by_rule(cells: Cells, merit: Callable[[float, NDArray], float]) -> Cells:
    found, parents = find_candidates(cells), np.full(len(cells), NO_PARENT)
    for nucleus in np.unique(found.nuclei):
        mine = np.flatnonzero(found.nuclei == nucleus)
        merits = [(merit(1 - found.terms[i, 0], found.terms[i]), cells.scores[found.cells[i]]) for i in mine]
        parents[nucleus] = found.cells[mine[max(range(len(mine)), key=merits.__getitem__)]]
    return replace(cells, parents=parents)


RULES: dict[str, Callable[[Cells], Cells]] = {
    "largest overlap": largest_overlap,
    "nearest centre": nearest_centre,
    "together": pair_nuclei,
}


def print_test(count: int) -> None:
    """The links on generated fields."""
    predictor = Predictor.load(device="cpu")
    masks: dict[str, list[tuple[Content, Cells]]] = {"perfect": [], "predicted": []}
    for picture, truth in draw_fields("test", count):
        masks["perfect"].append((truth, truth.cells))
        masks["predicted"].append((truth, predictor.predict(picture, MPP)))
    print_scores(masks)


def print_cutouts(count: int, file: Path) -> None:
    """The links on fields composed of the isolated cells that a COCO file annotates."""
    found = [cutout for entry in read_coco(file) for cutout in cut_out(entry.read(), EDF_MPP)]
    fields = [compose(k, found, layout=LAYOUTS[k % len(LAYOUTS)]) for k in range(count)]
    print_scores({f"{len(found)} cut-outs, perfect": [(truth, truth.cells) for _, truth in fields]})


def print_scores(masks: dict[str, list[tuple[Content, Cells]]]) -> None:
    """Scores of the links by each rule, and how far the confidence can be trusted."""
    for kind, images in masks.items():
        print(f"{kind} masks")
        for title, rule in RULES.items():
            links = [link_scores(truth.cells, rule(cells)) for truth, cells in images]
            scores = [ImageScore(classes={}, links=link, distractors=Counter()) for link in links]
            for name, score in summarise(scores).links.items():
                print(f"  {title:16} {name:25} {score.pooled.text()}  {score.pooled.found}")
        print_confidence(images)


def print_confidence(images: Sequence[tuple[Content, Cells]]) -> None:
    """Share of right links by confidence, of the nuclei whose cell is known."""
    sure, right = [], []
    for truth, cells in images:
        linked, known = pair_nuclei(cells), owners(truth.cells, cells)
        chosen = (cells.labels == NUCLEUS) & (known != UNKNOWN)
        sure += pairing_confidence(linked)[chosen].tolist()
        right += (linked.parents == known)[chosen].tolist()
    place = np.searchsorted(BINS, sure, side="right") - 1
    for k, low in enumerate(BINS):
        here = place == k
        if here.any():
            mean, share = np.array(sure)[here].mean(), np.array(right)[here].mean()
            print(f"  confidence from {low:.2f}: {here.sum():4} nuclei, mean {mean:.3f}, right {share:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", choices=list(SEEDS))
    parser.add_argument("--fields", type=int, default=150)
    parser.add_argument("--cutouts", type=Path, help="test on fields composed of the cells of this COCO file")
    options = parser.parse_args()
    if options.work == "test" and options.cutouts:
        print_cutouts(options.fields, options.cutouts)
    else:
        {"fit": print_fit, "test": print_test}[options.work](options.fields)


if __name__ == "__main__":
    main()
