"""Contours of the loss over planes: batch norm frozen and recalibrated, pairs of networks, planes through solutions."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from htsr.figures import style, surfaces
from htsr.figures.surface_blocks import COLUMNS, DRAWN, block, draw_blocks
from htsr.figures.surface_contours import divided, paired


def draw(
    points: pd.DataFrame,
    places: pd.DataFrame,
    summary: pd.DataFrame,
    networks: pd.DataFrame,
    axes: Mapping[str, Sequence[str]],
    dataset: str,
    *,
    log: bool = True,
) -> tuple[Figure, pd.DataFrame]:
    """The loss over the planes that are not in `surface_contours`: a block of random planes with frozen beside
    recalibrated batch norm, a block for each other surface of random planes, and one for each plane through three
    solutions, which are marked.

    points, places, summary: of collect_surfaces; networks: tables of the networks, put together; axes: settings that
    each sweep varies; dataset: name of the images. The panels of a block share their levels, on a logarithmic scale
    with log. Returns the figure and the points drawn.
    """
    planes, known = surfaces.panels(points, "random"), surfaces.known(networks)
    through = surfaces.panels(points, "through")
    _, others = divided(planes, known, axes)
    blocks = []
    pairs = [key for pair in paired(planes) for key in pair]
    if pairs:
        titles = surfaces.titles((network for _, network in pairs), known, axes, width=24)
        own = block(pairs, planes, titles, known, axes, summary)
        own["lines"] = [pairs[i : i + COLUMNS] for i in range(0, len(pairs), COLUMNS)]
        for key in pairs:
            own["titles"][key].insert(1, planes[key]["batch_norm"].iloc[0])
        blocks.append(own)
    for keys in others:
        titles = surfaces.titles((network for _, network in keys), known, axes, width=24)
        blocks.append(block(keys, planes, titles, known, axes, summary))
    for key in through:
        own = block([key], through, surfaces.titles([key[1]], known, axes, width=24), known, axes, summary, places)
        own["titles"] = {key: [f"{key[0].replace('_', ' ')}", surfaces.non_convex(summary, *key)]}
        blocks.append(own)
    if not blocks:
        return style.message("There are no further planes of losses."), pd.DataFrame(columns=DRAWN)
    note = "Three solutions: both directions as long as the way from (0, 0) to (1, 0)" if through else ""
    return draw_blocks(blocks, points, dataset, log, note)
