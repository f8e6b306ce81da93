"""The leading singular directions of the Jacobian: images, patterns over the classes, and moves along them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from htsr.figures import jacobian_spectra, jacobians, style, sweeps
from htsr.files import Arrays

MOST = 4  # directions of a network
DRAWN = ["network", "direction", "panel", "class", "x", "value"]


def draw(
    table: pd.DataFrame, networks: pd.DataFrame, details: Sequence[Arrays], dataset: str
) -> tuple[Figure, pd.DataFrame]:
    """For the final states of `jacobian_spectra.chosen`, least and most random labels, the leading right singular
    vectors of 𝒥 (classes x pixels), each as the best outer product of an image and a pattern over the classes: the
    image, the pattern, and the mean probability of the two classes that gain and lose most when all examples move
    along the image.

    table, networks, dataset: as of `jacobian_heatmap.draw`; details: files of compute_jacobian with the directions.
    Returns the figure and the numbers of patterns and moves.
    """
    shown = jacobian_spectra.chosen(jacobians.measured(table), networks)
    final = [row for row in shown if row["final"]]
    ends = list({row["network"]: row for row in (final[-1:] + final[:1])}.values())
    kept = [(row, arrays) for row in ends if (arrays := _file(details, row)) is not None]
    if not kept:
        return style.message("No network of this experiment has Jacobians in detail."), pd.DataFrame(columns=DRAWN)
    names = dict(zip([row["network"] for row in final], jacobian_spectra.state_names(final), strict=True))
    counts = [min(MOST, len(arrays[f"{_prefix(row)}/images"])) for row, arrays in kept]
    figure = style.new_figure(0.5 + 3.3 * len(kept))
    drawn = []
    for part, (row, arrays), count in zip(np.ravel(figure.subfigures(len(kept), 1)), kept, counts, strict=True):
        part.suptitle(style.plain(f"{names[row['network']]} ({row['network']})", 70), fontsize=8, x=0.02, ha="left")
        panels = part.subplots(3, count, squeeze=False, height_ratios=[1.3, 1, 1])
        own = {
            key: np.asarray(arrays[f"{_prefix(row)}/{key}"])
            for key in ("images", "patterns", "shares", "flow", "moved", "values")
        }
        for index in range(count):
            drawn += _direction(panels[:, index], row, index, own, arrays.header["steps"])
        panels[1, 0].set_ylabel("pattern")
        panels[2, 0].set_ylabel("mean $p$")
        for axis in panels[2]:
            axis.set_xlabel("step")
    sweeps.footnote(
        figure,
        r"Leading right singular vectors of $\mathcal{J}$ (softmax)",
        jacobians.images(pd.DataFrame([row for row, _ in kept]), dataset),
        "Percentages: square of the vector in image times pattern",
        "Steps along the image in units of the images' root mean square norm",
        "Blue, orange: classes that gain and lose most at the largest step; grey: share of examples that change class",
    )
    return figure, pd.DataFrame(drawn, columns=DRAWN)


def _prefix(row: dict) -> str:
    return f"{row['network']}/{row['state']}"


def _file(details: Sequence[Arrays], row: dict) -> Arrays | None:
    return next((arrays for arrays in details if f"{_prefix(row)}/images" in arrays), None)


def _direction(axes: Sequence[Axes], row: dict, index: int, own: dict, steps: Sequence[float]) -> list[dict]:
    """Image, pattern and flow of one direction; returns the numbers of the last two."""
    picture, bars, moves = axes
    image, pattern, flow = (own[key][index] for key in ("images", "patterns", "flow"))
    bound = np.abs(image).max() or 1.0
    if len(image) == 3:
        picture.imshow(np.moveaxis(image, 0, 2) / (2 * bound) + 0.5, interpolation="nearest")
    else:
        picture.imshow(image[0], cmap="RdBu_r", vmin=-bound, vmax=bound, interpolation="nearest")
    picture.set(xticks=[], yticks=[])
    picture.set_title(
        rf"$\lambda_{{{index + 1}}} = {own['values'][index]:.3g}$, {100 * own['shares'][index]:.0f} %", fontsize=7
    )
    bars.bar(range(len(pattern)), pattern, color=style.COLORS[0], width=0.7)
    bars.axhline(0, color="0.3", linewidth=0.5)
    bars.set(xticks=range(len(pattern)), ylim=(-1.05, 1.05))
    bars.tick_params(labelsize=5)
    change = flow[-1] - flow[int(np.argmin(np.abs(steps)))]
    gains, loses = int(change.argmax()), int(change.argmin())
    for place, look in ((gains, style.look(0)), (loses, style.look(1))):
        moves.plot(steps, flow[:, place], **look, markersize=2.5, linewidth=1)
    moves.plot(steps, own["moved"][index], color=style.NULL, linestyle=":", linewidth=1)
    moves.set(ylim=(-0.03, 1.03))
    moves.set_title(f"{gains} gains, {loses} loses", fontsize=6, loc="left", pad=2)
    shared = {"network": row["network"], "direction": index + 1}
    drawn = [shared | {"panel": "pattern", "class": c, "value": value} for c, value in enumerate(pattern)]
    drawn += [
        shared | {"panel": "flow", "class": c, "x": step, "value": flow[i, c]}
        for i, step in enumerate(steps)
        for c in range(len(pattern))
    ]
    return drawn + [
        shared | {"panel": "moved", "x": step, "value": value}
        for step, value in zip(steps, own["moved"][index], strict=True)
    ]
