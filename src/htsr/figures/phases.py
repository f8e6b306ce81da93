"""One spectrum for each of the 5+1 phases of training, with the laws that tell them apart."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from htsr.figures import style
from htsr.figures.densities import DRAWN, exponent, fitted_bulk, histogram, linear_edges, logarithmic, power_law, rows
from htsr.metrics.phase import BLEEDING_OUT, BULK_DECAY, BULK_SPIKES, HEAVY_TAILED, RANDOM_LIKE, RANK_COLLAPSE
from htsr.statistics.samples import eigenvalues

PHASES = (RANDOM_LIKE, BLEEDING_OUT, BULK_SPIKES, BULK_DECAY, HEAVY_TAILED, RANK_COLLAPSE)
_STEMS = 12  # as many spikes stand apart from the histogram
_TAILED = (BULK_DECAY, HEAVY_TAILED)  # on logarithmic axes, with a power law


def draw(ensembles: pd.DataFrame, spectra: Mapping[str, Mapping[str, np.ndarray]]) -> tuple[Figure, pd.DataFrame]:
    """One panel for each phase that an ensemble stands for: its first matrix of the largest shape.

    ensembles: one row a matrix (collect_ensembles), with expected_phase and the measured phase; its confidence is named
    where there is a column phase_confidence. spectra: eigenvalues of X = WᵀW/N by ensemble and name. Phases with a tail
    are on logarithmic axes, with their power law. Returns the figure and what it shows: panel, curve, x (of a bin: to
    x_high), y, n.
    """
    known = ensembles[ensembles["expected_phase"].notna() & ensembles["lambda_plus"].notna()]
    chosen = []
    for phase in PHASES:
        own = known[known["expected_phase"] == phase].sort_values(["m", "n"], ascending=False, kind="stable")
        chosen += [own.iloc[0].to_dict()] if len(own) else []
    if not chosen:
        return style.message("No ensemble of this experiment stands for a phase."), pd.DataFrame(columns=DRAWN)
    columns = min(3, len(chosen))
    figure = style.new_figure(0.85 + 1.85 * -(-len(chosen) // columns))
    panels = style.grid(figure, len(chosen), columns)
    drawn = []
    for index, (axis, row) in enumerate(zip(panels, chosen, strict=True)):
        values = eigenvalues(spectra, row)
        drawn += _tail(axis, row, values) if row["expected_phase"] in _TAILED else _bulk(axis, row, values)
        axis.axvline(row["lambda_plus"], color=style.COLORS[2], linestyle="--", linewidth=0.9)
        drawn += rows(row["expected_phase"], "lambda_plus", row["lambda_plus"], np.nan)
        axis.set_title(_text(row), fontsize=7, loc="left", pad=3, linespacing=1.25)
        if index % columns == 0:
            axis.set_ylabel("density")
        if index >= len(chosen) - columns:
            axis.set_xlabel(r"eigenvalue $\lambda$")
    _legend(figure, {entry["curve"] for entry in drawn})
    style.footnote(
        figure,
        style.eigenvalues_of("one_over_n"),
        "First line: the phase that the ensemble stands for",
        r"Law: of the bulk without its spikes; $\lambda_+$: of the whole matrix",
    )
    return figure, pd.DataFrame(drawn, columns=DRAWN)


def _bulk(axis: Axes, row: Mapping, values: np.ndarray) -> list[dict]:
    """On linear axes, with a stem for every spike (many are in the histogram) and for the zeros."""
    panel, zeros = row["expected_phase"], len(values) - int(row["matrix_rank"])
    count = int(row["n_spikes"]) if row["n_spikes"] <= _STEMS else 0
    spikes = values[len(values) - count :]
    rest = values[zeros : len(values) - len(spikes)]
    edges = linear_edges(rest[0], rest[-1], len(rest))
    drawn = histogram(axis, panel, "eigenvalues", rest, edges, len(values))
    highest = max(entry["y"] for entry in drawn)
    drawn += fitted_bulk(axis, row["expected_phase"], row, len(values), color=style.COLORS[2])
    if len(spikes):
        axis.vlines(spikes, 0, 0.06 * highest, color=style.COLORS[0], linewidth=1.0)
        axis.plot(spikes, np.full(len(spikes), 0.06 * highest), "o", color=style.COLORS[0], markersize=2)
        drawn += rows(panel, "spikes", spikes, np.full(len(spikes), np.nan))
    if zeros:
        axis.axvline(0, color="black", linewidth=1.6)
        text = f"at 0: {100 * zeros / len(values):.0f} %, zeros"
        axis.annotate(text, (0.97, 0.97), xycoords="axes fraction", ha="right", va="top", fontsize=7)
        drawn += rows(panel, "zeros", 0, zeros / len(values), n=zeros)
    law = max(entry["y"] for entry in drawn if entry["curve"] == "MP")
    axis.set_ylim(0, 1.2 * min(max(highest, law), 2 * highest))  # at Q = 1 the law has no upper end
    axis.set_xlim(left=min(0, -0.03 * values[-1] if zeros else 0))
    return drawn


def _tail(axis: Axes, row: Mapping, values: np.ndarray) -> list[dict]:
    drawn, limits = logarithmic(axis, row["expected_phase"], values, 0.1 * row["lambda_plus"])
    drawn += fitted_bulk(axis, row["expected_phase"], row, len(values), color=style.COLORS[2])
    if np.isfinite(row["alpha"]):
        drawn += power_law(axis, row["expected_phase"], row)
    axis.set_ylim(limits)
    return drawn


def _text(row: Mapping) -> str:
    """The phase expected, the phase measured and how surely, α and the spikes."""
    measured = "measured: " + ("the same" if row["phase"] == row["expected_phase"] else str(row["phase"]))
    sure = row.get("phase_confidence", np.nan)
    measured += f" ({100 * sure:.0f} %)" if np.isfinite(sure) else ""
    alpha = exponent(row) if np.isfinite(row["alpha"]) else "no tail fitted"
    spikes = style.counted(int(row["n_spikes"]), "spike")
    return f"{row['expected_phase']}, {row['n']} × {row['m']}\n{measured}\n{alpha}; {spikes}"


def _legend(figure: Figure, curves: set[str]) -> None:
    data, law, bulk = (style.COLORS[i] for i in range(3))
    known = {
        "eigenvalues": Patch(color=data, alpha=0.35, label="eigenvalues"),
        "MP": Line2D([], [], color=bulk, label="Marchenko-Pastur bulk"),
        "lambda_plus": Line2D([], [], color=bulk, linestyle="--", linewidth=0.9, label=style.symbol("lambda_plus")),
        "spikes": Line2D([], [], color=data, marker="o", markersize=3, linestyle="none", label="spikes"),
        "power law": Line2D([], [], color=law, label="power law"),
        "xmin": Line2D([], [], color="0.2", linestyle=":", linewidth=0.9, label=style.symbol("xmin")),
    }
    shown = [handle for name, handle in known.items() if name in curves]
    figure.legend(handles=shown, loc="outside upper center", ncols=6, columnspacing=1.2)
