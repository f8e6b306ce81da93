"""The stages compute_jacobian and collect_jacobians on trained networks, and the structure of Gram matrices."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from htsr.datasets.split import balanced_subset
from htsr.errors import InputError
from htsr.files import Arrays, read_table
from htsr.jacobian import structure
from htsr.metrics.jacobians import COLUMNS, of_networks
from htsr.networks.trained import examples, load_trained
from htsr.spectra.permutation import generator
from htsr.spectra.spectrum import from_arrays
from htsr.stages import collect_jacobians, compute_jacobian, fit_power_law, measure_layers, train_model

FILES = {"weights": ".safetensors", "history": ".csv", "states": "_states.safetensors"}
SPECTRA = ["softmax", "centred", "correlation", "logit", "diagonal", "diagonal_x"]


def run(stage, **settings):
    stage.main(OmegaConf.create(settings))


@pytest.fixture(scope="module")
def networks(digits, tmp_path_factory):
    """Two small perceptrons, one trained on random labels, and one that diverged: name -> paths."""
    folder = tmp_path_factory.mktemp("networks")
    common = {"network": {"name": "mlp", "width": 24, "depth": 3}, "train_fraction": 0.3, "epochs": 3}
    own = {"true": {}, "random": {"label_noise": 1.0, "input_noise": 0.1}, "lost": {"learning_rate": 1e9}}
    found = {}
    for name, settings in own.items():
        found[name] = {key: str(folder / f"{name}{ending}") for key, ending in FILES.items()}
        run(train_model, **common, **settings, name=name, images=str(digits), **found[name])
    return found


@pytest.fixture(scope="module")
def measured(networks, digits, tmp_path_factory):
    return measure(networks, digits, tmp_path_factory.mktemp("jacobian"))


def measure(networks, digits, folder, **settings):
    files = {"esd": "esd.safetensors", "listing": "listing.csv", "detail": "detail.safetensors"}
    files = {key: str(folder / name) for key, name in files.items()}
    chosen = {"examples": 60, "parameters": 8, "vectors": 3, "epochs": "ends", "details": ["true"]} | settings
    run(
        compute_jacobian,
        collection="small",
        networks=list(networks),
        weights=[paths["weights"] for paths in networks.values()],
        states=[paths["states"] for paths in networks.values()],
        images=str(digits),
        **chosen,
        **files,
    )
    return files


def test_spectra_are_those_of_one_matrix(measured):
    arrays = Arrays(measured["esd"])
    spectra = {spectrum.name: spectrum for spectrum in from_arrays(arrays, arrays.header)}
    states = {"true/0", "true/final", "true/pixels", "random/0", "random/final"}  # and nothing of the diverged one
    assert {name.rpartition("/")[0] for name in spectra} == states
    for state in states:
        own = {name: spectra[f"{state}/{name}"] for name in [*SPECTRA, "parameters"]}
        assert own["softmax"].n == 640 and own["softmax"].m == 60 == len(own["softmax"].eigenvalues)
        trace = own["softmax"].eigenvalues.sum()
        assert own["diagonal"].eigenvalues.sum() == pytest.approx(trace, rel=1e-9)
        assert own["diagonal_x"].eigenvalues.sum() == pytest.approx(trace, rel=1e-9)
        assert own["correlation"].eigenvalues.sum() == pytest.approx(60)
        assert own["softmax"].eigenvalues[-1] >= own["diagonal"].eigenvalues[-1] * (1 - 1e-12)
        assert own["centred"].eigenvalues.sum() < trace
        assert own["softmax"].null.shape == (3, 60)
        assert own["softmax"].null.sum(axis=1) == pytest.approx([trace] * 3)
        assert len(own["parameters"].eigenvalues) == 8


def test_listing_and_details(measured):
    listing = read_table(measured["listing"]).set_index("prefix")
    assert listing.loc["true/final", "final"] and not listing.loc["true/0", "final"]
    assert listing.loc["true/pixels", "accuracy_on_examples"] < listing.loc["true/final", "accuracy_on_examples"]
    assert (listing["status"] == "ok").all() and listing["confidence"].between(0.1, 1).all()
    detail = Arrays(measured["detail"])
    assert {name.rpartition("/")[0] for name in detail} == {"true/0", "true/final", "true/pixels"}
    correlation = detail["true/final/correlation"]
    assert np.diagonal(correlation) == pytest.approx(1, abs=1e-6)
    assert (np.diff(detail["true/final/labels"]) >= 0).all()
    flow, steps = detail["true/final/flow"], detail.header["steps"]
    assert flow.shape == (3, len(steps), 10) and flow.sum(axis=2) == pytest.approx(1)
    assert detail["true/final/moved"][:, steps.index(0.0)] == pytest.approx(0)
    assert np.linalg.norm(detail["true/final/images"].reshape(3, -1), axis=1) == pytest.approx(1, rel=1e-5)


def test_equal_input_gives_equal_bytes_for_any_number_of_threads(networks, digits, measured, tmp_path):
    again = measure(networks, digits, tmp_path, threads=3)
    for key, path in again.items():
        assert Path(path).read_bytes() == Path(measured[key]).read_bytes(), key


@pytest.mark.parametrize("settings", [{}, {"exact": 0}, {"dense": 59}, {"dense": 20, "sketch": 8, "lanczos_steps": 5}])
@pytest.mark.parametrize("scale", [1.0, 0.0])
def test_jacobians_of_rank_one_and_zero(settings, scale):
    """A linear network of two classes, and one that sees nothing."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(30, 2))
    network[1].weight.data *= scale
    labels, images = np.repeat([0, 1], 30), torch.randn(60, 1, 5, 6).numpy()
    at = compute_jacobian.Examples(images, labels, labels, 2)
    trained = compute_jacobian.Trained(network.eval(), None, labels, {})
    state = compute_jacobian.State("linear", "final", None, True, trained, at)
    job = compute_jacobian.ComputeJacobianJob(details=["linear"], double=True, **settings)
    found = compute_jacobian.measured(job, state)
    spectra = {spectrum.name.rpartition("/")[2]: spectrum for spectrum in found.spectra}
    if not scale:
        assert found.row["status"] == "the Jacobian is zero" and found.row["norm"] == 0
        assert not spectra["diagonal"].eigenvalues.any() and "linear/final/flow" not in found.kept
        return
    s = found.row["softmax_largest"]
    assert found.row["status"] == "ok" and s == pytest.approx(spectra["diagonal"].eigenvalues.sum())
    assert found.row["effective_rank"] == pytest.approx(1) and found.row["rank"] in (1, None)
    assert found.kept["linear/final/patterns"].shape == (1, 2)
    if found.row["softmax_method"] == "sketch":
        assert found.row["softmax_known"] == 1 and found.kept["linear/final/softmax_values"] == pytest.approx([s])
    else:
        assert spectra["softmax"].eigenvalues == pytest.approx([0] * 59 + [s], abs=1e-12 * s)


