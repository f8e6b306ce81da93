"""Tables of loss landscapes.

Numbers of one network have the error that its stage gives; means over several networks ± half their 95 % interval.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import pandas as pd

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

SIMILARITIES = ("distance", "relative_distance", "cosine", "cosine_null", "cka_logits", "cka_features")
SIMILARITIES += ("agreement", "expected_agreement", "excess")

_KEYS = ("series", "seed", "shortcuts", "width", "depth", "batch_size", "weight_decay", "optimizer")
PATHS = ("interpolation", "bezier")
_KIND = ("plane", "dimensions", "normalization", "batch_norm")
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


def bounded(text: str, reached: Any) -> str:
    """The text of a width, a lower bound where not every ray reached it."""
    return rf"$>${text}" if not missing(reached) and reached < 1 and text != MISSING else text


def surfaces(summary: pd.DataFrame, points: pd.DataFrame | None, known: pd.DataFrame) -> str:
    """One row for each network of a surface that is no path, those of one kind under one heading.

    summary, points: of collect_surfaces; known: of `describe`.
    """
    columns = [Column("network", 1.5), Column("error"), Column("$L(0)$"), Column(r"$\|\delta\|$")]
    columns += [Column(r"$L_{\max}$"), Column(r"$\lambda<0$"), Column("down"), Column("$w_1$"), Column("$w_2$")]
    chosen = joined(summary[~summary["plane"].isin(PATHS)], known)
    told = settings(points) if points is not None else {}
    heads = [_heading(row, told.get(kind_of(row))) for row in chosen.to_dict("records")]
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
            bounded(measured(row[f"width_{name}"], row[f"width_{name}_std"], 2), row[f"reached_{name}"])
            for name in ("nat", "double")
        ),
    ]


def kind_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What tells one surface of a network from the others, empty cells being equal."""
    return tuple("" if missing(row[name]) else str(row[name]) for name in ("surface", "network", *_KIND))


def settings(points: pd.DataFrame) -> dict[tuple[str, ...], dict[str, str]]:
    """grid, range, examples, test_examples, directions of every surface of the table of points, as printed."""
    keys = ["surface", "network", *_KIND]
    found = {}
    for _, own in points[points["level"] == 0].groupby(keys, sort=False, dropna=False):
        first = own.iloc[0]
        sides = [integer(own[axis].nunique()) for axis in ("a", "b")[: int(first["dimensions"])]]
        found[kind_of(first)] = {
            "grid": r" $\times$ ".join(sides),
            "range": range_of(own["a"]),
            "examples": integer(first["train_examples"]),
            "test_examples": integer(first["test_examples"]),
            "directions": integer(own["seed"].nunique()),
        }
    return found


def range_of(values: pd.Series) -> str:
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
            name = pair_name(row["first"], row["second"], known)
            own = paths.pop(frozenset((row["first"], row["second"])), [])
            rows += _beside([name, *_similar(row)], own)
    if paths:
        rows.append(Heading("Other paths"))
        for own in paths.values():
            name = pair_name(own[0]["network"], own[0]["other"], known)
            rows += _beside([name, *[MISSING] * 4], own)
    return table(columns, rows, _OF_SOLUTIONS)


def _paths(summary: pd.DataFrame) -> dict[frozenset, list[dict[str, Any]]]:
    """Rows of the paths between two states, by these two; lines before curves."""
    rows = summary[summary["plane"].isin(PATHS) & summary["other"].notna()].to_dict("records")
    found: dict[frozenset, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: PATHS.index(row["plane"])):
        found.setdefault(frozenset((row["network"], row["other"])), []).append(row)
    order = list(dict.fromkeys(frozenset((row["network"], row["other"])) for row in rows))
    return {key: found[key] for key in order}


def pair_name(first: str, second: str, known: pd.DataFrame) -> str:
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
            *(barrier_of(path, split) for split in ("train", "test")),
        ]
        for path in paths
    ] or [[MISSING] * 3]
    return [[*(cells if i == 0 else [""] * len(cells)), *own] for i, own in enumerate(barriers)]


def barrier_of(row: Mapping[str, Any], split: str) -> str:
    value, error = row[f"{split}_barrier"], row[f"{split}_barrier_stderr"]
    return "0" if not missing(value) and value == 0 else measured(value, error)
