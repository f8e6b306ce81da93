"""Figures: what is drawn, what stands in its CSV, that nothing is clipped, and that the bytes never change."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from scipy.integrate import quad
from synthetic_results import experiment, measured, regressions, spectra_rows
from test_theory_figures import assert_whole

from htsr.figures import accuracy, alpha_histogram, comparison, esd, stable_rank, style
from htsr.files import read_table, write_arrays, write_table
from htsr.spectra.spectrum import Spectrum, to_arrays, to_header
from htsr.tails.fits import fit_spectrum
from htsr.tails.rivals import truncated_power_law_log_pdf

COLUMNS = ("alpha", "alpha_weighted")


def heavy_spectrum(name="fc", m=60, permutations=3):
    rng = np.random.default_rng(1)
    values = np.sort(0.1 * (1 - rng.random(m)) ** (-1 / 1.8))
    null = np.sort(rng.gamma(4, 0.1, (permutations, m)), axis=1)
    return Spectrum(name, name, "linear", 2 * m, m, 2.0, "one_over_n", eigenvalues=values, null=null)


@pytest.fixture(scope="module")
def fit():
    return fit_spectrum(heavy_spectrum(), bootstrap=0)


@pytest.fixture(scope="module")
def three():
    return experiment({"mlp": 4, "conv_net": 3, "single": 1}, slices=3)


def test_mean_interval_is_that_of_statsmodels():
    from statsmodels.api import OLS, add_constant

    rng = np.random.default_rng(0)
    x, at = rng.normal(size=9), np.linspace(-2, 2, 5)
    y = 3 * x + rng.normal(size=9)
    model = OLS(y, add_constant(x)).fit()
    low, high = model.get_prediction(add_constant(at)).conf_int(alpha=0.05).T
    intercept, slope = model.params
    half = accuracy.mean_interval(x, y, slope, intercept, at)
    np.testing.assert_allclose(half, (high - low) / 2, rtol=1e-9)
    assert np.isnan(accuracy.mean_interval(x[:2], y[:2], 1, 0, at)).all()


def test_accuracy_draws_every_model_and_the_line_of_the_table(three):
    metrics, _, table = three
    figure, drawn = accuracy.draw(metrics, table, COLUMNS, {"mlp": "Perceptrons"}, "one_over_n", named=True)
    assert_whole(figure)
    models = drawn[drawn["kind"] == "model"]
    for column in COLUMNS:
        own = models[models["metric"] == column].set_index("model")
        assert sorted(own.index) == sorted(metrics["model"])
        expected = metrics.set_index("model")
        np.testing.assert_array_equal(own["x"], expected.loc[own.index, column])
        np.testing.assert_array_equal(own["x_stderr"], expected.loc[own.index, f"{column}_stderr"])
        np.testing.assert_array_equal(own["y"], expected.loc[own.index, "accuracy"])
    line = drawn[(drawn["kind"] == "line") & (drawn["metric"] == "alpha")]
    assert set(line["series"]) == {"mlp", "conv_net"}, "one model has no line"
    row = table[(table["series"] == "mlp") & (table["metric"] == "alpha") & (table["target"] == "accuracy")].iloc[0]
    mlp = line[line["series"] == "mlp"]
    np.testing.assert_allclose(mlp["y"], row["slope"] * mlp["x"] + row["intercept"])
    assert (mlp["y_low"] < mlp["y"]).all() and (mlp["y"] < mlp["y_high"]).all()
    texts = [axis.get_title(loc="left") for axis in figure.axes]
    assert any(f"$R^2 = {row['r2']:.2f}$" in text and "$n = 4$" in text for text in texts)
    assert "$n = 1$" in texts


def test_accuracy_leaves_out_what_is_missing():
    metrics, _ = measured({"a": 3, "b": 2})
    without = metrics.index[[0, 3, 4]]
    metrics.loc[without, ["accuracy", "error"]] = np.nan
    figure, drawn = accuracy.draw(metrics, regressions(metrics), COLUMNS, {}, "none", named=True)
    assert_whole(figure)
    assert set(drawn["model"].dropna()) == {"a_1", "a_2"}
    assert not (drawn["kind"] == "line").any()
    assert "3 models" in figure.get_supxlabel()
    assert len(figure.axes) == 2, "no panel for a series without accuracies"


def test_accuracy_without_any_says_so():
    metrics, _ = measured({"a": 2})
    metrics[["accuracy", "error"]] = np.nan
    figure, drawn = accuracy.draw(metrics, regressions(metrics), COLUMNS, {}, "none", named=True)
    assert_whole(figure)
    assert drawn.empty and not figure.axes and "No model" in figure.texts[0].get_text()


def test_many_series_share_panels_and_many_models_stay_unnamed():
    metrics, _, table = experiment({f"series_{i}": 2 for i in range(12)})
    figure, drawn = accuracy.draw(metrics, table, COLUMNS, {}, "none", named=True)
    assert_whole(figure)
    assert len(figure.axes) == 2 and len(figure.legends[0].get_texts()) == 12
    assert drawn.loc[drawn["kind"] == "model", "model"].nunique() == 24
    looks = {tuple(style.look(i).values()) for i in range(63)}
    assert len(looks) == 63
    metrics = pd.concat([metrics.iloc[:1].assign(model=f"m{i}", accuracy=50 + i / 10) for i in range(300)])
    metrics["alpha"] = np.random.default_rng(0).normal(size=300)
    figure, _ = accuracy.draw(metrics, table.iloc[:0], ("alpha",), {}, "none", named=True)
    assert_whole(figure)
    assert not figure.axes[0].texts


def test_histogram_counts_everything():
    _, layers = measured({"a": 4, "b": 1}, weights=4, slices=5, failed=(1,))
    layers.loc[0, "alpha"] = 40.0
    figure, drawn = alpha_histogram.draw(layers, {"a": "Series A"})
    assert_whole(figure)
    for series, own in layers.groupby("series"):
        rows = drawn[drawn["series"] == series].set_index("kind")
        alpha = own["alpha"].dropna()
        assert rows.loc["alpha", "count"].sum() + rows.loc["alpha_outside", "count"] == len(alpha)
        assert rows.loc["alpha_median", "low"] == alpha.median()
        bins = rows.loc["alpha"]
        counts = [((alpha >= low) & (alpha < high)).sum() for low, high in zip(bins["low"], bins["high"], strict=True)]
        assert counts == bins["count"].tolist()
    title = figure.axes[0].get_title(loc="left")
    assert "Series A" in title and "1 beyond the axis" in title and "20 failed" in title
    figure, drawn = alpha_histogram.draw(layers.assign(alpha_null=np.nan, alpha_null_all=np.nan), {})
    assert_whole(figure)
    assert not drawn["kind"].str.startswith("null").any() and "permuted" not in figure.get_supxlabel()
    figure, drawn = alpha_histogram.draw(layers.assign(alpha=np.nan), {})
    assert drawn.empty and not figure.axes


def test_stable_rank_draws_or_counts_every_matrix():
    _, layers = measured({"a": 3, "b": 2}, weights=10, failed=(2,))
    layers.loc[0, "log_stable_rank"] = 500.0
    figure, drawn = stable_rank.draw(layers, {}, "one_over_n")
    assert_whole(figure)
    assert len(drawn) == layers["alpha"].notna().sum() - 1
    assert "1 beyond the axes" in figure.axes[0].get_title(loc="left")
    for axis in figure.axes:
        low, high = axis.get_xlim()
        assert low < 2 and high > 4, "the line of equality is in sight"


def test_comparison_means_and_removed_layers():
    roles = {"dense": "x", "regularized": "y", "fine-tuned": "z"}
    layers = pd.concat(
        [
            spectra_rows(1, slices=4).assign(model="x"),
            spectra_rows(2, slices=4, zero=(1,)).assign(model="y"),
            spectra_rows(3, slices=4, failed=(2,)).assign(model="z"),
        ]
    )
    figure, drawn = comparison.draw(layers, roles, "none")
    assert_whole(figure)
    assert drawn.loc[drawn["removed"], ["role", "layer"]].drop_duplicates().to_numpy().tolist() == [
        ["regularized", "layer_1.conv"]
    ]
    own = layers[(layers["model"] == "x") & (layers["weight_layer"] == "layer_0.conv")]
    row = drawn[(drawn["role"] == "dense") & (drawn["layer"] == "layer_0.conv")].set_index("column")
    assert row.loc["lambda_max", "mean"] == pytest.approx(own["lambda_max"].mean())
    assert row.loc["alpha", ["least", "greatest", "n"]].tolist() == [own["alpha"].min(), own["alpha"].max(), 4]
    assert drawn[(drawn["role"] == "fine-tuned") & (drawn["layer"] == "layer_2.conv")]["mean"].isna().all()
    assert figure.axes[0].get_yscale() == "linear"
    layers.loc[layers["model"] == "x", "lambda_max"] *= 1000
    figure, _ = comparison.draw(layers, roles, "none")
    assert_whole(figure)
    assert figure.axes[0].get_yscale() == "log"
    deep = pd.concat([spectra_rows(i, weights=57).assign(model=m) for i, m in enumerate("xyz")])
    assert_whole(comparison.draw(deep, roles, "none")[0])


def test_esd_chooses_large_and_ordinary_spectra_of_different_weights():
    fits = pd.DataFrame(
        {
            "layer": ["a[0,0]", "a[0,1]", "b", "c", "d", "e"],
            "n_eigenvalues": [64, 64, 64, 512, 900, 64],
            "alpha": [2.0, 3.1, 3.4, 9.0, np.nan, 3.0],
            "status": ["ok"] * 4 + ["all values are equal", "ok"],
        }
    )
    assert esd.choose(fits, 9) == ["c", "a[0,1]", "e", "b"]
    assert esd.choose(fits, 1) == ["c"]


@pytest.mark.parametrize("count", [1, 7])
def test_esd_curves(fit, count):
    spectrum = heavy_spectrum()
    figure, drawn = esd.draw([esd.Shown("net_$1", spectrum, fit)] * count, without=["other"])
    assert_whole(figure)
    assert len(figure.axes) == 2 * min(count, esd.MOST)
    assert "No fit: other" in figure.get_supxlabel() and ("1 more" in figure.get_supxlabel()) == (count == 7)
    drawn = drawn.iloc[: len(drawn) // min(count, esd.MOST)]
    curves = {name: rows for name, rows in drawn.groupby("curve")}
    bars = curves["eigenvalues density"]
    assert (bars["y"] * (bars["x_high"] - bars["x"])).sum() == pytest.approx(1)
    dots = curves["eigenvalues survival"]
    np.testing.assert_array_equal(dots["x"], spectrum.eigenvalues)
    np.testing.assert_allclose(dots["y"], 1 - np.arange(60) / 60)
    share = fit["n_tail"] / 60
    for law in ("PL", "TPL"):
        assert curves[f"{law} survival"]["y"].iloc[0] == pytest.approx(share)
        assert curves[f"{law} density"]["x"].iloc[[0, -1]].tolist() == pytest.approx([fit["xmin"], fit["xmax"]])
    start = curves["PL density"]["y"].iloc[0]
    assert start == pytest.approx(share * (fit["alpha"] - 1) / fit["xmin"])
    assert curves["xmin"]["x"].tolist() == [fit["xmin"]]
    assert "permuted density" in curves


def test_truncated_law_survival_is_the_integral_of_its_density(fit):
    row = fit | {"tpl_alpha": 1.3, "tpl_lambda": 2.0}
    laws = esd.laws(row, 60)
    at, survival = laws["TPL survival"]

    def density(x):
        return np.exp(truncated_power_law_log_pdf(x, 1.3, 2.0, row["xmin"]))

    for index in (0, 20, 59):
        rest, _ = quad(density, at[index], np.inf)
        assert survival[index] == pytest.approx(row["n_tail"] / 60 * rest, rel=1e-6)
    assert "TPL density" not in esd.laws(fit | {"tpl_alpha": np.nan, "tpl_lambda": np.nan}, 60)


def test_esd_without_a_null_or_a_fit(fit):
    figure, drawn = esd.draw([esd.Shown("net", heavy_spectrum(permutations=0), fit)])
    assert_whole(figure)
    assert not drawn["curve"].str.startswith("permuted").any()
    figure, drawn = esd.draw([])
    assert drawn.empty and not figure.axes


def test_files_are_print_ready(fit, tmp_path):
    paths = [tmp_path / f"esd.{kind}" for kind in ("pdf", "png", "csv")]
    figure, drawn = esd.draw([esd.Shown("net", heavy_spectrum(), fit)])
    style.save(figure, drawn, *map(str, paths))
    pdf, png, csv = (path.read_bytes() for path in paths)
    assert pdf.startswith(b"%PDF") and b"CreationDate" not in pdf
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf, "TrueType fonts are embedded"
    assert int.from_bytes(png[16:20]) == round(style.WIDTH * 200)
    assert len(csv.splitlines()) == len(drawn) + 1


def test_stages_write_the_same_bytes_in_another_process(tmp_path, monkeypatch):
    from htsr.stages import plot_accuracy, plot_alpha_histogram, plot_comparison, plot_esd, plot_norms, plot_stable_rank

    metrics, layers, table = experiment({"mlp": 3}, weights=2)
    spectrum = heavy_spectrum("conv[0,1]")
    write_table(tmp_path / "metrics.csv", metrics)
    write_table(tmp_path / "layers.csv", layers)
    write_table(tmp_path / "regressions.csv", table)
    write_table(tmp_path / "fits.csv", [fit_spectrum(spectrum, bootstrap=0)])
    write_arrays(tmp_path / "esd.safetensors", to_arrays([spectrum]), to_header([spectrum]))
    inputs = {
        "metrics": [str(tmp_path / "metrics.csv")],
        "layers": [str(tmp_path / "layers.csv")],
        "regressions": str(tmp_path / "regressions.csv"),
        "names": ["net"],
        "spectra": [str(tmp_path / "esd.safetensors")],
        "fits": [str(tmp_path / "fits.csv")],
        "normalization": "none",
        "dense": "mlp_0",
        "finetuned": "mlp_1",
    }
    needs = {
        plot_accuracy: ("metrics", "regressions", "normalization"),
        plot_norms: ("metrics", "regressions", "normalization"),
        plot_alpha_histogram: ("layers",),
        plot_stable_rank: ("layers", "normalization"),
        plot_comparison: ("layers", "normalization", "dense", "finetuned"),
        plot_esd: ("names", "spectra", "fits"),
    }

    def only_csv(figure, drawn, pdf, png, csv):  # drawing takes a second
        write_table(csv, drawn)

    render = style.save
    for stage, keys in needs.items():
        monkeypatch.setattr(style, "save", only_csv if stage is not plot_alpha_histogram else render)
        outputs = {kind: str(tmp_path / f"{stage.__name__}.{kind}") for kind in ("pdf", "png", "csv")}
        stage.main(OmegaConf.create({key: inputs[key] for key in keys} | outputs))
        assert len(read_table(outputs["csv"])) > 0
    with pytest.raises(SystemExit, match="none_such"):
        stage = plot_comparison
        keys = {"layers": inputs["layers"], "normalization": "none", "dense": "none_such"}
        stage.main(OmegaConf.create(keys | outputs))
    # Sets of strings are ordered otherwise there.
    again = tmp_path / "again"
    command = [sys.executable, "-m", "htsr.stages.plot_alpha_histogram", f"layers=[{tmp_path}/layers.csv]"]
    command += [f"{kind}={again}.{kind}" for kind in ("pdf", "png", "csv")]
    subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": "7"}, check=True, capture_output=True)
    for kind in ("pdf", "png", "csv"):
        first = tmp_path / f"{plot_alpha_histogram.__name__}.{kind}"
        assert again.with_suffix(f".{kind}").read_bytes() == first.read_bytes()


def test_depth_is_drawn_without_errors_under_its_own_name(three):
    metrics, _, table = three
    figure, drawn = accuracy.draw(metrics, table, ("log_norm", "depth"), {}, "none", named=False)
    assert_whole(figure)
    assert [axis.get_xlabel() for axis in figure.axes][-2:] == [style.mean_symbol("log_norm"), "depth"]
    own = drawn[(drawn["metric"] == "depth") & (drawn["kind"] == "model")]
    assert own["x_stderr"].isna().all() and sorted(own["x"]) == sorted(metrics["depth"])
