"""Tables and values of loss landscapes.

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
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from htsr.statistics.student import student
from htsr.tables.latex import (
    MISSING,
    Column,
    Heading,
    escape,
    integer,
    missing,
    number,
    probability,
    significant,
    table,
)
from htsr.tables.values import Values

COLUMNS = ("error", "loss_center", "loss_max", "share_negative", "decrease", "width_nat", "width_double")
SIMILARITIES = ("distance", "relative_distance", "cosine", "cosine_null", "cka_logits", "cka_features")
SIMILARITIES += ("agreement", "expected_agreement", "excess")
LARGE = 0.5  # of |lambda_min/lambda_max|: the negative end is no longer small

_AXES = {"depth": "width", "width": "depth"}
_SIDES = ("with", "without")
_ENDS = ("least", "greatest")
_HOW = {"filter": ("filter", "frozen"), "recalibrated": ("filter", "recalibrated"), "unnormalized": ("none", "frozen")}
_KEYS = ("series", "seed", "shortcuts", "width", "depth", "batch_size", "weight_decay", "optimizer")
_PATHS = ("interpolation", "bezier")
_KIND = ("plane", "dimensions", "normalization", "batch_norm")
_SHARES = ("share_concave", "share_negative", "decrease")
_PLANES = {
    ("random", 1): "Lines along random directions",
    ("random", 2): "Planes along random directions",
    ("through", 2): "Planes through three networks",
    ("pca", 1): "Lines along the first principal component of the training",
    ("pca", 2): "Planes of the first principal components of the training",
}
_SMALL = r"{{\scriptsize$\pm${}}}"

_OF_SURFACES = (
    r"Error: test error in \%. Losses are means over training images unless test images are named; $L(0)$: of the "
    r"network {\scriptsize$\pm$} standard error over the images; $\|\delta\|$: length of the first direction; "
    r"$L_{\max}$: largest finite loss ($^{\ast}$: others are not finite); $\lambda<0$: share of the inner points with "
    r"a negative eigenvalue of the $2\times2$ Hessian of second differences, in \%; down: share of the loss's "
    r"variation on rays from the network that is downwards, in \%; $w_1$, $w_2$: distance, in units of $\delta$, at "
    r"which the loss has risen by 1 and to twice $L(0)$, mean over the rays ($>$: not all get there). "
    r"{\scriptsize$\pm$}: standard deviation over the directions, where there are several; of several trainings (their "
    r"number in brackets) all numbers are means, {\scriptsize$\pm$} standard deviation over them. "
)
_OF_HESSIANS = (
    r"$\lambda$ {\scriptsize$\pm$} bounds, within which an eigenvalue lies (where none is printed, below half of the "
    r"last digit); ratio: $|\lambda_{\min}/\lambda_{\max}|$; trace {\scriptsize$\pm$} standard error; "
    r"$\mathbf{G}$: Gauss-Newton matrix; $\lambda_{\max}^{\mathrm{rel}}$: largest curvature when every filter is "
    r"measured in units of its norm; FR: $\theta^{\top}\mathbf{G}\theta$ {\scriptsize$\pm$} standard error over the "
    r"images. The last two do not change when a layer is scaled and the next one scaled back. Batch norm uses its "
    r"running statistics unless a heading says otherwise. "
)
_OF_TRAJECTORIES = (
    r"Shares of the variance in \%, around the last state unless the settings say centred; walk: mean and range of "
    r"random walks with the same step lengths in as many dimensions; $p$: share of walks with as much in both. "
)
_OF_SOLUTIONS = (
    r"Dist.: $\|\theta_1-\theta_2\|/\sqrt{\|\theta_1\|^2+\|\theta_2\|^2}$, 1 for orthogonal weights; cosine of the "
    r"weights, null: permuted within tensors {\scriptsize$\pm$} standard deviation; CKA of what the last layer sees "
    r"{\scriptsize$\pm$} standard error over the images; agree: share of equal predictions in \%. Train, test: barrier "
    r"of the path, the largest height of the mean loss above the chord between its ends, {\scriptsize$\pm$} standard "
    r"error over these images (too large, since they are the same at all points). Curve: quadratic B\'ezier, trained; "
    r"f, r: batch norm, where there is any, frozen or recalibrated. "
)


def describe(models: pd.DataFrame, networks: pd.DataFrame | None, axes: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """What is known of every network, by its name: `name` (LaTeX), test `error` in percent, and settings.

    models: collect_metrics of all series; networks: collect_sweep (..._networks.csv) of all sweeps, None without any;
    axes: of each sweep. shortcuts is `with` or `without` where that is an axis.
    """
    rows = []
    for row in models.to_dict("records"):
        title = row["model"] if missing(row.get("title")) else row["title"]
        rows.append({"network": row["model"], "name": escape(title, breakable=True), "error": row.get("error")})
    for row in [] if networks is None else networks.to_dict("records"):
        own = list(axes.get(row["series"], ()))
        known = {key: row.get(key) for key in ("error", *_KEYS)}
        if "skip" in own:
            known["shortcuts"] = "with" if str(row["skip"]).lower() in ("true", "1", "1.0") else "without"
        rows.append({"network": row["model"], "name": _name(own, row), **known})
    found = pd.DataFrame(rows, columns=["network", "name", "error", *_KEYS]).set_index("network")
    several = found[found["series"].notna() & found.duplicated(["series", "name"], keep=False)]
    for network, row in several.iterrows():
        found.loc[network, "name"] += f", seed {row['seed']:g}"
    return found[~found.index.duplicated()]


def _name(axes: Sequence[str], row: Mapping[str, Any]) -> str:
    """with shortcuts, depth 20."""
    words = {"shortcuts": "{} shortcuts", "skip": "{} shortcuts", "optimizer": "{}", "batch_size": "batch {}"}
    words |= {"weight_decay": "decay {}"}
    short = {"sgd": "SGD", "adam": "Adam"}
    parts = []
    for axis in axes:
        value = row.get(axis)
        text = f"{value:g}" if isinstance(value, float) else short.get(str(value), str(value))
        text = {"True": "with", "False": "without"}.get(text, text) if axis == "skip" else text
        parts.append(words.get(axis, f"{axis.replace('_', ' ')} {{}}").format(text))
    return escape(", ".join(parts) or f"{row['series']}".replace("_", " "), breakable=False)


def concatenated(tables: Iterable[pd.DataFrame]) -> pd.DataFrame | None:
    """All rows of several tables; None where there are none."""
    known = [table for table in tables if len(table)]
    return pd.concat(known, ignore_index=True) if known else None


def joined(rows: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """The rows with what is known of their network; of an unknown one, its name."""
    found = rows.reset_index(drop=True).join(known, on="network")
    found["name"] = found["name"].fillna(found["network"].map(lambda name: escape(name, breakable=True)))
    return found


def whole(ends: pd.DataFrame) -> pd.DataFrame:
    """The rows of all parameters of compute_hessian's table; `final`, `start`: the last epoch, an untrained network."""
    rows = ends[ends["layer"] == "all"].reset_index(drop=True)
    epoch = pd.to_numeric(rows["epoch"], errors="coerce").fillna(-1.0)
    of_network = epoch.groupby(rows["network"])
    last, first = of_network.transform("max"), of_network.transform("min")
    return rows.assign(epoch=epoch, final=epoch == last, start=(epoch == 0) & (first < last))