def test_table_of_all_jacobians(measured, tmp_path):
    fits, measures, table = (str(tmp_path / name) for name in ("fits.csv", "measures.csv", "table.csv"))
    run(fit_power_law, esd=measured["esd"], fits=fits, bootstrap=0)
    run(measure_layers, esd=measured["esd"], fits=fits, measures=measures)
    named = {"names": ["small"], "listings": [measured["listing"]], "fits": [fits], "measures": [measures]}
    run(collect_jacobians, **named, table=table)
    rows = read_table(table)
    assert len(rows) == 5 * 7 and set(rows["spectrum"]) == {*SPECTRA, "parameters"}
    of = of_networks(rows)
    assert list(of.index) == ["true", "random"] and list(of) == list(COLUMNS)
    final = rows[(rows["network"] == "true") & (rows["state"] == "final")].set_index("spectrum")
    assert of.loc["true", "jacobian_alpha"] == final.loc["softmax", "alpha"]
    assert of.loc["true", "jacobian_log_lambda_max"] == pytest.approx(np.log10(final.loc["softmax", "lambda_max"]))
    assert of.loc["true", "jacobian_log_norm"] == pytest.approx(np.log10(final.loc["softmax", "norm"]))


def spectra_of(files, state="true/final/"):
    arrays = Arrays(files["esd"])
    found = {s.name.removeprefix(state): s for s in from_arrays(arrays, arrays.header) if s.name.startswith(state)}
    methods = {name.removeprefix(state): how for name, how in arrays.header["methods"].items()}
    return found, methods, read_table(files["listing"]).set_index("prefix").loc[state.rstrip("/")]


ESTIMATED = ["softmax_method", "softmax_known", "softmax_error", "rank", "effective_rank"]  # or of another precision


def alike(row, other, relative=1e-9):
    numbers = row.drop([*ESTIMATED, "network", "state", "status", "part", "final"]).dropna().astype(float)
    assert numbers.to_dict() == pytest.approx(other[numbers.index].astype(float).to_dict(), rel=relative)


@pytest.fixture(scope="module")
def alone(networks):
    return {"true": networks["true"]}


