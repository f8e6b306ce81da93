"""Empirical spectral densities of selected layers with the laws fitted to their tails."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from htsr.errors import InputError
from htsr.figures import style
from htsr.files import Arrays
from htsr.spectra.spectrum import Spectrum, from_arrays
from htsr.tails.rivals import log_normalizer, power_law_log_pdf, truncated_power_law_log_pdf

MOST = 6  # spectra that fit on a page
DECADES = 4  # of eigenvalues below the largest: smaller ones tell nothing of the tail
_POINTS = 60
_DRAWN = ["model", "layer", "curve", "x", "x_high", "y"]
_DATA, _PL, _TPL = style.COLORS[0], style.COLORS[1], style.COLORS[6]


@dataclass(frozen=True)
class Shown:
    """One spectrum to draw: the model's printed name, the record, its row of fit_power_law and of measure_layers."""

    model: str
    spectrum: Spectrum
    fit: Mapping
    measures: Mapping = field(default_factory=dict)


def choose(fits: pd.DataFrame, count: int) -> list[str]:
    """Names of the spectra to show, each of another weight: most eigenvalues first, then nearest the median alpha.

    The median is that of the model, so that spectra of equal size are represented by an ordinary one.
    fits: one row a spectrum (fit_power_law); spectra without a fit are never chosen.
    """
    rows = fits[fits["alpha"].notna() & (fits["status"] == "ok")]
    rows = rows.assign(fewer=-rows["n_eigenvalues"], off=(rows["alpha"] - rows["alpha"].median()).abs())
    rows = rows.sort_values(["fewer", "off"], kind="stable")
    weight = rows["layer"].str.replace(r"\[[^\[\]]*\]$", "", regex=True)
    return rows.loc[~weight.duplicated(), "layer"].tolist()[:count]


def pick(
    model: str,
    spectra: Iterable[Spectrum],
    fits: pd.DataFrame,
    layers: Sequence[str],
    measures: pd.DataFrame | None = None,
) -> list[Shown]:
    """The named layers of one model, ready to draw. model: its printed name; fits, measures: one row a spectrum.

    Raises InputError where the spectra or the measures are not those of the fits.
    """
    found = {spectrum.name: spectrum for spectrum in spectra if spectrum.name in layers}
    fitted = {row["layer"]: row for row in fits.to_dict("records")}
    measured = {row["layer"]: row for row in measures.to_dict("records")} if measures is not None else {}
    for layer in layers:
        if layer not in found or (measures is not None and layer not in measured):
            what = "spectrum" if layer not in found else "row of measures"
            raise InputError(f"{model}: no {what} {layer!r}, which its fits have: make both anew")
    return [Shown(model, found[layer], fitted[layer], measured.get(layer, {})) for layer in layers]


def select(
    names: Sequence[str],
    spectra: Sequence[Arrays],
    fits: Sequence[pd.DataFrame],
    count: int,
    measures: Sequence[pd.DataFrame] | None = None,
) -> tuple[list[Shown], list[str]]:
    """`count` layers of each model (`choose`), ready to draw, and the names of models without a fitted one.

    names: printed; spectra: files of compute_esd. Raises InputError where the lists are not of one length.
    """
    tables = [None] * len(names) if measures is None else measures
    if not len(names) == len(spectra) == len(fits) == len(tables):
        raise InputError("names, spectra, fits and measures are lists of one length: one entry a model")
    shown, without = [], []
    for name, arrays, table, measured in zip(names, spectra, fits, tables, strict=True):
        chosen = choose(table, count)
        shown += pick(name, from_arrays(arrays, arrays.header), table, chosen, measured)
        without += [] if chosen else [name]
    return shown, without


