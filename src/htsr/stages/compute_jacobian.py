"""Compute the data-dependent Jacobians of the networks of a series or a sweep, and the spectra of their Gram matrices.

In, one file a network in the order of `networks`: weights (`weights`, safetensors of train_model or download_model)
and, where they were trained here, weights over time (`states`); and one data set (`images`, safetensors of
download_dataset). Out: eigenvalues (`esd`, safetensors, the record of compute_esd without normalization), one row a
state of a network (`listing`, CSV), and matrices and directions for drawing (`detail`, safetensors).

Row i of 𝒥 is the Jacobian ∂p/∂x of the softmax p (classes x pixels, flattened) at image i; X = 𝒥ᵀ𝒥 and M = 𝒥𝒥ᵀ have the
same non-zero eigenvalues. Spectra, named <network>/<state>/<spectrum>:
    softmax            X
    centred            of the rows of 𝒥 less their mean
    correlation        of the rows of 𝒥 scaled to length one: M without its diagonal's influence
    diagonal           the diagonal of M, squared length of each row: what is left of M without correlations
    diagonal_x         the diagonal of X: energy of each class and pixel
    logit              X of the scores less their mean, in place of the softmax
    parameters         X of the softmax by the parameters (empirical neural tangent kernel), of fewer images
A <state> is an epoch, or `final`, `untrained` (random weights) or `pixels` (images with permuted pixels).
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from omegaconf import MISSING

from htsr.config import ComputeJacobian, States
from htsr.errors import InputError
from htsr.files import Arrays, write_arrays, write_table
from htsr.jacobian import structure
from htsr.jacobian.gram import JacobianMatrices, jacobian_matrices
from htsr.jacobian.parameters import parameter_gram
from htsr.networks.trained import Examples, Trained, examples, load_trained, untrained
from htsr.spectra.graded import graded_eigenvalues
from htsr.spectra.permutation import generator
from htsr.spectra.spectrum import Spectrum, to_arrays, to_header
from htsr.stage import stage

log = logging.getLogger("htsr.compute_jacobian")

# Gradients in single precision are known to about 1e-6 of their length, and what they leave of a dependent row's square
# to the square of that: more is counted as rank.
SINGLE = 1e-11

LISTING = [
    *("prefix", "network", "state", "epoch", "final", "status", "n_examples", "classes", "pixels", "part"),
    *("accuracy_on_examples", "confidence", "n_saturated", "norm", "norm_stderr", "median_norm", "logit_norm"),
    *("logit_norm_stderr", "rank", "effective_rank", "largest_diagonal", "top_example", "mean_diagonal"),
    *("alignment", "alignment_null", "alignment_null_std", "correlation_alignment", "correlation_alignment_null"),
    *("correlation_alignment_null_std", "logit_alignment", "logit_alignment_null", "logit_alignment_null_std"),
    *("within", "between", "within_std", "between_std", "class_share", "class_share_null", "participation"),
]


@dataclass
class ComputeJacobianJob(ComputeJacobian):
    """collection: the series or sweep. epochs: which states of each network. details: see htsr.config.Jacobian."""

    collection: str = MISSING
    networks: list[str] = MISSING
    epochs: States = States.final
    details: list[str] = field(default_factory=list)
    weights: list[str] = MISSING
    states: list[str] = field(default_factory=list)
    images: str = MISSING
    esd: str = MISSING
    listing: str = MISSING
    detail: str = MISSING


@dataclass(frozen=True)
class State:
    """A network in one state, and the images that its Jacobian is taken at."""

    network: str
    state: str
    epoch: int | None
    final: bool
    trained: Trained
    at: Examples

    @property
    def prefix(self) -> str:
        return f"{self.network}/{self.state}"


@stage(ComputeJacobianJob)
def main(job: ComputeJacobianJob) -> None:
    check(job)
    torch.set_num_threads(1)
    rows, kept = [], {}
    header = {"model": job.collection, "origin": "jacobian", "normalization": "none", "permutations": job.nulls}
    header |= {"part": job.part.value, "n_examples": job.examples, "seed": job.seed, "spectra": {}}

    def spectra() -> Iterator[Spectrum]:
        for state in states(job):
            found = measured(job, state)
            rows.append(found.row)
            kept.update(found.kept)
            header["spectra"] |= to_header(found.spectra)["spectra"]
            log.info("%s: %s", state.prefix, found.row["status"])
            yield from found.spectra

    write_arrays(job.esd, to_arrays(spectra()), header)
    write_table(job.listing, rows, LISTING)
    shapes = {name: list(array.shape) for name, array in kept.items() if name.endswith("/images")}
    write_arrays(job.detail, kept.items(), {"steps": list(job.steps), "images": shapes, "part": job.part.value})


def check(job: ComputeJacobianJob) -> None:
    """Raises InputError for a setting that makes no sense."""
    for key, least in (("examples", 2), ("nulls", 0), ("vectors", 1), ("parameters", 0), ("threads", 1), ("seed", 0)):
        if getattr(job, key) < least:
            raise InputError(f"compute_jacobian.{key} is {getattr(job, key)}: the least is {least}")
    if job.parameters > job.examples:
        raise InputError(f"compute_jacobian.parameters is {job.parameters}, more than the {job.examples} examples")
    if len(job.weights) != len(job.networks) or len(job.states) not in (0, len(job.networks)):
        raise InputError(f"{job.collection}: {len(job.networks)} networks, but {len(job.weights)} files of weights")


def states(job: ComputeJacobianJob) -> Iterator[State]:
    """Every state of every network that is to be measured, one in memory at a time; diverged networks are left out."""
    for index, (network, weights) in enumerate(zip(job.networks, job.weights, strict=True)):
        header = Arrays(weights).header
        if header.get("status", "ok") != "ok":
            log.warning("%s: its training %s: left out", network, header["status"])
            continue
        over_time = job.states[index] if job.states else None
        final = header.get("final_epoch")
        epochs = [None]
        if over_time and job.epochs is not States.final:
            known = Arrays(over_time).header["epochs"]
            epochs = known if job.epochs is States.all else sorted({0, final})
        detailed = network in job.details
        if detailed and over_time and 0 not in epochs:
            epochs = [0, *epochs]
        try:
            for epoch in epochs:
                last = epoch in (None, final)
                trained = load_trained(
                    weights, job.images, states=over_time if not last else None, epoch=None if last else epoch
                )
                at = examples(trained, job.part.value, job.examples, job.seed)
                name = "final" if last else str(epoch)
                yield State(network, name, final if last else epoch, last, trained, at)
                if last and detailed:
                    yield State(network, "pixels", final, False, trained, permuted(at, job.seed))
                    if not over_time:
                        yield State(network, "untrained", None, False, untrained(trained, job.seed), at)
        except InputError as error:
            raise InputError(f"network {network}: {error}") from error


def permuted(at: Examples, seed: int) -> Examples:
    """The same images, each with its pixels in a random order of its own, alike in all channels."""
    n, c, h, w = at.images.shape
    rng = generator(seed, "pixels")
    orders = np.argsort(rng.random((n, 1, h * w)), axis=2)
    images = np.take_along_axis(at.images.reshape(n, c, h * w), orders, axis=2).reshape(n, c, h, w)
    return Examples(images, at.labels, at.true_labels, at.classes)


@dataclass(frozen=True)
class Found:
    """What is known of a state: its row of the listing, its spectra, and arrays for drawing."""

    row: dict[str, Any]
    spectra: list[Spectrum]
    kept: dict[str, np.ndarray]


def measured(job: ComputeJacobianJob, state: State) -> Found:
    """Spectra of a state and what they are made of. A state whose Jacobian is not finite has only a status."""
    at = state.at
    n, pixels = len(at.images), int(np.prod(at.images.shape[1:]))
    row = {"prefix": state.prefix, "network": state.network, "state": state.state, "epoch": state.epoch}
    row |= {"final": state.final, "n_examples": n, "classes": at.classes, "pixels": pixels, "part": job.part.value}
    network = state.trained.network
    found = jacobian_matrices(network, at.images, double=job.double, threads=job.threads)
    if not all(np.isfinite(m).all() for m in (found.softmax, found.logit, found.probabilities)):
        return Found(row | {"status": "Jacobian with NaN or infinite entries"}, [], {})
    of_softmax, of_logit = found.softmax, found.logit
    correlation = structure.correlation(of_softmax)
    diagonal = of_softmax.diagonal()
    values = graded_eigenvalues(of_softmax, None if job.double else SINGLE)
    size = {"n": n, "columns": at.classes * pixels, "dimension": (at.classes - 1) * pixels}
    spectra = [
        of_gram(job, state, "softmax", values.values, size, np.sqrt(diagonal)),
        of_gram(job, state, "centred", eigenvalues(structure.centred(of_softmax)), size),
        of_gram(job, state, "correlation", eigenvalues(correlation), size, np.sqrt(correlation.diagonal())),
        of_gram(job, state, "logit", eigenvalues(of_logit), size, np.sqrt(of_logit.diagonal())),
        of_diagonal(state, "diagonal", diagonal),
        of_diagonal(state, "diagonal_x", found.energy.ravel()),
    ]
    if job.parameters:
        few = at.images[np.linspace(0, n - 1, job.parameters).round().astype(int)]
        gram, columns = parameter_gram(network, few)
        size = {"n": len(few), "columns": columns, "dimension": columns}
        spectra.append(of_gram(job, state, "parameters", eigenvalues(gram), size, np.sqrt(gram.diagonal())))
    ranked, vectors = np.linalg.eigh(of_softmax)
    top = vectors[:, ::-1][:, : job.vectors]
    classes = at.true_labels
    probabilities = found.probabilities
    norms, logit_norms = np.sqrt(diagonal), np.sqrt(of_logit.diagonal())
    blocks = structure.within_and_between(correlation, classes)
    row |= {
        "status": "ok" if ranked[-1] > 0 else "the Jacobian is zero",
        "accuracy_on_examples": 100 * float(np.mean(probabilities.argmax(axis=1) == classes)),
        "confidence": float(probabilities.max(axis=1).mean()),
        "n_saturated": int(np.sum(diagonal <= 1e-12 * diagonal.max(initial=0.0))),
        "norm": float(norms.mean()),
        "norm_stderr": float(norms.std(ddof=1) / np.sqrt(n)),
        "median_norm": float(np.median(norms)),
        "logit_norm": float(logit_norms.mean()),
        "logit_norm_stderr": float(logit_norms.std(ddof=1) / np.sqrt(n)),
        "rank": values.rank,
        "effective_rank": structure.effective_rank(values.values),
        "largest_diagonal": float(diagonal.max()),
        "mean_diagonal": float(diagonal.mean()),
        "top_example": float((top[:, 0] ** 2).max()),
        "within": blocks.within,
        "between": blocks.between,
        "within_std": blocks.within_std,
        "between_std": blocks.between_std,
        "class_share": float(structure.class_shares(top, classes).mean()),
        "class_share_null": at.classes / n,
        "participation": float(structure.participation(top[:, :1])[0]),
    }
    for name, matrix in (("", of_softmax), ("correlation_", correlation), ("logit_", of_logit)):
        aligned = structure.alignment(matrix, classes, job.seed)
        row |= {f"{name}alignment": aligned.value, f"{name}alignment_null": aligned.null}
        row[f"{name}alignment_null_std"] = aligned.null_std
    kept = for_drawing(job, state, found, correlation, top, ranked[::-1]) if state.network in job.details else {}
    return Found(row, spectra, kept)


def eigenvalues(gram: np.ndarray) -> np.ndarray:
    """Ascending eigenvalues of a positive semidefinite matrix, those below its resolution 0."""
    values = np.linalg.eigvalsh(gram)
    values[values < np.finfo(float).eps * len(gram) * values[-1]] = 0.0
    return values


def of_gram(
    job: ComputeJacobianJob,
    state: State,
    name: str,
    values: np.ndarray,
    size: dict[str, int],
    norms: np.ndarray | None = None,
) -> Spectrum:
    """The spectrum of rows' Gram matrix, with that of rows of the same norms and random directions as its null."""
    rows, columns = size["n"], size["columns"]
    m = min(rows, columns)
    null = np.empty((0, 0))
    if norms is not None and job.nulls:
        rng = generator(job.seed, f"{state.prefix}/{name}")
        drawn = (structure.random_directions(norms, size["dimension"], rng) for _ in range(job.nulls))
        null = np.array([eigenvalues(gram)[-m:] for gram in drawn])
    return record(state, name, max(rows, columns), m, values[-m:], null)


