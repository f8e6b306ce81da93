"""Claims about sweeps of trainings: what a setting, or training itself, does to the weights.

A sweep trains one network for every combination of the values of its axes and every seed. `part` names what a sweep is
for (batch_size, epochs, labels, plane, regularization); the experiment says which sweep plays it. Networks of one
seed start from the same weights, so seeds are the independent repetitions: differences are paired by seed, layer and
the other axes, and averaged to one number a seed. Matrices of one layer are averaged first. Diverged networks are
left out.
"""

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd

from htsr.errors import InputError
from htsr.metrics.phase import PHASES
from htsr.spectra.distances import log_eigenvalues, wasserstein
from htsr.statistics import verdict
from htsr.statistics.correlation import kendall, kendall_rows
from htsr.statistics.evidence import Judging, NotMeasured, Tables, bounds, least_p, number
from htsr.statistics.resampling import blocks, bootstrap_weights, exceedance, interval, permutations
from htsr.statistics.student import Student, estimate, jackknife, student
from htsr.statistics.verdict import Evidence

OF_NETWORKS = ("loss", "train_accuracy", "true_accuracy", "test_loss", "test_accuracy", "gap")
"""Columns that are one number a network and epoch, not one a layer."""

MAIN_PHASES = PHASES[:5]


def played(tables: Tables, part: str) -> tuple[pd.DataFrame, list[str], str]:
    """(rows, axes, note) of the sweep that plays a part, one row for each network, epoch and matrix.

    note: how many networks diverged. Raises NotMeasured where no sweep plays the part or all its networks diverged.
    """
    training = tables.training
    sweep = training.parts.get(part) if training is not None else None
    if sweep is None:
        raise NotMeasured(f"no sweep plays the part {part}")
    networks = training.networks[training.networks["series"] == sweep]
    good = networks.loc[networks["status"] == "ok", "model"]
    rows = training.layers[(training.layers["sweep"] == sweep) & training.layers["network"].isin(good)]
    if rows.empty:
        raise NotMeasured(f"all {len(networks)} networks of the sweep {sweep} diverged")
    axes = list(training.axes[sweep])
    rows = rows.assign(**{axis: rows[axis].infer_objects() for axis in axes}, final=rows["final"].astype(bool))
    lost = len(networks) - len(good)
    return rows, axes, f"; {lost} of {len(networks)} networks diverged and are left out" if lost else ""


def states(tables: Tables, part: str, column: str) -> tuple[pd.DataFrame, list[str], str]:
    """(rows, axes, note) of the sweep that plays a part, one row for each network, epoch and layer.

    rows: network, seed, epoch, final, weight_layer, the axes, and `value`: the mean of the column over the layer's
    matrices. Of OF_NETWORKS there is one row for each network and epoch. `phase` is counted from 0 (RANDOM-LIKE) to 4
    (HEAVY-TAILED), RANK-COLLAPSE left out; gap is training less test accuracy. Raises NotMeasured as `played` does and
    where nothing has the column.
    """
    rows, axes, note = played(tables, part)
    if column == "gap":
        rows = rows.assign(gap=rows["train_accuracy"] - rows["test_accuracy"])
    if column == "phase":
        rows = rows.assign(phase=rows["phase"].map({name: rank for rank, name in enumerate(MAIN_PHASES)}))
    if column not in rows:
        raise NotMeasured(f"the sweep that plays the part {part} has no column {column}")
    rows = rows.assign(value=pd.to_numeric(rows[column], errors="coerce").replace([np.inf, -np.inf], np.nan))
    rows = rows.dropna(subset="value")
    if rows.empty:
        raise NotMeasured(f"no network of the sweep that plays the part {part} has {column}")
    rows = rows.assign(weight_layer="") if column in OF_NETWORKS else rows
    keys = ["network", "seed", "epoch", "final", "weight_layer", *axes]
    return rows.groupby(keys, sort=False, dropna=False)["value"].mean().reset_index(), axes, note


