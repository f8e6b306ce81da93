"""Tables and values of the training experiments: means over seeds, phases, published rows, what is not there."""

import re

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from synthetic_sweeps import sweep
from test_tables import cells, compile_tex

from htsr.files import write_arrays, write_table
from htsr.statistics.metrics_table import average_seeds, combine
from htsr.statistics.regression import Sampling, regress
from htsr.statistics.student import student
from htsr.tables import sweeps
from htsr.tables.training import PARTS, collect
from htsr.tables.values import Values, render

OVER = {
    "batch_size": {"batch_size": [2, 32, 512]},
    "epochs": {},
    "labels": {"label_noise": [0.0, 1.0]},
    "plane": {"label_noise": [0.0, 0.5], "batch_size": [4, 64]},
    "regularization": {"kind": ["none", "early_stop"]},
}
PARTS_OF = {part: f"s_{part}" for part in OVER}
AXES = {f"s_{part}": list(over) for part, over in OVER.items()}
PUBLISHED = {
    "source": "Somebody & others, section 7",
    "network": "MiniAlexNet",
    "layer": "FC1",
    "note": "Stable ranks are divided by ten.",
    "values": {
        "batch_size": [50, 4],
        "test_accuracy": [73.8, None],
        "stable_rank": [183.6, None],
        "mp_softrank": [None, 0.293],
        "phase": ["BULK+SPIKES", None],
    },
}


NO_REGRESSIONS = pd.DataFrame(columns=["series", "metric", "target"])


def strength(batch_size=32, label_noise=0.0, kind="none"):
    return 4 - np.log2(batch_size / 2) / 2 - label_noise - (kind != "none")


@pytest.fixture(scope="module")
def made():
    """(layers, networks, regressions) of one sweep for every part; a network of the first diverged."""
    parts = [
        sweep(PARTS_OF[part], over, effect=strength, diverged=(0,) if part == "batch_size" else ())
        for part, over in OVER.items()
    ]
    layers, networks = (pd.concat([part[i] for part in parts], ignore_index=True) for i in (0, 1))
    wanted = ["series", "model", "seed", "error", "gap", "alpha", "log_norm"]
    return layers, networks, regress(average_seeds(combine({"t": networks[wanted]})), Sampling(50))


def test_batch_sizes_are_means_over_the_seeds_that_did_not_diverge(made):
    layers, networks, _ = made
    text = sweeps.batch_size(layers, networks, "s_batch_size", PUBLISHED, "none")
    assert cells(text) == {9} and "9 networks, 3 seeds, 1 of them diverged and left out" in text
    own = layers[(layers["sweep"] == "s_batch_size") & layers["final"] & (layers["layer"] == "fc1")]
    for size in (2, 512):
        good = own[(own["batch_size"] == size) & own["test_accuracy"].notna()]
        assert len(good) == (2 if size == 2 else 3)
        found = student(good["stable_rank"].to_numpy())
        assert rf"{found.mean:.1f}{{\scriptsize$\pm${found.high - found.mean:.1f}}}" in text
    rows = [line for line in text.splitlines() if line.startswith(("2 &", "512 &"))]
    assert "HEAVY-TAILED" in rows[0] and "RANDOM-LIKE" in rows[1]
    assert text.index("MiniAlexNet") < text.index("4 & FC1") < text.index("50 & FC1"), "in the order of size"
    assert r"50 & FC1 & -- & 73.8 & 183.6 & -- & -- & -- & BULK+SPIKES" in text and r"Somebody \& others" in text
    assert "divided by ten" in text and "nan" not in text
    assert "MiniAlexNet" not in sweeps.batch_size(layers, networks, "s_batch_size", None, "none")


def test_a_batch_size_where_all_diverged_has_a_row():
    layers, networks, _ = sweep("b", OVER["batch_size"], diverged=(0, 1, 2))
    text = sweeps.batch_size(layers, networks, "b", None, "none")
    assert r"2 & -- & -- & -- & -- & -- & -- & -- & all 3 diverged" in text and cells(text) == {9}


def test_the_commonest_phase():
    assert sweeps.commonest(["BULK-DECAY", "RANDOM-LIKE", "BULK-DECAY"]) == ("BULK-DECAY", 2 / 3)
    assert sweeps.commonest(["BULK-DECAY", "RANDOM-LIKE"]) == ("RANDOM-LIKE", 0.5), "the earlier of equals"
    assert sweeps.commonest([None, np.nan])[0] == ""


def test_regularizers_have_a_row_each(made):
    layers, networks, _ = made
    text = sweeps.regularization(layers, networks, "s_regularization", "kind", "one_over_n")
    assert cells(text) == {9} and text.index("none &") < text.index(r"early\_stop &") and "nan" not in text
    own = networks[networks["model"].str.startswith("s_regularization_none")]
    found = student(own["gap"].to_numpy())
    assert rf"{found.mean:.1f}{{\scriptsize$\pm${found.high - found.mean:.1f}}}" in text


