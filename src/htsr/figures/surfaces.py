"""What the figures of loss surfaces share: names of networks by their settings, grids, scales, what footnotes say.

The table of points (collect_surfaces/points.csv) has one row a surface, network, seed of the directions and point, that
of measures (summary.csv) one a surface and network. The settings of a network stand in the table of its collection's
networks: collect_sweep/{sweep}_networks.csv or collect_metrics/{series}.csv, `axes` says which settings a sweep varies.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from htsr.figures import style, sweeps
from htsr.landscape.grid import rectangle

SPLITS = {"train": "training", "test": "test"}
BATCH_NORM = {
    "frozen": "frozen at the statistics of the training",
    "recalibrated": "recalibrated: statistics estimated anew at every point",
}
_NORMALIZATION = {
    "filter": "each filter scaled to the norm of the network's",
    "layer": "each layer scaled to the norm of the network's",
    "none": "not normalized",
}
CONVEXITY = "Non-convex: share of the grid's inner points where second differences bend downwards in some direction"
COLORS = "viridis"  # from low to high losses, also in grey
_LEVELS = 14  # contour lines at most
_DECADES = 8  # of losses below the largest one, on logarithmic scales
_LINEAR = 4.0  # times the median: where linear scales end at the latest, lest one peak leave everything else flat
_VALUES = {"sgd": "SGD", "adam": "Adam"}


def known(networks: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """The rows of the tables of networks, put together, by the network's name."""
    return {row["model"]: row for row in networks.to_dict("records")}


def setting(axis: str, value: Any) -> str:
    """A setting with its value in words."""
    if pd.isna(value):
        return f"no {sweeps.words(axis)}"
    if axis == "label_noise":
        return f"{sweeps.printed(100 * value)} % random labels" if value > 0 else "true labels"
    if value in ("with", "without"):
        return f"{value} {sweeps.words(axis)}"
    if isinstance(value, str):
        return _VALUES.get(value) or sweeps.printed(value)
    return f"{sweeps.words(axis)} {sweeps.printed(value)}"


def varied(names: Iterable[str], networks: Mapping[str, Mapping], axes: Mapping[str, Sequence[str]]) -> list[str]:
    """The settings of the networks' sweeps that differ among them, in the order of the sweeps."""
    rows = [networks[name] for name in names if name in networks]
    of_sweeps = dict.fromkeys(axis for row in rows for axis in axes.get(row["series"], []))
    return [axis for axis in of_sweeps if len({_same(row.get(axis)) for row in rows}) > 1]


def _same(value: Any) -> Any:
    """The value, or None for an empty cell, which pandas reads as NaN, unequal to itself."""
    return None if pd.isna(value) else value


def title(name: str, networks: Mapping[str, Mapping], shown: Sequence[str], width: int | None = None) -> str:
    """What a network is called: the settings `shown` in words, else its title, else its name."""
    row = networks.get(name)
    if row is None:
        return style.plain(name, width)
    words = [setting(axis, row[axis]) for axis in shown if axis in row]
    return ", ".join(words) or style.plain(row.get("title") or name, width)


def titles(
    names: Iterable[str],
    networks: Mapping[str, Mapping],
    axes: Mapping[str, Sequence[str]],
    *,
    short: bool = False,
    width: int | None = None,
) -> dict[str, str]:
    """What each of the networks is called, all different: in words the settings that its sweep varies, and those of the
    sweeps among the networks that vary one of these too, with the seed where seeds differ; its title where it is no
    sweep's.

    networks: of `known`; short: only with the settings that differ among the networks, where any do. width: characters
    of titles and names that are no settings.
    """
    names = list(dict.fromkeys(names))
    differing = varied(names, networks, axes)
    series = {name: networks.get(name, {}).get("series") for name in names}
    sweeps_drawn = [list(axes[own]) for own in dict.fromkeys(series.values()) if axes.get(own)]
    seeds = {networks[name].get("seed") for name in names if axes.get(series[name])}
    found = {}
    for name in names:
        own = list(axes.get(series[name], []))
        shown = dict.fromkeys(axis for kin in sweeps_drawn if set(kin) & set(own) for axis in kin)
        shown = [axis for axis in shown if axis in differing] if short else shown
        seed = f"seed {networks[name]['seed']:g}" if own and len(seeds) > 1 else ""
        words = title(name, networks, list(shown) or own, width)
        found[name] = seed if seed and not shown else ", ".join(filter(None, [words, seed]))
    if len(set(found.values())) < len(names):
        found = {name: style.plain(name, width) for name in names}
    return found