def measured(
    value: Any, error: Any, most: int = 3, bound: bool = False, plus_minus: str = _SMALL, figures: int = 2
) -> str:
    """A value and its error, in a table smaller.

    most: digits of the value; as many of them as the first `figures` of the error allow. bound: the error is rounded
    up, with what rounding the value adds, and left out where it is below half of the last digit.
    """
    if missing(value) or missing(error) or not 0 < error < math.inf or math.isinf(value):
        return significant(value)
    exponent = math.floor(math.log10(max(abs(value), error)))
    scale = 0 if -3 <= exponent < 5 else exponent
    digits = max(min(figures - 1 - math.floor(math.log10(error)), most - 1 - exponent) + scale, 0)
    value, error = value / 10.0**scale, error / 10.0**scale
    if bound and error < 0.5 / 10**digits:
        plus_minus = ""
    elif bound:
        error = math.ceil((error + abs(value - round(value, digits))) * 10**digits - 1e-6) / 10**digits
    error = max(round(error, digits), 10.0**-digits)
    text = number(value, digits) + plus_minus.format(f"{error:.{digits}f}")
    return rf"({text})$\times10^{{{scale}}}$" if scale else text


def in_text(value: Any, error: Any, bound: bool = False) -> str:
    """A value and its error in text."""
    return measured(value, error, 4, bound, r" $\pm$ {}")