def test_regressions_of_sweeps_count_trainings(made):
    text = sweeps.sweep_regressions(made[2], {"s_labels": "Random labels"})
    assert cells(text) == {6} and "All sweeps, within sweeps" in text and "nan" not in text
    assert "Random labels: none (2 models: too few for a line)" in text
    pooled = text[text.index("All sweeps") :]
    assert r"$\alpha$ & 11 &" in pooled, "3 batch sizes, 4 points of the plane, 2 labels, 2 regularizers"


def test_values(made):
    layers, networks, regressions = made
    values = Values()
    collect(values, layers, networks, regressions, PARTS_OF, AXES, {"s_epochs": "In & time"})
    texts, flags = values.texts, values.flags
    assert all(flags[f"training.{part}"] for part in PARTS) and flags["training.any"]
    assert flags["training.batch_size.diverged"] and not flags["training.plane.diverged"]
    assert texts["training.n_networks"] == str(len(networks)) and texts["training.n_diverged"] == "1"
    assert texts["training.epochs.title"] == r"In \& time" and texts["training.epochs.last"] == "5"
    assert texts["training.batch_size.values"] == "2, 32, 512" and texts["training.batch_size.best"] == "2"
    assert texts["training.batch_size.phases"].startswith("fc1: HEAVY-TAILED (2), BULK+SPIKES (32), RANDOM-LIKE (512);")
    start = layers[(layers["sweep"] == "s_epochs") & (layers["epoch"] == 0)].groupby("seed")["stable_rank"].mean()
    assert float(texts["training.epochs.stable_rank_start"].split()[0]) == pytest.approx(start.mean(), abs=0.1)
    assert r"$\pm$" in texts["training.labels.alpha_greatest"]
    assert texts["training.plane.axes"] == "label noise and batch size"
    assert texts["training.regularization.labels"] == r"none, early\_stop" and texts["training.n_gap"] == "11"
    assert "nan" not in render(values)


def test_equal_phases_are_told_together():
    layers, networks, _ = sweep("b", OVER["batch_size"], effect=lambda batch_size: 0.0)
    values = Values()
    collect(values, layers, networks, NO_REGRESSIONS, {"batch_size": "b"}, {"b": ["batch_size"]}, {})
    assert values.texts["training.batch_size.phases"] == "fc1: RANDOM-LIKE (2 to 512); fc2: RANDOM-LIKE (2 to 512)"
    assert not values.flags["training.epochs"] and not values.flags["training.labels"]


def test_flags_are_there_without_sweeps_and_where_all_diverged():
    values = Values()
    collect(values, None, None, None, {}, {}, {})
    assert values.flags == dict.fromkeys(["training.any", *(f"training.{part}" for part in PARTS)], False)
    assert values.texts == {}
    layers, networks, _ = sweep("b", OVER["batch_size"], diverged=range(9))
    values = Values()
    collect(values, layers, networks, NO_REGRESSIONS, {"batch_size": "b"}, {"b": ["batch_size"]}, {})
    assert values.flags["training.any"] and not values.flags["training.batch_size"]


def test_stages_write_tables_and_values_of_sweeps_that_fit_the_page(made, tmp_path):
    from synthetic_results import experiment, verdicts

    from htsr.stages import make_tables, make_values

    metrics, layers, table = experiment({"a": 4})
    swept, networks, regressions = made
    frames = {"metrics": metrics, "layers": layers, "regressions": table, "claims": verdicts(), "swept": swept}
    for name, frame in (frames | {"networks": networks, "sweep_regressions": regressions}).items():
        write_table(tmp_path / f"{name}.csv", frame)
    write_arrays(tmp_path / "esd.safetensors", [], {"model": "a_0", "origin": "trained", "sha256": None})
    inputs = {name: [str(tmp_path / f"{name}.csv")] for name in ("metrics", "layers", "networks")}
    inputs |= {name: str(tmp_path / f"{name}.csv") for name in ("regressions", "claims", "sweep_regressions")}
    inputs |= {"sweeps": [str(tmp_path / "swept.csv")], "axes": AXES, "shown_sweeps": PARTS_OF | {"layer": None}}
    names = ["batch_size", "regularization", "sweep_regressions"]
    given = {"esds": [str(tmp_path / "esd.safetensors")], "normalization": "one_over_n"}
    given |= {"published": {"batch_size": PUBLISHED}, "tables": {name: str(tmp_path / f"{name}.tex") for name in names}}
    make_tables.main(OmegaConf.create(inputs | given))
    make_values.main(OmegaConf.create(inputs | {"values": str(tmp_path / "values.tex")}))
    texts = [(tmp_path / f"{name}.tex").read_text() for name in names]
    assert not any(re.search(r"\bnan\b", text) for text in texts)
    body = r"\input{values.tex}\ifhas{training.labels}{\val{training.labels.stable_rank_least}}{none}" + "\n\n"
    status, log = compile_tex(tmp_path, body + "\n\n\\noindent ".join(texts))
    assert status == 0, log[-2000:]
    assert "Overfull" not in log
    without = {key: value for key, value in inputs.items() if key in ("metrics", "layers", "regressions", "claims")}
    with pytest.raises(SystemExit, match="no table 'batch_size'"):
        make_tables.main(OmegaConf.create(without | given))
