# Functions on loss surfaces, Hessians, trajectories and pairs of solutions.


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


@cache
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