def trend(tables: Tables, judging: Judging, part: str, axis: str, column: str, expected: str = "positive") -> Evidence:
    """Direction: column rises (positive) or falls (negative) along an axis, in the final states.

    Kendall's τ-b over pairs of networks within layers and values of the other axes. Interval: networks resampled, with
    all their layers. p: the values of the axis permuted over the networks of one seed, alike for all layers.
    """
    side = _side(expected, "positive", "negative")
    rows, axes, note = states(tables, part, column)
    rows = _along(rows[rows["final"]], axes, axis, numbers=True)
    others = [name for name in axes if name != axis]
    networks = rows.drop_duplicates("network").reset_index(drop=True)
    owner = pd.Index(networks["network"]).get_indexer(rows["network"])
    n, strata, within = len(networks), _codes(rows, ["weight_layer", *others]), _codes(networks, ["seed", *others])
    x, y = rows[axis].to_numpy(float), rows["value"].to_numpy()
    tau = float(kendall(x, y, strata)[0])
    if not math.isfinite(tau):
        raise NotMeasured(f"no two networks of the sweep differ in {axis} and {column}")
    rng = judging.rng(part, axis, column)
    weights = bootstrap_weights(rng, _codes(networks, others), judging.resamples)[:, owner]
    low, high = interval(kendall(x, y, strata, weights), n, judging.level)
    orders, exact = permutations(rng, within, judging.resamples)
    drawn = kendall_rows(y, networks[axis].to_numpy(float)[orders][:, owner], strata)
    p = exceedance(np.abs(drawn), abs(tau), exact)
    few = least_p(math.prod(math.factorial(len(block)) for block in blocks(within)), judging.significance, "networks")
    ends = [rows.loc[rows[axis] == end, "value"].mean() for end in (x.min(), x.max())]
    reason = (
        f"tau of {column} and {axis}{_within(rows)} is {number(tau)} ({bounds(low, high, judging.level)}, "
        f"p = {number(p)}) over {n} networks; mean {_of(column, ends[0])} at {number(x.min())} and "
        f"{_of(column, ends[1])} at {number(x.max())}{note}{few}"
    )
    oriented = sorted((side * low, side * high)) if math.isfinite(low) else (low, high)
    decided = verdict.direction(side * tau, *oriented, p, judging.significance)
    return Evidence(decided, reason, tau, low, high, p, n)


def changes_in_training(tables: Tables, judging: Judging, part: str, column: str, expected: str = "larger") -> Evidence:
    """Direction: column is larger (smaller) at the end of training than before it, at epoch 0.

    Differences are paired by network and layer; interval and p: Student's t over the seeds.
    """
    side = _side(expected, "larger", "smaller")
    rows, _, note = states(tables, part, column)
    keys = ["network", "seed", "weight_layer"]
    start, end = (rows.loc[which, [*keys, "value"]] for which in (rows["epoch"] == 0, rows["final"]))
    pairs = start.merge(end, on=keys, suffixes=("_first", "_second"))
    if pairs.empty:
        raise NotMeasured(f"no network has {column} both at epoch 0 and at the end")
    return _difference(pairs, judging, side, expected, column, ("at epoch 0", "at the end of training"), note)


def differs_along(
    tables: Tables,
    judging: Judging,
    part: str,
    axis: str,
    column: str,
    expected: str = "larger",
    first: str = "",
    second: str = "",
) -> Evidence:
    """Direction: column is larger (smaller) at the second value of an axis than at the first, in the final states.

    first, second: labels of the axis; by default its least and its greatest number. Differences are paired by seed,
    layer and the other axes; interval and p: Student's t over the seeds.
    """
    side = _side(expected, "larger", "smaller")
    rows, axes, note = states(tables, part, column)
    rows = _along(rows[rows["final"]], axes, axis, numbers=not first)
    ends = (first, second) if first else (rows[axis].min(), rows[axis].max())
    pairs = _pairs(rows, axes, axis, *ends)
    words = tuple(f"at {axis} {end if first else number(end)}" for end in ends)
    return _difference(pairs, judging, side, expected, column, words, note)


def mean_exceeds(
    tables: Tables, judging: Judging, part: str, axis: str, column: str, threshold: float, end: str = "greatest"
) -> Evidence:
    """Fraction: the mean of column in the final states at the least or greatest value of an axis is above a threshold.

    Interval: Student's t over the seeds; where all seeds agree, it is their value.
    """
    greatest = _side(end, "greatest", "least") > 0
    rows, axes, note = states(tables, part, column)
    rows = _along(rows[rows["final"]], axes, axis, numbers=True)
    at = rows[axis].max() if greatest else rows[axis].min()
    found = student(_of_seeds(rows[rows[axis] == at], "value"), judging.level)
    low, high = found.low, found.high
    if found.n > 1 and not math.isfinite(low):
        low = high = found.mean
    reason = (
        f"mean {column} at {axis} {number(at)} is {number(found.mean)} ({bounds(low, high, judging.level)}) over "
        f"{_seeds(found.n)}; threshold {number(threshold)}{note}"
    )
    return Evidence(verdict.fraction(low, high, threshold), reason, found.mean, low, high, n=found.n)


