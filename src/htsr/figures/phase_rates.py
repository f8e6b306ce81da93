"""How often the rule of the phases is right on random matrices of known phase, and what it says at the boundaries."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from htsr.figures import style
from htsr.metrics.phase import PHASES
from htsr.metrics.phase_rates import BOUNDARIES, NONE, RATES, across, confusion, reliability

DRAWN = ["panel", "x", *RATES]
_LOOKS = {phase: style.look(index) for index, phase in enumerate((*PHASES, NONE))}

_BARS = {"markersize": 3.5, "elinewidth": 0.8}

# Title, label of the axis, and where theory puts a boundary.
_PANELS = {
    "strength": ("One signal in noise", "strength / BBP threshold", (1,)),
    "mu": ("Pareto entries, random signs", r"exponent $\mu$ of the entries", (2, 4)),
    "rank": ("Products of two matrices", r"rank / $M$", ()),
}


def draw(ensembles: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Confusion matrix, share of right phases against confidence, and share of each phase across three boundaries.

    ensembles: one row a matrix (collect_ensembles), with expected_phase, phase, phase_confidence and the parameters of
    the laws. Panels without matrices are left out. Shares have exact 95 % intervals. Returns the figure and what it
    shows: panel, x (confidence or parameter), and the columns of `htsr.metrics.phase_rates.RATES`.
    """
    matrix, right = confusion(ensembles), reliability(ensembles)
    sweeps = {name: table for name in BOUNDARIES if len(table := across(ensembles, name))}
    if not len(matrix) and not sweeps:
        return style.message("No ensemble of this experiment stands for a phase."), pd.DataFrame(columns=DRAWN)
    figure = style.new_figure((2.7 if len(matrix) else 0) + (2.0 if sweeps else 0) + 0.2)
    parts = figure.subfigures(2, 1, height_ratios=[3.0, 2.5]) if len(matrix) and sweeps else [figure, figure]
    letters, drawn = iter("abcde"), []
    if len(matrix):
        left, side = parts[0].subplots(1, 2, width_ratios=[3.4, 1])
        _matrix(left, matrix, f"({next(letters)}) Measured phase in % of the expected one")
        _reliability(side, right, f"({next(letters)}) Confidence")
        drawn.append(matrix.assign(panel="confusion"))
        drawn.append(right.rename(columns={"confidence": "x"}).assign(panel="confidence"))
    if sweeps:
        axes = parts[1].subplots(1, len(sweeps), sharey=True, squeeze=False)[0]
        for axis, (name, table) in zip(axes, sweeps.items(), strict=True):
            _sweep(axis, name, table, f"({next(letters)}) {_PANELS[name][0]}")
            drawn.append(table.rename(columns={name: "x"}).assign(panel=name))
        axes[0].set_ylabel("share of the matrices")
        found = {phase for table in sweeps.values() for phase in table.loc[table["count"] > 0, "measured"]}
        present = [phase for phase in _LOOKS if phase in found]
        handles = [Line2D([], [], **_LOOKS[phase], markersize=3.5) for phase in present]
        parts[1].legend(handles, present, loc="outside upper center", ncols=min(len(present), 4), fontsize=7)
    style.footnote(
        parts[1],
        "Bars: exact 95 % intervals" + bool(sweeps) * " of shares other than 0 and 1",
        any(_PANELS[name][2] for name in sweeps) and "Dotted: boundaries of theory",
        len(matrix) and _worst(ensembles),
    )
    return figure, pd.concat(drawn, ignore_index=True).reindex(columns=DRAWN)


def _worst(ensembles: pd.DataFrame) -> str:
    """Where the rule is right least often, in a sentence."""
    sizes = confusion(ensembles, by=("n", "m"))
    least = sizes[sizes["expected"] == sizes["measured"]].sort_values("share", kind="stable").iloc[0]
    where = rf"{least['n']} $\times$ {least['m']}, {least['expected']}, $n = {least['total']}$"
    return f"Least right in (a): {_percent(least['share'])} % ({where})"


def _matrix(axis: Axes, table: pd.DataFrame, title: str) -> None:
    expected = list(dict.fromkeys(table["expected"]))
    measured = [*PHASES, *([NONE] if NONE in set(table["measured"]) else [])]
    cells = (
        table.pivot(index="expected", columns="measured", values="share").fillna(0).reindex(expected, columns=measured)
    )
    axis.imshow(cells, cmap="Blues", vmin=0, vmax=1.4, aspect="auto")
    for row, phase in enumerate(expected):
        for column, share in enumerate(cells.loc[phase]):
            if share > 0:
                axis.text(column, row, _percent(share), ha="center", va="center", fontsize=8)
    totals = table.groupby("expected")["total"].first()
    axis.set_xticks(range(len(measured)), [_broken(phase) for phase in measured], fontsize=6)
    axis.set_yticks(range(len(expected)), [f"{phase}\n$n = {totals[phase]}$" for phase in expected], fontsize=6)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    axis.set_title(title, loc="left", fontsize=8)


def _percent(share: float) -> str:
    """A percentage that is 0 or 100 only where the share is."""
    text = f"{100 * share:.0f}"
    return f"{100 * share:.1f}" if (text == "0" and share > 0) or (text == "100" and share < 1) else text


def _broken(phase: str) -> str:
    return phase.replace("-", "-\n").replace("+", "+\n")


def _reliability(axis: Axes, table: pd.DataFrame, title: str) -> None:
    axis.plot([0, 1], [0, 1], color=style.NULL, linewidth=0.8, linestyle="--", zorder=1)
    errors = [table["share"] - table["low"], table["high"] - table["share"]]
    axis.errorbar(table["confidence"], table["share"], errors, fmt="o", color=style.COLORS[0], **_BARS)
    axis.set(xlim=(0.35, 1.03), ylim=(0, 1.03), xlabel="confidence", ylabel="share right")
    axis.set_title(title, loc="left", fontsize=8)


def _sweep(axis: Axes, name: str, table: pd.DataFrame, title: str) -> None:
    _, label, boundaries = _PANELS[name]
    for x in boundaries:
        axis.axvline(x, color=style.NULL, linewidth=0.8, linestyle=":", zorder=1)
    for phase, look in _LOOKS.items():
        own = table[table["measured"] == phase]
        if own["count"].any():
            axis.plot(own[name], own["share"], **look, markersize=_BARS["markersize"], linewidth=1)
            own = own[own["count"].between(1, own["total"] - 1)]
            errors = [own["share"] - own["low"], own["high"] - own["share"]]
            axis.errorbar(own[name], own["share"], errors, fmt="none", ecolor=look["color"], **_BARS)
    axis.set(ylim=(-0.03, 1.03), xlabel=label, xlim=style.span(table[name]))
    axis.set_title(title, loc="left", fontsize=8)
