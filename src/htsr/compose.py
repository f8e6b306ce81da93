"""Compose config/ with overrides into plain, checked values, and render values as overrides again.

What Snakemake knows of the configuration comes from here; stages know its dataclasses (`htsr.config`) alone.
"""

import functools
import itertools
import re
from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from htsr.config import Config, Plane, SurfaceSet, TrainModel, one_line, surfaces_of
from htsr.errors import InputError

NAME = r"[a-z0-9_]+"
_RESERVED = {"setting", "model", "claim", "each", "comparison", "published", "results", "pooled"}


def load(config_dir: Path, overrides: list[str]) -> dict[str, Any]:
    """Compose config/config.yaml with Hydra overrides into plain, checked values.

    The names of the chosen experiment and conventions stand under `experiment` and `conventions`; each trained
    model carries its complete settings under `train`. Raises InputError with one readable message.
    """
    try:
        with initialize_config_dir(str(Path(config_dir).resolve()), version_base="1.3"):
            composed = compose("config", overrides, return_hydra_config=True)
        choices = composed.hydra.runtime.choices
        OmegaConf.set_struct(composed, False)
        composed.pop("hydra")
        typed = OmegaConf.unsafe_merge(OmegaConf.structured(Config), composed)  # without copies: composed is spent
        config = OmegaConf.to_container(typed, resolve=True, throw_on_missing=True, enum_to_str=True)
        for name, model in models(config).items():
            if model["source"] == "trained":
                model["train"] = _training(config["train_model"], f"model {name!r}, train", model["train"])
        config["networks"] = {
            name: network for sweep in config["sweeps"] for name, network in _grid(config, sweep).items()
        }
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise InputError(f"config: {one_line(error)}") from error
    config |= {key: choices[key] for key in ("experiment", "conventions")}
    _check(config)
    return config


def models(config: dict[str, Any]) -> dict[str, Any]:
    """All models of the chosen series by name. Raises InputError where two series name the same model."""
    found, home = {}, {}
    for series, entry in config["series"].items():
        for name, model in entry["models"].items():
            if name in found:
                raise InputError(f"config: model {name!r} stands in series {home[name]!r} and {series!r}: rename one")
            found[name], home[name] = model, series
    return found


_TRAINING = OmegaConf.structured(TrainModel)


def _training(defaults: dict[str, Any], place: str, *own: dict[str, Any]) -> dict[str, Any]:
    """The defaults, which are checked already, and the settings `own` on top, which are checked here."""
    try:
        checked = OmegaConf.to_container(OmegaConf.merge(_TRAINING, *own), enum_to_str=True)
    except OmegaConfBaseException as error:
        raise InputError(f"config: {place}: {one_line(error)}") from error
    return functools.reduce(_combined, [_part(checked, keys) for keys in own], defaults)


def _grid(config: dict[str, Any], sweep: str) -> dict[str, Any]:
    """The networks of a sweep by name: {sweep, labels: {axis: value or label}, seed, train: complete settings}."""
    entry, place = config["sweeps"][sweep], f"sweep {sweep!r}"
    given = config["train_model"], place, entry["train"]
    axes = []
    for axis, values in entry["over"].items():
        if not values or not isinstance(values, dict | list):
            raise InputError(f"config: {place}: {axis} needs a list of values, or a mapping from labels to settings")
        if isinstance(values, list):
            values = {value: _nested(axis, value) for value in values}
        # each value is checked once, in the company of the common settings: checking takes long, combining does not
        checked = [(value, _part(_training(*given, own), own)) for value, own in values.items()]
        axes.append([(axis.rpartition(".")[2], *pair) for pair in checked])
    common, found = _training(*given), {}
    for *point, seed in itertools.product(*axes, entry["seeds"]):
        labels = {axis: value for axis, value, _ in point}
        slug = "_".join(re.sub(r"[^a-z0-9_]", "", str(v).lower().replace(".", "p")) for v in labels.values())
        name = "_".join(filter(None, [sweep, slug, f"s{seed}"]))
        if name in found:
            raise InputError(f"config: {place}: two of its networks would be named {name!r}: change a label")
        train = functools.reduce(_combined, [own for _, _, own in point], common) | {"seed": seed}
        found[name] = {"sweep": sweep, "labels": labels, "seed": seed, "train": train}
    return found


def _part(whole: dict[str, Any], keys: dict[str, Any]) -> dict[str, Any]:
    """The entries of `whole` that `keys` has, at every depth."""
    return {key: _part(whole[key], inner) if isinstance(inner, dict) else whole[key] for key, inner in keys.items()}


