# The only place with functions.
import ast
import json
import re
import shlex
import sys
from functools import cache
from pathlib import Path

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "src"))

from htsr.config import SurfaceSet, as_overrides, load, models, surfaces_of
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


def training(name):
    """The complete settings of a training: of a model of the series, or of a network of a sweep."""
    return NETWORKS[name]["train"] if name in NETWORKS else MODELS[name]["train"]


def training_overrides(wildcards):
    """Params function: settings, data and state of one training, which a later job goes on from, as Hydra overrides."""
    return _training_overrides(wildcards.model)


def _training_overrides(name):
    settings, start = training(name), training(name)["start_from"]
    resume = f"{RESULTS}/train_model/{name}_resume.safetensors"
    return as_overrides(
        {"name": name, **settings, "dataset": seen_dataset(), "resume": resume}
        | ({"start": weights(start)} if start else {})
    )


def trainings_together(names):
    """Params function: the overrides of several trainings with their files, `--` between them."""

    def overrides(wildcards):
        each = [
            [
                *_training_overrides(name),
                *as_overrides({"images": IMAGES, **trained_files(name)}),
            ]
            for name in names
        ]
        return [word for one in each for word in ("--", *one)][1:]

    return overrides


def trained_alone():
    """What has a training job of its own."""
    shared = {name for names in TOGETHER.values() for name in names}
    models = [name for name, model in MODELS.items() if model["source"] == "trained"]
    return [*models, *(name for name in NETWORKS if name not in shared)]


def trained_files(name):
    """What a training writes."""
    place = f"{RESULTS}/train_model/{name}"
    return {
        "weights": f"{place}.safetensors",
        "states": f"{place}_states.safetensors",
        "history": f"{place}.csv",
    }


def training_threads(wildcards):
    """Threads function: how many the settings of a training ask for."""
    return training(wildcards.model)["threads"]


def dataset_overrides(*keys):
    """Params function: entries of the data set as Hydra overrides."""
    return lambda wildcards: as_overrides({key: cfg["dataset"][key] for key in keys})


def seen_dataset():
    """What networks see of the data set."""
    return {key: value for key, value in cfg["dataset"].items() if key != "source"}


def dataset_files(wildcards):
    """Input function: the local files of the data set."""
    files = cfg["dataset"]["source"]["files"].values()
    return [entry["file"] for entry in files if entry["file"]]


def networks_of(sweep):
    """The networks of a sweep by name."""
    return {
        name: network for name, network in NETWORKS.items() if network["sweep"] == sweep
    }


def sweep_overrides(*keys):
    """Params function: of a sweep, its title and the names and labels of its networks, as Hydra overrides."""

    def overrides(wildcards):
        networks = networks_of(wildcards.sweep)
        known = {
            "title": cfg["sweeps"][wildcards.sweep]["title"],
            "networks": list(networks),
            "labels": [network["labels"] for network in networks.values()],
        }
        printed = {key: known[key] for key in keys}
        if "title" in keys:
            printed["dataset"] = cfg["dataset"]["name"]
        return as_overrides(printed)

    return overrides


def of_sweep(pattern):
    """Input function: one file for each network of a sweep."""
    return lambda wildcards: [
        f"{RESULTS}/{pattern.replace('*', name)}"
        for name in networks_of(wildcards.sweep)
    ]


def of_part(part, spectra=False):
    """Named files of the sweep that plays a part in figures; none where no sweep does."""
    sweep = cfg["shown_sweeps"][part]
    if sweep is None:
        return {}
    files = {
        "sweep": f"{RESULTS}/collect_sweep/{sweep}.csv",
        "networks": f"{RESULTS}/collect_sweep/{sweep}_networks.csv",
    }
    return files | (
        {"spectra": f"{RESULTS}/compute_esd/{sweep}.safetensors"} if spectra else {}
    )


def of_all_sweeps(**names):
    """Named files of all sweeps, under the names they have for a stage; none where there are no sweeps.

    tables, networks: those of collect_sweep; regressions: over all networks; label_spectra: of the sweep of labels.
    """
    if not cfg["sweeps"]:
        return {}
    known = {
        "tables": of_sweeps("collect_sweep/*.csv"),
        "networks": of_sweeps("collect_sweep/*_networks.csv"),
        "regressions": f"{RESULTS}/regress_accuracy/sweeps.csv",
        "label_spectra": of_part("labels", spectra=True).get("spectra"),
    }
    return {name: known[what] for name, what in names.items() if known[what]}


def axes(sweep):
    """The settings that a sweep varies, by the names of their columns."""
    return [axis.rpartition(".")[2] for axis in cfg["sweeps"][sweep]["over"]]


