"""Measure the Hessians of trained networks: their ends, traces, densities, spectra, and curvature across scales.

In: `names` of networks with files of their weights (`weights`, safetensors of train_model or download_model) and, for
other states than the last, of their weights over time (`states`), and images (`images`, safetensors of
download_dataset). Everything is of the mean loss over the same examples, with the labels trained on, in evaluation
mode: batch norm uses its running statistics.

Out:
    ends (CSV)              one row for each network, epoch and layer (`all`: all parameters), as described in
                            htsr.landscape.sharpness.measure
    curvature (CSV)         second differences along filter-normalized random directions and along the unit eigenvector
                            of the largest eigenvalue at several steps, beside vᵀHv (htsr.landscape.curvature)
    plane (CSV)             λmin, λmax and |λmin/λmax| over a plane of two random directions
    density (safetensors)   spectral density of the Hessian, <network>[epoch=E]/: grid, density, stderr, atoms (the
                            eigenvalues that were found singly), and nodes, weights of the quadrature
    esd (safetensors)       eigenvalues, the record of compute_esd with the normalization `none`: of the Gauss-Newton
                            matrix, all that are not 0 by rank, and the positive ones of small Hessians
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from omegaconf import MISSING
from torch import nn

from htsr.config import ComputeHessian, HessianSet, States
from htsr.errors import InputError
from htsr.files import Arrays, write_arrays, write_table
from htsr.landscape import hessian
from htsr.landscape.curvature import across_scales, curvature
from htsr.landscape.directions import random_direction
from htsr.landscape.grid import lattice
from htsr.landscape.sharpness import Found, ends_over_plane, measure
from htsr.networks.trained import Examples, Trained, examples, load_trained
from htsr.spectra.graded import graded_eigenvalues
from htsr.spectra.permutation import generator
from htsr.spectra.quadrature import density, quadrature
from htsr.spectra.spectrum import Spectrum, to_arrays, to_header
from htsr.stage import stage

log = logging.getLogger("htsr.compute_hessian")

_FLOAT32 = 1e-7
"""Relative rounding of the entries of a Gram matrix of float32 rows."""


@dataclass
class ComputeHessianJob(ComputeHessian):
    name: str = MISSING
    set: HessianSet = field(default_factory=HessianSet)
    names: list[str] = field(default_factory=list)
    weights: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    images: str = MISSING
    ends: str = MISSING
    curvature: str = MISSING
    plane: str = MISSING
    density: str = MISSING
    esd: str = MISSING


@stage(ComputeHessianJob)
def main(job: ComputeHessianJob) -> None:
    torch.set_num_threads(job.threads)
    try:
        check(job)
        tables, arrays, spectra = {"ends": [], "curvature": [], "plane": []}, [], []
        for i, name in enumerate(job.names):
            for epoch in epochs_of(job, i):
                try:
                    measured(job, i, epoch, tables, arrays, spectra)
                except InputError as error:
                    raise InputError(f"network {name}: {error}") from error
    except InputError as error:
        raise InputError(f"Hessians {job.name}: {error}") from error
    for key, rows in tables.items():
        write_table(getattr(job, key), rows, None if rows else ["network"])
    header = {"hessians": job.name, "part": job.set.part.value, "examples": job.set.examples}
    write_arrays(job.density, arrays, header)
    write_arrays(job.esd, to_arrays(spectra), header | {"seed": job.seed, "permutations": 0} | to_header(spectra))


def check(job: ComputeHessianJob) -> None:
    """Raises InputError for a setting that makes no sense."""
    if not len(job.names) == len(job.weights) > 0 or len(job.states) not in (0, len(job.names)):
        raise InputError(f"{len(job.names)} names, but {len(job.weights)} weights and {len(job.states)} states")
    if job.set.states is not States.final and not job.states:
        raise InputError(f"states {job.set.states.value}: needs the files `states`")
    least = {"examples": 2, "highest": 1, "directions": 1, "gauss_newton": 0, "exact": 0}
    for key, value in least.items():
        if getattr(job.set, key) < value:
            raise InputError(f"{key}: {getattr(job.set, key)} is less than {value}")
    for key in ("trace_probes", "density_probes", "density_steps", "chunk", "max_steps"):
        if getattr(job, key) < 2:
            raise InputError(f"compute_hessian.{key}: {getattr(job, key)} is less than 2")
    if any(not step > 0 for step in job.set.scales):
        raise InputError(f"scales: {job.set.scales}: steps must be positive")
    unknown = [name for name in job.set.plane.networks if name not in job.names]
    if unknown:
        raise InputError(f"plane: network {unknown[0]!r} is not among the given ones")
    if job.set.plane.networks and len(job.set.plane.points) != 2:
        raise InputError(f"plane: points {job.set.plane.points} is no pair")


def epochs_of(job: ComputeHessianJob, i: int) -> list[int | None]:
    """The epochs to measure of a network; None stands for its final weights."""
    if job.set.states is States.final:
        return [None]
    kept = Arrays(job.states[i]).header["epochs"]
    return kept if job.set.states is States.all else [kept[0], kept[-1]]


def measured(
    job: ComputeHessianJob,
    i: int,
    epoch: int | None,
    tables: dict[str, list[dict[str, Any]]],
    arrays: list[tuple[str, np.ndarray]],
    spectra: list[Spectrum],
) -> None:
    """Measure one state of a network: rows, arrays and spectra are appended."""
    name, wanted, memory = job.names[i], job.set, job.memory_gb * 1e9
    trained = load_trained(job.weights[i], job.images, states=job.states[i] if job.states else None, epoch=epoch)
    epoch = trained.header.get("final_epoch") if epoch is None else epoch
    data = chosen(job, trained, wanted.examples)
    known = {"network": name, "epoch": epoch, "part": wanted.part.value}
    label = f"{name}[epoch={epoch}]" if epoch is not None else name
    network, given = trained.network, {"loss": trained.loss, "chunk": job.chunk, "memory": memory}
    for layer in (None, *(hessian.layers(network) if wanted.layers else ())):
        rng = generator(job.seed, f"{label} {layer}")
        settings = {"tolerance": job.tolerance, "max_steps": job.max_steps, **given}
        found = measure(
            network, data.images, data.labels, rng,
            layer=layer, highest=wanted.highest, probes=job.trace_probes, **settings,
        )  # fmt: skip
        tables["ends"].append(known | {"layer": layer or "all"} | found.row)
        log.info("%s, %s: %s", label, layer or "all", found.row)
        if found.row["status"].startswith("loss"):
            return
        spectra += exact_spectra(job, label, layer, trained, data, found)
        if layer is None:
            whole = found
    if wanted.density and whole.product is not None:
        arrays += [(f"{label}/{key}", values) for key, values in densities(job, label, whole)]
    if wanted.scales:
        tables["curvature"] += [known | row for row in scales(job, label, trained, data, whole)]
    if name in wanted.plane.networks:
        tables["plane"] += [known | row for row in over_plane(job, label, trained, data)]


def chosen(job: ComputeHessianJob, trained: Trained, count: int) -> Examples:
    """`count` examples of the set's part of the images, or all where there are fewer."""
    part = job.set.part.value
    return examples(trained, part, min(count, len(getattr(trained.data, f"{part}_labels"))), job.seed)


