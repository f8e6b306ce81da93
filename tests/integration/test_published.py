"""Published numbers, from the published checkpoints, under the conventions that made them (`published_2019`)."""

import numpy as np
import pandas as pd
import pytest

from htsr.compose import load, models
from htsr.metrics.averages import average_layers
from htsr.metrics.weightwatcher import from_details
from htsr.models.download import fetch
from htsr.models.layers import matrices
from htsr.models.loading import load_state
from htsr.spectra.esd import compute_spectrum
from htsr.statistics.metrics_table import combine
from htsr.statistics.regression import Sampling, regress
from htsr.tails.power_law import Rule, fit_power_law, usable

# Mean over matrices of α·log10 λmax: Martin, Mahoney 2019 (arXiv 1901.08278) on the checkpoints of Y. Idelbayev.
ALPHA_HAT = {"resnet20": 1.127, "resnet32": 0.535, "resnet44": 0.117, "resnet56": -0.143}

# Means over the 9 slices of a layer and over all 45, recomputed from Distiller's checkpoints: λmax, α of each state.
STATES = ["dense", "regularized", "finetuned"]
DISTILLER = {
    "layer3.0.conv2": ([3.302, 4.021, 3.876], [4.42, 2.99, 2.99]),
    "layer3.1.conv1": ([2.802, 2.791, 2.836], [3.62, 4.10, 3.34]),
    "layer3.1.conv2": ([2.088, 0.252, 1.278], [3.49, 3.72, 3.48]),
    "layer3.2.conv1": ([2.236, 3.040, 3.008], [3.33, 3.64, 3.26]),
    "layer3.2.conv2": ([1.236, 0.089, 0.821], [1.60, 1.53, 1.57]),
    "all": ([2.333, 2.039, 2.364], [3.290, 3.196, 2.928]),
}


@pytest.fixture(scope="module")
def fits(root, mirror, tmp_path_factory):
    """One row a matrix of all seven models: model, layer, alpha, lambda_max, xmin, n."""
    cache = tmp_path_factory.mktemp("cache")
    config = load(root / "config", ["experiment=cifar10", "conventions=published_2019", f"mirror={mirror}"])
    extract, fit = config["extract_layers"], config["fit_power_law"]
    rule = Rule(fit["ks"], fit["min_tail"], fit["cut_at_xmax"])
    rows = []
    for model, entry in models(config).items():
        path, _ = fetch(entry["url"], cache, sha256=entry["sha256"], mirror=mirror)
        found, _ = matrices(load_state(path), extract["convolution"], extract["min_size"])
        for name, matrix, info in found:
            normalization = config["compute_esd"]["normalization"]
            spectrum = compute_spectrum(name, info["layer"], info["kind"], {name: matrix}, normalization)
            x = usable(spectrum.eigenvalues, spectrum.n, fit["drop_smallest"], fit["min_eigenvalue"])
            tail = fit_power_law(x, rule, fit["backend"])
            assert (spectrum.status, tail.status) == ("ok", "ok")
            row = {"alpha": tail.alpha, "lambda_max": x[-1], "xmin": tail.xmin, "n": len(x)}
            rows.append({"model": model, "layer": info["layer"], **row})
    return pd.DataFrame(rows)


def test_weighted_alpha_of_resnets(fits):
    weighted = (fits.alpha * np.log10(fits.lambda_max)).groupby(fits.model).mean()
    assert fits[fits.model.isin(ALPHA_HAT)].groupby("model").size().to_dict() == {
        "resnet20": 45,
        "resnet32": 81,
        "resnet44": 117,
        "resnet56": 153,
    }
    for model, expected in ALPHA_HAT.items():
        assert weighted[model] == pytest.approx(expected, abs=0.001), model


def test_distiller_table(fits):
    assert set(fits.n) == {63}  # 64 eigenvalues without the smallest
    for position, state in enumerate(STATES):
        rows = fits[fits.model == f"distiller_resnet20_{state}"]
        assert set(rows.layer) == set(DISTILLER) - {"all"}
        for layer, (lambda_max, alpha) in DISTILLER.items():
            part = rows if layer == "all" else rows[rows.layer == layer]
            assert len(part) == (45 if layer == "all" else 9)
            assert part.lambda_max.mean() == pytest.approx(lambda_max[position], abs=0.001), (state, layer)
            assert part.alpha.mean() == pytest.approx(alpha[position], abs=0.006), (state, layer)


