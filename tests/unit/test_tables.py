"""LaTeX tables and values: rounding, escaping, missing values, widths, and errors for names that do not exist."""

import math
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from synthetic_results import experiment, measured, regressions, verdicts

from htsr.files import write_arrays, write_table
from htsr.tables import findings, latex, published, results
from htsr.tables.findings import collect
from htsr.tables.values import Values, render

NAN = math.nan
UGLY = 'a_b & 100% $x$ #1 {~^} \\cmd <|> "q" α̂ ≥ λ₊ é – ‖W‖² 中 \t end'
PREAMBLE = r"""\documentclass[11pt]{article}\usepackage[T1]{fontenc}\usepackage{lmodern}
\usepackage[textwidth=6.3in]{geometry}\usepackage{amsmath,booktabs,longtable,array,caption}
"""
SETTINGS = {
    "experiment": "my_run",
    "compute_esd": {"normalization": "one_over_n", "permutations": 20},
    "fit_power_law": {"cut_at_xmax": False},
    "comparison": {"dense": "a_0", "regularized": "a_1", "finetuned": "a_2"},
    "published": {"models": {"a_0": {"source": "X_1", "metrics": {"alpha": 3.5}}}, "regressions": {}},
}


@pytest.fixture(scope="module")
def small():
    return experiment({"a": 4, "b": 1}, slices=3, zero=(1,))


def compile_tex(folder, body):
    """Typeset the body; returns (exit status, log)."""
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    text = PREAMBLE + "\\begin{document}\\small\n" + body + "\n\\end{document}\n"
    (folder / "t.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    run = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=60)
    return run.returncode, (folder / "t.log").read_text(errors="replace").replace("\n", " ")


def cells(text):
    """Numbers of cells of the rows of a table, without rules and headings."""
    rows = [line for line in text.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
    return {len(re.split(r"(?<!\\)&", row)) for row in rows}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b&c%d", r"a\_b\&c\%d"),
        ("{$#}", r"\{\$\#\}"),
        ("\\", r"\textbackslash{}"),
        ("α̂ or α", r"$\hat{\alpha}$ or $\alpha$"),
        ('say "x" twice', "say ``x'' twice"),
        ("中é", "[U+4E2D]é"),
        ("two\nlines", "two lines"),
        (None, "--"),
        (NAN, "--"),
        ("", "--"),
    ],
)
def test_escape(text, expected):
    assert latex.escape(text) == expected


def test_escape_breaks_lines_of_names_only_where_asked():
    assert latex.escape("a.b_c", breakable=True) == r"a.\allowbreak{}b\_\allowbreak{}c"
    assert latex.escape("a" * 40, breakable=True).count("allowbreak") > 20
    assert "allowbreak" not in latex.escape("a.b" * 40)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (latex.number(3.14159), "3.14"),
        (latex.number(-0.5, 1), "$-0.5$"),
        (latex.number(-0.001), "0.00"),
        (latex.number(NAN), "--"),
        (latex.number(math.inf), r"$\infty$"),
        (latex.number(1.5e9), r"$1.50\times10^{9}$"),
        (latex.significant(0.012345), "0.0123"),
        (latex.significant(-12345.6), "$-12346$"),
        (latex.significant(9.999), "10.0"),
        (latex.significant(1.2e-7), r"$1.20\times10^{-7}$"),
        (latex.significant(0), "0"),
        (latex.integer(1234567), r"1\,234\,567"),
        (latex.percent(0.834), "83"),
        (latex.percent(0.998), "99.8"),
        (latex.percent(1.0), "100"),
        (latex.percent(0.0), "0"),
        (latex.probability(0.0001), "$<0.001$"),
        (latex.probability(0.0123), "0.012"),
        (latex.probability(0.5), "0.50"),
        (latex.probability(None), "--"),
        (latex.interval(-1, 2), "[$-1.00$, 2.00]"),
        (latex.interval(NAN, 2), ""),
        (latex.with_interval(1, NAN, NAN), "1.00"),
        (latex.with_error(3.291, 0.123), r"3.29{\scriptsize$\pm$0.12}"),
        (latex.with_error(17.53, 12.3), r"18{\scriptsize$\pm$12}"),
        (latex.with_error(3.291, NAN), "3.29"),
    ],
)
def test_numbers(shown, expected):
    assert shown == expected