def errors(name: str, networks: Mapping[str, Mapping]) -> str:
    """A network's error on test images in words, or that its training diverged, or nothing where neither is known."""
    row = networks.get(name, {})
    status, error = _same(row.get("status")), _same(row.get("error"))
    if status not in (None, "ok"):
        return "diverged"
    return "" if error is None else f"error {error:.1f} %"


def split(rows: pd.DataFrame) -> str:
    """Whose loss is drawn: train where it was measured, else test."""
    return "train" if (rows["train_examples"] > 0).all() else "test"


def images(rows: pd.DataFrame, dataset: str, splits: Sequence[str] = ("train",)) -> str:
    """What the losses are means over, for a footnote. splits: those drawn."""
    told = []
    for part in splits:
        counts = sorted(set(rows[f"{part}_examples"].astype(int)) - {0})
        if counts:
            told.append(f"{' or '.join(map(str, counts))} {SPLITS[part]}")
    name = {"cifar10_jpeg": "JPEG copies of CIFAR-10"}.get(dataset, dataset.replace("_", " "))
    return f"Mean losses over {' and '.join(told)} images ({style.plain(name, 30)})" if told else ""


def policy(rows: pd.DataFrame) -> str:
    """The batch-norm policies of the points, for a footnote."""
    found = [name for name in BATCH_NORM if name in set(rows["batch_norm"])]
    return f"Batch norm {'; or '.join(BATCH_NORM[name] for name in found)}" if found else ""


def directions(rows: pd.DataFrame) -> str:
    """How random directions are normalized, for a footnote; nothing where there are none."""
    found = rows.loc[rows["plane"] == "random", "normalization"].fillna("none")
    if found.empty:
        return ""
    told = " or ".join(_NORMALIZATION[name] for name in _NORMALIZATION if name in set(found))
    return f"Random directions, {told}; biases and batch-norm parameters fixed"


def sentence(text: str) -> str:
    """The text with a capital at its start."""
    return text[:1].upper() + text[1:]


def not_finite(losses: Iterable[float], how: str) -> str:
    """How many of the losses are not finite, for a footnote: `how` they are drawn."""
    losses = np.asarray(list(losses), float)
    infinite, undefined = int(np.isinf(losses).sum()), int(np.isnan(losses).sum())
    told = [f"{infinite} infinite"] if infinite else []
    told += [f"{undefined} undefined"] if undefined else []
    return f"{how}: {' and '.join(told)} {'loss' if infinite + undefined == 1 else 'losses'}" if told else ""