def phases_seen(tables: Tables, judging: Judging, part: str, axis: str, at_least: int = 5) -> Evidence:
    """Count: along an axis the layers go through so many of the five main phases.

    Surely seen is a phase that most matrices of one layer have in every one of two or more seeds, at one value of the
    axes; possibly seen, one that any matrix has. supported: so many surely; not supported: not even possibly.
    """
    rows, axes, note = played(tables, part)
    rows = _along(rows[rows["final"] & rows["phase"].isin(MAIN_PHASES)], axes, axis, numbers=False)
    shares = rows.groupby(["weight_layer", *axes, "seed"], sort=False)["phase"].value_counts(normalize=True)
    cells = shares[shares > 0.5].reset_index().groupby(["weight_layer", *axes, "phase"], sort=False).size()
    most = set(cells[cells >= max(2, rows["seed"].nunique())].index.get_level_values("phase"))
    low, high = len(most), rows["phase"].nunique()
    decided = verdict.SUPPORTED if low >= at_least else verdict.INCONCLUSIVE
    decided = verdict.NOT_SUPPORTED if high < at_least else decided
    named = ", ".join(name for name in MAIN_PHASES if name in most) or "none"
    also = ", ".join(name for name in MAIN_PHASES if name in set(rows["phase"]) - most)
    reason = f"of the five phases {low} are what most matrices of a layer have in every seed at some {axis} ({named})"
    reason += f"; single matrices have also {also}{note}" if also else note
    return Evidence(decided, reason, low, low, high, n=len(rows))


def acts_more(tables: Tables, judging: Judging, part: str, axis: str, column: str, than: str) -> Evidence:
    """Direction: an axis moves `column` more than it moves `than`, from its least to its greatest value.

    Effect: |d| of the one less |d| of the other. d: difference over the standard deviation between the seeds of one
    training (pooled over all values of the axes), mean over layers. Interval and p: jackknife over the seeds.
    """
    tables_of = []
    for name in (column, than):
        rows, axes, note = states(tables, part, name)
        rows = _along(rows[rows["final"]], axes, axis, numbers=True)
        tables_of.append(rows.pivot_table("value", "seed", ["weight_layer", *axes], sort=False))
    seeds = tables_of[0].index.intersection(tables_of[1].index)
    if len(seeds) < 3:
        raise NotMeasured(f"{_seeds(len(seeds))}: a standard deviation and its error need three")

    def sizes(kept: pd.Index) -> tuple[float, ...]:
        return tuple(_standardized(values.loc[kept], axis) for values in tables_of)

    own, other = sizes(seeds)
    left_out = np.array([np.subtract(*sizes(seeds.drop(seed))) for seed in seeds])
    found = jackknife(own - other, left_out, judging.level)
    reason = (
        f"from the least to the greatest {axis} {column} moves by {number(own)} and {than} by {number(other)} standard "
        f"deviations between seeds: difference {_told(found, judging)}{note}"
    )
    return _directed(found, reason, judging)