def test_a_table_longer_than_a_page_is_a_longtable():
    columns = [latex.Column("a", "l"), latex.Column("text", 1.0)]
    assert r"\begin{tabular}" in latex.table(columns, [["x", "y"]] * latex.LONG)
    assert r"\begin{longtable}" in latex.table(columns, [["x", "y"]] * (latex.LONG + 1))
    assert r"\begin{longtable}" in latex.table(columns, [["x", "long text " * 30]] * 3), "wrapped lines count"
    assert "nothing to report" in latex.table(columns, [])


def test_captions_stay_with_short_and_long_tables(tmp_path):
    columns = [latex.Column("a", "l"), latex.Column("b")]
    body = r"\def\tablecaption{Caption\label{it}}See \ref{it}." + latex.table(columns, [["x", "1"]], "note")
    body += r"\def\tablecaption{Another\label{them}}See \ref{them}." + latex.table(columns, [["x", "1"]] * 90, "note")
    for _ in range(2):
        status, log = compile_tex(tmp_path, body)
    assert status == 0, log[-2000:]
    assert "undefined" not in log and "Overfull" not in log
    assert (tmp_path / "t.aux").read_text().count("writefile{lot}") == 2


def test_layer_fits_average_slices_and_name_failures(small):
    metrics, layers, _ = small
    text = results.layer_fits(layers, metrics, {"a": "Series & A"})
    own = layers[(layers["model"] == "a_0") & (layers["weight_layer"] == "layer_0.conv")]["alpha"]
    assert f"{own.mean():.2f} ({own.min():.2f} to {own.max():.2f})" in text
    assert r"Net \& Co\_\allowbreak{}0 (Series \& A)" in text
    assert "0/3" in text and "0 values, fewer than the minimum tail" in text
    assert "nan" not in text and cells(text) == {9}
    _, single = measured({"a": 1})
    row = single.iloc[0]
    text = results.layer_fits(single, metrics, {})
    assert f"{row['alpha']:.2f} [{row['alpha_low']:.2f}, {row['alpha_high']:.2f}]" in text


def test_layer_fits_of_many_models_keep_the_last_of_each_series(monkeypatch):
    metrics, layers = measured({"a": 4, "b": 3}, weights=4)
    monkeypatch.setattr(results, "MOST_LAYERS", 10)
    text = results.layer_fits(layers, metrics, {})
    assert text.count("textit") == 2 and "5 others left out" in text
    monkeypatch.setattr(results, "MOST_LAYERS", 5)
    assert "first 5 of 8 layers" in results.layer_fits(layers, metrics, {})


def test_model_tables_show_errors_failures_and_origins(small):
    metrics, _, _ = small
    metrics = metrics.assign(accuracy=metrics["accuracy"].where(metrics["model"] != "a_0"))
    text = results.model_metrics(metrics, {}, "none")
    row = metrics.iloc[1]
    assert rf"{row['alpha']:.2f}{{\scriptsize$\pm${row['alpha_stderr']:.2f}}}" in text
    assert "6/9" in text and r"\mathbf{W}^{\!\top}\mathbf{W}$" in text
    assert "nan" not in text and cells(text) == {9}
    headers = [{"model": "a_0", "origin": "https://example.org/a_b.pth", "sha256": "0123456789ab"}, {"model": "a_1"}]
    text = results.models(metrics, headers, {})
    assert r"\texttt{\scriptsize 01234567}" in text and r"example.\allowbreak{}org" in text
    assert "nan" not in text and cells(text) == {7}


