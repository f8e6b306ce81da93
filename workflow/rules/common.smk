# The configuration, and functions on everything; those on one topic stand in workflow/functions/, rules have none.
import ast
import json
import re
import shlex
import sys
from functools import cache
from pathlib import Path

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "src"))

from htsr.compose import as_overrides, load, models
from htsr.config import SurfaceSet, surfaces_of
from htsr.errors import InputError
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

# Every `--config key=value` and `--configfile` of Snakemake is a Hydra override.
try:
    cfg = load(ROOT / "config", as_overrides(config))
except InputError as error:
    raise WorkflowError(str(error)) from None

for message in cfg["left_out"]:
    logger.warning(f"config: {message}")
for paper in cfg["papers"]:
    if not (ROOT / "paper" / paper / "main.tex").exists():
        raise WorkflowError(f"config: papers: there is no paper/{paper}/main.tex")

MODELS = models(cfg)
NETWORKS = cfg["networks"]
# Networks of a sweep that one job trains together.
TOGETHER = {
    f"{sweep}_{i // entry['together']}": list(networks)[i : i + entry["together"]]
    for sweep, entry in cfg["sweeps"].items()
    for networks in [[name for name in NETWORKS if NETWORKS[name]["sweep"] == sweep]]
    for i in range(0, len(networks), entry["together"])
    if entry["together"] > 1
}
RESULTS = "results/" + "-".join(
    [cfg["experiment"]] + [c for c in [cfg["conventions"]] if c != "default"]
)
IMAGES = f"{RESULTS}/download_dataset/{cfg['dataset']['name']}.safetensors"
COMPARED = [name for name in cfg["comparison"].values() if name]
TABLES = [
    "models",
    "layer_fits",
    "model_metrics",
    "regressions",
    "published_models",
    "published_regressions",
    "linear_fits",
    "estimators",
    *(f"claims_{paper}" for paper in cfg["claims"]),
    *(["published_metrics"] if cfg["published_results"] else []),
    *(["classes"] if cfg["ensembles"] else []),
    *(["batch_size"] if cfg["shown_sweeps"]["batch_size"] else []),
    *(["regularization"] if cfg["shown_sweeps"]["regularization"] else []),
    *(["sweep_regressions"] if cfg["sweeps"] else []),
    *(
        ["jacobian_networks", "jacobian_split", "jacobian_regressions"]
        if cfg["jacobians"]
        else []
    ),
    *(["surfaces"] if cfg["surfaces"] else []),
    *(["hessians"] if cfg["hessians"] else []),
    *(["solutions"] if cfg["surfaces"] or cfg["solutions"] else []),
    *(
        ["trajectories"]
        if any(entry["followed"] for entry in cfg["surface_networks"].values())
        else []
    ),
    *(["smoothing"] if cfg["smoothing"] else []),
    *(["comparisons"] if cfg["model_pairs"] else []),
]

# Jobs run side by side, one thread each, unless the user says otherwise: two that share the cores wait for each other.
shell.prefix(
    "set -euo pipefail; export PYTHONPATH=src OMP_NUM_THREADS=${{OMP_NUM_THREADS:-1}}; "
)


wildcard_constraints:
    model="[a-z0-9_]+",
    series="|".join(cfg["series"]),
    sweep="|".join(cfg["sweeps"]) or "none",
    dataset="[a-z0-9_]+",
    collection="regressions|sweeps|published",
    published="|".join(cfg["published_results"]) or "none",
    paper="[a-z0-9_]+",
    smoothing="|".join(cfg["smoothing"]) or "none",
    pair="|".join(cfg["model_pairs"]) or "none",
    jacobian="|".join(cfg["jacobians"]) or "none",
    surfaces="|".join(cfg["surfaces"]) or "none",
    hessians="|".join(cfg["hessians"]) or "none",
    tile=r"\d+",


def title(model):
    """The printed name of a model."""
    return MODELS[model]["title"] or model


def settings(stage):
    """Params function: a section of the configuration, such as a stage's settings, as Hydra overrides."""
    return lambda wildcards: as_overrides(cfg[stage])