def acts_more_than_labels(
    tables: Tables,
    judging: Judging,
    part: str,
    axis: str,
    other_part: str,
    other_axis: str,
    reference: str,
    column: str,
) -> Evidence:
    """Direction: an axis of one sweep moves a positive column more than any label of another sweep's axis does.

    Effect: |mean change of ln column| from the least to the greatest value, less the largest |mean change| from the
    reference to another label; over the layers that both sweeps have. p and interval: Welch's t over the seeds. The
    largest of several changes is on average too large, which works against the claim.
    """
    (rows, axes, note), (others, other_axes, _) = (states(tables, name, column) for name in (part, other_part))
    both = set(rows["weight_layer"]) & set(others["weight_layer"])
    if not both:
        raise NotMeasured(f"the sweeps of {part} and {other_part} have no layer in common")
    rows, others = (
        frame[frame["final"] & frame["weight_layer"].isin(both)].assign(value=np.log(frame["value"].clip(1e-300)))
        for frame in (rows, others)
    )
    rows = _along(rows, axes, axis, numbers=True)
    others = _along(others, other_axes, other_axis, numbers=False)
    changes = {"": _pairs(rows, axes, axis, rows[axis].min(), rows[axis].max())}
    for label in others[other_axis].drop_duplicates():
        if label != reference:
            changes[label] = _pairs(others, other_axes, other_axis, reference, label)
    found = {name: student(_of_seeds(pairs, "difference"), judging.level) for name, pairs in changes.items()}
    own = found.pop("")
    strongest = max(found, key=lambda name: abs(found[name].mean))
    other = found[strongest]
    variances = np.array([own.stderr**2, other.stderr**2])
    freedom = variances.sum() ** 2 / (variances**2 / np.array([own.n - 1, other.n - 1])).sum() if own.n > 1 else 0.0
    gain = estimate(abs(own.mean) - abs(other.mean), math.sqrt(variances.sum()), freedom, judging.level)
    gain = gain._replace(n=min(own.n, other.n))
    reason = (
        f"from the least to the greatest {axis} {column} changes by a factor {number(math.exp(own.mean))}, from "
        f"{reference} to {strongest}, the strongest of {len(found)}, by {number(math.exp(other.mean))}: difference of "
        f"the logarithms' sizes {_told(gain, judging)}{note}"
    )
    return _directed(gain, reason, judging)


def spectra_differ(tables: Tables, judging: Judging, part: str, axis: str) -> Evidence:
    """Direction: final spectra at the ends of an axis are further from each other than those of two seeds.

    Effect: mean Wasserstein distance of ln λ between the least and the greatest value, less the mean of that within
    either, over pairs of different seeds, matrices of one name and the other axes' values. Interval and p: jackknife
    over seeds.
    """
    rows, axes, note = states(tables, part, "n")
    rows = _along(rows[rows["final"]], axes, axis, numbers=True).drop_duplicates("network")
    others, ends = [name for name in axes if name != axis], (rows[axis].min(), rows[axis].max())
    rows = rows[rows[axis].isin(ends)]
    logs: dict[str, dict[str, np.ndarray]] = {network: {} for network in rows["network"]}
    last = set(zip(rows["network"], rows["epoch"].astype(str), strict=True))
    for name in tables.training.spectra:
        network, epoch, layer = name.split("/", 2)
        if (network, epoch) in last:
            logs[network][layer] = log_eigenvalues(tables.training.spectra[name])
    found = []
    for _, cell in rows.groupby(_codes(rows, others)):
        units = zip(cell["network"], cell["seed"], cell[axis], strict=True)
        for (one, seed, value), (two, other_seed, other) in itertools.combinations(units, 2):
            common = logs[one].keys() & logs[two].keys()
            if seed != other_seed and common:
                distance = np.mean([wasserstein(logs[one][name], logs[two][name]) for name in sorted(common)])
                found.append((seed, other_seed, value != other, distance))
    pairs = pd.DataFrame(found, columns=["first", "second", "between", "distance"])
    seeds = sorted({*pairs["first"], *pairs["second"]})
    if len(seeds) < 3:
        raise NotMeasured(f"spectra of {_seeds(len(seeds))}: the comparison needs three")

    def excess(chosen: pd.DataFrame) -> tuple[float, float]:
        means = chosen.groupby("between")["distance"].mean()
        return means.get(True, math.nan), means.get(False, math.nan)

    between, within = excess(pairs)
    without = [pairs[(pairs["first"] != seed) & (pairs["second"] != seed)] for seed in seeds]
    result = jackknife(between - within, np.array([np.subtract(*excess(rest)) for rest in without]), judging.level)
    reason = (
        f"mean Wasserstein distance of ln lambda is {number(between)} between {axis} {number(ends[0])} and "
        f"{number(ends[1])} and {number(within)} between seeds of either: difference {_told(result, judging)}{note}"
    )
    return _directed(result, reason, judging)


