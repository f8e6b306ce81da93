"""Squared singular values of input-output Jacobians of random networks, beside their laws, by depth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from htsr.figures import style
from htsr.figures.densities import POINTS, line, rows
from htsr.spectra import fuss_catalan
from htsr.statistics.samples import mean

LINEAR_DEPTHS = (1, 2, 3)
RELU_DEPTHS = (1, 2, 3, 8)
_LOWEST = 1e-5  # eigenvalue, of the densities' axes
_BINS = 40
_DRAWN = ["panel", "curve", "x", "x_high", "y", "y_low", "y_high", "n"]


@dataclass(frozen=True)
class Network:
    """A kind of random network at critical weights, E λ = 1: its printed name, its share p of active units, the depths
    that are sampled, and whether its weights are orthogonal instead of Gaussian.
    """

    name: str
    active: float
    depths: Sequence[int]
    orthogonal: bool = False

    def variance(self, depth: int) -> float:
        """Of λ in the limit of large width: L/p with Gaussian weights, L(1/p - 1) with orthogonal ones (Pennington,
        Schoenholz, Ganguli 2018, arXiv 1802.09979, eq. 22 with their s_1 = -1 and 0)."""
        return depth * (1 / self.active - self.orthogonal)


NETWORKS = {
    "linear": Network("linear, Gaussian", 1.0, LINEAR_DEPTHS),
    "relu": Network("ReLU, Gaussian", 0.5, RELU_DEPTHS),
    "orthogonal_linear": Network("linear, orthogonal", 1.0, LINEAR_DEPTHS, orthogonal=True),
    "orthogonal_relu": Network("ReLU, orthogonal", 0.5, RELU_DEPTHS, orthogonal=True),
}


def draw(samples: dict[tuple[str, int], np.ndarray], width: int) -> tuple[Figure, pd.DataFrame]:
    """Four panels: densities of linear and of ReLU networks, variance and largest eigenvalue against depth.

    samples: squared singular values (samples x width) by the key in NETWORKS and depth; width: of every layer. Returns
    the figure and what it shows: panel, curve, x (of a bin: to x_high), y; of points y_low, y_high: mean ± standard
    error over n networks.
    """
    figure = style.new_figure(5.0)
    axes = style.grid(figure, 4, 2)
    drawn = _densities(axes[0], "linear", samples)
    _title(axes[0], "(a) Linear networks: Fuss-Catalan laws")
    drawn += _densities(axes[1], "relu", samples)
    _title(axes[1], "(b) ReLU networks, eigenvalues other than 0")
    drawn += _variances(axes[2], samples)
    _title(axes[2], "(c) Variance")
    drawn += _edges(axes[3], samples)
    _title(axes[3], "(d) Largest eigenvalue")
    count = min(len(values) for values in samples.values())
    style.footnote(
        figure,
        rf"Eigenvalues $\lambda$ of $\mathbf{{J}}\mathbf{{J}}^{{\!\top}}$, "
        rf"$\mathbf{{J}} = \mathbf{{D}}_L\mathbf{{W}}_L\cdots\mathbf{{D}}_1\mathbf{{W}}_1$, "
        f"of {style.counted(count, 'random network')} of width {width} each, weights of variance "
        r"$1/n$ (linear) or $2/n$ (ReLU)"
        + (
            ".\n$D$: Kolmogorov-Smirnov distance between all eigenvalues and the law; points: mean ± s.e. over networks"
            if count > 1
            else ".\n$D$: Kolmogorov-Smirnov distance between all eigenvalues and the law"
        ),
    )
    return figure, pd.DataFrame(drawn, columns=_DRAWN)


def _densities(axis: Axes, name: str, samples: dict[tuple[str, int], np.ndarray]) -> list[dict]:
    """Density of ln λ, which shows both ends; its area over the axis is the share of the eigenvalues there."""
    network, drawn = NETWORKS[name], []
    top = 1.6 * max(fuss_catalan.edges(depth, network.active)[1] for depth in network.depths)
    bins = np.geomspace(_LOWEST, top, _BINS + 1)
    for index, depth in enumerate(network.depths):
        values, look = np.sort(samples[name, depth], axis=None), style.look(index)
        low, high = fuss_catalan.edges(depth, network.active)
        distance = _distance(values, depth, network.active)
        heights = np.histogram(values, bins)[0] / (len(values) * np.diff(np.log(bins)))
        axis.stairs(heights, bins, fill=True, color=look["color"], alpha=0.2, linewidth=0)
        drawn += rows(name, f"eigenvalues, L = {depth}", bins, heights, n=len(samples[name, depth]))
        # Denser where the density has its square root, at the upper edge.
        x = high * (max(low, _LOWEST) / high) ** (np.linspace(0, 1, POINTS)[1:-1] ** 2)
        law = x * fuss_catalan.density(x, depth, network.active)
        label = f"$L = {depth}$, $\\lambda_+ = {high:.2f}$, $D = {distance:.3f}$"
        looks = {"color": look["color"], "linestyle": look["linestyle"]}
        drawn += line(axis, name, f"law, L = {depth}", x, law, label=label, **looks)
    axis.set(xscale="log", xlim=(_LOWEST, top), xlabel=r"eigenvalue $\lambda$", ylabel=r"density of $\ln\lambda$")
    axis.set_ylim(0, axis.get_ylim()[1] * 1.02)
    axis.legend(loc="upper left", fontsize=6.5, borderaxespad=0.2)
    return drawn


def _distance(values: np.ndarray, depth: int, active: float) -> float:
    """Kolmogorov-Smirnov distance of all eigenvalues from the law. values: ascending.

    Half of a ReLU network's are 0, up to rounding, where the law has an atom: those below half of it count as one step.
    """
    zeros = int(np.sum(values <= 1e-20 * values[-1]))
    below = fuss_catalan.cdf(values[zeros:], depth, active)
    steps = np.arange(zeros, len(values) + 1) / len(values)
    return float(max(np.abs(steps[1:] - below).max(), np.abs(below - steps[:-1]).max()))


def _variances(axis: Axes, samples: dict[tuple[str, int], np.ndarray]) -> list[dict]:
    drawn = []
    for index, (name, network) in enumerate(NETWORKS.items()):
        look = style.look(index)
        ends = np.array([0, max(RELU_DEPTHS)])
        looks = {"color": look["color"], "linestyle": look["linestyle"], "linewidth": 0.9}
        law = [network.variance(depth) for depth in ends]
        drawn += line(axis, "variance", f"{name} law", ends, np.array(law), **looks)
        slope = f"{network.variance(1):g}".replace("1", "", 1) if network.variance(1) else "0"
        label = f"{network.name}: ${slope}{'L' if slope != '0' else ''}$"
        points = {depth: _relative_variance(samples[name, depth]) for depth in network.depths}
        drawn += _points(axis, "variance", name, points, look, label)
    axis.set(xlabel="depth $L$", ylabel=r"$\langle\lambda^2\rangle/\langle\lambda\rangle^2 - 1$", xlim=(0, None))
    axis.legend(loc="upper left")
    return drawn


def _relative_variance(values: np.ndarray) -> pd.Series:
    """Of each network's eigenvalues, in units of their squared mean, whose own fluctuation is thus left out."""
    return pd.Series((values**2).mean(axis=1) / values.mean(axis=1) ** 2 - 1)