def test_eigenvalues_without_relative_accuracy(alone, digits, measured, tmp_path):
    own, methods, row = spectra_of(measure(alone, digits, tmp_path, exact=59, details=[], epochs="final"))
    exact, of_exact, of_row = spectra_of(measured)
    assert (methods["softmax"]["method"], of_exact["softmax"]["method"]) == ("eigh", "jacobi")
    assert row["softmax_method"] == "eigh" and row["softmax_known"] == 60 and row["softmax_error"] < 1e-13
    for name in SPECTRA:
        largest = exact[name].eigenvalues[-1]
        np.testing.assert_allclose(own[name].eigenvalues, exact[name].eigenvalues, atol=1e-13 * largest, rtol=0)
    alike(row, of_row, 1e-7)
    assert row["rank"] == of_row["rank"]


def test_more_examples_than_columns(alone, digits, tmp_path):
    """All eigenvalues of X, 24 units x 10 classes, without M: as many as of M, from another matrix."""
    settings = {"examples": 300, "details": ["true"], "epochs": "final", "nulls": 1}
    formed, _, of_row = spectra_of(measure(alone, digits, tmp_path / "formed", **settings))
    files = measure(alone, digits, tmp_path / "streamed", **settings, dense=299)
    own, methods, row = spectra_of(files)
    assert methods["softmax"] == methods["logit"] and methods["softmax"]["known"] == 300
    for name in SPECTRA:
        values = formed[name].eigenvalues
        np.testing.assert_allclose(own[name].eigenvalues, values, atol=1e-12 * values[-1], rtol=0)
        assert own[name].null.shape == formed[name].null.shape
        if len(own[name].null):
            assert own[name].null.sum() == pytest.approx(formed[name].null.sum())
            assert own[name].null[0, -1] == pytest.approx(formed[name].null[0, -1], rel=0.1)
    alike(row, of_row, 1e-6)
    assert row["effective_rank"] == pytest.approx(of_row["effective_rank"]) and np.isnan(row["rank"])
    details = [Arrays(str(tmp_path / name / "detail.safetensors")) for name in ("formed", "streamed")]
    for key in ("correlation", "labels", "values", "shares"):
        first, second = (detail[f"true/final/{key}"] for detail in details)
        np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)


def test_largest_eigenvalues_by_sketching(alone, digits, measured, tmp_path):
    settings = {"dense": 59, "sketch": 25, "lanczos_steps": 20}
    files = measure(alone, digits, tmp_path, **settings, epochs="final", details=[])
    own, methods, row = spectra_of(files)
    exact, _, of_row = spectra_of(measured)
    assert row["softmax_method"] == "sketch" and row["status"] == "ok" and 10 < row["softmax_known"] <= 25
    detail = Arrays(files["detail"])
    for name in ("softmax", "centred", "correlation", "logit"):
        assert own[name].status.endswith("largest of 60 eigenvalues are known, from a sketch")
        assert len(own[name].eigenvalues) == 0
        values, errors, places, low, high, stderr = (
            detail[f"true/final/{name}_{key}"]
            for key in ("values", "errors", "places", "above_low", "above_high", "above_stderr")
        )
        true = exact[name].eigenvalues[::-1]
        missing = true[: len(values)] - values
        assert methods[name]["known"] == len(values) > 3
        assert (missing <= errors).all() and missing.min() > -1e-12 * true[0]
        assert methods[name]["error"] == pytest.approx(errors.max() / values[0])
        above = (true[:, None] > places).sum(axis=0)
        assert (above >= low - 4 * stderr - 1e-6).all() and (above <= high + 4 * stderr + 1e-6).all()
    for name in ("diagonal", "diagonal_x"):
        np.testing.assert_allclose(own[name].eigenvalues, exact[name].eigenvalues, rtol=1e-9)
    assert row["softmax_largest"] == pytest.approx(of_row["softmax_largest"], rel=1e-9)
    assert row["effective_rank"] == pytest.approx(of_row["effective_rank"], rel=1e-3)  # from estimated squares
    alike(row, of_row, 1e-3)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"examples": 5000}, "network true: 5000 examples are asked for, and there are 898"),
        ({"examples": 1}, "compute_jacobian.examples is 1: the least is 2"),
        ({"parameters": 61}, "parameters is 61, more than the 60 examples"),
    ],
)
def test_impossible_settings(networks, digits, tmp_path, settings, says, capsys):
    with pytest.raises(SystemExit) as stopped:
        measure(networks, digits, tmp_path, **settings)
    assert says in str(stopped.value)


