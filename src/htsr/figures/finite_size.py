"""The fitted exponent of heavy-tailed random matrices against the exponent of their entries, for several sizes."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from htsr.figures import style
from htsr.figures.densities import line, rows
from htsr.statistics.exponent_sweep import ENTRIES, fixed, sweep, sweep_lines
from htsr.statistics.linear_fits import Line
from htsr.statistics.samples import mean, prepare

HIGHEST = 30.0  # an exponent beyond says that there is no tail
RATIOS = (1.0, 15.0)  # axis of the log stable rank, which has a pole where the largest eigenvalue is 1
_DRAWN = ["panel", "curve", "n", "m", "x", "y", "y_low", "y_high", "samples"]
_NAMES = {"pareto": "Pareto, random signs", "lomax": "Lomax, without signs", "lomax_signed": "Lomax, random signs"}
_BARS = {"markersize": 3.5, "elinewidth": 0.8, "capsize": 1.5, "zorder": 3}
_TICKS = (1, 1.5, 2, 3, 4, 6, 10, 15, 20, 30)


def draw(ensembles: pd.DataFrame, published: Mapping[str, Mapping]) -> tuple[Figure, pd.DataFrame]:
    """Four panels: alpha against mu for one shape, for several N, for several M; log stable rank against alpha.

    ensembles: one row a matrix (collect_ensembles). published: by name, lines `slope`·mu + `intercept` from `mu_low` to
    `mu_high`. Means over the samples with their standard errors, exponents on logarithmic axes; what lies beyond
    HIGHEST or RATIOS is counted, not drawn. Returns the figure and what it shows: panel, curve, n, m (of the matrices),
    x, y, y_low, y_high, samples.
    """
    table = sweep(prepare(ensembles))
    if not len(table):
        return style.message("No ensemble of this experiment has heavy tails of several exponents."), _frame([])
    figure = style.new_figure(4.8)
    axes = figure.subplot_mosaic([["one", "one", "key"], ["m", "n", "norms"]], gridspec_kw={"height_ratios": [1.2, 1]})
    drawn = _one_shape(axes["one"], axes["key"], table, published)
    drawn += _sizes(axes["m"], table, "m", "n", "(b) Fixed $M$") + _sizes(axes["n"], table, "n", "m", "(c) Fixed $N$")
    drawn += _norms(axes["norms"], table)
    style.footnote(
        figure,
        style.eigenvalues_of("one_over_n") + "; means over samples ± standard errors",
        r"(d) depends on scale: $c\mathbf{W}$ adds $2\log c$ to both logarithms",
    )
    return figure, _frame(drawn)


def _frame(drawn: list[dict]) -> pd.DataFrame:
    return pd.DataFrame(drawn, columns=_DRAWN)


def _filled(name: str, color: str) -> dict[str, str]:
    """How the marker of the entries is filled: Pareto wholly, Lomax not, with random signs half."""
    style_of = "left" if name == "lomax_signed" else "full"
    face = "white" if name == "lomax" else color
    return {"fillstyle": style_of, "markerfacecolor": face, "markerfacecoloralt": "white"}


def _logarithmic(axis: Axes, side: str) -> None:
    axis.set(**{f"{side}scale": "log"})
    own = axis.xaxis if side == "x" else axis.yaxis
    own.set_major_locator(FixedLocator([tick for tick in _TICKS if side == "y" or tick in (1, 2, 4, 10, 20)]))
    own.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    own.set_minor_locator(NullLocator())


def _limits(axis: Axes, table: pd.DataFrame) -> None:
    """Axes, and the limiting exponent: dotted where the tail's share vanishes in the limit."""
    low, high = style.span(table["mu"])
    for ends, dash in (((low, 2), "--"), ((2, high), ":")):
        x = np.linspace(*ends, 50)
        axis.plot(x, 1 + x / 2, color="black", linestyle=dash, linewidth=0.9, zorder=1)
    _logarithmic(axis, "y")
    axis.set(xlim=(low, high), ylim=(1, HIGHEST), xlabel=r"exponent $\mu$ of the entries", ylabel=style.symbol("alpha"))


def _points(axis: Axes, panel: str, own: pd.DataFrame, color: str, marker: str) -> list[dict]:
    """Means by mu of the matrices of one shape, the entries told apart by the marker's filling; returns the rows."""
    drawn = []
    for name in ENTRIES:
        points = [(mu, mean(group["alpha"])) for mu, group in own[own["entries"] == name].groupby("mu")]
        points = [(mu, point) for mu, point in points if point.mean <= HIGHEST]
        for mu, (centre, stderr, n) in points:
            row = rows(panel, name, mu, centre, y_low=centre - stderr, y_high=centre + stderr, samples=n)
            drawn += [entry | {"n": own["n"].iloc[0], "m": own["m"].iloc[0]} for entry in row]
        if points:
            x, y, error = zip(*((mu, point.mean, np.nan_to_num(point.stderr)) for mu, point in points), strict=True)
            axis.errorbar(x, y, error, fmt=marker, color=color, **_filled(name, color), **_BARS)
    return drawn


def _beyond(own: pd.DataFrame) -> str:
    means = own.groupby(["entries", "n", "m", "mu"])["alpha"].mean()
    count = int((means > HIGHEST).sum())
    return f", {style.counted(count, 'mean')} beyond" if count else ""


