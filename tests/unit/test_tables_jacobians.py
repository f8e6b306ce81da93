"""Tables and values of Jacobians: means over seeds, single networks with their errors, states, what is not there."""

import re

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from synthetic_jacobians import jacobians, state
from synthetic_results import measured, verdicts
from synthetic_sweeps import sweep
from test_tables import cells, compile_tex

from htsr.files import write_arrays, write_table
from htsr.metrics.jacobians import of_networks
from htsr.statistics.jacobian_states import random_concentration, states, with_distances
from htsr.statistics.metrics_table import average_seeds, combine
from htsr.statistics.regression import Sampling, regress
from htsr.statistics.student import student
from htsr.tables.jacobians import (
    PARTS,
    collect,
    jacobian_networks,
    jacobian_regressions,
    jacobian_split,
    with_networks,
)
from htsr.tables.values import Values, render

LABELS, BATCHES = {"label_noise": [0.0, 1.0]}, {"batch_size": [2, 512]}
NONE = pd.DataFrame(columns=["series", "metric", "target", "n"])


@pytest.fixture(scope="module")
def made():
    """(jacobians, eigenvalues, details, metrics, networks): a series of five, and sweeps of three seeds."""
    networks = pd.concat([sweep("l", LABELS)[1], sweep("b", BATCHES)[1], sweep("e", {})[1]], ignore_index=True)
    networks["title"] = networks["model"].str.replace(r"_s\d$", "", regex=True).str.replace("l_", "label_noise ")
    networks.loc[networks["series"] == "e", "title"] = None
    shown = [state("mlp", f"mlp_{i}", 1 + i / 10) for i in range(5)]
    shown += [state("mlp", "mlp_4", 0.5, name, np.nan) for name in ("pixels", "untrained")]
    for row in networks.to_dict("records"):
        shown += [state(row["series"], row["model"], 0.5, "0", 0)] if row["series"] != "b" else []
        shown.append(state(row["series"], row["model"], 2 - row["label_noise"]))
    shown.append(state("l", "l_0.0_s0", 0.7, "pixels"))
    return *jacobians(shown), measured({"mlp": 5})[0], networks


def table(made):
    return with_networks(with_distances(states(made[0]), made[1]), made[3], made[4])


def row_of(text, name):
    return next(line for line in text.splitlines() if line.startswith(f"{name} &"))


def test_networks_of_series_have_their_errors_and_sweeps_means_over_seeds(made):
    text = jacobian_networks(table(made), {"mlp": "Perceptrons"})
    assert cells(text) == {9} and not re.search(r"\bnan\b", text) and "Perceptrons" in text
    own = made[0][(made[0]["network"] == "mlp_2") & (made[0]["spectrum"] == "softmax")].iloc[0]
    single = row_of(text, r"Net \& Co\_\allowbreak{}2")
    assert f"{own['alpha']:.2f} [{own['alpha'] - 0.3:.2f}, {own['alpha'] + 0.3:.2f}]" in single
    assert rf"{own['norm']:.2f}{{\scriptsize$\pm$0.01}}" in single and "92.0" in single
    own = made[0][made[0]["network"].str.startswith("l_1.0") & made[0]["final"] & (made[0]["spectrum"] == "softmax")]
    found = student(own["alpha"].to_numpy())
    assert rf"{found.mean:.2f}{{\scriptsize$\pm${found.high - found.mean:.2f}}}" in row_of(text, "label noise 1.0")
    assert len(own) == 3 and "6 networks, 3 seeds, $n = 40$ test images" in text and "one training &" in text


def test_what_makes_the_tail_is_told_by_state(made):
    text = jacobian_split(table(made), {})
    assert cells(text) == {10} and not re.search(r"\bnan\b", text)
    lines = [line.partition(" &")[0] for line in text.splitlines() if " & " in line][1:]
    last = r"Net \& Co\_\allowbreak{}4"
    series = ["all", *(f"{last}, {word}" for word in ("untrained", "trained", "permuted pixels"))]
    assert [name for name in lines if name != "state"][:4] == series
    noise = [f"label noise 0.0, {word}" for word in ("untrained", "trained", "permuted pixels")]
    assert [name for name in lines if name.startswith("label noise 0")] == noise
    assert "b 2" in lines and "untrained" in lines and "trained" in lines, "no state where there is only the final one"
    assert row_of(text, "label noise 0.0, permuted pixels").count(r"\pm") == 4, "one network: errors of alpha alone"
    whole = states(made[0])
    mean = whole.loc[whole["final"] & (whole["collection"] == "mlp"), "log_largest_diagonal"].mean()
    assert f"{mean:.2f}{{" in row_of(text, "all")


