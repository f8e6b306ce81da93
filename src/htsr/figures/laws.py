"""The laws of Gaussian random matrices over sampled ones: Marchenko-Pastur, the semicircle, Tracy-Widom."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from htsr.figures import style
from htsr.figures.densities import DRAWN, POINTS, histogram, line, linear_edges, rows
from htsr.spectra import marchenko_pastur, semicircle, tracy_widom
from htsr.statistics.samples import eigenvalues, ks_test, mean, prepare, rescaled_edge, select

ASPECTS = (1, 2, 4, 10)
VARIANCES = (0.5, 1, 2)
TW1_MEAN = -1.2065335745820  # of the Tracy-Widom law for real matrices (Bornemann 2010, table 7)
_SHAPES = 5  # of Gaussian matrices whose edges are drawn
_FEWEST = 8  # matrices of a shape that make a distribution


def draw(ensembles: pd.DataFrame, spectra: Mapping[str, Mapping[str, np.ndarray]]) -> tuple[Figure, pd.DataFrame]:
    """Four panels: Marchenko-Pastur by aspect ratio and by variance, the semicircle, the largest eigenvalue.

    ensembles: one row a matrix (collect_ensembles). spectra: eigenvalues of X = WᵀW/N by ensemble and name. A histogram
    stands where a matrix of the law and aspect ratio was sampled, that of the largest. Returns the figure and what it
    shows: panel, curve, x (of a bin: to x_high), y, n.
    """
    table = prepare(ensembles)
    gaussian = select(table, "gaussian")
    figure = style.new_figure(4.6)
    panels = style.grid(figure, 4, 2)
    drawn = _aspects(panels[0], gaussian, spectra) + _variances(panels[1], gaussian, spectra)
    drawn += _semicircle(panels[2], select(table, "wigner"), spectra) + _edge(panels[3], gaussian)
    style.footnote(
        figure,
        style.eigenvalues_of("one_over_n") + r"; lines: laws at the known variance, filled: one sampled matrix each",
    )
    return figure, pd.DataFrame(drawn, columns=DRAWN)


def _largest(matrices: pd.DataFrame) -> dict | None:
    """The first of the largest matrices."""
    if not len(matrices):
        return None
    return matrices.sort_values("m", ascending=False, kind="stable").iloc[0].to_dict()


def _law(axis: Axes, panel: str, q: float, sigma2: float, color: str, label: str) -> list[dict]:
    low, high = marchenko_pastur.edges(q, sigma2)
    # Denser where the density has its square roots, at the edges.
    x = low + (high - low) * (1 - np.cos(np.linspace(0, np.pi, POINTS))) / 2
    density = marchenko_pastur.density(x[1:-1], q, sigma2)
    return line(axis, panel, f"MP {label}", x[1:-1], density, color=color, label=label)


def _aspects(axis: Axes, gaussian: pd.DataFrame, spectra: Mapping) -> list[dict]:
    drawn = []
    for index, q in enumerate(ASPECTS):
        color = style.look(index)["color"]
        row = _largest(gaussian[gaussian["n"] == q * gaussian["m"]])
        label = f"$Q = {q}$"
        if row:
            label += f", {row['n']} × {row['m']}"
            values = eigenvalues(spectra, row)
            edges = linear_edges(*_between(*marchenko_pastur.edges(q), values), len(values))
            name = f"eigenvalues, Q = {q}"
            drawn += histogram(axis, "aspect ratio", name, values, edges, len(values), color=color, alpha=0.25)
        drawn += [entry | {"curve": f"MP, Q = {q}"} for entry in _law(axis, "aspect ratio", q, 1, color, label)]
    axis.set(xlim=(0, 4.1), ylim=(0, 1.45), xlabel=r"eigenvalue $\lambda$", ylabel="density")
    axis.legend()
    _title(axis, "(a) Marchenko-Pastur, aspect ratio", r"$\sigma^2 = 1$")
    return drawn


def _between(low: float, high: float, values: np.ndarray) -> tuple[float, float]:
    """The law's edges, or the values' where these reach further."""
    return min(low, values[0]), max(high, values[-1])


def _variances(axis: Axes, gaussian: pd.DataFrame, spectra: Mapping) -> list[dict]:
    """One matrix for all variances: its entries are multiplied by σ."""
    q = next((q for q in (2, *ASPECTS) if (gaussian["n"] == q * gaussian["m"]).any()), 2)
    row = _largest(gaussian[gaussian["n"] == q * gaussian["m"]])
    drawn = []
    for index, sigma2 in enumerate(VARIANCES):
        color = style.look(index)["color"]
        if row:
            values = sigma2 * eigenvalues(spectra, row)
            edges = linear_edges(*_between(*marchenko_pastur.edges(q, sigma2), values), len(values))
            name = f"eigenvalues, sigma2 = {sigma2:g}"
            drawn += histogram(axis, "variance", name, values, edges, len(values), color=color, alpha=0.25)
        label = rf"$\sigma^2 = {sigma2:g}$"
        drawn += [
            entry | {"curve": f"MP, sigma2 = {sigma2:g}"} for entry in _law(axis, "variance", q, sigma2, color, label)
        ]
    axis.set(xlabel=r"eigenvalue $\lambda$", ylabel="density")
    axis.set(xlim=(0, None), ylim=(0, None))
    axis.legend()
    shape = rf"$\sigma\mathbf{{W}}$ for one {row['n']} × {row['m']} matrix, " if row else ""
    _title(axis, "(b) Marchenko-Pastur, variance", f"{shape}$Q = {q}$")
    return drawn


def _semicircle(axis: Axes, wigner: pd.DataFrame, spectra: Mapping) -> list[dict]:
    row = _largest(wigner)
    x = 2 * np.sin(np.linspace(0, np.pi / 2, POINTS))
    title, drawn = r"of $|\lambda(\mathbf{W}/\sqrt{N})|$", []
    if row:
        values = np.sqrt(eigenvalues(spectra, row))
        edges = linear_edges(0, max(2.0, values[-1]), len(values))
        drawn += histogram(axis, "semicircle", "absolute eigenvalues", values, edges, len(values))
        distance, _ = ks_test(values, 2 * semicircle.cdf(np.sort(values)) - 1)
        title = f"symmetric {row['n']} × {row['m']}, $D = {distance:.3f}$"
    law = 2 * semicircle.density(x)
    drawn += line(axis, "semicircle", "semicircle of absolute values", x, law, color=style.COLORS[1])
    axis.set(xlim=(0, None), ylim=(0, None), ylabel="density")
    axis.set_xlabel(r"absolute eigenvalue of $\mathbf{W}/\sqrt{N}$, $\sqrt{\lambda}$")
    _title(axis, "(c) Wigner's semicircle, folded at 0", title)
    return drawn


def _edge(axis: Axes, gaussian: pd.DataFrame) -> list[dict]:
    x = np.linspace(-5, 7, 241)
    label = rf"TW$_1$, mean ${TW1_MEAN:.2f}$"
    drawn = line(axis, "edge", "TW1", x, 1 - tracy_widom.survival(x), color="black", label=label, zorder=5)
    gaussian = gaussian[gaussian["lambda_max"].notna()]
    sizes = gaussian.groupby(["n", "m"]).size()
    chosen = sizes[sizes >= _FEWEST].sort_values(ascending=False, kind="stable").index[:_SHAPES]
    for index, (n, m) in enumerate(sorted(chosen, key=lambda shape: shape[0] * shape[1])):
        edge = rescaled_edge(gaussian[(gaussian["n"] == n) & (gaussian["m"] == m)]).sort_values()
        own = mean(edge)
        distance, _ = ks_test(edge, 1 - tracy_widom.survival(edge.to_numpy()))
        look = style.look(index)
        label = rf"{n} × {m}: ${own.mean:.2f} \pm {own.stderr:.2f}$, $D = {distance:.3f}$"
        steps = np.arange(1, own.n + 1) / own.n
        axis.step(edge, steps, where="post", color=look["color"], linewidth=0.9, label=label)
        drawn += rows("edge", f"edge, {n} x {m}", edge.to_numpy(), steps, n=own.n)
    axis.set(xlim=(-5, 7), ylim=(0, 1.02), ylabel="cumulative share")
    axis.set_xlabel(r"rescaled edge $(N\lambda_{\mathrm{max}} - \mu_{NM})/\sigma_{NM}$")
    shown = "mean ± s.e., distance $D$ from the law" if len(chosen) else "too few matrices of one shape"
    _title(axis, "(d) Tracy-Widom: the largest eigenvalue", shown)
    axis.legend(fontsize=6.2, loc="lower right", handlelength=1.2, borderaxespad=0.2)
    return drawn


def _title(axis: Axes, *lines: str) -> None:
    axis.set_title("\n".join(lines), fontsize=7, loc="left", pad=3, linespacing=1.2)
