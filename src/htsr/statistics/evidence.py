"""What claims are judged on: the tables of one experiment, and the words in which results are reported."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from htsr.errors import InputError
from htsr.statistics.metrics_table import POOLED
from htsr.statistics.resampling import generator


class NotMeasured(Exception):
    """A claim needs what this experiment does not have; the message says what."""


@dataclass(frozen=True)
class Training:
    """Sweeps of trained networks. layers: one row for each network, epoch and matrix (collect_sweep/{sweep}.csv, put
    together); networks: one row a network (..._networks.csv); parts: the sweep that plays each part, None where there
    is none; axes: of each sweep; regressions: `regression.regress` of networks; spectra: eigenvalues by
    network/epoch/layer, of the sweep that plays `labels`."""

    layers: pd.DataFrame
    networks: pd.DataFrame
    parts: Mapping[str, str | None]
    axes: Mapping[str, Sequence[str]]
    regressions: pd.DataFrame
    spectra: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class JacobianTables:
    """Jacobians of the networks of series and sweeps; the settings of these stand in `Training`. states: one row for
    each network and state (`jacobian_states.with_distances`); eigenvalues: by network/state/spectrum; patterns: effects
    of the largest directions on the classes, by network/state/patterns."""

    states: pd.DataFrame
    eigenvalues: Mapping[str, np.ndarray] = field(default_factory=dict)
    patterns: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class LandscapeTables:
    """Loss landscapes, None where there are none. points, summary: of collect_surfaces; ends, plane, curvature (of all
    sets of compute_hessian) and explained (of project_trajectory): files put together, with the name of the file as
    `surface`; solutions: compare_solutions/pairs.csv. What claims see of them: `landscape_tables`."""

    points: pd.DataFrame | None = None
    summary: pd.DataFrame | None = None
    ends: pd.DataFrame | None = None
    plane: pd.DataFrame | None = None
    curvature: pd.DataFrame | None = None
    explained: pd.DataFrame | None = None
    solutions: pd.DataFrame | None = None


@dataclass(frozen=True)
class Models:
    """models: one row a model (`metrics_table.combine`); regressions: `regression.regress` of them."""

    models: pd.DataFrame
    regressions: pd.DataFrame


@dataclass(frozen=True)
class Tables:
    """models: one row a model (`metrics_table.combine`); layers: one row a matrix, with `series, model, layer,
    weight_layer`; regressions: `regression.regress` of models; comparison: model name (or None) of dense, regularized,
    finetuned; ensembles: one row a random matrix of known law (`samples.prepare`); published: models that others
    measured; training: sweeps; jacobians; landscape; None where there are none."""

    models: pd.DataFrame
    layers: pd.DataFrame
    regressions: pd.DataFrame
    comparison: dict[str, str | None] = field(default_factory=dict)
    ensembles: pd.DataFrame | None = None
    published: Models | None = None
    training: Training | None = None
    jacobians: JacobianTables | None = None
    landscape: LandscapeTables | None = None


@dataclass(frozen=True)
class Judging:
    """How claims are judged: number of resamples, significance, seed."""

    resamples: int = 2000
    significance: float = 0.05
    seed: int = 0

    def rng(self, *names: str) -> np.random.Generator:
        """Generator keyed by what is computed, so that two claims about one number give it one interval."""
        return generator(self.seed, *names)

    @property
    def level(self) -> float:
        return 1 - self.significance


EXPERIMENT, PUBLISHED = "experiment", "published"


def models_of(tables: Tables, of: str) -> Models:
    """The models of this experiment, or those whose results others published.

    Raises NotMeasured where there are none, InputError for another name.
    """
    if of == EXPERIMENT:
        return Models(tables.models, tables.regressions)
    if of != PUBLISHED:
        raise InputError(f"of: {of!r} is neither {EXPERIMENT} nor {PUBLISHED}")
    if tables.published is None:
        raise NotMeasured("no results of others: choose `published_results`")
    return tables.published


def layers_with(tables: Tables, columns: list[str]) -> pd.DataFrame:
    """Rows of the layer table that have numbers in all columns. Raises NotMeasured where there are none."""
    missing = [name for name in columns if name not in tables.layers]
    if missing:
        raise NotMeasured(f"the layer tables have no column {', '.join(missing)}")
    rows = tables.layers.replace([np.inf, -np.inf], np.nan).dropna(subset=columns)
    if rows.empty:
        raise NotMeasured(f"no layer has {' and '.join(columns)}")
    return rows.reset_index(drop=True)


def ensembles_with(tables: Tables, where: Mapping[str, Any], columns: list[str]) -> pd.DataFrame:
    """The random matrices that `where` describes, of those that have numbers in all columns.

    where: for each column the value that it has, or a pair [low, high] of numbers that it lies strictly between.
    Raises NotMeasured where there is no such matrix, InputError where `where` makes no sense.
    """
    if tables.ensembles is None:
        raise NotMeasured("no ensembles of random matrices")
    table = tables.ensembles
    missing = [name for name in (*where, *columns) if name not in table]
    if missing:
        raise NotMeasured(f"the table of ensembles has no column {', '.join(missing)}")
    chosen = pd.Series(True, table.index)
    for name, value in where.items():
        if not isinstance(value, list):
            chosen &= table[name] == value
        elif len(value) == 2 and all(isinstance(bound, int | float) for bound in value):
            chosen &= table[name].between(*value, inclusive="neither")
        else:
            raise InputError(f"where: {name}: {value!r} is neither a value nor a pair of numbers")
    rows = table[chosen].replace([np.inf, -np.inf], np.nan).dropna(subset=columns)
    if rows.empty:
        raise NotMeasured(f"no random matrix has {' and '.join(columns)} ({described(where)})")
    return rows.reset_index(drop=True)


def described(where: Mapping[str, Any]) -> str:
    """The choice of random matrices in words."""

    def part(name: str, value: Any) -> str:
        if name == "law":
            return str(value)
        if name == "signed":
            return "random signs" if value else "without signs"
        if isinstance(value, list):
            return f"{number(value[0])} < {name} < {number(value[1])}"
        return f"{name} {value}"

    return ", ".join(part(name, value) for name, value in where.items())


def pooled(table: pd.DataFrame, metric: str, target: str, statistic: str) -> pd.Series:
    """The regression of target on metric over all series of a table of regressions.

    Raises NotMeasured where it or its statistic is missing.
    """
    rows = table[(table["series"] == POOLED) & (table["metric"] == metric) & (table["target"] == target)]
    if rows.empty:
        raise NotMeasured(f"no regression of {target} on {metric}")
    row = rows.iloc[0]
    if not math.isfinite(row[statistic]):
        raise NotMeasured(f"{statistic} of {metric} and {target}: {row['status']}")
    return row


def comparison_pair(tables: Tables, column: str, baseline: str, changed: str) -> pd.DataFrame:
    """Matrices that two models of the comparison have in common: layer, weight_layer, baseline, changed, difference.

    baseline, changed: roles. Raises NotMeasured where a role is not filled or no matrix is common.
    """
    frames = []
    for role in (baseline, changed):
        name = tables.comparison.get(role)
        if name is None:
            raise NotMeasured(f"no {role} model to compare")
        rows = layers_with(tables, [column])
        frames.append(rows[rows["model"] == name].drop_duplicates("layer"))
    one, other = (frame[["layer", "weight_layer", column]] for frame in frames)
    pairs = one.merge(other[["layer", column]], on="layer", suffixes=("", "_changed"))
    if pairs.empty:
        raise NotMeasured(f"the {baseline} and the {changed} model have no layer with {column} in common")
    pairs = pairs.rename(columns={column: "baseline", f"{column}_changed": "changed"})
    return pairs.assign(difference=pairs["changed"] - pairs["baseline"])


def number(value: float) -> str:
    """A number for a sentence: three decimals at most, p values of any size."""
    return f"{value:.3g}" if abs(value) < 0.01 and value else f"{value:.3f}".rstrip("0").rstrip(".")


def bounds(low: float, high: float, level: float) -> str:
    """The interval in words."""
    if not math.isfinite(low):
        return "no interval"
    return f"{level * 100:g} % interval {number(low)} to {number(high)}"


def least_p(arrangements: int, significance: float, things: str = "models") -> str:
    """A remark where a two-sided test over so many arrangements cannot reach the significance, else nothing."""
    least = min(1.0, 2 / arrangements)
    return f"; with so few {things} p cannot fall below {number(least)}" if least >= significance else ""