@pytest.mark.parametrize(
    ("origins", "heading", "files"),
    [
        (["https://a.org/x/one.pth", "https://a.org/x/two.pth"], "weights: https://a.org/x", ["one.pth", "two.pth"]),
        (["https://a.org/x/one.pth", "https://a.org/y/one.pth"], "", ["a.org/x/one.pth", "a.org/y/one.pth"]),
        (["one.pth", "two.pth"], "", ["one.pth", "two.pth"]),
        (["trained", "trained"], "weights: trained", ["trained"]),
    ],
)
def test_the_heading_of_models_names_only_what_they_share(origins, heading, files):
    metrics, _ = measured({"a": 2})
    headers = [{"model": f"a_{i}", "origin": origin} for i, origin in enumerate(origins)]
    text = results.models(metrics, headers, {}).replace(r"\allowbreak{}", "")
    assert ("weights: " in text) == bool(heading) and heading in text
    assert all(text.count(file) == 1 for file in files)


def test_regressions_and_claims(small):
    _, _, table = small
    text = results.regressions(table, {"a": "A", "b": "B"}, "one_over_n")
    row = table[(table["series"] == "a") & (table["metric"] == "depth") & (table["target"] == "accuracy")].iloc[0]
    assert row["kendall_tau"] == 1 and "depth & 4 & 1.00 & 1.00" in text
    assert "B: none (" in text
    assert "All series" in text and "nan" not in text and cells(text) == {8}
    text = results.claims(verdicts())
    assert "0.83 [0.80, 0.86] & $<0.001$ & 400 & supported" in text
    assert "3 [1, 4] & 0.040 & 5 & not supported" in text, "counts have no decimals"
    assert r"-- & -- & 0 & inconclusive" in text and r"$\lambda$\_max grows \& $\hat{\alpha}$ falls." in text
    assert "nan" not in text and cells(text) == {5}


def test_tables_fit_the_text_width(small, tmp_path):
    metrics, layers, table = small
    metrics = metrics.assign(
        title="A very long model name, version 12_3", accuracy_source="https://a.org/long/address/of/it"
    )
    headers = [
        {"model": m, "origin": f"https://example.org/{'0123456789' * 4}/m.pth", "sha256": "ab" * 32}
        for m in metrics["model"]
    ]
    made = [
        results.layer_fits(layers, metrics, {}),
        results.model_metrics(metrics, {}, "weightwatcher"),
        results.regressions(table, {}, "none"),
        results.claims(verdicts()),
        results.models(metrics, headers, {}),
    ]
    assert all(r"\begin{tabular}" in text for text in made)
    status, log = compile_tex(tmp_path, "\n\n\\noindent ".join(["", *made, latex.escape(UGLY)]))
    assert status == 0, log[-2000:]
    assert "Overfull" not in log


def test_values(small):
    metrics, layers, table = small
    values = collect(metrics, layers, table, verdicts(), {"a": "Series & A"}, SETTINGS)
    texts, flags = values.texts, values.flags
    alpha = layers["alpha"].dropna()
    assert texts["n_models"] == "5" and texts["n_series"] == "2" and texts["n_failed"] == "15"
    assert texts["alpha_mean"] == f"{alpha.mean():.2f}" and texts["n_alpha"] == str(len(alpha))
    assert texts["alpha_fraction_in_range"] == f"{100 * alpha.between(2, 5).mean():.0f}"
    row = table[
        (table["series"] == "a") & (table["metric"] == "alpha_weighted") & (table["target"] == "accuracy")
    ].iloc[0]
    assert texts["a.tau_alpha_weighted"] == latex.number(row["kendall_tau"])
    assert texts["a.r2_alpha_weighted"] == f"{row['r2']:.2f}" and texts["a.tau_alpha_weighted_p"] != "--"
    assert texts["b.tau_alpha_weighted"] == "--" and texts["b.title"] == "b" and texts["a.title"] == r"Series \& A"
    assert texts["setting.experiment"] == r"my\_run" and texts["setting.compute_esd.permutations"] == "20"
    assert texts["matrix"].startswith(r"$\mathbf{X}")
    assert (
        texts["claim.in_range.verdict"] == "supported"
        and texts["claim.in_range.effect_interval"] == "0.83 [0.80, 0.86]"
    )
    assert [texts[f"claims.letter.{name}"] for name in ("n", "supported", "not_supported", "inconclusive")] == [*"2110"]
    assert texts["claims.other.n"] == "1" and texts["claim.none.effect"] == "--"
    assert texts["comparison.dense.alpha"] == texts["model.a_0.alpha"] and texts["comparison.dense.n_removed"] == "1"
    ours = metrics.loc[0, "alpha"]
    assert texts["published.model.a_0.alpha_difference"] == latex.number(ours - 3.5, 3)
    assert flags["comparison"] and flags["claim.in_range.supported"] and not flags["claim.larger.supported"]
    assert flags["a.regression"] and not flags["b.regression"] and flags["several_series"] and flags["slices"]
    assert not any("nan" in text.split() or text == "" for text in texts.values())