def test_what_the_letter_says_of_distiller(fits):
    """λmax is larger after fine-tuning in three layers against either baseline, but hardly in the same ones.

    And the average α of the regularized network is the larger one.
    """
    means = fits.groupby(["model", "layer"]).lambda_max.mean()
    dense, regularized, finetuned = (means[f"distiller_resnet20_{state}"] for state in STATES)
    larger = {"regularized": finetuned > regularized, "dense": finetuned > dense}
    assert {baseline: list(found.index[found]) for baseline, found in larger.items()} == {
        "regularized": ["layer3.1.conv1", "layer3.1.conv2", "layer3.2.conv2"],
        "dense": ["layer3.0.conv2", "layer3.1.conv1", "layer3.2.conv1"],
    }
    alpha = fits.groupby("model").alpha.mean()
    assert alpha["distiller_resnet20_regularized"] > alpha["distiller_resnet20_finetuned"]


# R² and Kendall τ of accuracy on a metric, as printed in Table 1 of Martin, Peng, Mahoney 2021.
TABLE_1 = {
    "published_vgg": {"log_norm": (0.88, -0.79), "log_alpha_norm": (0.96, -0.93), "alpha_weighted": (0.92, -0.93)},
    "published_resnet": {"log_norm": (0.92, -1.0), "alpha_weighted": (0.96, -1.0)},  # log_alpha_norm: .954, not .90
    "published_resnet_1k": {
        "log_norm": (0.81, -0.79),
        "log_alpha_norm": (0.88, -0.88),
        "alpha_weighted": (0.89, -0.89),
    },
}
SIZES = {
    "published_vgg": 8,
    "published_resnet": 5,
    "published_resnet_1k": 19,
    "published_densenet": 4,
    "published_gpt2": 4,
}
TABLE_1_DENSENET = {"log_norm": (0.93, -1.0), "log_alpha_norm": (0.97, -1.0), "alpha_weighted": (0.98, -1.0)}
# The file of each network, and the network that the file is named after.
MISLABELLED = {"densenet161": "densenet169", "densenet169": "densenet201", "densenet201": "densenet161"}


@pytest.fixture(scope="module")
def published(root, mirror, tmp_path_factory):
    """Models whose results were published, with means over their matrices and the accuracies of the configuration."""
    cache = tmp_path_factory.mktemp("cache")
    config = load(root / "config", ["experiment=published", f"mirror={mirror}"])
    rows = []
    for series, entry in config["published_results"].items():
        for model, own in entry["models"].items():
            path, _ = fetch(f"{entry['folder']}/{own['file']}", cache, sha256=own["sha256"], mirror=mirror)
            layers = from_details(pd.read_csv(path))
            row = {"series": series, "model": model, "accuracy": own["accuracy"], "width": layers["n"].iloc[-1]}
            rows.append(row | average_layers(layers))
    return combine({"published": pd.DataFrame(rows)})


def assert_as_printed(table, series, printed):
    found = regress(table, Sampling(10))
    found = found[(found["series"] == series) & (found["target"] == "accuracy")].set_index("metric")
    for metric, (r2, tau) in printed.items():
        assert found.loc[metric, "r2"] == pytest.approx(r2, abs=0.0051), (series, metric)
        assert found.loc[metric, "kendall_tau"] == pytest.approx(tau, abs=0.0051), (series, metric)


@pytest.mark.parametrize("series", TABLE_1)
def test_regressions_of_the_2021_study(published, series):
    assert published.groupby("series").size().to_dict() == SIZES
    assert_as_printed(published, series, TABLE_1[series])


def test_densenets_are_as_printed_with_exchanged_labels_only(published):
    own = published[published["series"] == "published_densenet"].set_index("model")
    assert own["width"].to_dict() == {
        "densenet121": 1024,
        "densenet161": 2208,
        "densenet169": 1664,
        "densenet201": 1920,
    }
    accuracy = own["accuracy"]
    printed = own.assign(accuracy=[accuracy[MISLABELLED.get(model, model)] for model in own.index])
    printed["error"] = 100 - printed["accuracy"]
    assert_as_printed(printed.reset_index(), "published_densenet", TABLE_1_DENSENET)
    truth = {"log_norm": (0.62, -1 / 3), "log_alpha_norm": (0.23, -1 / 3), "alpha_weighted": (0.24, -1 / 3)}
    assert_as_printed(own.reset_index(), "published_densenet", truth)