def _share(value: Any, error: Any = math.nan) -> str:
    """A share in percent with its error."""
    text = number(100 * value, 1) if not missing(value) else MISSING
    return text if missing(value) or missing(error) or error == 0 else text + _SMALL.format(number(100 * error, 1))


def _bounded(text: str, reached: Any) -> str:
    """The text of a width, a lower bound where not every ray reached it."""
    return rf"$>${text}" if not missing(reached) and reached < 1 and text != MISSING else text


def surfaces(summary: pd.DataFrame, points: pd.DataFrame | None, known: pd.DataFrame) -> str:
    """One row for each network of a surface that is no path, those of one kind under one heading.

    summary, points: of collect_surfaces; known: of `describe`.
    """
    columns = [Column("network", 1.5), Column("error"), Column("$L(0)$"), Column(r"$\|\delta\|$")]
    columns += [Column(r"$L_{\max}$"), Column(r"$\lambda<0$"), Column("down"), Column("$w_1$"), Column("$w_2$")]
    chosen = joined(summary[~summary["plane"].isin(_PATHS)], known)
    told = settings(points) if points is not None else {}
    heads = [_heading(row, told.get(_key(row))) for row in chosen.to_dict("records")]
    chosen = chosen.assign(head=[text for text, _ in heads], note=[note for _, note in heads])
    rows: list = []
    for (head, note), own in chosen.groupby(["head", "note"], sort=False):
        rows.append(Heading(head, note))
        settled = own["name"].str.replace(r", seed \d+$", "", regex=True)
        rows += [_surface(_over_seeds(name, same)) for name, same in own.groupby(settled, sort=False)]
    return table(columns, rows, _OF_SURFACES)


def _over_seeds(name: str, rows: pd.DataFrame) -> dict[str, Any]:
    """One row for trainings that differ in their seed: means, and standard deviations over them in place of others."""
    row = rows.iloc[0].to_dict() | {"name": name}
    if len(rows) == 1:
        return row
    spread = ("loss_max", "share_negative", "width_nat", "width_double")
    for column in (*spread, "error", "loss_center", "length_a", "decrease", "reached_nat", "reached_double"):
        row[column] = float(rows[column].mean())
    row |= {f"{column}_std": float(rows[column].std()) for column in spread}
    row |= {"loss_center_stderr": float(rows["loss_center"].std()), "n_nonfinite": rows["n_nonfinite"].sum()}
    return row | {"name": f"{name} ({len(rows)})"}


