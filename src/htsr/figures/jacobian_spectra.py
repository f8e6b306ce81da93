"""Spectra of Jacobians from random and flat to deeply funneled: untrained, on random labels, on noise, and trained."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from htsr.figures import jacobians, style, sweeps
from htsr.figures.densities import DRAWN, histogram, log_ticks, power_law, rows
from htsr.files import Arrays

MOST = 5  # columns that fit on a page
_BINS = 40
_DATA, _PL = style.COLORS[0], style.COLORS[1]


def chosen(table: pd.DataFrame, networks: pd.DataFrame) -> list[dict]:
    """The rows to draw, from flat to funneled: an untrained network, those trained on random labels, the least noisy
    one on images with permuted pixels, and those trained on true labels.

    table: rows of one spectrum (`jacobians.measured`); networks: their models, with label_noise where it was varied.
    Networks with a state `pixels` are those chosen for detail; those of the first collection that has one are taken.
    """
    detailed = table.loc[table["state"] == "pixels", ["collection", "network"]]
    if detailed.empty:
        return []
    own = detailed.loc[detailed["collection"] == detailed["collection"].iloc[0], "network"]
    noise = networks.drop_duplicates("model").set_index("model").reindex(own, columns=["label_noise"])["label_noise"]
    noise = noise.astype(float).fillna(0.0).sort_values(ascending=False, kind="stable")
    table = table[table["network"].isin(own)].assign(label_noise=table["network"].map(noise))
    least = noise.index[-1]
    untrained = table[((table["epoch"] == 0) | (table["state"] == "untrained")) & (table["network"] == least)]
    pixels = table[(table["state"] == "pixels") & (table["network"] == least)]
    final = table[table["final"].astype(bool)].sort_values("label_noise", ascending=False, kind="stable")
    noisy, true = final[final["label_noise"] > 0], final[final["label_noise"] == 0]
    return pd.concat([untrained, noisy, pixels, true]).to_dict("records")


def draw(
    table: pd.DataFrame, networks: pd.DataFrame, spectra: Sequence[Arrays], dataset: str
) -> tuple[Figure, pd.DataFrame]:
    """For each state of `chosen` the density of the eigenvalues of X above their complementary distribution function,
    on logarithmic axes that all share, with the fitted power law, its xmin, and the null.

    table: of collect_jacobians; networks: tables of the networks, put together; spectra: files of compute_jacobian;
    dataset: name of the images. Zero eigenvalues are counted but not drawn. Returns the figure and its curves.
    """
    shown = chosen(jacobians.measured(table), networks)
    if not shown:
        return style.message("No network of this experiment has Jacobians in detail."), pd.DataFrame(columns=DRAWN)
    beyond, shown = len(shown) - MOST, shown[:MOST]
    files = jacobians.by_collection(spectra)
    names = state_names(shown)
    records = [jacobians.spectrum_of(files, row) for row in shown]
    positive = [np.concatenate([s.eigenvalues, s.null.ravel()]) for s in records]
    low, high = min(v[v > 0].min() for v in positive), max(v.max() for v in positive)
    edges = np.geomspace(low * (1 - 1e-9), high * (1 + 1e-9), _BINS + 1)
    figure = style.new_figure(4.3)
    panels = figure.subplots(2, len(shown), sharex=True, sharey="row", squeeze=False)
    drawn = []
    for pair, name, row, spectrum in zip(panels.T, names, shown, records, strict=True):
        drawn += _panels(*pair, name, row, spectrum.eigenvalues, np.sort(spectrum.null.ravel()), edges)
        pair[0].set_title(
            f"{name}\n{jacobians.fit_words(row)}{_null_words(row)}", fontsize=6.5, loc="left", pad=3, linespacing=1.25
        )
        pair[1].set_xlabel(r"eigenvalue $\lambda$")
    heights = [row["y"] for row in drawn if "x_high" in row and row["y"] > 0]
    panels[0, 0].set(ylabel=r"density $\rho(\lambda)$", ylim=(0.3 * min(heights), 3 * max(heights)))
    panels[1, 0].set(ylabel=r"share of eigenvalues $\geq \lambda$", ylim=(0.4 / len(records[0].eigenvalues), 1.5))
    panels[0, 0].set(xscale="log", xlim=(low / 2, 2 * high))
    for axis in panels.ravel():
        axis.set(yscale="log")
        log_ticks(axis.xaxis, low, high)
    figure.legend(handles=_handles(shown), loc="outside upper center", ncols=4)
    models = list(dict.fromkeys(row["network"] for row in shown))
    sweeps.footnote(
        figure,
        jacobians.EIGENVALUES,
        jacobians.images(pd.DataFrame(shown), dataset),
        jacobians.PRECISION,
        "Null ± standard deviation",
        jacobians.NEAR_ONE,
        f"Networks: {style.plain(', '.join(models), 60)}",
        beyond > 0 and f"{style.counted(beyond, 'state')} not shown",
    )
    return figure, pd.DataFrame(drawn, columns=DRAWN)


def _panels(
    density: Axes, survival: Axes, name: str, row: Mapping, values: np.ndarray, null: np.ndarray, edges: np.ndarray
) -> list[dict]:
    """Density and distribution function of one spectrum; returns their curves."""
    drawn = histogram(density, name, "eigenvalues", values[values > 0], edges, len(values))
    drawn += jacobians.survival(
        survival, name, "eigenvalues", values, color=_DATA, marker=".", markersize=2.5, linestyle="none"
    )
    if len(null):
        heights = np.histogram(null[null > 0], edges)[0] / (len(null) * np.diff(edges))
        density.stairs(np.where(heights > 0, heights, np.nan), edges, baseline=None, color=style.NULL)
        drawn += rows(name, "null", edges, heights)
        drawn += jacobians.survival(survival, name, "null", null, color=style.NULL)
    if np.isfinite(row["alpha"]):
        drawn += power_law(density, name, row)
        drawn += jacobians.power_law_survival(survival, name, "power law", row, color=_PL)
        survival.axvline(row["xmin"], color="0.2", linestyle=":", linewidth=0.9)
    return drawn


def state_names(shown: Sequence[Mapping]) -> list[str]:
    """What each column shows, in one line; networks that share a state are named."""
    names = []
    for row in shown:
        state, noise = jacobians.state_words(row), row["label_noise"]
        if state == "trained":
            state = f"{sweeps.printed(100 * noise)} % random labels" if noise > 0 else "true labels"
        names.append(state)
    return [
        name if names.count(name) == 1 else f"{name}: {style.plain(row['network'], 20)}"
        for name, row in zip(names, shown, strict=True)
    ]


def _null_words(row: Mapping) -> str:
    """The exponent of the null, on a line of its own."""
    if not np.isfinite(row["alpha_null"]):
        return ""
    std = row["alpha_null_std"]
    spread = rf" \pm {std:.2f}" if std >= 0.01 else rf" \pm {std:.1g}" if std > 0 else ""
    return f"\nnull: ${row['alpha_null']:.2f}{spread}$"


def _handles(shown: Sequence[Mapping]) -> list[Patch | Line2D]:
    handles = [Patch(color=_DATA, alpha=0.35, label=r"eigenvalues of $\mathbf{X}$")]
    if any(np.isfinite(row["alpha"]) for row in shown):
        handles.append(Line2D([], [], color=_PL, label="power law"))
        handles.append(Line2D([], [], color="0.2", linestyle=":", linewidth=0.9, label=style.symbol("xmin")))
    if any(np.isfinite(row["alpha_null"]) for row in shown):
        handles.append(Line2D([], [], color=style.NULL, label="null: same row norms, random directions"))
    return handles
