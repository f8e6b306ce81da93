"""How the batch size of training shapes the Jacobian of the trained network."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from htsr.figures import jacobians, style, sweeps
from htsr.statistics.correlation import kendall
from htsr.statistics.resampling import bootstrap_weights, generator, interval

AXIS = "batch_size"
COLUMNS = ("alpha", "log_spectral_norm", "rank", "effective_rank", "norm", "correlation_alignment")
_DRAWN = ["panel", "curve", "x", "network", "value", "low", "high", "n"]


def trend(
    x: np.ndarray, y: np.ndarray, name: str, *, resamples: int, level: float, seed: int
) -> tuple[float, float, float, int]:
    """Kendall's τ-b of two measures of networks, the ends of its bootstrap interval, and the number of networks.

    Pairs with a missing value are left out; name: keys the resamples. NaN where τ or its interval is not defined.
    """
    whole = np.isfinite(x) & np.isfinite(y)
    x, y, n = x[whole], y[whole], int(whole.sum())
    if n < 2:
        return np.nan, np.nan, np.nan, n
    one = np.zeros(n, int)
    tau = float(kendall(x, y, one)[0])
    weights = bootstrap_weights(generator(seed, "jacobian_batch_size", name), one, resamples)
    return tau, *interval(kendall(x, y, one, weights), n, level), n


def draw(
    table: pd.DataFrame,
    networks: pd.DataFrame,
    axes: Sequence[str],
    dataset: str,
    *,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[Figure, pd.DataFrame]:
    """Measures of the Jacobians against the batch size, with Kendall's τ over all networks above each panel.

    table: of collect_jacobians; networks: of one sweep over the batch size, in their last states; axes: all settings
    that it varies; dataset: name of the images; resamples, level, seed: of the intervals of τ (bootstrap over networks,
    all seeds). Means over seeds have 95 % intervals by Student's t. Returns the figure and what it shows: panel,
    curve (the measure, its null, or tau), x, network (of a single point), value, low, high, n.
    """
    found, lost = jacobians.of_sweep(table, networks, axes)
    found, other = sweeps.fixed(found, axes, [AXIS])
    final = found[found["final"].astype(bool)]
    if final.empty:
        return style.message("No network of this sweep has a Jacobian."), pd.DataFrame(columns=_DRAWN)
    at = sweeps.places(final[AXIS], AXIS)
    figure = style.new_figure(4.6)
    panels = style.grid(figure, len(COLUMNS), 3)
    drawn = []
    for index, (axis, column) in enumerate(zip(panels, COLUMNS, strict=True)):
        drawn += jacobians.means(axis, final, AXIS, [column], at)
        sweeps.prepare_axis(axis, at, AXIS, 1.8, titled=index >= 3)
        x, y = final[AXIS].to_numpy(float), final[column].to_numpy(float)
        tau, low, high, n = trend(x, y, column, resamples=resamples, level=level, seed=seed)
        drawn.append({"panel": column, "curve": "tau", "value": tau, "low": low, "high": high, "n": n})
        axis.set_title(jacobians.tau_words(tau, low, high, n), fontsize=7, loc="left", pad=3)
    jacobians.exponents(panels[0])
    jacobians.ranks(panels[COLUMNS.index("rank")], final)
    handles = [Line2D([], [], label="trained networks", **style.look(0)), jacobians.null_handle()]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    sweeps.footnote(
        figure,
        jacobians.EIGENVALUES,
        jacobians.images(final, dataset),
        sweeps.INTERVALS,
        jacobians.RANDOM_ROWS + ", or permuted classes",
        jacobians.NEAR_ONE,
        rf"$\tau$: Kendall's, of all networks, with {100 * level:g} % bootstrap interval",
        *(other, lost),
    )
    return figure, pd.DataFrame(drawn, columns=_DRAWN)