def _combined(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Both, the second on top, at every depth."""
    deep = {key: _combined(first[key], inner) for key, inner in second.items() if isinstance(inner, dict)}
    return first | second | deep


def _nested(key: str, value: Any) -> dict[str, Any]:
    """The settings {a: {b: value}} that the dotted key a.b stands for."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def _check(config: dict[str, Any]) -> None:
    mirror = config["mirror"]
    if mirror is not None and not Path(mirror).is_dir():
        raise InputError(f"config: mirror {mirror!r} is not a folder: correct `mirror=` or HTSR_MIRROR")
    known = models(config)
    needs = {"url": ("url", "sha256"), "file": ("file",), "torchvision": ("weights",), "trained": ()}
    groups = ("series", "ensembles", "sweeps", "smoothing", "model_pairs", "surfaces", "hessians", "solutions")
    named = [name for key in (*groups, "published_results") for name in config[key]]
    for name in [*named, *known, config["dataset"]["name"]]:
        if not re.fullmatch(NAME, name):
            raise InputError(f"config: name {name!r}: use lower-case letters, digits and _ only")
    if not known:
        raise InputError("config: no models: choose series with models, as in `series=[digits_mlp]`")
    of_jacobians = [f"{name}_{key[:-1]}" for key in ("jacobians", "hessians") for name in config[key]]
    spectra = Counter([*known, *config["ensembles"], *config["sweeps"], *config["networks"], *of_jacobians])
    for name, count in spectra.items():
        if count > 1:
            raise InputError(f"config: {name!r} names two of models, ensembles, sweeps and their networks: rename one")
    for name in config["plot_esd"]["models"]:
        if name not in known:
            raise InputError(f"config: plot_esd.models names {name!r}, which is no model of the chosen series")
    for name in set(config["published_results"]) & {*config["series"], *config["sweeps"]}:
        raise InputError(f"config: published_results.{name}: a series or a sweep has this name: rename one")
    for name in _RESERVED & {*config["series"], *config["published_results"]}:
        raise InputError(f"config: a series cannot be named {name!r}, which begins other names in values.tex")
    for name, model in known.items():
        for key in needs[model["source"]]:
            if model[key] is None:
                raise InputError(f"config: model {name!r}: source {model['source']} needs `{key}`")
    for name, model in (known | config["networks"]).items():
        start = model["train"].get("start_from")
        if start is not None and (start == name or start not in known):
            raise InputError(f"config: model {name!r}: start_from names no other model: {start!r}")
    claimed = [name for claims in config["claims"].values() for name in claims]
    for name in claimed:
        if claimed.count(name) > 1:
            raise InputError(f"config: claims of two papers are named {name!r}: rename one")
    if "self_regularization" in config["papers"] and not config["ensembles"]:
        raise InputError("config: the paper self_regularization needs ensembles of random matrices: choose `ensembles`")
    for name, sweep in config["sweeps"].items():
        if sweep["together"] < 1:
            raise InputError(f"config: sweep {name!r}: together is {sweep['together']}: at least 1")
    _check_derived(config, known)
    if "loss_landscapes" in config["papers"] and not (config["surfaces"] or config["hessians"]):
        raise InputError(
            "config: the paper loss_landscapes needs loss surfaces or Hessians: choose `surfaces` or `hessians`"
        )
    for paper in ("funneled_landscapes", "jacobian_correlation"):
        if paper in config["papers"] and not config["jacobians"]:
            raise InputError(f"config: the paper {paper} needs networks whose Jacobians are measured: set `jacobians`")


def _check_derived(config: dict[str, Any], known: dict[str, Any]) -> None:
    """What is to be made of models and sweeps that are not chosen is left out, and `left_out` says so."""
    states = config["comparison"]
    unknown = [name for name in states.values() if name not in known]
    if len(unknown) == len(states):
        config["comparison"] = dict.fromkeys(states)
    elif unknown:
        raise InputError(f"config: comparison names {unknown[0]!r}, which is no model of the chosen series")
    needed = {
        "smoothing": {name: [entry["model"]] for name, entry in config["smoothing"].items()},
        "model_pairs": config["model_pairs"],
    }
    config["left_out"] = [
        f"shown_sweeps.{part} is left out: {name!r} is no chosen sweep"
        for part, name in config["shown_sweeps"].items()
        if part != "layer" and name not in {None, *config["sweeps"]}
    ]
    config["shown_sweeps"] |= {
        part: None for part, name in config["shown_sweeps"].items() if part != "layer" and name not in config["sweeps"]
    }
    _check_landscapes(config, {*known, *config["networks"]})
    measured = config["jacobians"]
    for name in [name for name in measured if name not in {*config["series"], *config["sweeps"]}]:
        config["left_out"].append(f"jacobians.{name} is left out: it is no chosen series or sweep")
        del measured[name]
    for name, entry in measured.items():
        own = config["series"][name]["models"] if name in config["series"] else _networks_of(config, name)
        for network in entry["details"]:
            if network not in own:
                raise InputError(f"config: jacobians.{name}.details names {network!r}: choose one of {', '.join(own)}")
    for key, entries in needed.items():
        for name, named in entries.items():
            if key == "model_pairs" and len(named) != 2:
                raise InputError(f"config: model_pairs.{name} names {len(named)} models: it compares two")
            config["left_out"] += [
                f"{key}.{name} is left out: {model!r} is no model of the chosen series"
                for model in named
                if model not in known
            ]
        config[key] = {name: config[key][name] for name, named in entries.items() if all(m in known for m in named)}


def _check_landscapes(config: dict[str, Any], networks: set[str]) -> None:
    """Leaves out surfaces, Hessians and pairs of networks that are not chosen, and `left_out` says so.

    A series or a sweep among `networks` becomes all of its networks. `surface_networks` says which networks a set of
    surfaces needs (all), and whose trainings it follows (followed).
    """
    groups = {series: list(entry["models"]) for series, entry in config["series"].items()}
    groups |= {sweep: _networks_of(config, sweep) for sweep in config["sweeps"]}

    def chosen(place: str, names: list[str]) -> list[str]:
        names = list(dict.fromkeys(network for name in names for network in groups.get(name, [name])))
        unknown = [name for name in names if name not in networks]
        for name in unknown:
            sweep = next((sweep for sweep in config["sweeps"] if name.startswith(f"{sweep}_")), None)
            if sweep:
                own = ", ".join(_networks_of(config, sweep))
                raise InputError(f"config: {place} names {name!r}: the sweep {sweep} has {own}")
        config["left_out"] += [f"{place} is left out for {name!r}: it is not chosen" for name in unknown]
        return [name for name in names if name in networks]

    home = {}
    config["surface_networks"] = {}
    for name, entry in list(config["surfaces"].items()):
        if entry["tiles"] < 1:
            raise InputError(f"config: surfaces.{name}: tiles is {entry['tiles']}: at least 1")
        try:
            surfaces = surfaces_of(SurfaceSet(**entry))
        except InputError as error:
            raise InputError(f"config: surfaces.{name}: {error}") from error
        needed, followed = [], []
        for key, surface in surfaces.items():
            if home.setdefault(key, name) != name:
                raise InputError(f"config: surface {key!r} stands in {home[key]!r} and {name!r}: rename one")
            others = [other for other in (surface.other, surface.third) if other not in (None, "initial")]
            own = chosen(f"surfaces.{name}.{key}", surface.networks)
            if len(chosen(f"surfaces.{name}.{key}", others)) < len(others) or not own:
                del entry["surfaces"][key]
                continue
            entry["surfaces"][key] = entry["surfaces"][key] | {"networks": own}
            needed += [*own, *others]
            followed += own if surface.plane is Plane.pca else []
        if entry["surfaces"]:
            used = {"all": list(dict.fromkeys(needed)), "followed": list(dict.fromkeys(followed))}
            config["surface_networks"][name] = used
        else:
            del config["surfaces"][name]
    for name, entry in list(config["hessians"].items()):
        for part in (entry, entry["plane"]):
            part["networks"] = chosen(f"hessians.{name}", part["networks"])
        if not entry["networks"]:
            del config["hessians"][name]
    for name, pair in list(config["solutions"].items()):
        if len(pair) != 2:
            raise InputError(f"config: solutions.{name} names {len(pair)} networks: it compares two")
        if len(chosen(f"solutions.{name}", pair)) < 2:
            del config["solutions"][name]


def _networks_of(config: dict[str, Any], sweep: str) -> list[str]:
    return [name for name, network in config["networks"].items() if network["sweep"] == sweep]


def as_overrides(node: dict[str, Any]) -> list[str]:
    """Hydra command-line overrides that set every entry of node, one for each key.

    A dictionary takes `++`: its keys may be new to Hydra, the typed check that follows knows the allowed ones.
    """
    return [f"{'++' if isinstance(value, dict) else ''}{key}={_render(value)}" for key, value in node.items()]


def _render(value: Any) -> str:
    """A value in the grammar of Hydra's overrides, strings always quoted."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_render(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_render, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        escaped = re.sub(r'(\\*)("|$)', lambda m: m[1] * 2 + ("\\" if m[2] else "") + m[2], value)
        return f'"{escaped}"'
    return repr(value)