def _one_shape(axis: Axes, key: Axes, table: pd.DataFrame, published: Mapping[str, Mapping]) -> list[dict]:
    """The main shape with our lines and the published ones; `key` takes the legend."""
    fits = sweep_lines(table)
    n, m = fits.shape
    own = table[(table["n"] == n) & (table["m"] == m)]
    drawn = _points(axis, "one shape", own, style.COLORS[0], "o")
    handles = [
        Line2D([], [], color="0.3", marker="o", linestyle="none", label=_NAMES[name], **_filled(name, "0.3"))
        for name in ENTRIES
        if (table["entries"] == name).any()
    ]
    handles.append(Line2D([], [], color="black", linestyle="--", linewidth=0.9, label=r"limit $1 + \mu/2$"))
    texts = []
    for name, entry in published.items():
        x = np.linspace(entry["mu_low"], entry["mu_high"], 50)
        y = entry["slope"] * x + entry["intercept"]
        drawn += line(axis, "one shape", f"published {name}", x, y, color="black", zorder=5)
        texts.append(_equation(Line(entry["slope"], entry["intercept"], np.nan, np.nan, 0), *x[[0, -1]]))
    if texts:
        handles.append(Line2D([], [], color="black", label="\n".join(["published, Lomax without signs", *texts])))
    for index, (name, ranges) in enumerate(fits.lines.items()):
        looks = {"color": style.COLORS[index + 1], "linestyle": style.LINES[index + 1], "linewidth": 1.0, "zorder": 2}
        texts = []
        for (low, high), fit in ranges.items():
            if fit is not None:
                x = np.linspace(low, high, 50)
                y = fit.slope * x + fit.intercept
                drawn += line(axis, "one shape", f"least squares {name}, {low:g} to {high:g}", x, y, **looks)
                texts.append(_equation(fit, low, high))
        if texts:
            handles.append(Line2D([], [], **looks, label="\n".join([_NAMES[name], *texts])))
    _limits(axis, table)
    key.set_axis_off()
    key.legend(handles=handles, loc="center left", fontsize=6.3, handlelength=1.8, borderaxespad=0, labelspacing=0.7)
    _title(axis, r"(a) One shape; lines: least squares of $\alpha$ on $\mu$", f"{n} × {m}, {_each(own)}{_beyond(own)}")
    return drawn


def _equation(fit: Line, low: float, high: float) -> str:
    """Range of μ: slope ± s.e. · μ + intercept ± s.e."""
    sign, slope, intercept = "+" if fit.intercept >= 0 else "-", f"{fit.slope:.2f}", f"{abs(fit.intercept):.2f}"
    if np.isfinite(fit.slope_stderr):
        slope = rf"({slope} \pm {fit.slope_stderr:.2f})"
        intercept = rf"({intercept} \pm {fit.intercept_stderr:.2f})"
    return rf"{low:g} to {high:g}: ${slope}\,\mu {sign} {intercept}$"


def _each(own: pd.DataFrame) -> str:
    sizes = own.groupby(["entries", "n", "m", "mu"]).size()
    least, most = sizes.min(), sizes.max()
    return style.counted(most, "matrix", "matrices") + " each" if least == most else f"{least} to {most} matrices each"


def _sizes(axis: Axes, table: pd.DataFrame, same: str, varied: str, title: str) -> list[dict]:
    """Shapes that share one side: the side that most shapes have."""
    own, drawn = fixed(table, same, varied), []
    for index, value in enumerate(sorted(own[varied].unique())):
        look = style.look(index)
        drawn += _points(axis, f"fixed {same}", own[own[varied] == value], look["color"], look["marker"])
        label = f"${varied.upper()} = {value}$"
        axis.plot([], [], look["marker"], color=look["color"], markersize=3.5, label=label)
    _limits(axis, table)
    axis.legend(loc="upper left", handlelength=1.0, fontsize=6.5, borderaxespad=0.2)
    _title(axis, title, f"${same.upper()} = {own[same].iloc[0]}$, {_each(own)}{_beyond(own)}")
    return drawn


def _norms(axis: Axes, table: pd.DataFrame) -> list[dict]:
    """The log stable rank against alpha, matrix by matrix."""
    points = table[table["log_stable_rank"].notna()]
    inside = points["alpha"].between(1, HIGHEST) & points["log_stable_rank"].between(*RATIOS)
    drawn = []
    for name in ENTRIES:
        own = points[inside & (points["entries"] == name)]
        looks = {"color": style.COLORS[0], "markersize": 2.2, "markeredgewidth": 0.5}
        looks |= _filled(name, style.COLORS[0])
        axis.plot(own["alpha"], own["log_stable_rank"], "o", alpha=0.6, **looks)
        drawn += [
            {"panel": "norms", "curve": name, "n": n, "m": m, "x": x, "y": y, "samples": 1}
            for n, m, x, y in own[["n", "m", "alpha", "log_stable_rank"]].itertuples(index=False)
        ]
    axis.plot((1, RATIOS[1]), (1, RATIOS[1]), color="0.3", linewidth=0.8, linestyle="--", zorder=1)
    _logarithmic(axis, "x")
    _logarithmic(axis, "y")
    axis.set(xlim=(1, HIGHEST), ylim=RATIOS, xlabel=style.symbol("alpha"))
    axis.set_ylabel(r"$\log\|\mathbf{W}\|_F^2\,/\,\log\lambda_{\mathrm{max}}$")
    beyond = f", {len(points) - int(inside.sum())} beyond" if not inside.all() else ""
    _title(axis, "(d) PL-norm relation; dashed: equal", f"{len(points)} matrices{beyond}")
    return drawn


def _title(axis: Axes, *lines: str) -> None:
    axis.set_title("\n".join(lines), fontsize=7, loc="left", pad=3, linespacing=1.2)