def test_examples_are_balanced_and_nested():
    labels = np.repeat([0, 1, 2], [5, 50, 45])
    few, more = balanced_subset(labels, 30, 7), balanced_subset(labels, 60, 7)
    assert np.bincount(labels[few]).tolist() == [5, 13, 12] and len(set(more)) == 60
    assert set(few) <= set(more) and (np.diff(labels[few]) >= 0).all()
    with pytest.raises(InputError, match="101 examples are asked for"):
        balanced_subset(labels, 101, 0)


def test_labels_and_images_are_those_trained_on(networks, digits):
    clean, noisy = (load_trained(networks[name]["weights"], digits) for name in ("true", "random"))
    assert (clean.data.train_labels == clean.true_labels).all()
    assert (noisy.data.train_labels != noisy.true_labels).mean() > 0.7
    assert np.std(noisy.data.train_images - clean.data.train_images) == pytest.approx(0.1, rel=0.05)
    assert (noisy.data.test_images == clean.data.test_images).all()
    at = examples(noisy, "train", 40, 0)
    assert (at.labels != at.true_labels).any()
    with pytest.raises(InputError, match="there is no epoch 2"):
        load_trained(networks["true"]["weights"], digits, states=networks["true"]["states"], epoch=2)


def rows_of(n=40, d=30, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d)) * np.logspace(0, 3, n)[:, None]


def test_structure_of_a_gram_matrix():
    rows = rows_of()
    m = rows @ rows.T
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert structure.correlation(m) == pytest.approx(unit @ unit.T)
    less = rows - rows.mean(axis=0)
    assert structure.centred(m) == pytest.approx(less @ less.T, rel=1e-8, abs=1e-6)
    assert structure.effective_rank(np.array([2.0, 2.0, 2.0])) == pytest.approx(3)
    assert np.isnan(structure.effective_rank(np.zeros(3)))
    zero = m.copy()
    zero[0] = zero[:, 0] = 0
    assert (structure.correlation(zero)[0] == 0).all()


def test_random_directions_keep_the_norms_and_have_the_law_of_gaussian_rows():
    norms = np.arange(1.0, 21)
    for dimension in (10, 200):
        drawn = np.array([structure.random_directions(norms, dimension, generator(0, str(i))) for i in range(400)])
        assert drawn[:, range(20), range(20)] == pytest.approx(np.broadcast_to(norms**2, (400, 20)))
        cosines = (drawn / np.outer(norms, norms))[:, *np.triu_indices(20, 1)]
        # The cosine of two random directions has mean 0 and variance 1/dimension.
        assert abs(cosines.mean()) < 5 / np.sqrt(cosines.size * dimension)
        assert np.mean(cosines**2) == pytest.approx(1 / dimension, rel=0.05)


def test_alignment_and_blocks_of_known_matrices():
    labels = np.repeat([0, 1, 2], 20)
    same = (labels[:, None] == labels).astype(float)
    aligned = structure.alignment(same, labels, 0)
    assert aligned.value == pytest.approx(1) and abs(aligned.null) < 0.1
    noise = np.random.default_rng(0).standard_normal((60, 500))
    blind = structure.alignment(noise @ noise.T, labels, 0)
    assert abs(blind.value - blind.null) < 4 * blind.null_std
    assert np.isnan(structure.alignment(np.zeros((60, 60)), labels, 0).value)
    blocks = structure.block_means(np.where(same, 0.5, 0.1), labels)
    assert blocks == pytest.approx(np.full((3, 3), 0.1) + 0.4 * np.eye(3))
    assert structure.within_and_between(structure.block_means(np.where(same, 0.5, 0.1), labels))[:2] == pytest.approx(
        (0.5, 0.1)
    )


def test_vectors_against_classes():
    labels = np.repeat([0, 1], [10, 30])
    indicator = (labels == 0) / np.sqrt(10)
    one = np.eye(40)[:, 0]
    vectors = np.column_stack([indicator, one])
    assert structure.class_shares(vectors, labels) == pytest.approx([1, 1 / 10])
    assert structure.participation(vectors) == pytest.approx([10 / 40, 1 / 40])
    pattern, image, share = structure.class_pattern(np.outer([-3.0, 1.0], [0.6, 0.8]))
    assert share == pytest.approx(1) and pattern == pytest.approx([3, -1]) and image == pytest.approx([-0.6, -0.8])


def test_networks_without_a_jacobian_have_empty_cells():
    rows = pd.DataFrame(
        {"network": ["a"], "final": [True], "spectrum": ["softmax"], "alpha": [np.nan], "norm": [0.0]}
        | {column: [np.nan] for column in ("alpha_stderr", "log_spectral_norm", "rank", "effective_rank")}
        | {column: [np.nan] for column in ("correlation_alignment", "logit_norm")}
    )
    assert of_networks(rows).loc["a"].isna().all()
