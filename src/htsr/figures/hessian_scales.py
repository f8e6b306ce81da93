"""Curvature of the loss across scales: second differences against their step, beside vᵀHv by autograd."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from htsr.figures import hessians, style, sweeps

DRAWN = ["panel", "network", "epoch", "direction", "step", "n_directions", "second_difference",
         "second_difference_stderr", "exact", "exact_stderr", "gap", "gap_stderr", "rounding"]  # fmt: skip
_KINDS = {"random": "random directions", "top_eigenvector": r"eigenvector of $\lambda_{\mathrm{max}}$"}
_COLUMNS = 3
_MOST = 12


def draw(
    curvature: pd.DataFrame, ends: pd.DataFrame, titles: Mapping[str, str], dataset: str
) -> tuple[Figure, pd.DataFrame]:
    """A panel for each network and epoch: second differences of the loss over ±h against h, along filter-normalized
    random directions and along the eigenvector of λmax; as horizontal lines vᵀHv along the same ones.

    curvature, ends: compute_hessian/{set}_curvature.csv and {set}.csv of one set or more, put together; titles: printed
    names of networks; dataset: name of the images. Bands and error bars are standard errors over the directions. What
    is no larger than what rounding can make of it is not drawn. Returns the figure and what it shows.
    """
    states = curvature[hessians.STATE].drop_duplicates() if "step" in curvature else curvature.iloc[:0]
    if states.empty:
        return style.message("No network of this experiment has its curvature across scales."), pd.DataFrame(
            columns=DRAWN
        )
    beyond, states = max(len(states) - _MOST, 0), states.iloc[:_MOST]
    is_trained = hessians.trained(states)
    columns = min(len(states), _COLUMNS)
    figure = style.new_figure(0.8 + 1.75 * -(-len(states) // columns))
    panels = style.grid(figure, len(states), columns, sharex=True)
    drawn = []
    for axis, (network, epoch), last in zip(panels, states.itertuples(index=False), is_trained, strict=True):
        rows = hessians.of_state(curvature, network, epoch)
        title = titles.get(network, style.plain(network, 36))
        title += "" if last else f", {hessians.state_words(epoch, last)}"
        drawn += [{"panel": hessians.line(title)} | row for row in _panel(axis, rows)]
        axis.set_title(title, fontsize=7.5, loc="left")
    for axis in panels[-columns:]:
        axis.set_xlabel("step $h$")
        axis.tick_params(labelbottom=True)
    for axis in panels[::columns]:
        axis.set_ylabel("curvature")
    figure.legend(handles=_handles(), loc="outside upper center", ncols=3)
    counts = curvature.loc[curvature["direction"] == "random", "n_directions"].unique()
    sweeps.footnote(
        figure,
        hessians.examples(hessians.of_states(ends, states), dataset),
        hessians.BATCH_NORM,
        f"Means and standard errors over {', '.join(f'{n:g}' for n in sorted(counts))} directions"
        if len(counts)
        else "",
        "Random directions: filter-normalized ($h = 1$ as long as the weights), biases and batch norm fixed; "
        "eigenvector: of length 1",
        r"Dashed: $\mathbf{v}^{\!\top}\mathbf{Hv}$ by autograd, which does not see kinks of rectifiers; the gap at "
        "small $h$ is what those within ±$h$ add",
        beyond > 0 and f"{style.counted(beyond, 'state')} not shown",
    )
    return figure, pd.DataFrame(drawn, columns=DRAWN)


def _panel(axis: Axes, rows: pd.DataFrame) -> list[dict]:
    """Both kinds of directions of one network; returns what was drawn."""
    drawn, values = [], []
    for index, kind in enumerate(_KINDS):
        own = rows[rows["direction"] == kind].sort_values("step")
        own = own[own["second_difference"].abs() > own["rounding"]]
        if own.empty:
            continue
        look = style.look(index) | {"linestyle": "-"}
        error = own["second_difference_stderr"].fillna(0)
        axis.errorbar(
            own["step"], own["second_difference"], error, **look, markersize=3.5, elinewidth=0.7, capsize=1.5, zorder=3
        )
        exact, stderr = own["exact"].iloc[0], np.nan_to_num(own["exact_stderr"].iloc[0])
        axis.axhline(exact, color=look["color"], linestyle="--", linewidth=0.9, zorder=2)
        axis.axhspan(exact - stderr, exact + stderr, color=look["color"], alpha=0.15, linewidth=0, zorder=1)
        values += [*own["second_difference"], exact]
        drawn += own.to_dict("records")
    axis.set_xscale("log")
    values = np.array(values, float)
    values = values[np.isfinite(values)]
    if len(values) and (values > 0).all():
        hessians.log_axis(axis, "y", values)
    elif len(values):
        least = 10.0 ** np.ceil(np.log10(np.abs(values[values != 0]).min(initial=np.abs(values).max() or 1.0)))
        axis.set_yscale("symlog", linthresh=least, linscale=1)
        ends = [sign * least * 10.0**k for sign in (1, -1) for k in range(0, 12, 2)]
        axis.yaxis.set_major_locator(FixedLocator([0, *(x for x in ends if values.min() <= x <= values.max())]))
    return drawn


def _handles() -> list[Line2D]:
    found = [
        Line2D([], [], markersize=3.5, label=words, **style.look(index) | {"linestyle": "-"})
        for index, words in enumerate(_KINDS.values())
    ]
    return [*found, Line2D([], [], color="0.3", linestyle="--", linewidth=0.9, label="autograd")]
