"""The one style of all figures: sizes of a LaTeX article's text block, print-safe colours, byte-stable files."""

import logging
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure

from htsr.files import whole, write_table
from htsr.metrics.columns import COLUMNS
from htsr.tables import labels

logging.getLogger("fontTools").setLevel(logging.WARNING)  # tells of every glyph that it embeds

WIDTH = 6.3  # inches, the text width of an article
DPI = 200  # of PNG files
HEIGHT = 8.4  # the most that leaves room for a caption

# Okabe and Ito's palette without its yellow, which paper swallows.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
LINES = ("-", "--", "-.", ":")
NULL = "0.55"  # grey: whatever is drawn of the permuted matrices
SHADE = "0.92"

_STYLE = {
    "figure.constrained_layout.use": True,
    "figure.dpi": DPI,  # the layout is done at the resolution of PNG files, whose text is then known
    "font.family": ["STIXGeneral", "DejaVu Sans"],
    "mathtext.fontset": "stix",
    "font.size": 8.5,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.unicode_minus": True,
    "pdf.fonttype": 42,
    "path.simplify": True,
}


def new_figure(height: float) -> Figure:
    """An empty figure of the text width; height in inches, at most a page."""
    matplotlib.rcParams.update(_STYLE)
    figure = Figure(figsize=(WIDTH, min(height, HEIGHT)), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, drawn: pd.DataFrame, pdf: str, png: str, csv: str) -> None:
    """Write the figure as PDF and PNG (DPI) and what it shows as CSV; the same figure gives the same bytes."""
    write_table(csv, drawn)
    if figure.axes:
        figure.get_layout_engine().execute(figure)
    figure.set_layout_engine("none")  # laid out once for both files, and drawn once for each: savefig draws twice
    with whole(png) as partial:
        figure.canvas.print_png(partial)  # its renderer knows every text's size from the layout
    with whole(pdf) as partial:
        FigureCanvasPdf(figure).print_pdf(partial, metadata={"CreationDate": None})  # leaves a resolution of 72


def look(index: int) -> dict[str, Any]:
    """Colour, marker and line style of the index-th series: 63 different looks before one returns."""
    return {
        "color": COLORS[index % len(COLORS)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": LINES[index % len(LINES)],
    }


def plain(text: Any, width: int | None = None) -> str:
    """Text that matplotlib prints as it is, cut in the middle where it is longer than width characters."""
    text = str(text)
    if width and len(text) > width:
        half = (width - 1) // 2
        text = f"{text[: width - 1 - half]}…{text[-half:]}"
    return text.replace("$", r"\$")


def wrapped(text: str, width: int) -> str:
    """Plain text broken into lines of at most width characters."""
    return "\n".join(textwrap.wrap(plain(text), width))


def series_title(series: str, titles: Mapping[str, str], width: int | None = None) -> str:
    """The printed name of a series."""
    return plain(labels.series_title(series, titles), width)


def counted(count: int, one: str, many: str | None = None) -> str:
    """The count with its noun."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def symbol(column: str) -> str:
    """The column's symbol."""
    return COLUMNS[column].symbol


def mean_symbol(column: str) -> str:
    """The symbol of a model's mean over its spectra; the weighted alpha is such a mean by definition, depth is none."""
    text = COLUMNS[column].symbol
    return text if column in ("alpha_weighted", "depth") else rf"$\langle {text.strip('$')} \rangle$"


def eigenvalues_of(*normalizations: str) -> str:
    """Whose eigenvalues a figure shows, for its footnote."""
    return "Eigenvalues of " + " or ".join(labels.MATRIX[name] for name in normalizations)


def footnote(figure: Figure, *sentences: str | int) -> None:
    """One line or more below everything else, for conventions and for what is not shown."""
    text = ". ".join(sentence for sentence in sentences if sentence)
    if text:
        figure.supxlabel(text, fontsize=7, color="0.25")


def message(text: str) -> Figure:
    """A figure that says why there is nothing to draw."""
    figure = new_figure(0.8)
    figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure


def grid(figure: Figure, count: int, columns: int, **shared: Any) -> list[Axes]:
    """`count` axes in rows of `columns`; a last row that is not full stays without axes, never with empty ones."""
    rows = -(-count // columns)
    axes = np.ravel(figure.subplots(rows, columns, squeeze=False, **shared))
    for spare in axes[count:]:
        spare.remove()
    return list(axes[:count])


def span(values: Sequence[float], margin: float = 0.06) -> tuple[float, float]:
    """Limits of an axis around the finite values, also where there is one or none."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = values.min(), values.max()
    pad = margin * (high - low) or 0.05 * max(abs(high), 1.0)
    return low - pad, high + pad