def model_overrides(wildcards):
    """Params function: one model's entry as Hydra overrides."""
    entry = {
        key: value for key, value in MODELS[wildcards.model].items() if key != "train"
    }
    return as_overrides({"name": wildcards.model, "model": entry})


def ensemble_overrides(wildcards):
    """Params function: one ensemble's entry as Hydra overrides."""
    entry = cfg["ensembles"][wildcards.model]
    return as_overrides({"name": wildcards.model, "ensemble": entry})


def ensemble_names(wildcards):
    """Params function: the names of all ensembles as a Hydra override."""
    return as_overrides({"names": list(cfg["ensembles"])})


def series_overrides(wildcards):
    """Params function: names and titles of one series as Hydra overrides."""
    series = cfg["series"][wildcards.series]
    return as_overrides(
        {
            "series": wildcards.series,
            "title": series["title"],
            "dataset": series["dataset"],
            "models": list(series["models"]),
            "titles": [title(model) for model in series["models"]],
        }
    )


def smoothing_overrides(wildcards):
    """Params function: one smoothing as Hydra overrides, with what its model was trained on, if it was trained here."""
    entry = dict(cfg["smoothing"][wildcards.smoothing])
    train = MODELS[entry.pop("model")]["train"]
    known = {"name": wildcards.smoothing, **entry}
    if train:
        known |= {key: train[key] for key in ("network", "train_fraction", "crop")}
    return as_overrides(known | ({"dataset": seen_dataset()} if train else {}))


def spike_level(wildcards):
    """Params function: the Tracy-Widom level beyond which an eigenvalue is a spike, as a Hydra override."""
    return as_overrides({"spike_level": cfg["measure_layers"]["spike_level"]})


def claims_override(wildcards):
    """Params function: all claims, each with the paper that tells it, as a Hydra override; those on the results of others
    only where there are some."""
    judged = {
        name: claim | {"paper": paper}
        for paper, claims in cfg["claims"].items()
        for name, claim in claims.items()
        if claim["arguments"].get("of") != "published" or cfg["published_results"]
    }
    return as_overrides({"claims": judged})


def entries(*keys):
    """Params function: top-level entries of the configuration as Hydra overrides."""
    return lambda wildcards: as_overrides({key: cfg[key] for key in keys})


def mirror(wildcards, input):
    """Params function: where to look before the network. It takes `input`, so another mirror reruns nothing."""
    return as_overrides({"mirror": cfg["mirror"]})


def labels(*keys):
    """Params function: what figures and tables print, of `titles` of the series and `normalization`."""
    printed = {
        "titles": {name: series["title"] for name, series in cfg["series"].items()},
        "model_titles": {name: title(name) for name in MODELS},
        "normalization": cfg["compute_esd"]["normalization"],
    }
    return lambda wildcards: as_overrides({key: printed[key] for key in keys})


def chosen():
    """What `--config` needs to give these results again: the choices made, but not where downloads are looked for."""
    named = {key: cfg[key] for key in ("experiment", "conventions")}
    others = {
        key: value for key, value in config.items() if key not in {*named, "mirror"}
    }
    for key, value in (named | others).items():
        text = value if isinstance(value, str) else json.dumps(value).replace('"', "")
        plain = re.fullmatch(r"[\w\[\],.:/-]+", text)
        yield f"{key}={text}" if plain else shlex.quote(f"{key}={text}")


def printed_settings(wildcards):
    """Params function: the settings that a paper's text may name."""
    stages = [
        "extract_layers",
        "compute_esd",
        "fit_power_law",
        "measure_layers",
        "validate_estimators",
        "regress_accuracy",
        "judge_claims",
        "evaluate_surface",
        "project_trajectory",
    ]
    keys = ["experiment", "conventions", "comparison", "published", *stages]
    made = {name: bool(cfg[name]) for name in ("ensembles", "smoothing", "model_pairs")}
    trained = all(model["source"] == "trained" for model in MODELS.values())
    printed = {key: cfg[key] for key in keys}
    printed |= {"trained": trained, "made": made, "overrides": " ".join(chosen())}
    return as_overrides({"settings": printed})


def shown_titles(wildcards):
    """Params function: the printed names of the models whose spectra are drawn, as a Hydra override."""
    return as_overrides({"names": [title(model) for model in shown_models()]})