def axes_of(part):
    """Params function: the settings that the sweep of a part varies, as a Hydra override."""
    return lambda wildcards: as_overrides({"axes": axes(cfg["shown_sweeps"][part])})


def shown_layer(wildcards):
    """Params function: the layer of sweeps that is drawn, as a Hydra override."""
    return as_overrides({"layer": cfg["shown_sweeps"]["layer"]})


def titles_of_sweeps(key):
    """Params function: the printed names of the sweeps as a Hydra override."""
    titles = {name: sweep["title"] for name, sweep in cfg["sweeps"].items()}
    return lambda wildcards: as_overrides({key: titles})


def parts_of_sweeps(wildcards):
    """Params function: the axes of every sweep, and which sweep plays which part, as Hydra overrides."""
    shown = {key: name for key, name in cfg["shown_sweeps"].items() if key != "layer"}
    return as_overrides(
        {"axes": {sweep: axes(sweep) for sweep in cfg["sweeps"]}, "shown_sweeps": shown}
    )


def published_batch_size(wildcards):
    """Params function: published numbers to draw beside a sweep of the published network, as a Hydra override."""
    train = cfg["sweeps"][cfg["shown_sweeps"]["batch_size"]]["train"]
    same = train.get("network", {}).get("name") == "minialexnet"
    known = cfg["published"]["batch_size"] if same else None
    return as_overrides({"published": known["values"] if known else {}})


def names_and_series(models):
    """Params function: printed names and series of models as Hydra overrides."""
    home = {
        model: name
        for name, entry in cfg["series"].items()
        for model in entry["models"]
    }
    return lambda wildcards: as_overrides(
        {
            "models": [title(model) for model in models],
            "series": [home[model] for model in models],
        }
    )


def of_sweeps(pattern):
    """One file for each sweep."""
    return [f"{RESULTS}/{pattern.replace('*', name)}" for name in cfg["sweeps"]]


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


def measured_override(wildcards, input):
    """Params function: the table of all Jacobians, where it is an input, as a Hydra override."""
    return f"jacobians={input.measured}" if input.measured else []


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


def start_weights(*names):
    """The weights that trainings start from, if any."""
    starts = [training(name)["start_from"] for name in names]
    return sorted({weights(start) for start in starts if start})


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


def networks_measured(jacobian):
    """The networks of the series or sweep whose Jacobians are measured."""
    if jacobian in cfg["sweeps"]:
        return list(networks_of(jacobian))
    return list(cfg["series"][jacobian]["models"])


def weights_of(network):
    """The weights file of a model or of a network of a sweep."""
    if network in NETWORKS:
        return f"{RESULTS}/train_model/{network}.safetensors"
    return weights(network)


def states_of(network):
    """The weights over time of a network that is trained here; of others there are none."""
    trained = network in NETWORKS or MODELS[network]["source"] == "trained"
    return f"{RESULTS}/train_model/{network}_states.safetensors" if trained else None


def history_of(network):
    """The history of a network that is trained here; of others there is none."""
    states = states_of(network)
    return states.replace("_states.safetensors", ".csv") if states else None


def of_networks_named(place, names):
    """A file of each network, where all have it."""
    found = [place(name) for name in names]
    return found if all(found) else []


def surface_networks(which, place):
    """Input function: files of the networks of a set of surfaces, of all or of those that are followed in training."""
    return lambda wildcards: of_networks_named(
        place, cfg["surface_networks"][wildcards.surfaces][which]
    )


def surface_overrides(which, *keys):
    """Params function: name, networks and settings of a set of surfaces as Hydra overrides."""

    def overrides(wildcards):
        name = wildcards.surfaces
        known = {
            "name": name,
            "names": cfg["surface_networks"][name][which],
            "set": cfg["surfaces"][name],
        }
        return as_overrides({key: known[key] for key in keys})

    return overrides


def followed_directions(wildcards):
    """Input function: the principal directions of trainings that a set of surfaces is drawn over, if any."""
    name = wildcards.surfaces
    file = f"{RESULTS}/project_trajectory/{name}.safetensors"
    return file if cfg["surface_networks"][name]["followed"] else []


def directions_override(wildcards, input):
    """Params function: principal directions of trainings, where they are an input, as a Hydra override."""
    return f"directions={input.directions}" if input.directions else []


def surface_resume(wildcards):
    """Params function: where the state of an interrupted measurement is kept, as a Hydra override."""
    name = f"{wildcards.surfaces}_{wildcards.tile}_resume.safetensors"
    return as_overrides({"resume": f"{RESULTS}/evaluate_surface/{name}"})


