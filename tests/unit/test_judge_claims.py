"""The stage judge_claims on files, and the claims of config/claims/."""

import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from omegaconf import OmegaConf
from synthetic_sweeps import sweep

from htsr.compose import as_overrides
from htsr.files import read_table, write_arrays, write_table
from htsr.stages.judge_claims import main
from htsr.statistics.claims import COLUMNS, check
from htsr.statistics.metrics_table import average_seeds, combine
from htsr.statistics.regression import Sampling, regress

ROLES = ("dense", "regularized", "finetuned")
OF_VECTORS = [f"{measure}_right_difference" for measure in ("entropy", "localization", "participation")]
SWEEPS = {
    "batch_size": {"batch_size": [2, 32, 512]},
    "epochs": {},
    "labels": {"label_noise": [0.0, 1.0]},
    "plane": {"label_noise": [0.0, 0.5], "batch_size": [4, 64]},
    "regularization": {"regularizer": ["none", "dropout"]},
}
OF_NULL = ["entropy", "entropy_null", "stable_rank", "stable_rank_null"]


def ensembles(rng):
    """Random numbers in the shape of collect_ensembles' table, with every law that a claim names."""
    heavy = [{"mu": mu, "strength": np.nan} for mu in (0.5, 1.0, 1.5, 2.5, 3.0, 3.5, 4.5, 5.0, 5.5)]
    parts = {
        "gaussian": [{"mu": np.nan, "strength": np.nan}],
        "spiked": [{"mu": np.nan, "strength": strength} for strength in (0.5, 2.0)],
        "pareto": [row | {"signed": True} for row in heavy],
        "lomax": [row | {"signed": False} for row in heavy],
    }
    rows = [row | {"law": law} for law, own in parts.items() for row in own for _ in range(6)]
    table = pd.DataFrame(rows).assign(ensemble="e", n=200, m=100, q=2.0, phase="RANDOM-LIKE")
    for column in ("alpha", "lambda_max", "lambda_plus", "log_norm"):
        table[column] = 2 + rng.random(len(table))
    table["mp_p"], table["n_spikes"] = rng.random(len(table)), rng.integers(0, 2, len(table))
    table["expected_phase"] = np.where(table["law"] == "gaussian", "RANDOM-LIKE", None)
    return table.assign(layer=[f"matrix[{i}]" for i in range(len(table))])


def sweeps(folder):
    """Sweeps of three seeds that play all parts, as collect_sweep and regress_accuracy write them."""
    made = {part: sweep(part, over, effect=lambda **axes: 1.0, noise=1.0) for part, over in SWEEPS.items()}
    for part, (layers, networks, _) in made.items():
        write_table(folder / f"{part}.csv", layers)
        write_table(folder / f"{part}_networks.csv", networks)
    write_arrays(folder / "spectra.safetensors", made["labels"][2].items(), {})
    networks = average_seeds(combine({part: networks for part, (_, networks, _) in made.items()}))
    write_table(folder / "sweeps.csv", regress(networks, Sampling(50)))
    return {
        "sweeps": [str(folder / f"{part}.csv") for part in SWEEPS],
        "networks": [str(folder / f"{part}_networks.csv") for part in SWEEPS],
        "sweep_regressions": str(folder / "sweeps.csv"),
        "label_spectra": str(folder / "spectra.safetensors"),
        "axes": {part: list(over) for part, over in SWEEPS.items()},
        "shown_sweeps": {part: part for part in SWEEPS} | {"layer": None},
    }


