"""Contours of the loss over planes of random directions, with and without shortcuts, over depth and width."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from htsr.figures import style, surfaces
from htsr.figures.surface_blocks import DRAWN, Key, block, draw_blocks, extent, varied

# Settings that networks must share to be compared, beside those that tell them apart.
_SHARED = ("dataset", "batch_size", "label_noise", "weight_decay", "learning_rate", "width", "depth", "epochs_trained")


def draw(
    points: pd.DataFrame,
    summary: pd.DataFrame,
    networks: pd.DataFrame,
    axes: Mapping[str, Sequence[str]],
    dataset: str,
    *,
    log: bool = True,
) -> tuple[Figure, pd.DataFrame]:
    """The loss over planes of random directions: a block of panels for each surface whose networks differ in two
    settings, the first along the rows, the other along the columns; all surfaces where there is no such one.

    points, summary: of collect_surfaces; networks: tables of the networks, put together; axes: settings that each sweep
    varies; dataset: name of the images. The panels of a block share their levels, on a logarithmic scale with log.
    Training loss, or test loss where that was measured alone. A block also takes the networks of other surfaces that
    fit into its rows. Returns the figure and the points drawn (`DRAWN`).
    """
    planes, known = surfaces.panels(points, "random"), surfaces.known(networks)
    chosen, _ = divided(planes, known, axes)
    chosen = [completed(keys, planes, known, axes) for keys in chosen]
    titles = surfaces.titles((network for keys in chosen for _, network in keys), known, axes, width=24)
    blocks = [block(keys, planes, titles, known, axes, summary) for keys in chosen]
    if not blocks:
        return style.message("No plane of random directions was measured."), pd.DataFrame(columns=DRAWN)
    return draw_blocks(blocks, points, dataset, log)


def divided(
    planes: Mapping[Key, pd.DataFrame], known: Mapping[str, Mapping], axes: Mapping[str, Sequence[str]]
) -> tuple[list[list[Key]], list[list[Key]]]:
    """The planes of each surface: those whose networks differ in two settings, and the others; all are of the first
    kind where there is no such surface. Planes with recalibrated batch norm are left out where there are frozen ones.
    """
    pairs, by_surface = paired(planes), {}
    for key in planes:
        if key not in {pair[1] for pair in pairs}:
            by_surface.setdefault(key[0], []).append(key)
    grids, others = [], []
    for keys in by_surface.values():
        (grids if len(varied(keys, known, axes)) > 1 else others).append(keys)
    return (grids, others) if grids else (others, [])


def paired(planes: Mapping[Key, pd.DataFrame]) -> list[tuple[Key, Key]]:
    """The planes that were measured with frozen and with recalibrated batch norm: pairs of them."""
    found: dict[tuple, dict[str, Key]] = {}
    for key, rows in planes.items():
        found.setdefault((key[1], *_directions(rows)), {}).setdefault(rows["batch_norm"].iloc[0], key)
    return [(own["frozen"], own["recalibrated"]) for own in found.values() if len(own) == len(surfaces.BATCH_NORM)]


def completed(
    keys: Sequence[Key],
    planes: Mapping[Key, pd.DataFrame],
    known: Mapping[str, Mapping],
    axes: Mapping[str, Sequence[str]],
) -> list[Key]:
    """The planes of one surface, and the same planes of networks of other surfaces that fit into its rows: trained
    alike, with one of the values of its first setting and a new value of the second."""
    differing = varied(keys, known, axes)
    if len(differing) != 2 or any(network not in known for _, network in keys):
        return list(keys)
    first, second = differing
    rows = [known[network] for _, network in keys]
    common = [column for column in _SHARED if column in rows[0] and column not in differing]
    found, taken = list(keys), {(row[first], value) for row in rows for value in {own[second] for own in rows}}
    for key, plane in planes.items():
        row = known.get(key[1], {})
        alike = all(row.get(column) == own[column] for own in rows for column in common)
        fits = row.get(first) in {own[first] for own in rows} and pd.notna(row.get(second))
        place = row.get(first), row.get(second)
        if alike and fits and place not in taken and _grid(plane) == _grid(planes[keys[0]]):
            found.append(key)
            taken.add(place)
    return found


def _directions(rows: pd.DataFrame) -> tuple:
    return tuple(str(rows[column].iloc[0]) for column in ("plane", "normalization", "seed"))


def _grid(rows: pd.DataFrame) -> tuple:
    """What two planes share that may be compared."""
    coarse = rows[rows["level"] == 0]
    many = [coarse[x].nunique() for x in "ab"]
    return *_directions(rows), rows["batch_norm"].iloc[0], rows["train_examples"].iloc[0], *extent(rows), *many
