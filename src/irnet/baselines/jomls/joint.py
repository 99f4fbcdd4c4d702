"""Joint evolution of a clump's cells (JOMLS, step d; Lu, Carneiro and Bradley, TIP 2015).

Cell i moves down the energy mu R(phi_i) + kappa L(phi_i) + chi sum_j A(phi_i, phi_j), where
L is the length of its outline, A its area shared with a neighbour j, both weighted by h_C g: cheap on edges
(g) and far from the centres of cells (h_C, the clump's distance map).
"""

import numpy as np
from scipy import ndimage

from irnet.baselines.jomls.guess import Star, draw_map
from irnet.baselines.jomls.levelset import Mask, Raster, edge_stop, evolve
from irnet.baselines.jomls.patch import Patch, number_pieces

KAPPA = 13.0  # weight of the length
CHI = 3.0  # weight of the overlap
LOOPS = 5  # over all cells
STEPS = 20 * 2  # against each neighbour
NEAR = 5  # px between the outlines of neighbours
MARGIN = 10  # px about a cell in which it moves


def evolve_jointly(grey: Raster, clump: Mask, cells: dict[int, Patch]) -> dict[int, Patch]:
    """The cells after five loops; a cell that vanishes is left out.

    Args:
        grey: (h, w) grey levels in 0 ... 255, 0 outside the clump.
        clump: (h, w).
        cells: first guess of each cell, in the frame of the clump.
    """
    g = edge_stop(grey)
    for _ in range(LOOPS):
        weight = draw_map(clump, [Star.of(cell) for cell in cells.values()]) * g  # h_C g
        moved = {
            index: evolve_cell(cell, find_neighbours(index, cells), weight, clump)
            for index, cell in cells.items()
        }
        cells = {index: cell for index, cell in moved.items() if cell.mask.any()}
    return cells


def evolve_cell(cell: Patch, neighbours: list[Patch], weight: Raster, clump: Mask) -> Patch:
    """The cell after it moved against each neighbour in turn."""
    for other in neighbours:
        window = cell.window.grow(MARGIN).clip(clump.shape)
        price = weight[window.slices]
        push = CHI * price * other.within(window)
        mask = evolve(cell.within(window), price, [(STEPS, push)], length=KAPPA)
        cell = Patch.cut(keep_largest(mask & clump[window.slices]), window.left, window.top)
    return cell


def find_neighbours(index: int, cells: dict[int, Patch]) -> list[Patch]:
    """The other cells that meet a cell or come within 5 px of it."""
    cell = cells[index]
    window = cell.window.grow(NEAR)
    near = np.asarray(ndimage.distance_transform_edt(~cell.within(window))) <= NEAR
    return [other for key, other in cells.items() if key != index and (near & other.within(window)).any()]


def keep_largest(mask: Mask) -> Mask:
    """The largest connected piece of a mask, its holes filled."""
    pieces = number_pieces(np.asarray(ndimage.binary_fill_holes(mask)))
    areas = np.bincount(pieces.ravel())
    areas[0] = 0
    return np.equal(pieces, areas.argmax()) & (pieces > 0)
