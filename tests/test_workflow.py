"""The marriage of Hydra and Snakemake, on copies of the repository: what runs, what reruns, what survives a kill.

The smoke experiment runs once from end to end; after that most tests ask a dry run what an edit would rerun.
"""

import fcntl
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

PARTS = ["Snakefile", "config", "environment.yml", "paper", "profiles", "src", "workflow"]
SMOKE = ["experiment=smoke"]
FITS_AND_AFTER = {"fit_power_law", "measure_layers", "collect_metrics", "regress_accuracy", "judge_claims"}

# Importing Snakemake takes as long as planning. Here it is done once; every line of input is a run in a child process.
SERVER = """
import json, os, sys
import hydra, pandas, snakemake.cli, snakemake.report.html_reporter, snakemake.workflow

for line in sys.stdin:
    folder, arguments, output = json.loads(line)
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        os.dup2(1, 2)
        sys.argv[1:] = arguments
        sys.exit(snakemake.cli.main(arguments))  # never back into the loop
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

pytestmark = pytest.mark.skipif(shutil.which("latexmk") is None, reason="latexmk is not installed: run `make tex`")


def copy_of(root: Path, folder: Path, *ignored: str) -> Path:
    for part in PARTS:
        source = root / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("*.egg-info", *ignored))
        else:
            shutil.copy(source, folder / part)
    return folder


def arguments_of(*arguments: str, config: list[str] = SMOKE) -> list[str]:
    return ["--cores", "2", *arguments, "--config", *config]


@functools.cache
def server() -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def snakemake(folder: Path, *arguments: str, config: list[str] = SMOKE, ok: bool = True) -> str:
    output = folder / "output.log"
    run = [str(folder), arguments_of(*arguments, config=config), str(output)]
    print(json.dumps(run), file=server().stdin, flush=True)
    code, text = server().stdout.readline(), output.read_text()
    assert (code == "0\n") == ok, f"{code}{text}"
    return text


def would_run(folder: Path, config: list[str] = SMOKE) -> dict[str, set[str]]:
    """What a dry run of `all` would do: rule -> the models, series or papers it would do it for."""
    text = snakemake(folder, "--dry-run", "all", config=config)
    planned: dict[str, set[str]] = {}
    for block in re.split(r"\n(?=\[|rule |localrule )", text):
        if match := re.search(r"^(?:local)?rule (\w+):", block, re.MULTILINE):
            wildcards = re.search(r"wildcards: \w+=(\w+)", block)
            planned.setdefault(match[1], set()).add(wildcards[1] if wildcards else "")
    planned.pop("all", None)
    return planned


def outputs(folder: Path) -> dict[str, bytes]:
    results = folder / "results" / "smoke"
    skip = ("logs", "benchmarks")
    return {
        str(path.relative_to(results)): path.read_bytes()
        for path in sorted(results.rglob("*"))
        if path.is_file() and path.relative_to(results).parts[0] not in skip
    }


@pytest.fixture(scope="module")
def done(root, tmp_path_factory) -> Path:
    """A copy of the repository in which the smoke experiment has run, once for all processes of pytest-xdist."""
    ours = tmp_path_factory.getbasetemp()
    common = ours.parent if "PYTEST_XDIST_WORKER" in os.environ else ours
    folder = common / "done"
    with (common / "done.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            running = copy_of(root, tmp_path_factory.mktemp("running"), "__pycache__")
            snakemake(running, "all")
            running.rename(folder)
    return folder


@pytest.fixture
def edited(done, tmp_path) -> Path:
    """A fresh copy of `done` to edit, with its history."""
    folder = tmp_path / "repository"
    shutil.copytree(done, folder, symlinks=True)
    return folder


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_smoke_gives_every_output(done):
    results = done / "results" / "smoke"
    for paper in ("universality", "self_regularization", "funneled_landscapes", "jacobian_correlation"):
        assert (results / "papers" / f"{paper}.pdf").read_bytes().startswith(b"%PDF")
    for folder in ("figures", "tables"):
        assert all(path.stat().st_size > 0 for path in (results / folder).iterdir())
    assert not list(results.rglob("*.part"))


def test_second_run_has_nothing_to_do(done):
    assert "Nothing to be done" in snakemake(done, "all")


def test_touching_files_reruns_nothing(edited):
    time.sleep(1.1)
    for part in ("results", "config", "src", "paper", "workflow"):
        for path in (edited / part).rglob("*"):
            if path.is_file():
                path.touch()
    assert would_run(edited) == {}


def test_a_yaml_comment_reruns_nothing(edited):
    for path in (edited / "config").rglob("*.yaml"):
        path.write_text(path.read_text() + "# a remark\n")
    assert would_run(edited) == {}


def test_another_mirror_reruns_nothing(edited, tmp_path):
    assert would_run(edited, [*SMOKE, f"mirror={tmp_path}"]) == {}


def test_a_fit_setting_reruns_the_fits_and_what_follows(edited):
    planned = would_run(edited, [*SMOKE, "fit_power_law={min_tail: 12}"])
    assert planned.keys() >= FITS_AND_AFTER
    assert not planned.keys() & {"train_model", "extract_layers", "compute_esd"}


def test_a_setting_in_yaml_does_the_same_as_on_the_command_line(edited):
    edit(edited / "config/fit_power_law/default.yaml", "min_tail: 10", "min_tail: 12")
    planned = would_run(edited)
    assert planned.keys() >= FITS_AND_AFTER and "compute_esd" not in planned


def one_model(folder: Path) -> tuple[str, str]:
    """A series of the smoke experiment and its last model, on which no other model depends."""
    sys.path.insert(0, str(folder / "src"))
    from htsr.compose import load, models

    config = load(folder / "config", SMOKE)
    bases = {model["train"].get("start_from") for model in models(config).values()}
    series = next(iter(config["series"]))
    return series, [name for name in config["series"][series]["models"] if name not in bases][-1]


def test_one_models_entry_reruns_that_model(edited):
    series, model = one_model(edited)
    entry = f"series={{{series}: {{models: {{{model}: {{train: {{seed: 77}}}}}}}}}}"
    planned = would_run(edited, [*SMOKE, entry])
    for rule in ("train_model", "extract_layers", "compute_esd", "measure_vectors"):
        assert planned[rule] == {model}
    for rule in ("fit_power_law", "measure_layers"):
        assert planned[rule] == {model, f"{series}_jacobian"}
    assert planned["compute_jacobian"] == {series}
    assert planned["collect_metrics"] == {series} and "sample_ensemble" not in planned


def test_one_ensembles_entry_reruns_that_ensemble(edited):
    entry = "ensembles={smoke_ensemble: {parts: {gaussian: {samples: 11}}}}"
    planned = would_run(edited, [*SMOKE, entry])
    for rule in ("sample_ensemble", "fit_power_law", "measure_layers"):
        assert planned[rule] == {"smoke_ensemble"}
    assert planned.keys() >= {"collect_ensembles", "judge_claims", "plot_laws", "make_tables", "make_values"}
    assert not planned.keys() & {"train_model", "compute_esd", "measure_vectors", "regress_accuracy", "plot_esd"}


def test_one_smoothing_reruns_that_model_alone(edited):
    planned = would_run(edited, [*SMOKE, "smoothing={smoke_edge: {method: erg}}"])
    assert planned["smooth_model"] == {"smoke_edge"}
    assert not planned.keys() & {"train_model", "fit_power_law", "judge_claims", "plot_esd"}


def test_a_new_seed_trains_its_networks_alone(edited):
    """The matrices of a sweep are measured together, so the sweep's spectra follow; other sweeps and models do not."""
    planned = would_run(edited, [*SMOKE, "sweeps={smoke_regularization: {seeds: [0, 1]}}"])
    assert planned["train_model"] == {"smoke_regularization_none_s1", "smoke_regularization_dropout_s1"}
    for rule in ("extract_sweep", "compute_esd", "fit_power_law", "measure_layers", "collect_sweep"):
        assert planned[rule] == {"smoke_regularization"}
    assert planned["regress_accuracy"] == {"sweeps"} and "plot_regularizers" in planned
    assert not planned.keys() & {"extract_layers", "plot_batch_size", "plot_esd", "collect_metrics"}


