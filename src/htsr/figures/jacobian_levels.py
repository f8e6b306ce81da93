"""Spectra of Jacobians by softmax and by scores, centred, and scaled to correlations."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from htsr.figures import jacobian_spectra, jacobians, style, sweeps
from htsr.files import Arrays

DRAWN = ["panel", "curve", "x", "x_high", "y"]
LEVELS = {
    "softmax": "softmax",
    "centred": "softmax, less the mean row",
    "correlation": "softmax, rows of length one",
    "logit": "scores",
    "parameters": "softmax, by parameters",
}
_COLUMNS = 4


def draw(
    table: pd.DataFrame, networks: pd.DataFrame, spectra: Sequence[Arrays], dataset: str
) -> tuple[Figure, pd.DataFrame]:
    """For each state of `jacobian_spectra.chosen` the complementary distribution functions of the eigenvalues of
    LEVELS, each over its largest, with the fitted power laws; the exponents stand above.

    table, networks, spectra, dataset: as of `jacobian_spectra.draw`. Returns the figure and its curves.
    """
    shown = jacobian_spectra.chosen(jacobians.measured(table), networks)[:_COLUMNS]
    if not shown:
        return style.message("No network of this experiment has Jacobians in detail."), pd.DataFrame(columns=DRAWN)
    files = jacobians.by_collection(spectra)
    figure = style.new_figure(3.4)
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    drawn, found = [], set()
    for axis, name, row in zip(panels, jacobian_spectra.state_names(shown), shown, strict=True):
        words = [name]
        same = (table["network"] == row["network"]) & (table["state"] == row["state"])
        of_state = table[same & (table["collection"] == row["collection"])].set_index("spectrum")
        for index, level in enumerate(LEVELS):
            if level not in of_state.index or not of_state.loc[level, "lambda_max"] > 0:
                continue
            fit = of_state.loc[level]
            found.add(level)
            values = jacobians.spectrum_of(files, row, level).eigenvalues / fit["lambda_max"]
            color = style.COLORS[index]
            drawn += jacobians.survival(axis, name, level, values, color=color, linestyle=style.LINES[index % 4])
            scaled = fit.to_dict() | {key: fit[key] / fit["lambda_max"] for key in ("xmin", "xmax")}
            drawn += jacobians.power_law_survival(axis, name, f"power law, {level}", scaled, color="0.2", linewidth=0.7)
            null = fit["alpha_null"]
            beside = f", null {null:.2f}" if np.isfinite(null) else ""
            words.append(f"{level}: {jacobians.fit_words(fit)}{beside}")
        axis.set_title("\n".join(words), fontsize=5.2, loc="left", linespacing=1.25)
        axis.set(xscale="log", yscale="log", xlabel=r"$\lambda/\lambda_{\mathrm{max}}$")
        axis.set(xlim=(1e-14, 3), ylim=(0.5 / row["n_examples"], 1.5))
    panels[0].set_ylabel(r"share of eigenvalues $\geq \lambda$")
    handles = [
        Line2D([], [], color=style.COLORS[index], linestyle=style.LINES[index % 4], label=words)
        for index, (level, words) in enumerate(LEVELS.items())
        if level in found
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    sweeps.footnote(
        figure,
        jacobians.images(pd.DataFrame(shown), dataset),
        "Each spectrum over its largest eigenvalue; thin black: fitted power laws",
        jacobians.PRECISION,
        "Null: rows of the same lengths, random directions",
        jacobians.NEAR_ONE,
    )
    return figure, pd.DataFrame(drawn, columns=DRAWN)
