"""What `Cells` offers to work with by hand: index, loop, outlines, table, plot, file.

It calls upper layers, each where it is used: nothing that computes with cells waits for them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from irnet.errors import InputError
from irnet.geometry import polygons
from irnet.wording import install_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

    from irnet.cells import Cells
    from irnet.data.picture import ImageLike
    from irnet.morphometry.table import Row

Index: TypeAlias = "int | str | slice | ArrayLike"
LINE_WIDTH = 1.5  # points


class Shortcuts:
    """Methods of `Cells` for users."""

    @property
    def _cells(self) -> Cells:
        return cast("Cells", self)

    def __repr__(self) -> str:
        cells = self._cells
        whole, nuclei = len(cells["cytoplasm"]), len(cells["nucleus"])

        parts = [
            f"{whole} cytoplasm{'' if whole == 1 else 's'}",
            f"{nuclei} nucle{'us' if nuclei == 1 else 'i'}",
        ]
        parts += [f"{others} of no class"] if (others := len(cells) - whole - nuclei) else []
        parts += [" x ".join(map(str, cells.image_shape))]
        parts += [] if cells.mpp is None else [f"{cells.mpp:g} um/px"]
        return f"{type(self).__name__}({', '.join(parts)})"

    def __iter__(self) -> Iterator[Cells]:
        """Give each instance as `Cells` of one in the same frame; its parent, not among them, becomes -1.

        Example:
            >>> import irnet
            >>> cells = irnet.generate(1, size=(200, 200), mpp=0.5, count=2)[1].cells
            >>> [round(float(cell.scores[0])) for cell in cells["nucleus"]]
            [1, 1, 1]
        """
        from irnet.cells import NO_PARENT

        cells = self._cells
        for index in range(len(cells)):  # `select` would look at all of them each time
            one = slice(index, index + 1)
            yield type(cells)(
                masks=cells.masks[one],
                offsets=cells.offsets[one],
                labels=cells.labels[one],
                scores=cells.scores[one],
                parents=np.full(1, NO_PARENT),
                image_shape=cells.image_shape,
                mpp=cells.mpp,
            )

    def __getitem__(self, index: Index) -> Cells:
        """Return some of the instances as `Cells`; a parent that is not among them becomes -1.

        Args:
            index: a number from 0, or from -1 backwards; a slice; a list or array of numbers; (n,) booleans;
                or the name of a class, "cytoplasm" or "nucleus".

        Raises:
            IndexError: a number is out of range.
            InputError: an index of another kind, or booleans that are more or fewer than n.

        Example:
            >>> import irnet
            >>> cells = irnet.generate(1, size=(200, 200), mpp=0.5, count=2)[1].cells
            >>> cells
            Cells(2 cytoplasms, 3 nuclei, 200 x 200, 0.5 um/px)
            >>> cells[0]
            Cells(1 cytoplasm, 0 nuclei, 200 x 200, 0.5 um/px)
            >>> cells["nucleus"][:2]
            Cells(0 cytoplasms, 2 nuclei, 200 x 200, 0.5 um/px)
            >>> [len(cells[cells.parents == cell]) for cell in range(len(cells))]  # nuclei of each cell
            [1, 0, 1, 0, 0]
        """
        from irnet.cells import LABEL_NAMES

        cells = self._cells
        if isinstance(index, slice):
            return cells.select(index)
        if isinstance(index, str):
            labels = {name: label for label, name in LABEL_NAMES.items()}
            if index not in labels:
                raise InputError(f"no class {index!r}: choose from {', '.join(labels)}")
            return cells.of(labels[index])

        chosen = np.atleast_1d(np.asarray(index))
        _check_index(chosen, len(cells))
        return cells.select(chosen)

    def polygons(self) -> list[list[NDArray[np.float64]]]:
        """Return the outlines of each instance, outer and inner ones, longest first.

        Returns:
            For each of the n instances a list of closed rings (k, 2) of x, y in px, where (0, 0) is the
            top-left corner of the first pixel and the last vertex is the first; none of an empty mask.

        Example:
            >>> import numpy as np
            >>> import irnet
            >>> square = irnet.Cells.from_dense(np.ones((1, 4, 4), bool), [irnet.CYTOPLASM])
            >>> [len(rings) for rings in square.polygons()]
            [1]
        """
        return list(polygons.outlines(self._cells.masks, self._cells.offsets))

    def measure(self, image: ImageLike | None = None) -> list[Row]:
        """Measure form, neighbours and, where the image is given, stain of each instance.

        Args:
            image: the image of the cells: an array, a PIL image or a path.

        Returns:
            n rows, each a value by name of column, as in cells.csv (docs/reference/measurements.md); what is
            not known is None. Lengths are in px and, where `mpp` is known, in um beside it.

        Raises:
            InputError: no image of a known kind, or of another size than the frame.

        Example:
            >>> import irnet
            >>> image, content = irnet.generate(1, size=(200, 200), mpp=0.5, count=2)
            >>> rows = content.cells.measure(image)
            >>> len(rows), rows[0]["label"], rows[0]["neighbours"]
            (5, 'cytoplasm', 1)
        """
        from irnet.data.picture import open_picture
        from irnet.morphometry.table import measure

        name = Path(image).name if isinstance(image, str | Path) else ""
        return measure(self._cells, name, None if image is None else open_picture(image).pixels)

    def to_dataframe(self, image: ImageLike | None = None) -> DataFrame:
        """Return what `measure` returns as a table of pandas.

        Args:
            image: the image of the cells, without which stain is not known.

        Returns:
            n rows and the columns of cells.csv: text, `Int64` and `float64`; what is not known is NA.

        Raises:
            InputError: pandas is missing; or as `measure`.

        Example:
            >>> import irnet
            >>> cells = irnet.generate(1, size=(200, 200), mpp=0.5, count=2)[1].cells
            >>> cells.to_dataframe()["label"].value_counts().to_dict()
            {'nucleus': 3, 'cytoplasm': 2}
        """
        try:
            import pandas
        except ImportError as error:
            raise InputError(f"a table needs pandas: {install_extra('pandas')}") from error
        from irnet.morphometry.table import COLUMNS

        types = {str: "str", int: "Int64", float: "float64"}
        table = pandas.DataFrame(self.measure(image), columns=list(COLUMNS))
        return table.astype({column: types[kind] for column, kind in COLUMNS.items()})

    def plot(
        self,
        image: ImageLike | None = None,
        *,
        ax: Axes | None = None,
        width: float = LINE_WIDTH,
        by: str | ArrayLike | None = None,
        fill: bool = False,
        ids: bool | Iterable[int] = False,
        scale_bar: bool = False,
    ) -> Axes:
        """Draw the outline of each instance with Matplotlib, on the image where it is given.

        Neighbouring cells have different colours, a nucleus has the colour of its cell; a nucleus without a
        cell is dashed. Lines stay lines in PDF and SVG: `cells.plot(image).figure.savefig("cells.pdf")`.
        `irnet figure` makes the same of whole folders.

        Args:
            image: the image of the cells: an array, a PIL image or a path.
            ax: where to draw; None makes a figure.
            width: of the lines, in points.
            by: what gives the colours instead, with a colour bar: a column of cells.csv, such as "nc_ratio",
                or (n,) values. Instances without a value (NaN) are grey; the bar is pointed where values far
                from all others lie beyond its ends.
            fill: whether instances are filled too, see-through.
            ids: whether their numbers are written, from 0, or (n,) numbers.
            scale_bar: whether a bar of a round length in um is drawn, where `mpp` is known.

        Returns:
            The axes. Its units are px of the image, y downwards.

        Raises:
            InputError: Matplotlib is missing, no image of a known kind, or of another size than the frame; no
                such column, not n values or ids, stain without an image, um where um per pixel are unknown,
                or a width that is no number above 0.

        Example:
            >>> import irnet
            >>> image, content = irnet.generate(1, size=(200, 200), mpp=0.5, count=2)
            >>> axes = content.cells.plot(image, by="area_um2", ids=True, scale_bar=True)
            >>> axes.get_xlim() == (0, 200)
            True
        """
        from irnet.data.picture import open_picture
        from irnet.report.measures import measure_by
        from irnet.report.outlines import Style, draw_outlines, need_matplotlib

        need_matplotlib()
        cells = self._cells
        numbers = tuple(ids) if isinstance(ids, Iterable) else ()
        written = bool(numbers) if isinstance(ids, Iterable) else bool(ids)
        if numbers and len(numbers) != len(cells):
            raise InputError(f"{len(numbers)} ids for {len(cells)} instances")

        if not (isinstance(width, Real) and 0 < width < math.inf):
            raise InputError(f"width {width!r}: give the width of the lines in points, above 0")

        picture = None if image is None else open_picture(image).pixels
        measured = None if by is None else measure_by(cells, by, picture)
        style = Style(width=width, fill=fill, numbers=numbers, ids=written, scale_bar=scale_bar, by=measured)
        return draw_outlines(cells, picture, ax, style)

    def save(self, path: str | Path, image: str | Path | None = None) -> None:
        """Write the cells as a COCO file of one image, with scores unless all are 1; `read_coco` reads it.

        Args:
            path: the file, such as `field.json`. It is replaced, whole or not at all.
            image: the image's file, whose name goes into the file; None takes the name of `path` without
                its end.

        Raises:
            InputError: the file cannot be written, or the cells are none that COCO can hold.

        Example:
            >>> import tempfile
            >>> import irnet
            >>> cells = irnet.generate(1, size=(200, 200), count=2)[1].cells
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     cells.save(f"{folder}/field.json", "field.png")
            ...     entry = irnet.read_coco(f"{folder}/field.json")[0]
            >>> entry.name, entry.content.cells.to_rle() == cells.to_rle()
            ('field.png', True)
        """
        from irnet.cells import Content
        from irnet.data.coco.coco import write_coco
        from irnet.data.sample import Entry

        cells, named = self._cells, Path(path).stem if image is None else Path(image).name
        entry = Entry(name=named, path=Path(image or named), content=Content(cells=cells))
        write_coco(path, [entry], scores=bool((cells.scores != 1).any()))


def _check_index(chosen: NDArray[Any], count: int) -> None:
    """Refuse what is no index of `count` instances (`InputError`, or `IndexError` out of range)."""
    if chosen.dtype == bool:
        if chosen.shape != (count,):
            raise InputError(f"booleans of shape {chosen.shape} for {count} instances: give ({count},)")
        return
    if not chosen.size:
        return

    if chosen.ndim != 1 or chosen.dtype.kind not in "iu":
        raise InputError(
            f"cells have no index of type {chosen.dtype} and shape {chosen.shape}: give numbers, booleans, a "
            "slice or the name of a class"
        )
    for number in (int(chosen.min()), int(chosen.max())):
        if not -count <= number < count:
            raise IndexError(f"index {number} is out of range of {count} instances")