def _surface(row: Mapping[str, Any]) -> list[str]:
    spoilt = r"$^{\ast}$" if row["n_nonfinite"] else ""
    return [
        row["name"],
        number(row["error"], 1),
        measured(row["loss_center"], row["loss_center_stderr"], 2),
        significant(row["length_a"]),
        measured(row["loss_max"], row["loss_max_std"], 2) + spoilt,
        _share(row["share_negative"], row["share_negative_std"]),
        _share(row["decrease"]),
        *(
            _bounded(measured(row[f"width_{name}"], row[f"width_{name}_std"], 2), row[f"reached_{name}"])
            for name in ("nat", "double")
        ),
    ]


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What tells one surface of a network from the others, empty cells being equal."""
    return tuple("" if missing(row[name]) else str(row[name]) for name in ("surface", "network", *_KIND))


def settings(points: pd.DataFrame) -> dict[tuple[str, ...], dict[str, str]]:
    """grid, range, examples, test_examples, directions of every surface of the table of points, as printed."""
    keys = ["surface", "network", *_KIND]
    found = {}
    for _, own in points[points["level"] == 0].groupby(keys, sort=False, dropna=False):
        first = own.iloc[0]
        sides = [integer(own[axis].nunique()) for axis in ("a", "b")[: int(first["dimensions"])]]
        found[_key(first)] = {
            "grid": r" $\times$ ".join(sides),
            "range": _range(own["a"]),
            "examples": integer(first["train_examples"]),
            "test_examples": integer(first["test_examples"]),
            "directions": integer(own["seed"].nunique()),
        }
    return found


def _range(values: pd.Series) -> str:
    low = f"{values.min():g}"
    return f"{f'${low}$' if low.startswith('-') else low} to {values.max():g}"


def _heading(row: Mapping[str, Any], told: Mapping[str, str] | None) -> tuple[str, str]:
    text = _PLANES.get((row["plane"], int(row["dimensions"])), escape(row["plane"]))
    parts = []
    if not missing(row["normalization"]):
        parts.append("not normalized" if row["normalization"] == "none" else f"{row['normalization']}-normalized")
    parts.append(f"batch norm {escape(row['batch_norm'])}")
    if told:
        parts.append(f"{told['grid']} points, {told['range']}")
        parts += [f"{told['directions']} directions"] if row["plane"] == "random" and told["directions"] != "1" else []
        parts.append(
            f"{told['examples']} images" if told["examples"] != "0" else f"{told['test_examples']} test images"
        )
    return text, ", ".join(parts)


def hessians(ends: pd.DataFrame, planes: pd.DataFrame | None, known: pd.DataFrame) -> str:
    """One row for each network and state, and two for each map: at the network, and where the ratio is largest.

    ends, planes: all rows of compute_hessian's tables; known: of `describe`.
    """
    columns = [Column("network", 1.25), Column("$L$"), *(Column(rf"$\lambda_{{\{end}}}$") for end in ("max", "min"))]
    columns += [Column(r"ratio, \%"), Column(r"$\mathrm{tr}\,\mathbf{H}$")]
    columns += [Column(r"$\lambda_{\max}(\mathbf{G})$"), Column(r"$\lambda_{\max}^{\mathrm{rel}}$"), Column("FR")]
    rows: list = []
    found = joined(whole(ends), known)
    for (part, examples), own in found.groupby(["part", "n_examples"], sort=False):
        images = "training" if part == "train" else escape(part)
        rows.append(Heading("All parameters", f"mean loss over {integer(examples)} {images} images"))
        rows += [_hessian(row) for row in own.to_dict("records")]
    if planes is not None:
        rows += _maps(joined(planes, known))
    note = _OF_HESSIANS
    if (found["status"] != "ok").any():
        note += r"$^{\ast}$: a run ended before its tolerance; the bounds hold. "
    return table(columns, rows, note)


def _hessian(row: Mapping[str, Any]) -> list[str]:
    state = ", untrained" if row["start"] else "" if row["final"] else f", epoch {row['epoch']:g}"
    cells = _both_ends(row)
    cells.append(measured(row.get("trace"), row.get("trace_stderr"), 2))
    cells += [measured(row.get(name), row.get(f"{name}_bound"), bound=True, figures=1) for name in _LARGEST]
    cells.append(measured(row.get("fisher_rao"), row.get("fisher_rao_stderr"), 2))
    name = row["name"] + state + ("" if row["status"] == "ok" else r"$^{\ast}$")
    loss = row["loss"]
    return [name, number(loss, 4) if 1e-4 <= loss < 1e-2 else significant(loss, 2), *cells]


def _both_ends(row: Mapping[str, Any]) -> list[str]:
    """λmax, λmin and their ratio in percent, with bounds."""
    scales = {"lambda_max": 1, "lambda_min": 1, "ratio": 100}
    pairs = [(row.get(name), row.get(f"{name}_bound"), scale) for name, scale in scales.items()]
    return [
        MISSING if missing(value) or missing(error) else measured(k * value, k * error, bound=True, figures=1)
        for value, error, k in pairs
    ]


_LARGEST = ("gauss_newton_lambda_max", "filter_lambda_max")


def _maps(planes: pd.DataFrame) -> list:
    """Rows of the ratio maps under a heading for each number of images."""
    rows: list = []
    for (examples, policy), own in planes.groupby(["n_examples", "batch_norm"], sort=False):
        grid = rf"{own['a'].nunique()} $\times$ {own['b'].nunique()} points"
        note = f"{grid}; batch norm {escape(policy)}; {integer(examples)} images"
        rows.append(Heading("Planes along filter-normalized random directions", note))
        for _, plane in own.groupby("network", sort=False):
            places = [("at the network", plane[(plane["a"] == 0) & (plane["b"] == 0)])]
            if plane["ratio"].notna().any():
                places.append(("largest ratio", plane.loc[[plane["ratio"].idxmax()]]))
            for words, place in ((words, place) for words, place in places if len(place)):
                row = place.iloc[0]
                cells = _both_ends(row)
                rows.append([f"{row['name']}, {words}", MISSING, *cells, *[MISSING] * 4])
    return rows


def trajectories(explained: pd.DataFrame, known: pd.DataFrame) -> str:
    """One row a training: shares of the first two components and of both, each beside those of random walks.

    explained: all rows of project_trajectory; known: of `describe`.
    """
    columns = [Column("training", 1.65), Column("states")]
    for name in ("PC1", "PC2", "both"):
        columns += [Column(name), Column(r"walk [95\,\%]", "l")]
    columns.append(Column("$p$"))
    found = joined(explained, known)
    rows: list = []
    for _, own in found.groupby("network", sort=False):
        by = own.set_index("component") if "component" in own else own
        first, second = (by.loc[k] if k in by.index else None for k in (1, 2))
        if first is None or second is None:
            status = own["status"].iloc[0]
            rows.append([f"{own['name'].iloc[0]} ({escape(status)})", *[MISSING] * 8])
            continue
        cells = [_walk(first, "explained"), _walk(second, "explained"), _walk(second, "cumulative")]
        counted = integer(first["n_states"])
        rows.append([first["name"], counted, *chain.from_iterable(cells), probability(second["cumulative_p"])])
    note = _OF_TRAJECTORIES
    limit = found.dropna(subset="explained_limit") if "explained_limit" in found else found.iloc[:0]
    if len(limit):
        ends = [limit.loc[limit["component"] == k, "explained_limit"] for k in (1, 2)]
        parts = [number(100 * own.iloc[0], 1) for own in ends if len(own)]
        note += rf"An endless walk of equal steps has {' and '.join(parts)}\,\%. "
    return table(columns, rows, note)


def _walk(row: pd.Series, name: str) -> list[str]:
    low, high = (number(100 * row[f"{name}_null_{end}"], 1) for end in ("low", "high"))
    null = rf"{number(100 * row[f'{name}_null'], 1)} {{\scriptsize[{low}, {high}]}}"
    return [number(100 * row[name], 1), null]


def solutions(pairs: pd.DataFrame | None, summary: pd.DataFrame | None, known: pd.DataFrame) -> str:
    """Pairs of networks: how similar they are, and the barriers of the paths between them; then other paths.

    pairs: compare_solutions; summary: of collect_surfaces; known: of `describe`. A path belongs to the pair of its two
    networks, in either order.
    """
    columns = [Column("pair or path", 1.15), Column("dist."), Column("cosine (null)"), Column("CKA")]
    columns += [Column(r"agree [95\,\%]", "l"), Column("path", "l"), Column("train"), Column("test")]
    paths = {} if summary is None else _paths(summary)
    rows: list = []
    if pairs is not None and "first" in pairs:
        told = pairs[["part", "n_examples"]].drop_duplicates()
        note = "; ".join(f"{integer(n)} {escape(part)} images" for part, n in told.itertuples(index=False))
        rows.append(Heading("Pairs of solutions", note))
        for row in pairs.to_dict("records"):
            name = _pair(row["first"], row["second"], known)
            own = paths.pop(frozenset((row["first"], row["second"])), [])
            rows += _beside([name, *_similar(row)], own)
    if paths:
        rows.append(Heading("Other paths"))
        for own in paths.values():
            name = _pair(own[0]["network"], own[0]["other"], known)
            rows += _beside([name, *[MISSING] * 4], own)
    return table(columns, rows, _OF_SOLUTIONS)


def _paths(summary: pd.DataFrame) -> dict[frozenset, list[dict[str, Any]]]:
    """Rows of the paths between two states, by these two; lines before curves."""
    rows = summary[summary["plane"].isin(_PATHS) & summary["other"].notna()].to_dict("records")
    found: dict[frozenset, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: _PATHS.index(row["plane"])):
        found.setdefault(frozenset((row["network"], row["other"])), []).append(row)
    order = list(dict.fromkeys(frozenset((row["network"], row["other"])) for row in rows))
    return {key: found[key] for key in order}


def _pair(first: str, second: str, known: pd.DataFrame) -> str:
    names = [
        "initial weights" if name == "initial" else known["name"].get(name, escape(name, breakable=True))
        for name in (first, second)
    ]
    start, end = (name.split(", ") for name in names)
    shared = [part for part in start if part in end]
    rest = [", ".join(part for part in own if part not in shared) for own in (start, end)]
    if not shared or not all(rest):
        return f"{names[0]} -- {names[1]}"
    return f"{', '.join(shared)}: {rest[0]} -- {rest[1]}"


def _similar(row: Mapping[str, Any]) -> list[str]:
    null = _near(row.get("cosine_null"), row.get("cosine_null_std"))
    agreement = number(100 * row["agreement"], 1) if not missing(row.get("agreement")) else MISSING
    if not missing(row.get("agreement_low")):
        low, high = (number(100 * min(max(row[f"agreement_{end}"], 0), 1), 1) for end in ("low", "high"))
        agreement += rf" {{\scriptsize[{low}, {high}]}}"
    return [
        number(row.get("relative_distance"), 2),
        MISSING if missing(row.get("cosine")) else f"{number(row['cosine'], 3)} ({null})",
        _near(row.get("cka_features"), row.get("cka_features_stderr")),
        agreement,
    ]


def _near(value: Any, error: Any) -> str:
    """A number of size 1 or less with its error, three decimals."""
    text = number(value, 3)
    return text if missing(value) or missing(error) else text + _SMALL.format(number(error, 3))


def _beside(cells: list[str], paths: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The row of a pair, with that of its first path beside it and the others below."""
    barriers = [
        [
            rf"{'line' if path['plane'] == 'interpolation' else 'curve'}$_{{\mathrm{{{path['batch_norm'][0]}}}}}$",
            *(_barrier(path, split) for split in ("train", "test")),
        ]
        for path in paths
    ] or [[MISSING] * 3]
    return [[*(cells if i == 0 else [""] * len(cells)), *own] for i, own in enumerate(barriers)]


def _barrier(row: Mapping[str, Any], split: str) -> str:
    value, error = row[f"{split}_barrier"], row[f"{split}_barrier_stderr"]
    return "0" if not missing(value) and value == 0 else measured(value, error)


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
    kinds |= {"pca": rows["plane"] == "pca", "paths": rows["plane"].isin(_PATHS)}
    for kind, where in kinds.items():
        own = rows[where]
        values.put(f"landscape.{kind}.", n=integer(len(own)))
        found = [told[_key(row)] for row in own.to_dict("records") if _key(row) in told]
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
    return _bounded(text, None if least is None else least.min())


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
    values.put("landscape.both.", names=_pair(line["network"], line["other"], known))


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
        range=_range(rows["a"]),
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