def test_networks_that_are_trained_together_are_one_job(edited):
    planned = would_run(edited, [*SMOKE, "sweeps={smoke_plane: {train: {momentum: 0.8}}}"])
    assert planned.keys() >= {"train_model_smoke_plane_0", "train_model_smoke_plane_1"}
    assert "train_model" not in planned and planned["collect_sweep"] == {"smoke_plane"}


def test_a_diverged_training_does_not_stop_its_sweep(edited):
    sweep = "sweeps={smoke_regularization: {over: {regularizer: {rash: {learning_rate: 1000000.0}}}}}"
    goal = "results/smoke/collect_sweep/smoke_regularization_networks.csv"
    snakemake(edited, goal, config=[*SMOKE, sweep])
    table = pd.read_csv(edited / goal).set_index("regularizer")
    assert table["status"].to_dict() == {"none": "ok", "dropout": "ok", "rash": "diverged in epoch 1"}
    assert np.isnan(table.loc["rash", "accuracy"]) and table.loc["rash", "n_failed"] > 0
    layers = pd.read_csv(edited / goal.replace("_networks", ""))
    assert (layers[layers["regularizer"] == "rash"].query("epoch == 1")["status"] != "ok").all()


def test_a_new_series_runs_only_its_own_models(edited):
    (edited / "config/series/another.yaml").write_text(
        "another:\n  title: Another\n  dataset: digits\n  models:\n"
        "    another_one: {source: trained, train: {network: {name: mlp, width: 64, depth: 2}, epochs: 1}}\n"
    )
    edit(edited / "config/experiment/smoke.yaml", "override /series: [", "override /series: [another, ")
    planned = would_run(edited)
    for rule in ("train_model", "extract_layers", "compute_esd", "fit_power_law", "measure_layers"):
        assert planned[rule] == {"another_one"}
    assert planned["collect_metrics"] == {"another"}


