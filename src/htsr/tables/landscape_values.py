"""Named values of loss landscapes, for a paper's text.

landscape.any, surfaces, planes, lines (random ones); depth, width: planes over it with and without shortcuts;
depth.lines, width.lines: lines of these; batch_size: lines over batch size and weight decay, batch_size.recalibrated,
batch_size.unnormalized: of such kinds too; recalibrated: both policies at the same places; paths, curves: straight
lines and trained curves between two networks, both: between the same two; initial: lines to initial weights; hessian,
hessian.start: before training; map; curvature, curvature.top; trajectory, trajectory.optimizers: of several; solutions;
pairs: these or paths (flags)

landscape.n_networks, n_surfaces (one for each seed of directions), n_points, n_nonfinite, n_hessians, n_maps,
n_trajectories, n_pairs
landscape.<kind>.n, grid, range, examples, test_examples, directions    kind: planes, lines (random), pca, paths
landscape.<axis>.least, greatest, fixed     ends of depth or width, and the value of the other one
landscape.<axis>.<side>.<column>_<end>      of planes (COLUMNS); side: with, without; end: least, greatest
landscape.<axis>.<side>.lines.<column>_<end>    of lines: ± standard deviation over the directions
landscape.batch_size.least, greatest, plain, decayed, optimizer     the values that are compared
landscape.batch_size.<how>.<column>_<end>_<decay>   of lines; how: filter, recalibrated, unnormalized; decay: plain,
                                                    decayed
landscape.recalibrated.n, points            pairs of surfaces with both policies, places that they have in common
landscape.recalibrated.<policy>_least, _greatest    largest loss at these places; policy: frozen, recalibrated
landscape.recalibrated.ratio, _least, _greatest     of the two: median, ends
landscape.recalibrated.<policy>_share_negative      mean
landscape.<paths>.n, n_barrier              paths, curves, initial; those whose barrier exceeds two standard errors
landscape.<paths>.<split>_least, _greatest  barrier; split: train, test
landscape.both.names, line_<split>, curve_<split>   the pair with the highest barrier on the straight line
landscape.hessian[.start].n, n_negative, n_converged, examples; bound, undetected: the largest, relative to lambda_max
landscape.hessian[.start].<column>_least, _greatest     ratio, lambda_max, lambda_min, trace, share (Gauss-Newton's
                                                        largest eigenvalue over the Hessian's)
landscape.map.n_points, n_failed, grid, range, examples, bound      bound: the largest of a ratio
landscape.map.center_least, _greatest; edge_least, _greatest        ratio at the networks; largest over each plane
landscape.map.share_large                   points with a ratio above LARGE, percent; large: that value
landscape.curvature.n, directions, small, middle, large     networks and states; steps
landscape.curvature.<which>.<step>_least, _greatest     second difference over vᵀHv; which: random, top
landscape.curvature.<which>.<step>_n_gap    those whose gap exceeds two standard errors over the directions
landscape.trajectory.<which>, _least, _greatest, _null, _null_low, _null_high, _limit   percent; which: pc1, pc2, both
landscape.trajectory.n, n_states, n_beyond, n_within, n_below       where `both` lies beside 95 % of the walks
landscape.trajectory.<optimizer>.both, n
landscape.solutions.n, part, examples, each_<column>    all pairs in one phrase
landscape.solutions.<pair>.<column>         SIMILARITIES

Numbers of one network have the error that its stage gives; means over several networks ± half their 95 % interval.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from htsr.statistics.student import student
from htsr.tables.landscapes import (
    PATHS,
    SIMILARITIES,
    bounded,
    in_text,
    joined,
    kind_of,
    pair_name,
    range_of,
    settings,
    whole,
)
from htsr.tables.latex import (
    MISSING,
    escape,
    integer,
    missing,
    number,
    significant,
)
from htsr.tables.values import Values

COLUMNS = ("error", "loss_center", "loss_max", "share_negative", "decrease", "width_nat", "width_double")
LARGE = 0.5  # of |lambda_min/lambda_max|: the negative end is no longer small
_AXES = {"depth": "width", "width": "depth"}
_SIDES = ("with", "without")
_ENDS = ("least", "greatest")
_HOW = {"filter": ("filter", "frozen"), "recalibrated": ("filter", "recalibrated"), "unnormalized": ("none", "frozen")}
_SHARES = ("share_concave", "share_negative", "decrease")


def collect(
    values: Values,
    known: pd.DataFrame,
    *,
    points: pd.DataFrame | None = None,
    summary: pd.DataFrame | None = None,
    ends: pd.DataFrame | None = None,
    planes: pd.DataFrame | None = None,
    curvatures: pd.DataFrame | None = None,
    explained: pd.DataFrame | None = None,
    pairs: pd.DataFrame | None = None,
    axes: Mapping[str, Sequence[str]],
) -> None:
    """Add the values of loss landscapes, and the flags in any case.

    known: of `describe`. points, summary: collect_surfaces; ends, planes, curvatures: compute_hessian, all sets;
    explained: project_trajectory, all sets; pairs: compare_solutions. axes: of each sweep.
    """
    names = ("any", "surfaces", "depth", "depth.lines", "width", "width.lines", "batch_size", "batch_size.recalibrated")
    names += ("batch_size.unnormalized", "recalibrated", "paths", "curves", "both", "initial", "hessian")
    names += ("hessian.start", "map", "curvature", "curvature.top", "trajectory", "trajectory.optimizers", "solutions")
    names += ("pairs", "planes", "lines")
    values.flag("landscape.", **dict.fromkeys(names, False))
    given = {"summary": summary, "ends": ends, "explained": explained, "pairs": pairs}
    given = {name: table for name, table in given.items() if table is not None and len(table)}
    values.flag("landscape.", any=bool(given))
    networks = [table[key] for table in given.values() for key in ("network", "first", "second") if key in table]
    values.put("landscape.", n_networks=integer(len(set(chain.from_iterable(networks)))))
    if "summary" in given:
        _surfaces(values, summary, points, known, axes)
    if "ends" in given:
        _hessians(values, joined(whole(ends), known))
    if planes is not None:
        _map(values, planes)
    if curvatures is not None:
        _curvature(values, curvatures)
    if "explained" in given:
        _trajectories(values, joined(explained, known))
    if "pairs" in given and "first" in pairs:
        _solutions(values, pairs)
    paired = any(values.flags[f"landscape.{name}"] for name in ("paths", "curves", "initial", "solutions"))
    values.flag("landscape.", pairs=paired)


def _surfaces(
    values: Values,
    summary: pd.DataFrame,
    points: pd.DataFrame | None,
    known: pd.DataFrame,
    axes: Mapping[str, Sequence[str]],
) -> None:
    rows = joined(summary, known)
    values.flag("landscape.", surfaces=True)
    values.put("landscape.", n_surfaces=integer(rows["n_seeds"].sum()), n_points=integer(rows["n_points"].sum()))
    values.put("landscape.", n_nonfinite=integer(rows["n_nonfinite"].sum()))
    random, told = rows["plane"] == "random", settings(points) if points is not None else {}
    kinds = {"planes": random & (rows["dimensions"] == 2), "lines": random & (rows["dimensions"] == 1)}
    kinds |= {"pca": rows["plane"] == "pca", "paths": rows["plane"].isin(PATHS)}
    for kind, where in kinds.items():
        own = rows[where]
        values.put(f"landscape.{kind}.", n=integer(len(own)))
        found = [told[kind_of(row)] for row in own.to_dict("records") if kind_of(row) in told]
        if kind in ("planes", "lines"):
            values.flag("landscape.", **{kind: len(own) > 0})
        for name in ("grid", "range", "examples", "test_examples", "directions"):
            values.put(f"landscape.{kind}.", **{name: _listed(dict.fromkeys(each[name] for each in found))})
    plain = rows[(rows["normalization"] == "filter") & (rows["batch_norm"] == "frozen")]
    for axis in _AXES:
        _axis(values, axis, plain[plain["dimensions"] == 2], plain[plain["dimensions"] == 1])
    _batch_sizes(values, rows[kinds["lines"]], axes)
    if points is not None:
        _policies(values, rows[random], points[points["plane"] == "random"])
    to_initial = rows["other"] == "initial"
    line = rows["plane"] == "interpolation"
    groups = {"paths": line & ~to_initial, "curves": rows["plane"] == "bezier", "initial": line & to_initial}
    for name, where in groups.items():
        _barriers(values, name, rows[where])
    _both(values, rows[groups["paths"]], rows[groups["curves"]], known)


def _listed(entries: Any) -> str:
    """a, b and c."""
    entries = list(entries)
    return " and ".join([", ".join(entries[:-1]), entries[-1]] if len(entries) > 1 else entries)


def _mean(rows: pd.DataFrame, column: str) -> str:
    """Of one network with its error, of several their mean with half its interval; shares in percent."""
    scale = 100 if column in _SHARES else 1
    if len(rows) == 1:
        row = rows.iloc[0]
        error = row.get(f"{column}_stderr" if column == "loss_center" else f"{column}_std", math.nan)
        value = row[column]
    else:
        found = student(rows[column].to_numpy(float))
        value, error = found.mean, found.high - found.mean
    if missing(value):
        return MISSING
    plain = missing(error) and column in _SHARES
    text = number(scale * value, 1) if plain else in_text(scale * value, scale * error)
    least = rows.get(f"reached_{column.removeprefix('width_')}")
    return bounded(text, None if least is None else least.min())


def _axis(values: Values, axis: str, planes: pd.DataFrame, lines: pd.DataFrame) -> None:
    """Networks with and without shortcuts at the ends of an axis, those alike in the other one."""
    known = planes.dropna(subset=["shortcuts", *_AXES])
    fixed = _AXES[axis]
    counts = known.groupby(fixed)[axis].nunique()
    if counts.empty or counts.max() < 2:
        return
    known = known[known[fixed] == counts.idxmax()]
    ends = dict(zip(_ENDS, (known[axis].min(), known[axis].max()), strict=True))
    prefix = f"landscape.{axis}."

    def of(rows: pd.DataFrame, side: str, end: str) -> pd.DataFrame:
        return rows[(rows["shortcuts"] == side) & (rows[axis] == ends[end]) & (rows[fixed] == counts.idxmax())]

    cells = [(side, end) for side in _SIDES for end in _ENDS]
    if any(of(known, *cell).empty for cell in cells):
        return
    values.flag("landscape.", **{axis: True})
    values.put(prefix, fixed=f"{counts.idxmax():g}", **{end: f"{value:g}" for end, value in ends.items()})
    with_lines = not any(of(lines, *cell).empty for cell in cells)
    values.flag(prefix, lines=with_lines)
    for side, end in cells:
        for column in COLUMNS:
            values.put(f"{prefix}{side}.", **{f"{column}_{end}": _mean(of(known, side, end), column)})
            if with_lines:
                values.put(f"{prefix}{side}.lines.", **{f"{column}_{end}": _mean(of(lines, side, end), column)})


def _batch_sizes(values: Values, lines: pd.DataFrame, axes: Mapping[str, Sequence[str]]) -> None:
    """Lines of one sweep at the ends of batch size, and without and with the largest weight decay."""
    wanted = [name for name, own in axes.items() if {"batch_size", "weight_decay"} <= set(own)]
    lines = lines[lines["series"].isin(wanted)]
    if lines.empty:
        return
    lines = lines[lines["series"] == lines["series"].iloc[0]]
    optimizer = "sgd" if (lines["optimizer"] == "sgd").any() else lines["optimizer"].iloc[0]
    if not missing(optimizer):
        lines = lines[lines["optimizer"] == optimizer]
    sizes, decays = (dict(zip(keys, (own.min(), own.max()), strict=True)) for keys, own in (
        (_ENDS, lines["batch_size"]), (("plain", "decayed"), lines["weight_decay"])
    ))  # fmt: skip

    def of(how: str, end: str, decay: str) -> pd.DataFrame:
        normalization, policy = _HOW[how]
        at = (lines["batch_size"] == sizes[end]) & (lines["weight_decay"] == decays[decay])
        return lines[at & (lines["normalization"] == normalization) & (lines["batch_norm"] == policy)]

    cells = [(end, decay) for end in sizes for decay in decays]
    for how in _HOW:
        if len(set(sizes.values())) < 2 or len(set(decays.values())) < 2 or any(of(how, *c).empty for c in cells):
            continue
        values.flag("landscape.", **{"batch_size" if how == "filter" else f"batch_size.{how}": True})
        for end, decay in cells:
            texts = {f"{column}_{end}_{decay}": _mean(of(how, end, decay), column) for column in COLUMNS}
            values.put(f"landscape.batch_size.{how}.", **texts)
    told = {name: f"{value:g}" for name, value in (sizes | decays).items()}
    values.put("landscape.batch_size.", **told, optimizer={"sgd": "SGD", "adam": "Adam"}.get(optimizer, ""))


def _policies(values: Values, rows: pd.DataFrame, points: pd.DataFrame) -> None:
    """Largest losses with both statistics of batch norm at the places that both surfaces of a network have."""
    keys = ["network", "dimensions", "normalization", "seed", "train_examples", "test_examples", "a", "b"]
    loss = points["train_loss"].fillna(points["test_loss"])
    places = points.assign(loss=loss, a=points["a"].round(9), b=points["b"].round(9)).drop_duplicates(
        [*keys, "batch_norm"]
    )
    frozen, anew = (places[places["batch_norm"] == policy] for policy in ("frozen", "recalibrated"))
    both = frozen.merge(anew[[*keys, "loss"]], on=keys, suffixes=("", "_anew"))
    both = both[np.isfinite(both["loss"]) & np.isfinite(both["loss_anew"])]
    if both.empty:
        return
    largest = both.groupby(keys[:3])[["loss", "loss_anew"]].max()
    ratios = largest["loss"] / largest["loss_anew"]
    values.flag("landscape.", recalibrated=True)
    values.put("landscape.recalibrated.", n=integer(len(largest)), points=integer(len(both)))
    told = {"frozen": largest["loss"], "recalibrated": largest["loss_anew"], "ratio": ratios}
    for name, found in told.items():
        ends = {f"{name}_least": found.min(), f"{name}_greatest": found.max()}
        values.put("landscape.recalibrated.", **{key: significant(value) for key, value in ends.items()})
    values.put("landscape.recalibrated.", ratio=significant(ratios.median()))
    shared = rows.set_index(["network", "dimensions", "normalization"])
    shared = shared[shared.index.isin(largest.index)]
    for policy in ("frozen", "recalibrated"):
        share = shared.loc[shared["batch_norm"] == policy, "share_negative"].mean()
        values.put("landscape.recalibrated.", **{f"{policy}_share_negative": _text_share(share)})


def _text_share(value: Any) -> str:
    return MISSING if missing(value) else number(100 * value, 1)


def _barriers(values: Values, name: str, rows: pd.DataFrame) -> None:
    known = rows.dropna(subset=["train_barrier", "test_barrier"], how="all")
    if known.empty:
        return
    values.flag("landscape.", **{name: True})
    main = "train" if known["train_barrier"].notna().any() else "test"
    high = known[f"{main}_barrier"] > 2 * known[f"{main}_barrier_stderr"]
    values.put(f"landscape.{name}.", n=integer(len(known)), n_barrier=integer(high.sum()))
    for split in ("train", "test"):
        own = known.dropna(subset=f"{split}_barrier")
        ends = (
            {"least": own[f"{split}_barrier"].idxmin(), "greatest": own[f"{split}_barrier"].idxmax()}
            if len(own)
            else {}
        )
        for end in _ENDS:
            text = _height(own.loc[ends[end]], split) if ends else MISSING
            values.put(f"landscape.{name}.", **{f"{split}_{end}": text})


def _height(row: pd.Series, split: str) -> str:
    """A barrier with its error, for text."""
    value = row[f"{split}_barrier"]
    return MISSING if missing(value) else "0" if value == 0 else in_text(value, row[f"{split}_barrier_stderr"])


def _both(values: Values, lines: pd.DataFrame, curves: pd.DataFrame, known: pd.DataFrame) -> None:
    """The pair with the highest barrier on the straight line among those that have a curve too."""
    ends = pd.Series(
        [frozenset(pair) for pair in curves[["network", "other"]].to_numpy()], index=curves.index, dtype=object
    )
    lines = lines.assign(ends=[frozenset(pair) for pair in lines[["network", "other"]].to_numpy()])
    lines = lines[lines["ends"].isin(set(ends)) & lines["train_barrier"].notna()]
    if lines.empty:
        return
    line = lines.loc[lines["train_barrier"].idxmax()]
    curve = curves[ends == line["ends"]].iloc[0]
    values.flag("landscape.", both=True)
    values.put("landscape.both.", n=integer(lines["ends"].nunique()))
    for split in ("train", "test"):
        texts = {f"line_{split}": _height(line, split), f"curve_{split}": _height(curve, split)}
        values.put("landscape.both.", **texts)
    values.put("landscape.both.", names=pair_name(line["network"], line["other"], known))


def _hessians(values: Values, rows: pd.DataFrame) -> None:
    values.put("landscape.", n_hessians=integer(len(rows)))
    if "lambda_max" not in rows:
        return
    for prefix, state in (("landscape.hessian.", "final"), ("landscape.hessian.start.", "start")):
        own = rows[rows[state]].dropna(subset="lambda_max")
        if own.empty:
            continue
        values.flag(**{prefix.rstrip("."): True})
        share = own["gauss_newton_lambda_max"] / own["lambda_max"]
        bound = (own[["lambda_max_bound", "lambda_min_bound"]].max(axis=1) / own["lambda_max"].abs()).max()
        values.put(
            prefix,
            n=integer(len(own)),
            n_negative=integer((own["lambda_min"] + own["lambda_min_bound"] < 0).sum()),
            n_converged=integer((own["status"] == "ok").sum()),
            examples=_listed(integer(n) for n in sorted(own["n_examples"].unique())),
            bound=significant(bound, 2),
            undetected=significant((own["undetected"] / own["lambda_max"].abs()).max(), 2),
        )
        for name in ("ratio", "lambda_max", "lambda_min", "trace"):
            _ends(values, prefix, name, own, f"{name}_{'stderr' if name == 'trace' else 'bound'}")
        texts = {"share_least": number(share.min(), 2), "share_greatest": number(share.max(), 2)}
        values.put(prefix, **texts)


def _ends(values: Values, prefix: str, name: str, rows: pd.DataFrame, error: str) -> None:
    """Least and greatest value of a column, each with its error."""
    known = rows.dropna(subset=name)
    for end in _ENDS:
        row = known.loc[known[name].idxmin() if end == "least" else known[name].idxmax()] if len(known) else None
        text = MISSING if row is None else in_text(row[name], row[error], bound=error.endswith("bound"))
        values.put(prefix, **{f"{name}_{end}": text})


def _map(values: Values, rows: pd.DataFrame) -> None:
    known = rows.dropna(subset="ratio")
    if known.empty:
        return
    values.flag("landscape.", map=True)
    prefix = "landscape.map."
    grids = (rf"{own['a'].nunique()} $\times$ {own['b'].nunique()}" for _, own in rows.groupby("network", sort=False))
    values.put("landscape.", n_maps=integer(rows["network"].nunique()))
    values.put(
        prefix,
        n_points=integer(len(rows)),
        n_failed=integer((rows["status"] != "ok").sum()),
        grid=_listed(dict.fromkeys(grids)),
        range=range_of(rows["a"]),
        examples=_listed(integer(n) for n in sorted(rows["n_examples"].unique())),
        bound=significant(known["ratio_bound"].max(), 2),
        share_large=_text_share((known["ratio"] > LARGE).mean()),
        large=f"{LARGE:g}",
    )
    places = {"center": known[(known["a"] == 0) & (known["b"] == 0)]}
    places["edge"] = known.loc[known.groupby("network")["ratio"].idxmax()]
    for name, own in places.items():
        for end in _ENDS:
            row = own.loc[own["ratio"].idxmin() if end == "least" else own["ratio"].idxmax()] if len(own) else None
            text = MISSING if row is None else in_text(row["ratio"], row["ratio_bound"], bound=True)
            values.put(prefix, **{f"{name}_{end}": text})


def _curvature(values: Values, rows: pd.DataFrame) -> None:
    prefix = "landscape.curvature."
    kinds = {"random": rows[rows["direction"] == "random"], "top": rows[rows["direction"] == "top_eigenvector"]}
    kinds = {kind: own.dropna(subset="second_difference") for kind, own in kinds.items()}
    if kinds["random"].empty:
        return
    values.flag("landscape.", curvature=True, **{"curvature.top": len(kinds["top"]) > 0})
    first = kinds["random"]
    steps = sorted(first["step"].unique())
    values.put(
        prefix,
        n=integer(first.groupby(["network", "epoch"], dropna=False).ngroups),
        directions=integer(first["n_directions"].max()),
        small=f"{steps[0]:g}",
        middle=f"{steps[(len(steps) - 1) // 2]:g}",
        large=f"{steps[-1]:g}",
    )
    for kind, own in kinds.items():
        states = own.groupby(["network", "epoch"], dropna=False)["step"]
        rank, count = states.rank(), states.transform("count")
        ends = {"small": own[rank == 1], "middle": own[rank == (count + 1) // 2], "large": own[rank == count]}
        for end, at in ends.items():
            share = at["second_difference"] / at["exact"]
            texts = {f"{end}_least": significant(share.min()), f"{end}_greatest": significant(share.max())}
            known = at.dropna(subset="gap_stderr")
            count = (known["gap"].abs() > 2 * known["gap_stderr"]).sum()
            texts[f"{end}_n_gap"] = integer(count) if len(known) else MISSING
            values.put(f"{prefix}{kind}.", **texts)


def _trajectories(values: Values, rows: pd.DataFrame) -> None:
    values.put("landscape.", n_trajectories=integer(rows["network"].nunique()))
    if "component" not in rows:
        return
    first, second = (rows[rows["component"] == k].set_index("network") for k in (1, 2))
    if second.empty:
        return
    values.flag("landscape.", trajectory=True)
    prefix = "landscape.trajectory."
    for name, own, column in (
        ("pc1", first, "explained"),
        ("pc2", second, "explained"),
        ("both", second, "cumulative"),
    ):
        found = student(100 * own[column].to_numpy(float))
        values.put(
            prefix,
            **{
                name: in_text(found.mean, found.high - found.mean),
                f"{name}_least": number(100 * own[column].min(), 1),
                f"{name}_greatest": number(100 * own[column].max(), 1),
                f"{name}_null": number(100 * own[f"{column}_null"].mean(), 1),
                f"{name}_null_low": number(100 * own[f"{column}_null_low"].min(), 1),
                f"{name}_null_high": number(100 * own[f"{column}_null_high"].max(), 1),
                f"{name}_limit": number(100 * own[f"{column}_limit"].iloc[0], 1),
            },
        )
    both, low, high = (second[f"cumulative{end}"] for end in ("", "_null_low", "_null_high"))
    states = sorted(second["n_states"].unique())
    values.put(
        prefix,
        n=integer(len(second)),
        n_states=" to ".join(dict.fromkeys((integer(states[0]), integer(states[-1])))),
        n_beyond=integer((both > high).sum()),
        n_within=integer(((both >= low) & (both <= high)).sum()),
        n_below=integer((both < low).sum()),
    )
    known = second.dropna(subset="optimizer")
    values.flag(prefix, optimizers=known["optimizer"].nunique() > 1)
    for optimizer, own in known.groupby("optimizer"):
        found = student(100 * own["cumulative"].to_numpy(float))
        text = in_text(found.mean, found.high - found.mean)
        values.put(f"{prefix}{optimizer}.", both=text, n=integer(len(own)))
    values.put(
        prefix,
        each_optimizer=_listed(
            rf"{values.texts[f'{prefix}{name}.both']}\,\% ({escape({'sgd': 'SGD', 'adam': 'Adam'}.get(name, name))})"
            for name in known["optimizer"].drop_duplicates()
        ),
    )


def _solutions(values: Values, pairs: pd.DataFrame) -> None:
    values.flag("landscape.", solutions=True)
    values.put("landscape.", n_pairs=integer(len(pairs)))
    prefix = "landscape.solutions."
    values.put(
        prefix,
        n=integer(len(pairs)),
        part=_listed(escape(part) for part in pairs["part"].unique()),
        examples=_listed(integer(n) for n in sorted(pairs["n_examples"].unique())),
    )
    for column in SIMILARITIES:
        told = []
        for row in pairs.to_dict("records"):
            scale = 100 if column in ("agreement", "expected_agreement", "excess") else 1
            value, error = row.get(column), row.get(f"{column}_std" if column == "cosine_null" else f"{column}_stderr")
            text = MISSING
            if not missing(value):
                text = in_text(scale * value, scale * (math.nan if missing(error) else error))
            values.put(f"{prefix}{row['pair']}.", **{column: text})
            if text != MISSING:
                told.append(f"{text} ({escape(str(row['pair']).replace('_', ' '))})")
        values.put(prefix, **{f"each_{column}": _listed(told)})