def _edges(axis: Axes, samples: dict[tuple[str, int], np.ndarray]) -> list[dict]:
    drawn = []
    for index, name in enumerate(("linear", "relu")):
        network, look = NETWORKS[name], style.look(index)
        depths = np.arange(1, max(RELU_DEPTHS) + 1)
        law = np.array([fuss_catalan.edges(depth, network.active)[1] for depth in depths])
        looks = {"color": look["color"], "linestyle": look["linestyle"], "linewidth": 0.9}
        drawn += line(axis, "largest eigenvalue", f"{name} edge", depths, law, **looks)
        points = {depth: pd.Series(samples[name, depth].max(axis=1)) for depth in network.depths}
        drawn += _points(axis, "largest eigenvalue", name, points, look, f"{network.name}")
    axis.axhline(1, color=style.COLORS[2], linestyle="-.", linewidth=0.9, label="linear, orthogonal: 1")
    axis.set(xlabel="depth $L$", ylabel=style.symbol("lambda_max"), xlim=(0, None), ylim=(0, None))
    axis.legend(loc="upper left")
    return drawn


def _points(axis: Axes, panel: str, curve: str, points: dict[int, pd.Series], look: dict, label: str) -> list[dict]:
    """Means over networks at each depth with their standard errors."""
    drawn, found = [], {depth: mean(values) for depth, values in points.items()}
    for depth, own in found.items():
        ends = {"y_low": own.mean - own.stderr, "y_high": own.mean + own.stderr}
        drawn += rows(panel, curve, depth, own.mean, n=own.n, **ends)
    heights, errors = zip(*((own.mean, np.nan_to_num(own.stderr)) for own in found.values()), strict=True)
    looks = {"color": look["color"], "fmt": look["marker"], "markersize": 3.5, "elinewidth": 0.9, "capsize": 1.5}
    axis.errorbar(list(found), heights, errors, label=label, zorder=4, **looks)
    return drawn


def _title(axis: Axes, text: str) -> None:
    axis.set_title(text, fontsize=7.5, loc="left", pad=3)