def of_tiles(ending):
    """One file for each tile of each set of surfaces."""
    return [
        f"{RESULTS}/evaluate_surface/{name}_{tile}{ending}.csv"
        for name, entry in cfg["surfaces"].items()
        for tile in range(entry["tiles"])
    ]


def hessian_networks(place):
    """Input function: files of the networks of a set of Hessians."""
    return lambda wildcards: of_networks_named(
        place, cfg["hessians"][wildcards.hessians]["networks"]
    )


def hessian_overrides(wildcards):
    """Params function: name, networks and settings of a set of Hessians as Hydra overrides."""
    entry = cfg["hessians"][wildcards.hessians]
    return as_overrides(
        {"name": wildcards.hessians, "names": entry["networks"], "set": entry}
    )


def solution_networks():
    """The networks of the compared pairs, each once."""
    return list(
        dict.fromkeys(name for pair in cfg["solutions"].values() for name in pair)
    )


def solution_overrides(wildcards):
    """Params function: the compared pairs of networks as Hydra overrides."""
    return as_overrides(
        {"name": "pairs", "pairs": cfg["solutions"], "names": solution_networks()}
    )


def landscape_files(**names):
    """Named files about loss landscapes, under the names they have for a stage; those are absent that nothing gives.

    points, places, summary: of all surfaces; ends: of all Hessians; planes, densities, curvatures: of those that have
    them; coordinates, explained: of the sets of surfaces that follow trainings; pairs: of solutions; networks: tables
    of the series and sweeps with networks in any of these.
    """
    surfaces, hessians = cfg["surfaces"], cfg["hessians"]
    followed = [name for name in surfaces if cfg["surface_networks"][name]["followed"]]
    collected = f"{RESULTS}/collect_surfaces/"

    def of_hessians(ending, measured):
        return [
            f"{RESULTS}/compute_hessian/{name}{ending}"
            for name, entry in hessians.items()
            if measured(entry)
        ]

    def of_followed(ending):
        return [f"{RESULTS}/project_trajectory/{name}{ending}" for name in followed]

    known = {
        "points": f"{collected}points.csv" if surfaces else None,
        "places": f"{collected}checkpoints.csv" if surfaces else None,
        "summary": f"{collected}summary.csv" if surfaces else None,
        "ends": of_hessians(".csv", lambda entry: True),
        "planes": of_hessians("_plane.csv", lambda entry: entry["plane"]["networks"]),
        "densities": of_hessians(
            "_density.safetensors", lambda entry: entry["density"]
        ),
        "curvatures": of_hessians("_curvature.csv", lambda entry: entry["scales"]),
        "coordinates": of_followed(".csv"),
        "explained": of_followed("_explained.csv"),
        "pairs": f"{RESULTS}/compare_solutions/pairs.csv" if cfg["solutions"] else None,
        "networks": [home_table(name) for name in landscape_homes()],
    }
    return {name: known[what] for name, what in names.items() if known[what]}


def of_landscape_tables():
    """Named files about loss landscapes for claims, tables and values."""
    return landscape_files(
        points="points",
        surface_summary="summary",
        hessian_ends="ends",
        hessian_planes="planes",
        hessian_curvatures="curvatures",
        explained="explained",
        solutions="pairs",
    )


def walk_level(wildcards):
    """Params function: the level of a random walk's interval, as a Hydra override."""
    return as_overrides({"level": cfg["project_trajectory"]["level"]})


def landscape_homes():
    """The series and sweeps with networks whose surfaces or Hessians are measured."""
    used = {name for entry in cfg["surface_networks"].values() for name in entry["all"]}
    used |= {name for entry in cfg["hessians"].values() for name in entry["networks"]}
    homes = {
        name: series
        for series, entry in cfg["series"].items()
        for name in entry["models"]
    }
    homes |= {name: network["sweep"] for name, network in NETWORKS.items()}
    return sorted({homes[name] for name in used})


def home_table(name):
    """The table of the networks of a series or a sweep."""
    if name in cfg["sweeps"]:
        return f"{RESULTS}/collect_sweep/{name}_networks.csv"
    return f"{RESULTS}/collect_metrics/{name}.csv"


def surface_kinds():
    """Plane and number of dimensions of every surface of the experiment."""
    return {
        (surface.plane.value, len(surface.points))
        for entry in cfg["surfaces"].values()
        for surface in surfaces_of(SurfaceSet(**entry)).values()
    }