def _along(rows: pd.DataFrame, axes: list[str], axis: str, numbers: bool) -> pd.DataFrame:
    """The rows, if the sweep has the axis with at least two values, which are numbers where that is needed."""
    if axis not in axes:
        raise NotMeasured(f"the sweep has no axis {axis}, only {', '.join(axes) or 'seeds'}")
    if rows[axis].nunique() < 2:
        raise NotMeasured(f"the networks do not differ in {axis}")
    if numbers and not pd.api.types.is_numeric_dtype(rows[axis]):
        values = pd.to_numeric(rows[axis], errors="coerce")
        if values.isna().any():
            raise InputError(f"the axis {axis} has labels, not numbers")
        return rows.assign(**{axis: values})
    return rows


def _pairs(rows: pd.DataFrame, axes: list[str], axis: str, first: Any, second: Any) -> pd.DataFrame:
    """Values at two values of an axis, paired by seed, layer and the other axes, and their difference."""
    keys = ["seed", "weight_layer", *(name for name in axes if name != axis)]
    one, two = (rows.loc[rows[axis] == value, [*keys, "value"]] for value in (first, second))
    pairs = one.merge(two, on=keys, suffixes=("_first", "_second"))
    if pairs.empty:
        raise NotMeasured(f"no seed has networks at {axis} {first} and {second}")
    return pairs.assign(difference=pairs["value_second"] - pairs["value_first"])


def _difference(
    pairs: pd.DataFrame, judging: Judging, side: int, expected: str, column: str, ends: tuple[str, ...], note: str
) -> Evidence:
    """Evidence on a paired difference, one number a seed."""
    pairs = pairs.assign(difference=pairs["value_second"] - pairs["value_first"])
    found = student(_of_seeds(pairs, "difference"), judging.level)
    first, second = (pairs[f"value_{which}"].mean() for which in ("first", "second"))
    against = "" if side * found.mean > 0 else f", not {expected} as claimed"
    reason = (
        f"mean {column} is {_of(column, first)} {ends[0]} and {_of(column, second)} {ends[1]}: difference "
        f"{_told(found, judging)}{against}{note}"
    )
    return _directed(found, reason, judging, side)


def _directed(found: Student, reason: str, judging: Judging, side: int = 1) -> Evidence:
    """Evidence on the sign of an estimate; without an error of it there is no verdict."""
    decided = verdict.direction(side * found.mean, math.nan, math.nan, found.p, judging.significance)
    return Evidence(decided, reason, found.mean, found.low, found.high, found.p, found.n)


def _standardized(values: pd.DataFrame, axis: str) -> float:
    """|d|: mean over layers of the change along the axis over the standard deviation between seeds.

    values: one row a seed, one column for each layer and value of the axes.
    """
    layers, at = (values.columns.get_level_values(name) for name in ("weight_layer", axis))
    squares, freedom = ((values - values.mean()) ** 2).sum(), (values.count() - 1).clip(lower=0)
    spread = np.sqrt(squares.groupby(layers).sum() / freedom.groupby(layers).sum())
    first, second = (values.loc[:, at == end].droplevel(axis, axis=1) for end in (at.min(), at.max()))
    change = (second - first).mean()
    change = change.groupby(change.index.get_level_values("weight_layer")).mean()
    return abs(float((change / spread.where(spread > 0)).mean()))


def _of_seeds(rows: pd.DataFrame, column: str) -> np.ndarray:
    """Mean of the column for each seed."""
    return rows.groupby("seed")[column].mean().to_numpy()


def _codes(rows: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Integer code of each row's values in the named columns."""
    return rows.groupby(names, sort=False, dropna=False).ngroup().to_numpy() if names else np.zeros(len(rows), int)


def _side(expected: str, positive: str, negative: str) -> int:
    if expected not in (positive, negative):
        raise InputError(f"{expected!r} is neither {positive} nor {negative}")
    return 1 if expected == positive else -1


def _seeds(n: int) -> str:
    return f"{n} seed{'' if n == 1 else 's'}"


def _told(found: Student, judging: Judging) -> str:
    p = f", p = {number(found.p)}" if math.isfinite(found.p) else ""
    return f"{number(found.mean)} ({bounds(found.low, found.high, judging.level)}{p}, {_seeds(found.n)})"


def _within(rows: pd.DataFrame) -> str:
    return " within layers" if rows["weight_layer"].nunique() > 1 else ""


def _of(column: str, value: float) -> str:
    """A mean in words: that of phases between the two phases it lies between."""
    if column != "phase":
        return number(value)
    return f"{number(value)} ({MAIN_PHASES[round(value)]})"
