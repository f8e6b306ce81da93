"""Regressions on accuracy: closed forms, oracles, what is not defined, and the level under pure noise."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS

from htsr.config import Network, TrainModel
from htsr.errors import InputError
from htsr.statistics.metrics_table import SETTINGS, average_seeds, combine, metric_columns
from htsr.statistics.regression import COLUMNS, Sampling, line, regress, residuals, slope_and_r
from htsr.statistics.resampling import bootstrap_weights, generator

# Errors that Y. Idelbayev reports for ResNet-20/32/44/56 on CIFAR-10 (README of akamaster/pytorch_resnet_cifar10), and
# mean of alpha log10 lambda_max over the slices with M >= 50 of the weights published there, eigenvalues of WᵀW.
RESNET_ERROR, RESNET_ALPHA_HAT = [8.27, 7.37, 6.90, 6.61], [1.127, 0.535, 0.117, -0.143]


def table(series="s", **columns):
    n = len(next(iter(columns.values())))
    return pd.DataFrame({"series": series, "model": [f"m{i}" for i in range(n)], **columns})


def only(result, **keys):
    for key, value in keys.items():
        result = result[result[key] == value]
    assert len(result) == 1
    return result.iloc[0]


def one(metric, error, **more):
    """The row of one metric and the error, few resamples."""
    result = regress(combine({"t": table(x=metric, error=error, **more)}), Sampling(resamples=200))
    return only(result, series="s", metric="x", target="error")


def noise(n, k, seed, series=1):
    """n models a series of pure noise with k metrics, rising depth and random norms."""
    rng = generator(seed)
    parts = []
    for s in range(series):
        metrics = {f"x{i}": rng.standard_normal(n) for i in range(k)}
        parts.append(
            table(f"s{s}", error=rng.random(n) + s, depth=np.arange(n) // 2 * 1.0, log_norm=rng.random(n), **metrics)
        )
    return combine({"t": pd.concat(parts)})


def test_published_errors_and_alpha_hat_of_four_resnets():
    resnets = combine({"t": table(alpha_weighted=RESNET_ALPHA_HAT, error=RESNET_ERROR)})
    result = regress(resnets)
    row = only(result, series="s", target="accuracy")
    assert row["r2"] == pytest.approx(0.993, abs=5e-4)
    assert row["kendall_tau"] == row["spearman"] == -1 and row["kendall_p"] == 2 / 24
    fit = stats.linregress(RESNET_ALPHA_HAT, RESNET_ERROR)
    error = only(result, series="s", target="error")
    half = stats.t.ppf(0.975, 2) * fit.stderr
    assert error["slope"] == pytest.approx(fit.slope) and error["intercept"] == pytest.approx(fit.intercept)
    assert (error["slope_low"], error["slope_high"]) == pytest.approx((fit.slope - half, fit.slope + half))
    assert row[["r2_low", "kendall_low", "spearman_low", "partial_tau"]].isna().all()
    assert row["status"].startswith("4 models: interval of the slope from Student's t, none for the rest")


def test_a_perfect_line():
    row = one(np.arange(6.0), 3 + 2 * np.arange(6.0))
    assert (row["slope"], row["intercept"], row["r2"]) == pytest.approx((2, 3, 1))
    assert row["rmse"] == pytest.approx(0, abs=1e-12) and row["loo_rmse"] == pytest.approx(0, abs=1e-12)
    assert row["kendall_tau"] == row["spearman"] == 1 and row["kendall_p"] == pytest.approx(2 / 720)
    assert np.isnan(row["slope_low"]) and row["status"].startswith("no interval of slope, r2, kendall, spearman: the")


def test_a_perfect_order_has_no_bootstrap_interval_of_its_rank_correlation():
    row = one(np.arange(8.0), np.exp(np.arange(8.0)))
    assert row["kendall_tau"] == 1 and np.isnan(row["kendall_low"]) and np.isfinite(row["slope_low"])
    assert row["status"].startswith("no interval of kendall, spearman: the resamples agree")


def test_least_squares_against_scipy_and_leaving_each_model_out():
    x, y = generator(1).random((2, 9))
    row, fit = one(x, y), stats.linregress(x, y)
    rest = y - fit.slope * x - fit.intercept
    assert (row["slope"], row["intercept"], row["r2"]) == pytest.approx((fit.slope, fit.intercept, fit.rvalue**2))
    assert row["rmse"] == pytest.approx(np.sqrt(np.sum(rest**2) / 9))
    left_out = []
    for i in range(9):
        slope, intercept = np.polyfit(np.delete(x, i), np.delete(y, i), 1)
        left_out.append(y[i] - slope * x[i] - intercept)
    assert row["loo_rmse"] == pytest.approx(np.sqrt(np.mean(np.square(left_out))))
    assert row["slope_low"] < row["slope"] < row["slope_high"] and row["r2_low"] <= row["r2"] <= row["r2_high"]


def test_leaving_out_the_model_that_alone_makes_the_line_is_not_defined():
    assert np.isnan(line(np.array([1.0, 1, 1, 2]), np.array([1.0, 2, 3, 4]), np.zeros(4, int))["loo_rmse"])


def test_resampled_slopes_are_those_of_the_repeated_models():
    rng, groups = generator(2), np.zeros(8, int)
    x, y = rng.random((2, 8))
    weights = bootstrap_weights(rng, groups, 10)
    for weight, slope, r in zip(weights, *slope_and_r(x, y, groups, weights), strict=True):
        fit = stats.linregress(np.repeat(x, weight.astype(int)), np.repeat(y, weight.astype(int)))
        assert (slope, r) == pytest.approx((fit.slope, fit.rvalue))


def test_pooled_slope_is_that_of_the_regression_with_one_intercept_a_series():
    models = noise(5, 1, 3, series=3)
    alone = combine({"t": table("lonely", error=[40.0], x0=[9.0], depth=[50.0], log_norm=[9.0])})
    row = only(regress(pd.concat([models, alone]), Sampling(100)), series="pooled", metric="x0", target="error")
    design = np.column_stack([models["x0"], pd.get_dummies(models["series"]).astype(float)])
    coefficients, ssr, *_ = np.linalg.lstsq(design, models["error"].to_numpy())
    assert row["n"] == 15 and row["slope"] == pytest.approx(coefficients[0])
    assert row["rmse"] == pytest.approx(np.sqrt(ssr[0] / 15))
    within = models["error"] - models.groupby("series")["error"].transform("mean")
    assert row["r2"] == pytest.approx(1 - ssr[0] / np.sum(within**2))


def test_pooled_over_one_series_is_that_series():
    result = regress(noise(7, 2, 4), Sampling(100))
    series, pooled = (result[result["series"] == name].drop(columns="series") for name in ("s0", "pooled"))
    pd.testing.assert_frame_equal(series.reset_index(drop=True), pooled.reset_index(drop=True))


def test_partial_r_has_the_t_and_p_of_the_multiple_regression():
    models = noise(6, 1, 5, series=2)
    row = only(regress(models, Sampling(100)), series="pooled", metric="x0", target="error")
    groups = pd.get_dummies(models["series"]).astype(float)
    fit = OLS(models["error"].to_numpy(), np.column_stack([models[["x0", "depth", "log_norm"]], groups])).fit()
    freedom = 12 - 2 - 3
    assert row["partial_r"] * np.sqrt(freedom / (1 - row["partial_r"] ** 2)) == pytest.approx(fit.tvalues[0])
    assert row["partial_r_p"] == pytest.approx(fit.pvalues[0])


def test_residuals_are_those_of_least_squares_on_the_repeated_models():
    rng = generator(6)
    x, controls, groups = rng.random(10), rng.random((10, 2)), np.repeat([0, 1], 5)
    weights = bootstrap_weights(rng, groups, 10)
    for weight, rest in zip(weights, residuals(x, controls, groups, weights), strict=True):
        index = np.repeat(np.arange(10), weight.astype(int))
        design = np.column_stack([controls, groups == 0, groups == 1])[index]
        expected = x[index] - design @ np.linalg.lstsq(design, x[index])[0]
        if np.linalg.matrix_rank(design - np.where([1, 1, 0, 0], design.mean(0), 0)) == 4:
            assert rest[index] == pytest.approx(expected, abs=1e-9)


def test_partial_tau_finds_what_is_left_and_not_what_the_controls_explain():
    rng = generator(7)
    depth, own = rng.permutation(20) * 1.0, rng.standard_normal(20)
    more = {"depth": depth, "log_norm": rng.random(20)}
    left = one(depth + own, depth + own + 0.1 * rng.standard_normal(20), **more)
    assert left["partial_tau"] > 0.8 and left["partial_tau_p"] == 1 / 201 and left["partial_tau_low"] > 0.4
    explained = one(depth + 0.5 * rng.standard_normal(20), depth + 0.5 * rng.standard_normal(20), **more)
    assert explained["kendall_tau"] > 0.8 and explained["kendall_p"] == 1 / 201
    assert explained["partial_tau_low"] < 0 < explained["partial_tau_high"] and explained["partial_tau_p"] > 0.05


@pytest.mark.parametrize(
    ("n", "more", "reason"),
    [
        (4, {"depth": [1, 2, 3, 5], "log_norm": [4, 1, 2, 1]}, "4 models leave nothing after taking out"),
        (6, {"depth": [2] * 6, "log_norm": [4, 1, 2, 1, 5, 6]}, "depth is the same for all models"),
        (6, {"log_norm": [4, 1, 2, 1, 5, 6]}, "no column depth"),
        (6, {"depth": [1, 2, 3, 2, 1, 5], "log_norm": [2, 4, 6, 4, 2, 10]}, "depth and log_norm are proportional"),
        (6, {"depth": [0, 2, 4, 6, 8, 10], "log_norm": [4, 1, 2, 1, 5, 6]}, "leave nothing of x"),
    ],
)
def test_where_the_partial_correlation_is_not_defined_the_status_says_why(n, more, reason):
    row = one(np.arange(n), [3, 1, 2, 5, 7, 6][:n], **more)
    partial = [name for name in COLUMNS if name.startswith("partial")]
    assert row[partial].isna().all() and np.isfinite(row["slope"]) and reason in row["status"]


def test_a_control_has_no_partial_correlation_of_its_own():
    row = only(regress(noise(8, 0, 1), Sampling(50)), series="s0", metric="depth", target="error")
    assert np.isnan(row["partial_tau"]) and "depth is itself taken out" in row["status"]


def test_missing_values_leave_out_a_model_of_that_metric_only():
    models = table(x=[1.0, np.nan, 3, np.inf, 5], z=[2.0, 1, 4, 3, 5], accuracy=[90.0, 91, 93, 92, np.nan])
    result = regress(combine({"t": models}), Sampling(50))
    assert only(result, series="s", metric="z", target="error")["n"] == 4
    row = only(result, series="s", metric="x", target="error")
    assert row["n"] == 2 and row["status"] == "2 models: too few for a line" and np.isnan(row["slope"])


@pytest.mark.parametrize(("resamples", "level"), [(0, 0.95), (100, 1.0), (100, 0.0)])
def test_impossible_settings_are_refused(resamples, level):
    with pytest.raises(InputError, match=r"is less than 1|is not between 0 and 1"):
        regress(noise(5, 1, 0), Sampling(resamples, level))


@pytest.mark.parametrize(("x", "error", "name"), [([2.0] * 5, range(5), "x"), (range(5), [7.1] * 5, "error")])
def test_what_does_not_vary_is_named(x, error, name):
    row = one(list(x), list(error))
    assert row["status"] == f"{name} is the same for all models" and row["n"] == 5 and np.isnan(row["r2"])


def test_error_and_accuracy_mirror_each_other():
    result = regress(noise(9, 1, 8), Sampling(300))
    error, accuracy = (only(result, series="s0", metric="x0", target=t) for t in ("error", "accuracy"))
    assert accuracy["slope_low"] == pytest.approx(-error["slope_high"])
    assert accuracy["kendall_low"] == pytest.approx(-error["kendall_high"])
    assert accuracy["intercept"] == pytest.approx(100 - error["intercept"])
    same = ["r2", "r2_low", "r2_high", "rmse", "loo_rmse", "kendall_p", "spearman_p", "partial_tau_p"]
    assert accuracy[same].astype(float).to_numpy() == pytest.approx(error[same].astype(float).to_numpy())


def test_a_row_depends_on_nothing_but_its_series_metric_and_seed():
    models = noise(7, 3, 9, series=2)
    full = regress(models, Sampling(60))
    part = regress(models[models["series"] == "s1"].drop(columns=["x0", "x2"]), Sampling(60))
    keys = {"series": "s1", "metric": "x1", "target": "error"}
    assert only(full, **keys).equals(only(part, **keys))
    other = only(regress(models, Sampling(60, seed=1)), **keys)
    assert other["slope"] == only(full, **keys)["slope"] and other["slope_low"] != only(full, **keys)["slope_low"]


def test_p_values_of_noise_are_below_a_tenth_a_tenth_of_the_time():
    rows = pd.concat([regress(noise(6, 12, seed), Sampling(99)) for seed in range(8)])
    rows = rows[(rows["target"] == "error") & (rows["series"] == "s0") & rows["metric"].str.startswith("x")]
    assert len(rows) == 96
    for column in ("kendall_p", "spearman_p", "partial_r_p", "partial_tau_p"):
        assert 0.02 < np.mean(rows[column] <= 0.1) < 0.18, column  # exact p of few models come in steps


def test_columns_of_names_counts_and_errors_are_no_metrics():
    models = table(error=[1.0], alpha=[2.0], alpha_stderr=[0.1], n_matrices=[3], train_accuracy=[9.0], note=["x"])
    models = combine({"t": models.assign(good=True, **{"Unnamed: 0": 1})})
    assert metric_columns(models) == ["alpha"]
    with pytest.raises(InputError, match="no numeric metric column"):
        metric_columns(models.drop(columns="alpha"))


def test_error_and_accuracy_fill_each_other():
    models = combine({"t": table(error=[1.0, np.nan], accuracy=[np.nan, 90.0]), "u": table("u", accuracy=[80])})
    assert models["error"].tolist() == [1, 10, 20] and models["accuracy"].tolist() == [99, 90, 80]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ({}, "no metrics table given"),
        ({"a.csv": table(error=[1.0]).drop(columns="model")}, "a.csv: no column model"),
        ({"a.csv": table(alpha=[1.0])}, "a.csv: no column error (or accuracy)"),
        ({"a.csv": table(error=["low", "high"])}, "a.csv: column 'error', model 'm0': 'low' is not a number"),
        ({"a.csv": table(error=[1, 2], x=["1", "two"])}, "a.csv: column 'x', model 'm1': 'two' is not a number"),
        ({"a.csv": table(error=[1.0]), "b.csv": table(error=[2.0])}, "a.csv, b.csv: model 'm0' of series 's'"),
        ({"a.csv": table(error=[1, 2]).assign(model=["a", None])}, "a.csv: row 2 has no model"),
        ({"a.csv": table("pooled", error=[1.0])}, "cannot be named 'pooled'"),
    ],
)
def test_a_bad_table_gets_one_message(frames, message):
    with pytest.raises(InputError) as error:
        combine(frames)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_networks_that_differ_in_their_seed_alone_are_one_row():
    models = ["b2_s0", "b2_s1", "b4_s0", "b4_s1", "b4_s2"]
    networks = pd.DataFrame({"series": "b", "model": models, "seed": [0, 1, 0, 1, 2], "batch_size": [2, 2, 4, 4, 4]})
    networks = networks.assign(accuracy=[90, 92, 80, np.nan, 84.0], gap=[8, 6, 12, np.nan, 10], alpha=[1, 3, 5, 99, 7])
    other = table("c", accuracy=[50.0], alpha=[2.0]).assign(model="x_s0")
    found = average_seeds(combine({"t": networks, "u": other}))
    assert found["model"].tolist() == ["b2", "b4", "x_s0"] and found["n_seeds"].tolist() == [2, 2, 1]
    assert found["alpha"].tolist() == [2, 6, 2] and found["accuracy"].tolist() == [91, 82, 50], "one diverged"
    assert metric_columns(found) == ["alpha"]
    plain = combine({"t": table(error=[1.0, 2.0], batch_size=[1, 2]).assign(model=["a_s0", "a_s1"])})
    assert average_seeds(plain) is plain and metric_columns(plain) == ["batch_size"]


def test_every_setting_of_a_training_is_known_as_one():
    names = {field.name for schema in (TrainModel, Network) for field in fields(schema)}
    assert names - {"name", "network", "depth"} <= set(SETTINGS)


def test_the_gap_is_a_third_target_where_a_table_has_it():
    models = table(error=[1.0, 3.0, 2.0, 5.0, 4.0], gap=[5.0, 1.0, 4.0, 2.0, 3.0], x=[5.0, 1.0, 4.0, 2.0, 3.0])
    result = regress(combine({"t": models}), Sampling(50))
    assert result["metric"].unique().tolist() == ["x"]
    assert only(result, series="s", target="gap")["slope"] == pytest.approx(1)
    without = regress(combine({"t": models.drop(columns="gap")}), Sampling(50))
    assert without.equals(result[result["target"] != "gap"].reset_index(drop=True))