def test_values_without_accuracies_comparison_or_fits():
    metrics, layers = measured({"a": 1})
    metrics[["accuracy", "error", "train_accuracy", "accuracy_source"]] = None
    layers[["alpha", "alpha_null", "p_value"]] = np.nan
    values = collect(metrics, layers, regressions(metrics), verdicts().iloc[:0], {}, {})
    assert values.texts["alpha_mean"] == values.texts["accuracy_max"] == values.texts["matrix"] == "--"
    flags = ("comparison", "accuracy", "null", "goodness", "regression", "published.models", "several_series")
    assert not any(values.flags[name] for name in flags)
    assert "nan" not in render(values)


@pytest.mark.parametrize(
    ("use", "complaint"),
    [
        (r"\val{n_models}, \ifhas{comparison}{yes}{no}", ""),
        (
            r"\eachseries{\val{\thisseries.title}: \ifhas{\thisseries.regression}{\val{\thisseries.tau_alpha}}{none}.}",
            "",
        ),
        (r"\section{\val{a.title}}\eachclaim{\val{claim.\thisclaim.statement} \val{claim.\thisclaim.reason}}", ""),
        (r"\val{n_modells}", "There is no value named `n_modells'"),
        (r"\ifhas{comparisons}{yes}{no}", "There is no flag named `comparisons'"),
    ],
)
def test_values_in_latex(small, tmp_path, use, complaint):
    metrics, layers, table = small
    values = collect(metrics, layers, table, verdicts(), {"a": UGLY}, SETTINGS)
    (tmp_path / "values.tex").write_text(render(values), encoding="utf-8")
    status, log = compile_tex(tmp_path, r"\input{values.tex}" + use)
    assert (status != 0) == bool(complaint), log[-2000:]
    assert complaint in log


def test_stages_write_the_same_bytes_twice(small, tmp_path):
    from htsr.stages import make_tables, make_values

    metrics, layers, table = small
    write_table(tmp_path / "metrics.csv", metrics)
    write_table(tmp_path / "layers.csv", layers)
    write_table(tmp_path / "regressions.csv", table)
    write_table(tmp_path / "claims.csv", verdicts())
    write_arrays(tmp_path / "esd.safetensors", [], {"model": "a_0", "origin": "trained", "sha256": None})
    inputs = {
        "metrics": [str(tmp_path / "metrics.csv")],
        "layers": [str(tmp_path / "layers.csv")],
        "regressions": str(tmp_path / "regressions.csv"),
        "claims": str(tmp_path / "claims.csv"),
        "titles": {"a": "A"},
    }
    names = [
        *("models", "layer_fits", "model_metrics", "regressions", "claims_letter", "claims_other"),
        *("published_models", "published_regressions", "linear_fits"),
    ]
    given = {"esds": [str(tmp_path / "esd.safetensors")], "normalization": "one_over_n"}
    given |= {"published": SETTINGS["published"]}
    written = []
    for turn in range(2):
        folder = tmp_path / str(turn)
        outputs = {"tables": {name: str(folder / f"{name}.tex") for name in names}}
        make_tables.main(OmegaConf.create(inputs | given | outputs))
        make_values.main(OmegaConf.create(inputs | {"settings": SETTINGS, "values": str(folder / "values.tex")}))
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert written[0] == written[1] and len(written[0]) == len(names) + 1
    assert not any(re.search(rb"\bnan\b", content) for content in written[0].values())
    counts = [written[0][f"claims_{paper}.tex"].count(b"scriptsize (") for paper in ("letter", "other")]
    assert counts == [2, 1] and len(pd.read_csv(tmp_path / "claims.csv")) == 3
    with pytest.raises(SystemExit, match="no table 'classes'"):
        make_tables.main(OmegaConf.create(inputs | given | {"tables": {"classes": str(tmp_path / "classes.tex")}}))


