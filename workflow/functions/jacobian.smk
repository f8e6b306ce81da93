# Functions on Jacobians.


def measured_override(wildcards, input):
    """Params function: the table of all Jacobians, where it is an input, as a Hydra override."""
    return f"jacobians={input.measured}" if input.measured else []


def networks_measured(jacobian):
    """The networks of the series or sweep whose Jacobians are measured."""
    if jacobian in cfg["sweeps"]:
        return list(networks_of(jacobian))
    return list(cfg["series"][jacobian]["models"])


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