def images_override(wildcards, input):
    """Params function: the images of the data set, where they are an input, as a Hydra override."""
    return f"images={input.images}" if input.images else []


def results_folder(wildcards, output):
    """Params function: the folder that the macro \\results of a paper stands for."""
    return str(Path(output.pdf).parents[1])


def hydra_list(name):
    """Params function: the named input files as one Hydra list."""
    return lambda wildcards, input: f"[{','.join(input[name])}]"


def input_overrides(wildcards, input):
    """Params function: named inputs as Hydra overrides, lists as Hydra lists; the code and what may be missing apart."""
    apart = ("code", "measured", "directions")
    named = {name: files for name, files in input.items() if name not in apart}
    return [
        f"{name}={files}" if isinstance(files, str) else f"{name}=[{','.join(files)}]"
        for name, files in named.items()
    ]


def tables_override(wildcards, output):
    """Params function: the file of each table as a Hydra override."""
    return as_overrides({"tables": dict(output.items())})


def joined(*functions):
    """Params function: the overrides of several params functions."""
    return lambda wildcards: [
        override for function in functions for override in function(wildcards)
    ]


def weights(model):
    """The weights file of a model."""
    trained = MODELS[model]["source"] == "trained"
    return f"{RESULTS}/{'train_model' if trained else 'download_model'}/{model}.safetensors"


def model_weights(wildcards):
    """Input function: the weights file of a model."""
    return weights(wildcards.model)


def model_file(wildcards):
    """Input function: the local file of a model whose source is `file`."""
    return MODELS[wildcards.model]["file"] or []


def settings_of_spectra(stage):
    """Params function: a stage's settings as Hydra overrides; a sweep has some of its own in place of them."""

    def overrides(wildcards):
        own = cfg[stage]
        if wildcards.model.removesuffix("_jacobian") in cfg["sweeps"]:
            own = own | {
                key: cfg["extract_sweep"][key]
                for key in own.keys() & cfg["extract_sweep"].keys()
            }
        return as_overrides(own)

    return overrides


def layers_file(wildcards):
    """Input function: the matrices of a model or a sweep."""
    made_by = "extract_sweep" if wildcards.model in cfg["sweeps"] else "extract_layers"
    return f"{RESULTS}/{made_by}/{wildcards.model}.safetensors"


def spectra_file(wildcards):
    """Input function: the spectra of a model, a sweep or an ensemble, of Jacobians or of Hessians."""
    name = wildcards.model
    for kind in ("jacobian", "hessian"):
        measured = name.removesuffix(f"_{kind}")
        if measured != name and measured in cfg[f"{kind}s"]:
            return f"{RESULTS}/compute_{kind}/{measured}.safetensors"
    made_by = "sample_ensemble" if name in cfg["ensembles"] else "compute_esd"
    return f"{RESULTS}/{made_by}/{name}.safetensors"


def smoothed_file(place):
    """Input function: a file of the model that is smoothed. place: a function of the model, or a pattern."""

    def of_model(wildcards):
        model = cfg["smoothing"][wildcards.smoothing]["model"]
        return place(model) if callable(place) else place.replace("*", model)

    return of_model


def smoothed_images(wildcards):
    """Input function: the images that a smoothed model was trained on, if it was trained here."""
    model = cfg["smoothing"][wildcards.smoothing]["model"]
    return IMAGES if MODELS[model]["source"] == "trained" else []


def pair_layers(side):
    """Input function: the matrices of the first (0) or second (1) of two compared models."""
    return lambda wildcards: (
        f"{RESULTS}/extract_layers/{cfg['model_pairs'][wildcards.pair][side]}.safetensors"
    )


def weights_of(network):
    """The weights file of a model or of a network of a sweep."""
    if network in NETWORKS:
        return f"{RESULTS}/train_model/{network}.safetensors"
    return weights(network)


def dataset_name(wildcards):
    """Params function: the name of the data set as a Hydra override."""
    return as_overrides({"dataset": cfg["dataset"]["name"]})