def densities(job: ComputeHessianJob, label: str, found: Found) -> Iterator[tuple[str, np.ndarray]]:
    """The spectral density of the Hessian, with the extreme eigenvalues that are known already as atoms."""
    spectrum = quadrature(
        found.product,
        len(found.vectors),
        probes=job.density_probes,
        steps=job.density_steps,
        rng=generator(job.seed, f"{label} density"),
        deflated=(found.values, found.vectors),
    )
    smooth = density(spectrum)
    yield from {"grid": smooth.grid, "density": smooth.density, "stderr": smooth.stderr}.items()
    yield from {"width": np.array([smooth.width]), "atoms": spectrum.atoms}.items()
    yield from {"nodes": spectrum.nodes, "weights": spectrum.weights}.items()


def exact_spectra(
    job: ComputeHessianJob, label: str, layer: str | None, trained: Trained, data: Examples, found: Found
) -> Iterator[Spectrum]:
    """Spectra of the Gauss-Newton matrix and of a small Hessian, of one layer or of all parameters."""
    block = layer or "all"

    def spectrum(kind: str, values: np.ndarray, n: int, status: str) -> Spectrum:
        m = len(values)
        return Spectrum(
            name=f"{label}{block}[{kind}]", layer=block, kind=kind, n=n, m=m, q=n / m if m else float("nan"),
            normalization="none", eigenvalues=values, status=status,
        )  # fmt: skip

    if job.set.gauss_newton:
        some = chosen(job, trained, job.set.gauss_newton)
        gram, size = hessian.gauss_newton_gram(trained.network, some.images, loss=trained.loss, layer=layer)
        graded = graded_eigenvalues(gram, _FLOAT32)
        rows = len(some.labels) * (data.classes - (trained.loss == "cross_entropy"))
        yield spectrum("gauss_newton", graded.values, max(size, rows), graded.status or "ok")
    size = found.row["n_parameters"]
    if size <= job.set.exact:
        product = hessian.hessian_product(
            trained.network, data.images, data.labels, loss=trained.loss, layer=layer, chunk=job.chunk,
            memory=job.memory_gb * 1e9,
        )  # fmt: skip
        values = np.linalg.eigvalsh(hessian.dense(product, size))
        positive = values[values > _FLOAT32 * np.abs(values).max()]
        yield spectrum("hessian", positive, size, "ok" if len(positive) else "no positive eigenvalue")


