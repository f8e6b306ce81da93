"""Results that others published: weightwatcher's table of details in, tables of models and matrices out."""

import hashlib
import sys

import numpy as np
import pandas as pd
import pytest

from htsr.compose import as_overrides
from htsr.errors import InputError
from htsr.files import read_table
from htsr.metrics.weightwatcher import from_details
from htsr.stages import collect_published


def details(layers=(("CONV2D", 3), ("DENSE", 1)), seed=0):
    """Layers of a kind with some matrices each, and a row of their means, as weightwatcher writes them."""
    rng, rows = np.random.default_rng(seed), []
    for i, (kind, count) in enumerate(layers):
        own = []
        for _ in range(count):
            alpha, largest = rng.uniform(2, 4), rng.uniform(0.5, 20)
            own.append(
                {"layer_id": 3 * i, "layer_type": kind, "N": 128, "M": 64, "level": "LEVEL.SLICE", "alpha": alpha}
                | {"alpha_weighted": alpha * np.log10(largest), "spectral_norm": largest}
                | {"log_spectral_norm": np.log10(largest), "log_norm": rng.uniform(0, 1), "log_alpha_norm": 1.0}
                | {"stable_rank": 5.0, "mp_softrank": 0.5, "sigma_mp": 1.0, "numofSpikes": 2, "comment": "x"}
            )
        means = pd.DataFrame(own).mean(numeric_only=True).to_dict()
        rows += [*own, own[0] | means | {"layer_id": 3 * i, "N": 128, "M": 64, "level": "LEVEL.LAYER"}]
    return pd.DataFrame(rows)


def test_matrices_are_named_and_means_of_layers_left_out():
    given = details()
    found = from_details(given)
    assert found["layer"].tolist() == ["0[0]", "0[1]", "0[2]", "3"]
    assert found["weight_layer"].tolist() == ["0", "0", "0", "3"]
    assert found["kind"].tolist() == ["conv2d"] * 3 + ["linear"] and set(found["status"]) == {"ok"}
    slices = given[given["level"] == "LEVEL.SLICE"]
    np.testing.assert_array_equal(found["lambda_max"], slices["spectral_norm"])
    np.testing.assert_array_equal(found["alpha_weighted"], slices["alpha_weighted"])


def test_a_failed_fit_is_a_status_without_numbers():
    given = details()
    given.loc[1, "alpha"] = -1.0
    given.loc[2, "alpha"] = np.nan
    found = from_details(given)
    assert found["status"].tolist() == ["ok", "no exponent", "no exponent", "ok"]
    assert found.loc[[1, 2], ["alpha", "alpha_weighted", "lambda_max"]].isna().all(axis=None)
    assert found["n"].tolist() == [128] * 4


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.drop(columns="alpha"), "no column alpha"),
        (lambda t: t[t["level"] == "LEVEL.LAYER"], "no row has the level LEVEL.SLICE"),
        (lambda t: t.assign(N=None), "a matrix has no N or M"),
        (lambda t: t.assign(alpha_weighted=2 * t["alpha_weighted"]), "columns of another meaning"),
        (lambda t: t.assign(spectral_norm=-t["spectral_norm"]), "columns of another meaning"),
    ],
)
def test_another_table_is_refused(change, says):
    with pytest.raises(InputError, match=says):
        from_details(change(details()))


@pytest.fixture
def collect(monkeypatch, tmp_path):
    """Run the stage on tables of models in a mirror; returns the models and the matrices that it wrote."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HTSR_MIRROR", raising=False)

    def call(tables, **wrong):
        folder = tmp_path / "mirror/host.example/data"
        folder.mkdir(parents=True, exist_ok=True)
        models = {}
        for i, (name, table) in enumerate(tables.items()):
            table.to_csv(folder / f"{name}.csv", index=False)
            sha256 = hashlib.sha256((folder / f"{name}.csv").read_bytes()).hexdigest()
            models[name] = {"file": f"{name}.csv", "sha256": sha256, "accuracy": 70.0 + i} | wrong
        series = {"title": "T", "dataset": "D", "source": "S", "accuracy_source": "A", "models": models}
        series |= {"folder": "https://host.example/data"}
        settings = {"name": "theirs", "series": series, "mirror": str(tmp_path / "mirror"), "retries": 0}
        files = {"metrics": "out/theirs.csv", "layers": "out/theirs_layers.csv"}
        monkeypatch.setattr(sys, "argv", ["stage", *as_overrides(settings | files)])
        collect_published.main()
        return read_table("out/theirs.csv"), read_table("out/theirs_layers.csv")

    return call


def test_models_are_means_over_their_matrices(collect):
    tables = {"one": details(), "two": details((("CONV2D", 9),), seed=1)}
    models, layers = collect(tables)
    assert models["model"].tolist() == ["one", "two"] and models["error"].tolist() == [30.0, 29.0]
    assert models["n_matrices"].tolist() == [4, 9] and models["depth"].tolist() == [2, 1]
    for name, table in tables.items():
        own = table[table["level"] == "LEVEL.SLICE"]["alpha_weighted"]
        row = models[models["model"] == name].iloc[0]
        assert row["alpha_weighted"] == pytest.approx(own.mean())
        assert row["alpha_weighted_stderr"] == pytest.approx(own.sem())
    assert layers.groupby("model", sort=False).size().tolist() == [4, 9]
    assert set(models["source"]) == {"S"} and models["origin"][1] == "https://host.example/data/two.csv"
    assert "entropy" not in models and not models.isna().any(axis=None)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"sha256": "0" * 64}, "theirs, model one: .*sha256 is"),
        ({"file": "nothing.csv"}, "theirs, model one: https://host.example/data/nothing.csv"),
    ],
)
def test_a_wrong_file_names_its_model(collect, wrong, says):
    with pytest.raises(SystemExit, match=says):
        collect({"one": details()}, **wrong)


def test_a_table_of_something_else_names_its_model(collect):
    with pytest.raises(SystemExit, match="theirs, model one: no column layer_id"):
        collect({"one": pd.DataFrame({"a": [1.0]})})