def titles_of_all(wildcards):
    """Params function: the printed names of series and sweeps as a Hydra override."""
    return as_overrides(
        {
            "titles": {
                name: entry["title"]
                for name, entry in (cfg["series"] | cfg["sweeps"]).items()
            }
        }
    )


def of_ensembles(pattern):
    """One file for each ensemble."""
    return [f"{RESULTS}/{pattern.replace('*', name)}" for name in cfg["ensembles"]]


def of_theory(**patterns):
    """Named files about random matrices, where the experiment has ensembles of them."""
    if not cfg["ensembles"]:
        return {}
    return {name: f"{RESULTS}/{pattern}" for name, pattern in patterns.items()}


def of_models(pattern):
    """Input function: one file for each model of a series."""
    return lambda wildcards: [
        f"{RESULTS}/{pattern.replace('*', model)}"
        for model in cfg["series"][wildcards.series]["models"]
    ]


def of_regressed(pattern):
    """One file for each series whose models are rivals, or for each series where none are."""
    rivals = [name for name, series in cfg["series"].items() if series["regress"]]
    return [
        f"{RESULTS}/{pattern.replace('*', name)}" for name in rivals or cfg["series"]
    ]


def regressed_tables(wildcards):
    """Input function: the tables of models of the series, those of networks of the sweeps, or those of others."""
    if wildcards.collection == "published":
        return of_published()["published_metrics"]
    if wildcards.collection == "sweeps":
        return of_sweeps("collect_sweep/*_networks.csv")
    return of_regressed("collect_metrics/*.csv")


def of_published(metrics="published_metrics", regressions="published_regressions"):
    """The tables of models that others measured, and the regressions on them, where there are any."""
    if not cfg["published_results"]:
        return {}
    return {
        metrics: [
            f"{RESULTS}/collect_published/{name}.csv"
            for name in cfg["published_results"]
        ],
        regressions: f"{RESULTS}/regress_accuracy/published.csv",
    }


def published_overrides(wildcards):
    """Params function: one series that others measured, as Hydra overrides."""
    series = cfg["published_results"][wildcards.published]
    return as_overrides({"name": wildcards.published, "series": series})


def published_labels(wildcards):
    """Params function: the printed names of the series that others measured, as Hydra overrides."""
    titles = {name: entry["title"] for name, entry in cfg["published_results"].items()}
    return as_overrides({"published_titles": titles})


def of_series(pattern):
    """One file for each series."""
    return [f"{RESULTS}/{pattern.replace('*', series)}" for series in cfg["series"]]


def shown_models():
    """The models whose spectra are drawn: the chosen ones, else the last of each series."""
    return cfg["plot_esd"]["models"] or [
        list(series["models"])[-1] for series in cfg["series"].values()
    ]


def of_shown_models(pattern):
    """One file for each model whose spectra are drawn."""
    return [f"{RESULTS}/{pattern.replace('*', model)}" for model in shown_models()]


@cache
def imported(path):
    """Names of the package that a source file imports."""
    names = []
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("htsr"):
            names += [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
    return names


def code(stage):
    """Source files of a stage: its module and the package modules it imports.

    config.py and stage.py are left out: a change of settings reaches a job as params (no stage imports compose.py).
    """
    seen, todo = set(), [f"htsr.stages.{stage}"]
    while todo:
        path = Path("src", *todo.pop().split(".")).with_suffix(".py")
        if (
            path in seen
            or path.stem in ("config", "stage")
            or not (ROOT / path).exists()
        ):
            continue
        seen.add(path)
        todo += imported(path)
    return sorted(map(str, seen))


def tex_inputs(wildcards):
    """Sources of a paper and the results that it names, so the TeX is the manifest."""
    folder = ROOT / "paper"
    tex = (folder / "preamble.tex").read_text()
    tex += (folder / wildcards.paper / "main.tex").read_text()
    named = re.findall(r"\\results/([\w./-]+\.(?:pdf|tex))", tex)
    absent = {f"figures/{name}.pdf" for name in ABSENT_FIGURES}
    absent |= {name for name in named if Path(name).parent.name == "tables"} - {
        f"tables/{name}.tex" for name in TABLES
    }
    return [f"{RESULTS}/{name}" for name in sorted({*named} - absent)]