def draw(shown: Sequence[Shown], without: Sequence[str] = ()) -> tuple[Figure, pd.DataFrame]:
    """For each spectrum its density above its complementary distribution function, on logarithmic axes.

    Both show the eigenvalues, the power law and the truncated power law from xmin on (scaled by the share of the
    eigenvalues in the tail), xmin, and the mean over the permuted matrices. without: models that have no fit.
    Returns the figure and its curves.
    """
    left_out = len(shown) - MOST
    shown = list(shown)[:MOST]
    if not shown:
        return style.message("No spectrum of this experiment has a fitted tail."), pd.DataFrame(columns=_DRAWN)
    columns = len(shown) if len(shown) <= 4 else 3
    bands = -(-len(shown) // columns)
    if len(shown) == 1:
        figure = style.new_figure(2.9)
        pairs = [figure.subplots(1, 2)]
    else:
        figure = style.new_figure(0.7 + bands * (3.0 if bands == 1 else 2.8))
        axes = figure.subplots(2 * bands, columns, squeeze=False)
        pairs = [
            (axes[2 * (i // columns), i % columns], axes[2 * (i // columns) + 1, i % columns])
            for i in range(bands * columns)
        ]
        for pair in pairs[len(shown) :]:
            for axis in pair:
                axis.remove()
    drawn = []
    for (density, survival), item in zip(pairs, shown, strict=False):
        drawn += _panels(density, survival, item)
        density.set_title(
            _title(item, 64 if len(shown) == 1 else 34 if columns < 4 else 26),
            fontsize=7,
            loc="left",
            linespacing=1.25,
            pad=3,
        )
    for axis in [pair[0] for pair in pairs[: len(shown) : columns]]:
        axis.set_ylabel(r"density $\rho(\lambda)$")
    for axis in [pair[1] for pair in pairs[: len(shown) : columns]]:
        axis.set_ylabel(r"share of eigenvalues $\geq \lambda$")
    for pair in pairs[: len(shown)]:
        for axis in pair if len(shown) == 1 else pair[1:]:
            axis.set_xlabel(r"eigenvalue $\lambda$")
    _legend(figure, any(len(item.spectrum.null) for item in shown))
    matrices = style.eigenvalues_of(*sorted({item.spectrum.normalization for item in shown}))
    style.footnote(
        figure,
        f"{matrices}, over {DECADES} decades below the largest",
        left_out > 0 and f"{left_out} more not shown",
        bool(without) and f"No fit: {style.plain(', '.join(without), 50)}",
    )
    return figure, pd.DataFrame(drawn, columns=_DRAWN)


def _panels(density: Axes, survival: Axes, item: Shown) -> list[dict]:
    """Draw one spectrum; returns its curves."""
    spectrum, fit = item.spectrum, item.fit
    values, null = spectrum.eigenvalues, np.sort(np.ravel(spectrum.null))
    top = max(values[-1], null[-1] if len(null) else 0.0)
    bottom = max(values[-1] * 10.0**-DECADES, values[values > 0][0])
    edges = np.geomspace(bottom, top * (1 + 1e-9), int(np.clip(2 * np.sqrt(len(values)), 12, 40)) + 1)
    curves = {}
    for name, sample in (("eigenvalues", values), ("permuted", null)):
        if len(sample):
            curves[f"{name} density"] = edges, np.histogram(sample, edges)[0] / (len(sample) * np.diff(edges))
            at = sample[sample >= bottom] if name == "eigenvalues" else np.geomspace(bottom, sample[-1], 200)
            curves[f"{name} survival"] = at, 1 - np.searchsorted(sample, at) / len(sample)
    curves |= laws(fit, len(values))
    floor = 0.5 * min(heights[heights > 0].min() for name, (_, heights) in curves.items() if name.endswith("density"))
    for name, (_, heights) in curves.items():
        if name == "eigenvalues density":
            density.stairs(np.maximum(heights, floor), edges, baseline=floor, fill=True, color=_DATA, alpha=0.35)
        elif name == "permuted density":
            density.stairs(np.maximum(heights, floor), edges, baseline=floor, color=style.NULL)
    points = {"marker": ".", "markersize": 2.5, "linestyle": "none", "color": _DATA}
    survival.plot(*curves["eigenvalues survival"], **points)
    if len(null):
        survival.plot(*curves["permuted survival"], color=style.NULL)
    for law, color, line in (("PL", _PL, "-"), ("TPL", _TPL, "--")):
        for axis, kind in ((density, "density"), (survival, "survival")):
            if f"{law} {kind}" in curves:
                axis.plot(*curves[f"{law} {kind}"], color=color, linestyle=line)
    for axis in (density, survival):
        axis.axvline(fit["xmin"], color="0.2", linestyle=":", linewidth=0.9)
        axis.set(xscale="log", yscale="log", xlim=(bottom / 1.2, top * 1.3))
    highest = max(heights.max() for name, (_, heights) in curves.items() if name.endswith("density"))
    density.set_ylim(floor, highest * 2)
    survival.set_ylim(0.4 / len(values), 1.5)
    curves["xmin"] = np.array([fit["xmin"]]), np.array([np.nan])
    return [row for name, curve in curves.items() for row in _rows(item, name, *curve)]


def _rows(item: Shown, name: str, x: np.ndarray, y: np.ndarray) -> list[dict]:
    keys = {"model": item.model, "layer": item.spectrum.name, "curve": name}
    if len(x) > len(y):  # edges of a histogram
        return [keys | {"x": a, "x_high": b, "y": c} for a, b, c in zip(x[:-1], x[1:], y, strict=True)]
    return [keys | {"x": a, "y": c} for a, c in zip(x, y, strict=True)]


def laws(fit: Mapping, count: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Density and complementary distribution function of the fitted laws, scaled to the share of the tail."""
    alpha, xmin, share = fit["alpha"], fit["xmin"], fit["n_tail"] / count
    at = np.geomspace(xmin, fit["xmax"], _POINTS)
    curves = {
        "PL density": (at, share * np.exp(power_law_log_pdf(at, alpha, xmin))),
        "PL survival": (at, share * (at / xmin) ** (1 - alpha)),
    }
    a, rate = fit["tpl_alpha"], fit["tpl_lambda"]
    if np.isfinite([a, rate]).all() and (rate > 0 or a > 1):
        log_density = truncated_power_law_log_pdf(at, a, rate, xmin)
        # ∫ from x of y^-a e^(-Λy) is x^(1-a) E_a(Λx)
        log_rest = (1 - a) * np.log(at / xmin) + log_normalizer(a, rate * at) - log_normalizer(a, rate * xmin)
        curves |= {
            "TPL density": (at, share * np.exp(log_density)),
            "TPL survival": (at, share * np.exp(log_rest)),
        }
    return curves


def name(item: Shown, width: int) -> str:
    """Model, and layer with its shape, in two lines of at most width characters."""
    spectrum = item.spectrum
    shape = f", {spectrum.n} × {spectrum.m}" + (f", {spectrum.n_matrices} pooled" if spectrum.n_matrices > 1 else "")
    return f"{style.plain(item.model, width)}\n{style.plain(spectrum.name, width - len(shape))}{shape}"


def _title(item: Shown, width: int) -> str:
    """Model, layer with its shape, and the fit."""
    fit = item.fit
    text = rf"$\alpha = {fit['alpha']:.2f}$"
    if np.isfinite([fit["alpha_low"], fit["alpha_high"]]).all():
        text += f" [{fit['alpha_low']:.2f}, {fit['alpha_high']:.2f}]"
    text += "\n" if width < 30 else ", "
    text += rf"$D = {fit['ks_distance']:.3f}$"
    if np.isfinite(fit["p_value"]):
        text += rf", $p = {fit['p_value']:.2f}$"
    return f"{name(item, width)}\n{text}"


def _legend(figure: Figure, null: bool) -> None:
    handles = [
        Patch(color=_DATA, alpha=0.35, label="eigenvalues"),
        Line2D([], [], color=_PL, label="power law (PL)"),
        Line2D([], [], color=_TPL, linestyle="--", label="truncated power law (TPL)"),
        Line2D([], [], color="0.2", linestyle=":", linewidth=0.9, label=style.symbol("xmin")),
    ]
    if null:
        handles.append(Line2D([], [], color=style.NULL, label="elements permuted"))
    figure.legend(handles=handles, loc="outside upper center", ncols=5, columnspacing=1.2)