def of_diagonal(state: State, name: str, values: np.ndarray) -> Spectrum:
    """A diagonal as the spectrum that its matrix would have without all other entries."""
    return record(state, name, len(values), len(values), np.sort(values), np.empty((0, 0)))


def record(state: State, name: str, n: int, m: int, values: np.ndarray, null: np.ndarray) -> Spectrum:
    return Spectrum(
        name=f"{state.prefix}/{name}",
        layer=state.prefix,
        kind="jacobian",
        n=n,
        m=m,
        q=n / m,
        normalization="none",
        eigenvalues=values,
        null=null,
    )


def for_drawing(
    job: ComputeJacobianJob,
    state: State,
    found: JacobianMatrices,
    correlation: np.ndarray,
    top: np.ndarray,
    ranked: np.ndarray,
) -> dict[str, np.ndarray]:
    """What figures need of a state, under its name.

    correlation n x n; labels n, ascending; diagonal n; vectors n x r: of the largest eigenvalues; values r;
    directions r x k x d: right singular vectors; patterns r x k and images r x c x h x w: `structure.class_pattern` of
    these, shares r; flow r x steps x k: mean probabilities of the classes when all images move along one of `images`,
    and moved r x steps: share of the images whose class changes.
    """
    at, r = state.at, top.shape[1]
    shape = at.images.shape[1:]
    usable = int(np.sum(ranked[:r] > np.finfo(float).eps * len(top) * ranked[0]))
    top, values = top[:, :usable], ranked[:usable]
    directions = np.stack([found.transposed("softmax", top[:, i]) / np.sqrt(values[i]) for i in range(usable)])
    patterns, images, shares = zip(*map(structure.class_pattern, directions), strict=True)
    flow, moved = probability_flow(state, np.array(images), job.steps)
    return {
        f"{state.prefix}/correlation": correlation.astype(np.float32),
        f"{state.prefix}/labels": at.true_labels.astype(np.int64),
        f"{state.prefix}/diagonal": found.softmax.diagonal().copy(),
        f"{state.prefix}/vectors": top,
        f"{state.prefix}/values": values,
        f"{state.prefix}/patterns": np.array(patterns),
        f"{state.prefix}/images": np.array(images, np.float32).reshape(usable, *shape),
        f"{state.prefix}/shares": np.array(shares),
        f"{state.prefix}/flow": flow,
        f"{state.prefix}/moved": moved,
    }


@torch.no_grad()
def probability_flow(state: State, directions: np.ndarray, steps: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Mean softmax (r x steps x k) at images moved along each unit direction (r x d) by each step, and the share
    (r x steps) whose most probable class is another than at step 0. The unit of the steps is the root mean
    square norm of the images.
    """
    images = torch.from_numpy(state.at.images)
    scale = float(images.double().square().sum(dim=(1, 2, 3)).mean().sqrt())
    network = state.trained.network
    before = network(images).argmax(dim=1)
    flow = np.empty((len(directions), len(steps), state.at.classes))
    moved = np.empty(flow.shape[:2])
    for i, direction in enumerate(directions):
        along = torch.from_numpy(direction.astype(np.float32)).reshape(1, *images.shape[1:])
        for j, step in enumerate(steps):
            scores = network(images + step * scale * along).double()
            flow[i, j] = scores.softmax(dim=1).mean(dim=0).numpy()
            moved[i, j] = float((scores.argmax(dim=1) != before).double().mean())
    return flow, moved


if __name__ == "__main__":
    main()