def all_claims(config):
    folder = config.rootpath / "config/claims"
    return {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml"))}


@pytest.fixture(scope="module")
def claims(request):
    """Those on weights."""
    return {paper: all_claims(request.config)[paper] for paper in ("self_regularization", "universality")}


@pytest.fixture(scope="module")
def job(tmp_path_factory, claims):
    """Two series of random models and one network in three states, as collect_metrics writes them."""
    folder, rng = tmp_path_factory.mktemp("judge"), np.random.default_rng(0)
    series = {"one": [f"m{i}" for i in range(5)], "two": list(ROLES)}
    frames, layers = [], []
    for name, models in series.items():
        n = len(models)
        columns = ["alpha", "alpha_weighted", "log_norm", "log_spectral_norm", "log_stable_rank", "error"]
        frame = pd.DataFrame({"series": name, "model": models, **{c: rng.random(n) for c in columns}})
        frames.append(frame.assign(depth=np.arange(n) // 2 + 3, title="42"))
        for model in models:
            rows = pd.DataFrame(
                {"series": name, "model": model, "weight_layer": np.repeat(["a", "b", "c", "d", "e"], 9)}
            )
            rows["layer"] = [f"{layer}[{i % 9},0]" for i, layer in enumerate(rows["weight_layer"])]
            for column in ("alpha", "lambda_max", "log_stable_rank", *OF_VECTORS, *OF_NULL):
                rows[column] = 2 + rng.random(45)
            rows = rows.assign(kind="linear", phase="BULK+SPIKES", best_fit=rng.choice(["PL", "TPL"], 45))
            layers.append(rows.assign(alpha_null=5.0, alpha_null_std=2.0, alpha_null_p=2 / 40, n_null=39, status="ok"))
        # A layer that was removed: its row has no numbers.
        layers[-1].loc[0, ["alpha", "lambda_max", "log_stable_rank", "alpha_null_p"]] = np.nan
        layers[-1].loc[0, "status"] = "all eigenvalues are zero"
        write_table(folder / f"{name}.csv", frames[-1])
        write_table(folder / f"{name}_layers.csv", pd.concat(layers[-n:]))
    write_table(folder / "ensembles.csv", ensembles(rng))
    write_table(folder / "regressions.csv", regress(combine({"t": pd.concat(frames)}), Sampling(50)))
    return {
        "claims": {name: claim | {"paper": paper} for paper, own in claims.items() for name, claim in own.items()},
        "comparison": {role: role for role in ROLES},
        "metrics": [str(folder / f"{name}.csv") for name in series],
        "layers": [str(folder / f"{name}_layers.csv") for name in series],
        "regressions": str(folder / "regressions.csv"),
        "published_metrics": [str(folder / "one.csv")],
        "published_regressions": str(folder / "regressions.csv"),
        "ensembles": str(folder / "ensembles.csv"),
        **sweeps(folder),
        "resamples": 100,
    }


def flat(claims):
    return {name: claim for own in claims.values() for name, claim in own.items()}


def test_the_claims_of_the_configuration_name_tests_and_their_arguments(request):
    claims = all_claims(request.config)
    assert min(map(len, claims.values())) >= 10
    for name, claim in flat(claims).items():
        assert set(claim) == {"source", "statement", "test", "arguments"} and claim["statement"].endswith(".")
        check(name, claim["test"], claim["arguments"])
    assert len(flat(claims)) == sum(map(len, claims.values())), "names are values of a text: each stands once"


def test_every_claim_is_judged_the_same_each_time_and_on_the_command_line(job, tmp_path, monkeypatch):
    for name in ("one", "two"):
        main(OmegaConf.create({**job, "verdicts": str(tmp_path / f"{name}.csv")}))
    overrides = as_overrides({**job, "verdicts": str(tmp_path / "three.csv")})
    monkeypatch.setattr(sys, "argv", ["judge_claims", *overrides])
    main()
    one, two, three = ((tmp_path / f"{name}.csv").read_bytes() for name in ("one", "two", "three"))
    assert one == two == three
    table = read_table(tmp_path / "one.csv").set_index("claim")
    assert [table.index.name, *table] == COLUMNS and list(table.index) == list(job["claims"])
    assert set(table["paper"]) == {"universality", "self_regularization"}
    assert not table["reason"].str.startswith("not measured").any() and table["effect"].notna().all()
    assert set(table["verdict"]) <= {"supported", "not supported", "inconclusive"}
    assert table.loc["alpha_in_range", "verdict"] == table.loc["alpha_beyond_noise", "verdict"] == "supported"
    assert table.loc["alpha_in_range", "n"] == 8 * 45 - 2
    assert table.loc["compression_lambda_max", "verdict"] == "inconclusive"


def test_an_experiment_without_ensembles_says_so(job, claims, tmp_path):
    main(OmegaConf.create({**job, "ensembles": None, "verdicts": str(tmp_path / "out.csv")}))
    table = read_table(tmp_path / "out.csv").set_index("claim")
    about = [name for name, claim in flat(claims).items() if "where" in claim["arguments"]] + ["phases_told_apart"]
    assert len(about) >= 15 and set(table.loc[about, "verdict"]) == {"inconclusive"}
    assert table.loc[about, "reason"].str.startswith("not measured in this experiment: no ensembles of ").all()
    assert not table.drop(about)["reason"].str.startswith("not measured").any()


def test_an_experiment_without_sweeps_says_so(job, claims, tmp_path):
    without = {key: value for key, value in job.items() if key not in ("sweeps", "networks", "sweep_regressions")}
    main(OmegaConf.create({**without, "verdicts": str(tmp_path / "out.csv")}))
    table = read_table(tmp_path / "out.csv").set_index("claim")
    about = [
        name
        for name, claim in flat(claims).items()
        if "part" in claim["arguments"] or claim["test"] == "tracks_in_sweeps"
    ]
    assert len(about) >= 20 and set(table.loc[about, "verdict"]) == {"inconclusive"}
    assert table.loc[about, "reason"].str.startswith("not measured in this experiment: no sweep").all()
    assert not table.drop(about)["reason"].str.startswith("not measured").any()


def test_an_experiment_without_a_comparison_says_so(job, tmp_path):
    main(OmegaConf.create({**job, "comparison": {}, "verdicts": str(tmp_path / "out.csv")}))
    table = read_table(tmp_path / "out.csv").set_index("claim")
    rows = table[table.index.str.startswith("compression")]
    assert len(rows) == 4 and set(rows["verdict"]) == {"inconclusive"} and rows["n"].isna().all()
    assert rows["reason"].str.startswith("not measured in this experiment: no ").all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"claims": {"x": {"source": "s", "statement": "t", "test": "guess"}}},
            "claim 'x': no test is named 'guess'",
        ),
        ({"claims": {"x": {"source": "s", "test": "nears_value"}}}, "statement"),
        ({"layers": ["{metrics}"]}, "no column layer, weight_layer"),
        ({"ensembles": "{metrics}"}, "no column ensemble, layer, law, n, m"),
        ({"sweeps": ["{metrics}"]}, "no column sweep, network, seed, epoch, final, layer, weight_layer"),
        ({"sweep_regressions": None}, "sweeps are judged together with `networks` and `sweep_regressions`"),
        ({"significance": 0.0}, "is not between 0 and 1"),
    ],
)
def test_what_cannot_be_judged_ends_with_one_message(job, tmp_path, change, message):
    models = {"['{metrics}']": job["metrics"][:1], "{metrics}": job["metrics"][0]}
    change = {key: models.get(str(value), value) for key, value in change.items()}
    with pytest.raises(SystemExit) as stop:
        main(OmegaConf.create({**job, **change, "verdicts": str(tmp_path / "out.csv")}))
    assert message in stop.value.code and "\n" not in stop.value.code
    assert not (tmp_path / "out.csv").exists()