def grid(rows: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The axes a, b and the values (len(a) x len(b)) of one surface, one seed of directions, and which were measured.

    Refined surfaces at their finest level, linear in between. Raises InputError where points are missing.
    """
    return rectangle(*(rows[name].to_numpy(float) for name in ("a", "b", "level", column)))


def panels(points: pd.DataFrame, plane: str) -> dict[tuple[str, str], pd.DataFrame]:
    """The points of every plane of a kind by surface and network, with the first of its seeds of directions."""
    own = points[(points["dimensions"] == 2) & (points["plane"] == plane)]
    found = own.groupby(["surface", "network"], sort=False)
    return {key: rows[rows["seed"] == rows["seed"].iloc[0]] for key, rows in found}


def seeds(points: pd.DataFrame, shown: Iterable[tuple[str, str]]) -> str:
    """Which random directions of planes are drawn, for a footnote. shown: surfaces and networks."""
    own = points[(points["plane"] == "random") & (points["dimensions"] == 2)]
    own = own.groupby(["surface", "network"])["seed"].unique()
    found = [own[key] for key in shown if key in own.index]
    if not found:
        return ""
    first = ", ".join(sorted({f"{every[0]:g}" for every in found}))
    most = max(map(len, found))
    return f"Directions of seed {first}" + (f", non-convexity the mean over up to {most} seeds" if most > 1 else "")


def sizes(rows: Iterable[pd.DataFrame]) -> str:
    """How many points the grids have, for a footnote."""
    coarse = [own[own["level"] == 0] for own in rows]
    found = dict.fromkeys((own["a"].nunique(), own["b"].nunique()) for own in coarse)
    refined = any((own["level"] > 0).any() for own in rows)
    told = " or ".join(f"{p} × {q}" for p, q in found)
    return f"{told} points" + (", refined where the surface bends" if refined else "")


def non_convex(measures: pd.DataFrame, surface: str, network: str) -> str:
    """The non-convexity of a plane in words, with its deviation over directions; nothing where it is not known."""
    own = measures[(measures["surface"] == surface) & (measures["network"] == network) & (measures["dimensions"] == 2)]
    if own.empty or pd.isna(own["share_negative"].iloc[0]):
        return ""
    share, deviation = own[["share_negative", "share_negative_std"]].iloc[0]
    spread = f" ± {100 * deviation:.0f}" if pd.notna(deviation) else ""
    return f"non-convex {100 * share:.0f}{spread} %"


def levels(losses: Iterable[float], log: bool) -> np.ndarray:
    """Round losses from below the least to above the greatest finite one, ascending, as levels of contours.

    log: on a logarithmic scale, over at most _DECADES; else from below the least to _LINEAR times the median.
    """
    losses = np.asarray(list(losses), float)
    finite = losses[np.isfinite(losses) & ((losses > 0) | (not log))]
    if not len(finite):
        return np.array([0.1, 1.0])
    low, high = float(finite.min()), float(finite.max())
    if not log:
        reach = low + _LINEAR * float(np.median(finite) - low)
        high = min(high, reach) if reach > low else high
        return MaxNLocator(_LEVELS - 2, steps=[1, 2, 2.5, 5, 10]).tick_values(low, max(high, low + 1e-6 * abs(low)))
    low = max(low, high * 10.0**-_DECADES)
    decades = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    for mantissas in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        found = np.ravel(10.0 ** decades[:, None] * mantissas)
        first = max(int(np.searchsorted(found, low * (1 + 1e-9), "right")) - 1, 0)
        last = min(int(np.searchsorted(found, high * (1 - 1e-9), "left")), len(found) - 1)
        found = found[first : max(last, first + 1) + 1]
        if len(found) <= _LEVELS:
            break
    return found


def heights(losses: np.ndarray, at: np.ndarray, log: bool) -> np.ndarray:
    """What is drawn of losses with the levels `at`: their logarithms, where log, not below the lowest level; NaN where
    they are not finite."""
    finite = np.where(np.isfinite(losses), losses, np.nan)
    return np.log10(np.maximum(finite, at[0])) if log else finite


def contours(axis: Axes, rows: pd.DataFrame, column: str, at: np.ndarray, log: bool) -> ContourSet:
    """Filled contours of one plane with lines at the levels `at`, crosses at losses that are not finite and hatching
    around them; returns the filled ones, for a colour bar."""
    a, b, z, _ = grid(rows, column)
    h = np.ma.masked_invalid(heights(z, at, log)).T
    lines = np.log10(at) if log else at
    filled = axis.contourf(a, b, h, levels=lines, cmap=COLORS, extend="neither" if log else "max")
    filled.set_edgecolor("face")  # lest white seams show between the bands
    filled.set_linewidth(0.1)
    if np.ma.count(h) and np.ptp(h.compressed()):
        axis.contour(a, b, h, levels=lines, colors="black", linestyles="solid", linewidths=0.35, alpha=0.6)
    lost = rows[~np.isfinite(rows[column].astype(float))]
    if len(lost):
        corner, size = (a[0], b[0]), (a[-1] - a[0], b[-1] - b[0])
        axis.add_patch(Rectangle(corner, *size, facecolor="white", edgecolor="0.55", hatch="/////", lw=0, zorder=0))
        axis.plot(lost["a"], lost["b"], "x", color="black", markersize=2.5, markeredgewidth=0.6, clip_on=False)
    axis.set(xlim=(a[0], a[-1]), ylim=(b[0], b[-1]), aspect="equal")
    return filled


def loss_text(value: float) -> str:
    """A level of the loss as a tick says it."""
    if value and not 1e-3 <= abs(value) < 1e4:
        power = int(np.floor(np.log10(abs(value)) + 1e-9))
        mantissa = value / 10.0**power
        return rf"$10^{{{power}}}$" if abs(mantissa - 1) < 1e-6 else rf"${mantissa:g}\cdot 10^{{{power}}}$"
    return f"{value:g}"


def ticks(at: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the levels: all, those of whole decades, or every k-th."""
    if len(at) <= most:
        return at
    whole = at[np.isclose(np.log10(np.abs(at) + (at == 0)) % 1, 0, atol=1e-6) & (at > 0)]
    if 2 <= len(whole) <= most and len(whole) >= most / 3:
        return whole
    return at[:: -(-len(at) // most)]