def of_surface_figure(*kinds, **names):
    """Named files for a figure of surfaces of one of these kinds; none where there are no such surfaces."""
    return landscape_files(**names) if surface_kinds() & {*kinds} else {}


def of_hessian_figure(needed, **names):
    """Named files for a figure of Hessians; none where what is `needed` is not measured."""
    return landscape_files(**names) if landscape_files(needed=needed) else {}


def axes_of_all(wildcards):
    """Params function: the settings that every sweep varies, as a Hydra override."""
    return as_overrides({"axes": {sweep: axes(sweep) for sweep in cfg["sweeps"]}})


def surface_sets(wildcards):
    """Params function: the title of the set of each surface, as a Hydra override."""
    return as_overrides(
        {
            "sets": {
                surface: entry["title"]
                for entry in cfg["surfaces"].values()
                for surface in entry["surfaces"]
            }
        }
    )


def of_landscapes():
    """What `all` wants of loss landscapes beside figures, tables and papers."""
    hessians = [
        f"{RESULTS}/measure_layers/{name}_hessian.csv" for name in cfg["hessians"]
    ]
    pairs = [f"{RESULTS}/compare_solutions/pairs.csv"] if cfg["solutions"] else []
    surfaces = (
        [
            f"{RESULTS}/figures/surfaces.html",
            f"{RESULTS}/export_surfaces/surfaces.zip",
        ]
        if cfg["surfaces"]
        else []
    )
    return surfaces + hessians + pairs


def of_jacobians(place):
    """Input function: a file of each network whose Jacobians are measured, where all have it."""

    return lambda wildcards: of_networks_named(
        place, networks_measured(wildcards.jacobian)
    )


def jacobian_overrides(wildcards):
    """Params function: whose Jacobians are measured, in which states, as Hydra overrides."""
    entry = cfg["jacobians"][wildcards.jacobian]
    return as_overrides(
        {
            "collection": wildcards.jacobian,
            "networks": networks_measured(wildcards.jacobian),
            "epochs": entry["states"],
            "details": entry["details"],
        }
    )


def jacobian_names(wildcards):
    """Params function: the series and sweeps whose Jacobians are measured, as a Hydra override."""
    return as_overrides({"names": list(cfg["jacobians"])})


def of_all_jacobians(pattern):
    """One file for each series and sweep whose Jacobians are measured."""
    return [f"{RESULTS}/{pattern.replace('*', name)}" for name in cfg["jacobians"]]


def of_jacobian_figure(detailed=False, part=None, drawn="spectra", **others):
    """Named files for a figure of Jacobians, none where they are not measured.

    detailed: tables and spectra of the series and sweeps with networks in detail, or, where `details` are drawn, their
    matrices and directions; part: those of the sweep that plays it, alone. others: further files.
    """
    chosen = [name for name, entry in cfg["jacobians"].items() if entry["details"]]
    if part:
        chosen = [cfg["shown_sweeps"][part]] if part in measured_parts() else []
    elif not detailed:
        chosen = list(cfg["jacobians"])
    if not chosen:
        return {}
    networks = [home_table(name) for name in chosen]
    ending = {"spectra": "", "details": "_detail"}[drawn]
    spectra = [
        f"{RESULTS}/compute_jacobian/{name}{ending}.safetensors" for name in chosen
    ]
    files = {
        "jacobians": f"{RESULTS}/collect_jacobians/jacobians.csv",
        "networks": networks[0] if part else networks,
    }
    if detailed or part == "labels":
        files[drawn] = spectra[0] if part else spectra
    return files | others


def measured_parts():
    """The parts of figures whose sweep has its Jacobians measured."""
    return {
        part
        for part, name in cfg["shown_sweeps"].items()
        if part != "layer" and name in cfg["jacobians"]
    }


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


def of_jacobian_tables(details=False):
    """Named files about all Jacobians, none where they are not measured; details: with matrices and directions."""
    if not cfg["jacobians"]:
        return {}
    files = {
        "jacobians": f"{RESULTS}/collect_jacobians/jacobians.csv",
        "jacobian_spectra": of_all_jacobians("compute_jacobian/*.safetensors"),
    }
    directions = of_all_jacobians("compute_jacobian/*_detail.safetensors")
    return files | ({"jacobian_details": directions} if details else {})


def of_measured(wildcards):
    """Input function: the table of all Jacobians, where those of this series or sweep are measured."""
    name = dict(wildcards.items()).get("series") or wildcards.sweep
    table = f"{RESULTS}/collect_jacobians/jacobians.csv"
    return table if name in cfg["jacobians"] else []


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

    config.py and stage.py are left out: a change of settings reaches a job as params.
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