@pytest.mark.parametrize(
    ("module", "reruns", "spares"),
    [
        ("tails/power_law.py", "fit_power_law", "compute_esd"),
        ("spectra/eigenvalues.py", "compute_esd", "extract_layers"),
        ("statistics/claims.py", "judge_claims", "fit_power_law"),
        ("figures/style.py", "plot_esd", "make_tables"),
        ("spectra/ensembles.py", "sample_ensemble", "compute_esd"),
        ("spectra/vectors.py", "measure_vectors", "measure_layers"),
        ("tails/validation.py", "validate_estimators", "fit_power_law"),
        ("networks/train.py", "train_model", "download_dataset"),
        ("datasets/read.py", "download_dataset", "sample_ensemble"),
        ("statistics/sweep_claims.py", "judge_claims", "regress_accuracy"),
    ],
)
def test_a_rooms_module_reruns_the_stages_that_import_it(edited, module, reruns, spares):
    path = edited / "src/htsr" / module
    path.write_text(path.read_text() + "\nEDITED = True\n")
    planned = would_run(edited)
    assert reruns in planned and spares not in planned


def test_settings_and_stage_frame_are_no_code_dependencies(edited):
    for module in ("config.py", "compose.py", "stage.py"):
        path = edited / "src/htsr" / module
        path.write_text(path.read_text() + "\n# a remark\n")
    assert would_run(edited) == {}


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (["experiment=smok"], "smok"),
        ([*SMOKE, "fit_power_law={bootstrp: 1}"], "bootstrp"),
        ([*SMOKE, "fit_power_law={bootstrap: many}"], "many"),
        ([*SMOKE, "series=[unheard_of]"], "unheard_of"),
        ([*SMOKE, "mirror=/no/such/folder"], "/no/such/folder"),
        ([*SMOKE, "papers=[nothing]"], "paper/nothing/main.tex"),
    ],
)
def test_a_wrong_configuration_stops_before_the_first_job(root, tmp_path, config, says):
    folder = copy_of(root, tmp_path, "__pycache__")
    text = snakemake(folder, "all", config=config, ok=False)
    assert says in text and "Traceback" not in text
    assert not (folder / "results").exists()


def test_a_typo_in_a_yaml_file_stops_before_the_first_job(root, tmp_path):
    folder = copy_of(root, tmp_path, "__pycache__")
    path = folder / "config/compute_esd/default.yaml"
    path.write_text(path.read_text() + "\npermutation: 3\n")
    text = snakemake(folder, "all", ok=False)
    assert "permutation" in text and "Traceback" not in text
    assert not (folder / "results").exists()


def test_a_failed_model_names_itself_and_spares_the_others(root, tmp_path):
    folder = copy_of(root, tmp_path, "__pycache__")
    (folder / "broken.pth").write_text("<html>not a checkpoint</html>")
    series = (
        "series={mixed: {title: t, dataset: digits, models: {broken: {source: file, file: broken.pth}, "
        "sound: {source: trained, train: {network: {name: mlp, width: 64, depth: 2}, epochs: 1}}}}}"
    )
    targets = [
        f"results/smoke/{rule}/{model}"
        for rule, model in [("download_model", "broken.safetensors"), ("compute_esd", "sound.safetensors")]
    ]
    text = snakemake(folder, *targets, config=[*SMOKE, series], ok=False)
    assert re.search(r"error: .*broken", text)
    assert (folder / targets[1]).exists() and not (folder / targets[0]).exists()


def test_another_clean_run_killed_and_resumed_gives_the_same_bytes(done, tmp_path):
    """Everything again in another folder: kill -9 of the whole process group amid the trainings, unlock, go on."""
    folder = copy_of(done, tmp_path)  # with the compiled code
    command = [sys.executable, "-m", "snakemake", *arguments_of("all")]
    run = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 120
    trained = folder / "results/smoke/train_model"
    while not list(trained.glob("*.safetensors")) and time.monotonic() < deadline and run.poll() is None:
        time.sleep(0.05)
    assert run.poll() is None, "the run ended before it was killed"
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert not (folder / "results/smoke/papers").exists()
    time.sleep(0.5)
    snakemake(folder, "--unlock")
    snakemake(folder, "all")
    first, second = outputs(done), outputs(folder)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
