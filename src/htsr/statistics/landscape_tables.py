"""Rows on loss landscapes that claims are judged on: the stages' tables with more columns, and the networks' settings.

    summary     collect_surfaces/summary.csv, one row for each surface and network. between: `solutions` or `initial`,
                what a line or curve joins. log_width_nat, log_width_double: decimal logarithms. barrier: training loss
                (test loss where only that was measured). barrier_z: over its standard error, 0 where there is none.
                relative_barrier: over that of the straight line between the same two networks, NaN where that has none
    lines       of collect_surfaces/points.csv, one row for each line between two states of networks. climb: the most
                that the loss rises again on the way from the other state to the network itself, over the whole range of
                the losses on it; 1 where one of them is infinite
    ends        compute_hessian/{set}.csv. final. log_lambda_max, log_trace, log_filter_lambda_max,
                log_filter_curvature: decimal logarithms of the positive ones. certain_ratio: the most that |λmin/λmax|
                can be by its bounds, and by what the Lanczos run may have missed
    plane       compute_hessian/{set}_plane.csv, one row a point. log_ratio. certain_ratio, by its bound
    maps        of `plane` and `points`, one row a map of |λmin/λmax| whose plane was measured as a surface, too.
                ratio_difference: mean log10 ratio where the surface is not convex, less that where it is
    curvature   compute_hessian/{set}_curvature.csv. relative_gap: gap over |vᵀHv|
    explained   project_trajectory/{set}_explained.csv
    solutions   compare_solutions/pairs.csv. seeds: the two differ in their seeds alone
    networks    collect_sweep/{sweep}_networks.csv

Every row has `unit`, what is independent: the network, or the pair of them, and all pairs that are joined by networks
that they share; `surface`, within which rows compare: the name of the surface, or the file; and of networks of sweeps
`sweep`, `seed`, `training` (ok, or how it failed) and their settings.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from htsr.errors import InputError
from htsr.landscape.convexity import second_differences
from htsr.statistics.evidence import NotMeasured, Tables, Training, described

SETTINGS = ("batch_size", "label_noise", "weight_decay", "learning_rate", "width", "depth")

UNBOUNDED = 1e300
"""In place of a ratio that has no bound, so that it counts in shares as what it may be."""


def log(values: pd.Series) -> pd.Series:
    """Decimal logarithms of the positive values."""
    return np.log10(values.where(values > 0))


def summary(found: pd.DataFrame) -> pd.DataFrame:
    rows = found.assign(
        between=np.where(found["other"] == "initial", "initial", np.where(found["other"].notna(), "solutions", None)),
        log_width_nat=log(found["width_nat"]),
        log_width_double=log(found["width_double"]),
    )
    for ending in ("", "_stderr"):
        test = rows[f"test_barrier{ending}"]
        rows[f"barrier{ending}"] = rows[f"train_barrier{ending}"].where(rows["split"] == "train", test)
    rows["barrier_z"] = (rows["barrier"] / rows["barrier_stderr"]).where(rows["barrier"] != 0, 0.0)
    keys = ["network", "other", "batch_norm"]
    straight = rows[rows["plane"] == "interpolation"].groupby(keys)["barrier"].mean().rename("straight")
    rows = rows.join(straight, on=keys)
    rows["relative_barrier"] = rows["barrier"] / rows["straight"].where(rows["straight"] > 0)
    return rows.assign(unit=_unit(rows))


def lines(points: pd.DataFrame) -> pd.DataFrame:
    rows = points[(points["plane"] == "interpolation") & points["a"].between(0, 1)]
    keys = ["surface", "network", "other", "plane", "batch_norm"]
    made = []
    for names, own in rows.sort_values("a", ascending=False).groupby(keys, sort=False):
        losses = own["train_loss" if own["train_examples"].iloc[0] else "test_loss"].to_numpy(float)
        made.append(dict(zip(keys, names, strict=True)) | {"climb": climb(losses)})
    table = pd.DataFrame(made, columns=[*keys, "climb"])
    table["between"] = np.where(table["other"] == "initial", "initial", "solutions")
    return table.assign(unit=_unit(table))


def climb(losses: np.ndarray) -> float:
    """The most that a sequence rises above its least value so far, over its range: 0 where it only falls.

    1 where a value is infinite, NaN where one is undefined or all are the same.
    """
    if np.isnan(losses).any():
        return np.nan
    if np.isinf(losses).any():
        return 1.0
    span = float(np.ptp(losses))
    return float((losses - np.minimum.accumulate(losses)).max()) / span if span > 0 else np.nan


def _unit(rows: pd.DataFrame) -> pd.Series:
    """The network, or those of a path between two."""
    paths = rows["between"] == "solutions"
    unit = rows["network"].astype(object)
    unit[paths] = _joined(rows.loc[paths, "network"], rows.loc[paths, "other"])
    return unit


def _joined(first: pd.Series, second: pd.Series) -> list[str]:
    """For each pair, all networks that pairs join to it: pairs that share one do not vary independently."""
    groups: dict[str, set[str]] = {}
    for pair in zip(first, second, strict=True):
        group = set().union(*(groups.get(name, {name}) for name in pair))
        groups |= dict.fromkeys(group, group)
    return [" and ".join(sorted(groups[name])) for name in first]


def ends(found: pd.DataFrame) -> pd.DataFrame:
    last = found.groupby(["network", "surface"])["epoch"].transform("max")
    logs = ("lambda_max", "trace", "filter_lambda_max", "filter_curvature")
    rows = found.assign(
        final=found["epoch"].isna() | (found["epoch"] == last),
        unit=found["network"],
        **{f"log_{name}": log(found[name]) for name in logs},
    )
    missed = rows["lambda_min_bound"] + rows["undetected"]
    return rows.assign(certain_ratio=_certain(rows["lambda_min"].abs() + missed, rows))


def plane(found: pd.DataFrame) -> pd.DataFrame:
    certain = _certain(found["lambda_min"].abs() + found["lambda_min_bound"], found)
    return found.assign(log_ratio=log(found["ratio"]), certain_ratio=certain, unit=found["network"])


def _certain(most: pd.Series, rows: pd.DataFrame) -> pd.Series:
    """The largest |λmin| over the smallest λmax that the bounds allow."""
    least = rows["lambda_max"] - rows["lambda_max_bound"]
    return (most / least.where(least > 0)).fillna(UNBOUNDED)


def maps(found: pd.DataFrame, points: pd.DataFrame) -> pd.DataFrame:
    surfaces = points[
        (points["plane"] == "random")
        & (points["dimensions"] == 2)
        & (points["normalization"] == "filter")
        & (points["seed"] == 0)
        & (points["level"] == 0)
    ]
    made = []
    for (network, source, policy), own in found.groupby(["network", "surface", "batch_norm"], sort=False):
        drawn = surfaces[(surfaces["network"] == network) & (surfaces["batch_norm"] == policy)]
        if len(drawn):
            drawn = drawn[drawn["surface"] == drawn["surface"].iloc[0]]
            difference = ratio_difference(plane(own), drawn)
            made.append((network, source, policy, difference, network))
    return pd.DataFrame(made, columns=["network", "surface", "batch_norm", "ratio_difference", "unit"])


def ratio_difference(found: pd.DataFrame, drawn: pd.DataFrame) -> float:
    """Mean log_ratio of a map's points (rows of `plane`) where the drawn surface is not convex, less that elsewhere.

    Not convex: the smaller eigenvalue of the 2 x 2 matrix of second differences is negative beyond rounding, at the
    surface's nearest point that is not on its border, if it is within half a step. NaN where no point is of one sort.
    """
    column = "train_loss" if drawn["train_examples"].iloc[0] else "test_loss"
    grid = drawn.pivot(index="a", columns="b", values=column)
    along_a, along_b, mixed, rounding = second_differences(grid.to_numpy(float))
    with np.errstate(invalid="ignore"):
        smaller = (along_a + along_b) / 2 - np.hypot((along_a - along_b) / 2, mixed)
    near, places = np.isfinite(found["log_ratio"].to_numpy()), []
    for name, axis in (("a", grid.index.to_numpy()), ("b", grid.columns.to_numpy())):
        apart = np.abs(found[name].to_numpy()[:, None] - axis[1:-1])
        places.append(apart.argmin(axis=1))
        near &= apart.min(axis=1) <= 0.501 * np.diff(axis).max()
    smaller, rounding = smaller[tuple(places)], rounding[tuple(places)]
    near &= np.isfinite(smaller)
    bent, ratios = smaller[near] < -rounding[near], found["log_ratio"].to_numpy()[near]
    return float(ratios[bent].mean() - ratios[~bent].mean()) if 0 < bent.sum() < len(bent) else np.nan


def curvature(found: pd.DataFrame) -> pd.DataFrame:
    exact = found["exact"].abs()
    return found.assign(relative_gap=found["gap"] / exact.where(exact > 0), unit=found["network"])


def explained(found: pd.DataFrame) -> pd.DataFrame:
    return found.assign(unit=found["network"])


def solutions(found: pd.DataFrame) -> pd.DataFrame:
    names = [found[name].str.replace(r"_s\d+$", "", regex=True) for name in ("first", "second")]
    unit = _joined(found["first"], found["second"])
    return found.assign(network=found["first"], unit=unit, surface="pairs", seeds=names[0] == names[1])


TABLES: dict[str, tuple[Callable[..., pd.DataFrame], tuple[str, ...], str]] = {
    "summary": (summary, ("summary",), "loss surfaces"),
    "lines": (lines, ("points",), "lines between states of networks"),
    "ends": (ends, ("ends",), "Hessians"),
    "plane": (plane, ("plane",), "Hessians over a plane"),
    "maps": (maps, ("plane", "points"), "Hessians over a plane that was also measured as a surface"),
    "curvature": (curvature, ("curvature",), "curvature across scales"),
    "explained": (explained, ("explained",), "trajectories"),
    "solutions": (solutions, ("solutions",), "pairs of solutions"),
}
"""By name: the function, the tables of `LandscapeTables` that it takes, and what one has that has them."""


def measured(tables: Tables, table: str, where: Mapping[str, Any], *columns: str) -> pd.DataFrame:
    """Rows of a table, with the settings of the networks, that `where` describes and that have numbers in the columns.

    Raises NotMeasured where there are none, InputError for an unknown table.
    """
    rows = with_settings(_raw(tables, table), tables.training)
    missing = [name for name in (*where, *columns) if name not in rows]
    if missing:
        raise NotMeasured(f"{_words(table)}: no column {', '.join(missing)}")
    for name, value in where.items():
        rows = rows[rows[name] == value]
    rows = rows.replace([np.inf, -np.inf], np.nan).dropna(subset=list(columns))
    if rows.empty:
        chosen = f" ({described(where)})" if where else ""
        raise NotMeasured(f"no {_words(table)} with {' and '.join(columns)}{chosen}")
    return rows.reset_index(drop=True)


def _words(table: str) -> str:
    return TABLES[table][2] if table in TABLES else "networks of sweeps"


def _raw(tables: Tables, table: str) -> pd.DataFrame:
    if table == "networks":
        if tables.training is None:
            raise NotMeasured("no sweeps of trained networks")
        networks = tables.training.networks
        own = [name for name in networks if name not in ("series", "seed", "status", *_settings(tables.training))]
        return networks[own].rename(columns={"model": "network"}).assign(surface="", unit=networks["model"])
    if table not in TABLES:
        raise InputError(f"table: {table!r} is none of {', '.join((*TABLES, 'networks'))}")
    function, needed, words = TABLES[table]
    given = [getattr(tables.landscape, name, None) for name in needed]
    if any(found is None or found.empty for found in given):
        raise NotMeasured(f"no {words}")
    return function(*given)


def _settings(training: Training) -> list[str]:
    """Columns of the settings of networks: the axes of all sweeps, and SETTINGS."""
    axes = [axis for own in training.axes.values() for axis in own]
    return [name for name in dict.fromkeys((*axes, *SETTINGS)) if name in training.networks]


def with_settings(rows: pd.DataFrame, training: Training | None) -> pd.DataFrame:
    """The rows with sweep, seed, training and settings of their networks, missing for those of no sweep."""
    if training is None:
        return rows.assign(sweep=None, seed=np.nan, training=None)
    names = {"series": "sweep", "model": "network", "status": "training"}
    known = training.networks[["series", "model", "seed", "status", *_settings(training)]].rename(columns=names)
    return rows.merge(known.drop_duplicates("network"), on="network", how="left", validate="many_to_one")
