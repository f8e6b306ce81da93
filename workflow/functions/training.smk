# Functions on trainings, sweeps and their data.


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


def start_weights(*names):
    """The weights that trainings start from, if any."""
    starts = [training(name)["start_from"] for name in names]
    return sorted({weights(start) for start in starts if start})


def states_of(network):
    """The weights over time of a network that is trained here; of others there are none."""
    trained = network in NETWORKS or MODELS[network]["source"] == "trained"
    return f"{RESULTS}/train_model/{network}_states.safetensors" if trained else None


def history_of(network):
    """The history of a network that is trained here; of others there is none."""
    states = states_of(network)
    return states.replace("_states.safetensors", ".csv") if states else None