def test_regressions_stand_beside_those_of_weights(made):
    names = ["series", "model", "error", "alpha", "jacobian_alpha", "jacobian_log_norm"]
    models = made[3].join(of_networks(made[0]), on="model")[names]
    networks = made[4].join(of_networks(made[0]), on="model")[[*names, "gap", "seed"]]
    of_models = regress(combine({"t": models}), Sampling(20))
    of_sweeps = regress(average_seeds(combine({"t": networks})), Sampling(20))
    text = jacobian_regressions(of_models, of_sweeps, {"mlp": "Perceptrons"})
    assert (
        cells(text) == {7} and not re.search(r"\bnan\b", text) and text.index("Perceptrons") < text.index("All sweeps")
    )
    found = of_models.set_index(["series", "metric", "target"]).loc[("mlp", "jacobian_alpha", "error")]
    assert f"& {found['kendall_tau']:.2f} & {found['kendall_p']:.3f} &" in row_of(text, r"$\alpha_{J}$")
    assert text.count(r"of $\mathbf{W}$ &") == 3, "alpha of the weights: the series, pooled, the sweeps"
    assert "All sweeps" not in jacobian_regressions(of_models, None, {})


def test_values(made):
    values = Values()
    details = {name: array for name, array in made[2].items() if name.startswith("mlp_4/")}
    collect(values, table(made), details, NONE, NONE, {"labels": "l", "epochs": "e", "batch_size": "b", "size": None})
    texts, flags = values.texts, values.flags
    assert all(flags[f"jacobian.{name}"] for name in ("any", "series", "labels", "epochs", "batch_size", "shown"))
    assert not flags["jacobian.size"] and flags["jacobian.shown.pixels"] and flags["jacobian.shown.start"]
    assert texts["jacobian.n"] == "40" and texts["jacobian.n_networks"] == "20" and texts["jacobian.n_failed"] == "0"
    assert texts["jacobian.n_spectra"] == str(len(made[0])) and texts["jacobian.series.n"] == "5"
    whole = states(made[0])
    final = whole[whole["final"]]
    assert float(texts["jacobian.series.logit_alpha"].split()[0]) == pytest.approx(
        final.loc[final["collection"] == "mlp", "logit_alpha"].mean(), abs=0.01
    )
    assert texts["jacobian.labels.least"] == "0" and texts["jacobian.labels.greatest"] == "1"
    noisy = student(final.loc[final["network"].str.startswith("l_1.0"), "softmax_alpha"].to_numpy())
    told = texts["jacobian.labels.softmax_alpha_greatest"].split(r" $\pm$ ")
    assert [float(part) for part in told] == pytest.approx([noisy.mean, noisy.high - noisy.mean], rel=0.05)
    assert r"$\pm$" in texts["jacobian.epochs.softmax_alpha_start"] and texts["jacobian.labels.n_seeds"] == "3"
    assert float(texts["jacobian.concentration_null"]) == pytest.approx(random_concentration(4), abs=1e-3)
    assert texts["jacobian.shown.network"] == r"mlp\_4" and texts["jacobian.shown.final.moved"] == "30"
    assert not re.search(r"\bnan\b", render(values))