OTHERS = {"their_a": "Series A", "their_b": "B & C"}
PRINTED = {"A": {"source": "Somebody", "note": "n.", "n": 6, "r2": {"log_norm": 0.5}, "kendall_tau": {"log_norm": -1}}}


@pytest.fixture(scope="module")
def others():
    """Means and regressions of models that others measured."""
    metrics, _ = measured({"their_a": 6, "their_b": 3})
    return metrics.assign(source="Them 2020"), regressions(metrics)


def test_regressions_on_the_results_of_others_stand_between_printed_and_ours(small, others):
    rows = published.regressions(small[2], PRINTED, {"a": "Ours"}, others[1], OTHERS).splitlines()
    headings = [i for i, row in enumerate(rows) if "multicolumn" in row]
    assert ["Somebody" in rows[headings[0]], "published results" in rows[headings[1]]] == [True, True]
    theirs = "".join(rows[headings[1] : headings[2]])
    assert "Series A" in theirs and r"B \& C" in theirs and "Ours" not in theirs
    assert published.regressions(small[2], PRINTED, {}).count("multicolumn") == 2


def test_values_of_the_results_of_others(others):
    metrics, table = others
    values = Values()
    findings.published_results(values, metrics, table, OTHERS)
    texts = values.texts
    assert (texts["results.n_models"], texts["results.n_series"]) == ("9", "2")
    assert texts["results.series_with_n"] == r"Series A ($n = 6$) and B \& C ($n = 3$)"
    row = table.set_index(["series", "metric", "target"]).loc[("their_a", "log_norm", "accuracy")]
    assert texts["results.their_a.r2_log_norm"] == latex.number(row["r2"])
    assert texts["results.each.r2_log_norm"].startswith(f"{latex.number(row['r2'])} (Series A) and ")
    assert "results.pooled.tau_alpha_weighted_full" in texts
    assert not any("nan" in text.split() or text == "" for text in texts.values())


def test_stages_take_the_results_of_others(small, others, tmp_path):
    from htsr.stages import make_tables, make_values

    files = {}
    for name, tables in (("ours", (small[0], small[2])), ("theirs", others)):
        for kind, table in zip(("metrics", "regressions"), tables, strict=True):
            files[name, kind] = str(tmp_path / f"{name}_{kind}.csv")
            write_table(files[name, kind], table)
    write_table(tmp_path / "layers.csv", small[1])
    write_table(tmp_path / "claims.csv", verdicts())
    given = {"metrics": [files["ours", "metrics"]], "layers": [str(tmp_path / "layers.csv")]}
    given |= {"regressions": files["ours", "regressions"], "claims": str(tmp_path / "claims.csv")}
    given |= {"published_metrics": [files["theirs", "metrics"]], "published_titles": OTHERS}
    given |= {"published_regressions": files["theirs", "regressions"]}
    tables = {name: str(tmp_path / f"{name}.tex") for name in ("published_metrics", "published_regressions")}
    more = {"esds": [], "normalization": "one_over_n", "tables": tables, "published": {"regressions": PRINTED}}
    make_tables.main(OmegaConf.create(given | more))
    texts = {name: (tmp_path / f"{name}.tex").read_text() for name in tables}
    assert all("Series A" in text and r"B \& C" in text for text in texts.values())
    assert "Accuracies of Series A, B" in texts["published_metrics"] and "Them 2020" in texts["published_metrics"]
    make_values.main(OmegaConf.create(given | {"settings": SETTINGS, "values": str(tmp_path / "values.tex")}))
    assert r"has@results.here\endcsname\@firstoftwo" in (tmp_path / "values.tex").read_text()