def scales(job: ComputeHessianJob, label: str, trained: Trained, data: Examples, found: Found) -> list[dict[str, Any]]:
    """Curvature across scales along random directions, and along the eigenvector of the largest eigenvalue."""
    network = trained.network
    random = [
        flat_direction(network, random_direction(network.state_dict(), job.seed + k)) for k in range(job.set.directions)
    ]
    kinds = {"random": np.stack(random)}
    if np.isfinite(found.vectors).all() and found.vectors.shape[1]:
        kinds["top_eigenvector"] = found.vectors[:, -1:].T
    rows = []
    for kind, directions in kinds.items():
        own = curvature(
            network, data.images, data.labels, directions, job.set.scales, loss=trained.loss, chunk=job.chunk
        )
        rows += [{"direction": kind} | row for row in across_scales(own)]
    return rows


def flat_direction(network: nn.Module, direction: dict[str, torch.Tensor]) -> np.ndarray:
    """A direction of `htsr.landscape.directions` as a vector over all parameters, 0 where it has no part."""
    zero = {name: torch.zeros(p.shape) for name, p in network.named_parameters()}
    return hessian.flatten([direction.get(name, own) for name, own in zero.items()])


def over_plane(job: ComputeHessianJob, label: str, trained: Trained, data: Examples) -> list[dict[str, Any]]:
    """The map of the Hessian's ends over a plane."""
    plane = job.set.plane
    if plane.examples:
        data = chosen(job, trained, plane.examples)
    state = trained.network.state_dict()
    directions = [random_direction(state, plane.directions_seed, plane.normalization, axis) for axis in range(2)]
    rows = ends_over_plane(
        trained.network,
        data.images,
        data.labels,
        directions,
        lattice(plane.points, plane.low, plane.high),
        generator(job.seed, f"{label} plane"),
        batch_norm=plane.batch_norm,
        loss=trained.loss,
        tolerance=plane.tolerance,
        max_steps=job.max_steps,
        chunk=job.chunk,
        memory=job.memory_gb * 1e9,
    )
    known = {"n_examples": len(data.labels), "normalization": plane.normalization, "batch_norm": plane.batch_norm}
    return [known | {"directions_seed": plane.directions_seed} | row for row in rows]


if __name__ == "__main__":
    main()