def test_of_published_networks_there_are_states_and_no_sweeps():
    shown = [state("resnet", f"resnet{i}", 1.0, epoch=np.nan) for i in range(4)]
    shown += [state("resnet", "resnet0", 0.5, name, np.nan) for name in ("pixels", "untrained")]
    found, eigenvalues, details = jacobians(shown)
    metrics = pd.DataFrame({"series": "resnet", "model": [f"resnet{i}" for i in range(4)], "title": None})
    given = with_networks(with_distances(states(found), eigenvalues), metrics.assign(accuracy=91.0), None)
    values = Values()
    details = {name: array for name, array in details.items() if name.startswith("resnet0/")}
    collect(values, given, details, NONE, None, dict.fromkeys(PARTS))
    assert values.flags["jacobian.shown.start"] and not values.flags["jacobian.labels"]
    assert values.texts["jacobian.shown.network"] == "resnet0" and not re.search(r"\bnan\b", render(values))
    assert [text.count("resnet0") for text in (jacobian_networks(given, {}), jacobian_split(given, {}))] == [1, 3]


def test_flags_are_there_without_jacobians_and_nothing_fails_without_fits(made):
    values = Values()
    collect(values, None, {}, NONE, None, {})
    assert not any(values.flags.values()) and "jacobian.labels" in values.flags and values.texts == {}
    broken = made[0][made[0]["collection"] == "mlp"].copy()
    broken[["alpha", "alpha_low", "alpha_high", "alpha_stderr", "best_fit", "log_spectral_norm"]] = None
    given = with_networks(with_distances(states(broken), {}), made[3], None)
    texts = [jacobian_networks(given, {}), jacobian_split(given, {})]
    collect(values, given, {}, NONE, None, {})
    assert not any(re.search(r"\bnan\b", text) for text in (*texts, render(values)))


def test_stages_write_tables_that_fit_the_page_and_values(made, tmp_path):
    from htsr.stages import make_tables, make_values

    _, layers = measured({"mlp": 5})
    metrics, networks = (made[i].join(of_networks(made[0]), on="model") for i in (3, 4))
    names = ["series", "model", "error", "alpha", "log_norm", *of_networks(made[0])]
    frames = {
        "metrics": metrics,
        "layers": layers,
        "networks": networks,
        "claims": verdicts(),
        "jacobians": made[0],
        "swept": pd.concat([sweep(name, over)[0] for name, over in (("l", LABELS), ("b", BATCHES), ("e", {}))]),
        "regressions": regress(combine({"t": metrics[names]}), Sampling(10)),
        "sweep_regressions": regress(average_seeds(combine({"t": networks[[*names, "gap", "seed"]]})), Sampling(10)),
    }
    for name, frame in frames.items():
        write_table(tmp_path / f"{name}.csv", frame)
    write_arrays(tmp_path / "spectra.safetensors", made[1].items(), {})
    write_arrays(tmp_path / "detail.safetensors", made[2].items(), {})
    job = {name: [str(tmp_path / f"{name}.csv")] for name in ("metrics", "layers", "networks")}
    single = ("regressions", "claims", "sweep_regressions", "jacobians")
    job |= {name: str(tmp_path / f"{name}.csv") for name in single}
    job |= {"sweeps": [str(tmp_path / "swept.csv")], "jacobian_spectra": [str(tmp_path / "spectra.safetensors")]}
    job |= {"axes": {"l": ["label_noise"], "b": ["batch_size"], "e": []}, "shown_sweeps": {"labels": "l"}}
    wanted = {name: str(tmp_path / f"{name}.tex") for name in ("jacobian_networks", "jacobian_split")}
    wanted["jacobian_regressions"] = str(tmp_path / "jacobian_regressions.tex")
    of_tables = {"esds": [], "normalization": "none", "tables": wanted}
    make_tables.main(OmegaConf.create(job | of_tables))
    details = {"jacobian_details": [str(tmp_path / "detail.safetensors")], "values": str(tmp_path / "values.tex")}
    make_values.main(OmegaConf.create(job | details))
    texts = [(tmp_path / f"{name}.tex").read_text() for name in wanted]
    body = r"\input{values.tex}\ifhas{jacobian.labels}{\val{jacobian.labels.softmax_alpha_least}}{none}" + "\n\n"
    status, log = compile_tex(tmp_path, body + "\n\n\\noindent ".join(texts))
    assert status == 0, log[-2000:]
    assert "Overfull" not in log
    without = {key: value for key, value in job.items() if not key.startswith("jacobian")}
    with pytest.raises(SystemExit, match="no table 'jacobian_networks'"):
        make_tables.main(OmegaConf.create(without | of_tables))
