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

How eigenvalues were found, how many are known and to which error stands in the header of `esd`, under `methods`, and
for the softmax in `listing`:
    jacobi    up to `exact` examples, the softmax: error relative to each eigenvalue, an upper bound by its order
    eigh      all others, of M up to `dense` examples, of X up to `dense` columns: error relative to the largest one
    sketch    beyond: the largest only, error relative to the largest one. No spectrum that could be fitted: its entry
              in `esd` has a status that says so, and `detail` holds <spectrum>_values, largest first, and _errors, how
              far an eigenvalue may be above its value; the number of eigenvalues above _places, by stochastic Lanczos
              quadrature, is from _above_low to _above_high, with the standard error _above_stderr over random vectors.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from omegaconf import MISSING

from htsr.config import ComputeJacobian, States
from htsr.errors import InputError
from htsr.files import Arrays, write_arrays, write_table
from htsr.jacobian import streamed, structure
from htsr.jacobian.gram import Jacobians, Rows, column_energy, column_gram, jacobians, matrices
from htsr.jacobian.parameters import parameter_gram
from htsr.jacobian.structure import Alignment
from htsr.networks.trained import Examples, Trained, examples, load_trained, untrained
from htsr.spectra.graded import graded_eigenvalues
from htsr.spectra.lanczos import top
from htsr.spectra.permutation import generator
from htsr.spectra.sketch import counts
from htsr.spectra.spectrum import Spectrum, to_arrays, to_header
from htsr.stage import stage

log = logging.getLogger("htsr.compute_jacobian")

# Gradients in single precision are known to about 1e-6 of their length, and what they leave of a dependent row's square
# to the square of that: more is counted as rank.
SINGLE = 1e-11
_DRAWN = 2000  # examples of a heat map, at most
_IMAGES = 1024  # that move along a direction at a time

LISTING = [
    *("prefix", "network", "state", "epoch", "final", "status", "n_examples", "classes", "pixels", "part"),
    *("accuracy_on_examples", "confidence", "n_saturated", "norm", "norm_stderr", "median_norm", "logit_norm"),
    *("logit_norm_stderr", "rank", "effective_rank", "largest_diagonal", "top_example", "mean_diagonal"),
    *("alignment", "alignment_null", "alignment_null_std", "correlation_alignment", "correlation_alignment_null"),
    *("correlation_alignment_null_std", "logit_alignment", "logit_alignment_null", "logit_alignment_null_std"),
    *("within", "between", "within_std", "between_std", "class_share", "class_share_null", "participation"),
    *("softmax_method", "softmax_known", "softmax_error", "softmax_largest"),
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
    header |= {"part": job.part.value, "n_examples": job.examples, "seed": job.seed, "spectra": {}, "methods": {}}

    def spectra() -> Iterator[Spectrum]:
        for state in states(job):
            found = measured(job, state)
            rows.append(found.row)
            kept.update(found.kept)
            header["spectra"] |= to_header(found.spectra)["spectra"]
            header["methods"] |= found.methods
            log.info("%s: %s", state.prefix, found.row["status"])
            yield from found.spectra

    write_arrays(job.esd, to_arrays(spectra()), header)
    write_table(job.listing, rows, LISTING)
    shapes = {name: list(array.shape) for name, array in kept.items() if name.endswith("/images")}
    write_arrays(job.detail, kept.items(), {"steps": list(job.steps), "images": shapes, "part": job.part.value})


def check(job: ComputeJacobianJob) -> None:
    """Raises InputError for a setting that makes no sense."""
    bounds = {"examples": 2, "nulls": 0, "vectors": 1, "parameters": 0, "threads": 1, "seed": 0, "exact": 0}
    bounds |= {"dense": 0, "sketch": 1, "probes": 2, "lanczos_steps": 1}
    for key, least in bounds.items():
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
    """What is known of a state: its row of the listing, its spectra, how they were found, and arrays to keep."""

    row: dict[str, Any]
    spectra: list[Spectrum]
    methods: dict[str, dict[str, Any]]
    kept: dict[str, np.ndarray]


@dataclass(frozen=True)
class Parts:
    """What M tells, whether it is formed (`of_matrices`) or not (`of_products`).

    diagonal, logit_diagonal: n. energy: diagonal of X. spectra: those of matrices; methods: by their names. rank: None
    where it is not known. blocks: k x k means of the correlations between classes. alignments: by the prefix of their
    columns. top: n x r, eigenvectors of the softmax's M, largest eigenvalue first; values: r; none where a sketch finds
    nothing that stands out. correlation: of `drawn`. kept: arrays to keep.
    """

    diagonal: np.ndarray
    logit_diagonal: np.ndarray
    energy: np.ndarray
    spectra: list[Spectrum]
    methods: dict[str, dict[str, Any]]
    rank: int | None
    effective_rank: float
    blocks: np.ndarray
    alignments: dict[str, Alignment]
    top: np.ndarray
    values: np.ndarray
    correlation: np.ndarray
    kept: dict[str, np.ndarray] = field(default_factory=dict)


def measured(job: ComputeJacobianJob, state: State) -> Found:
    """Spectra of a state and what they are made of. A state whose Jacobian is not finite has only a status."""
    at = state.at
    n, pixels = len(at.images), int(np.prod(at.images.shape[1:]))
    row = {"prefix": state.prefix, "network": state.network, "state": state.state, "epoch": state.epoch}
    row |= {"final": state.final, "n_examples": n, "classes": at.classes, "pixels": pixels, "part": job.part.value}
    network, classes = state.trained.network, at.true_labels
    found = jacobians(network, at.images, double=job.double, threads=job.threads)
    parts = (of_matrices if n <= job.dense else of_products)(job, state, found)
    if parts is None:
        return Found(row | {"status": "Jacobian with NaN or infinite entries"}, [], {}, {})
    diagonal, probabilities = parts.diagonal, found.probabilities
    spectra = [*parts.spectra, of_diagonal(state, "diagonal", diagonal), of_diagonal(state, "diagonal_x", parts.energy)]
    if job.parameters:
        few = at.images[np.linspace(0, n - 1, job.parameters).round().astype(int)]
        gram, columns = parameter_gram(network, few)
        size = {"n": len(few), "columns": columns, "dimension": columns}
        spectra.append(of_gram(job, state, "parameters", eigenvalues(gram), size, np.sqrt(gram.diagonal())))
        parts.methods[f"{state.prefix}/parameters"] = method("eigh", len(few), len(few))
    norms, logit_norms = np.sqrt(diagonal), np.sqrt(parts.logit_diagonal)
    directions = parts.top.shape[1] > 0
    blocks = structure.within_and_between(parts.blocks)
    row |= {
        "status": "ok" if diagonal.any() else "the Jacobian is zero",
        "accuracy_on_examples": 100 * float(np.mean(probabilities.argmax(axis=1) == classes)),
        "confidence": float(probabilities.max(axis=1).mean()),
        "n_saturated": int(np.sum(diagonal <= 1e-12 * diagonal.max(initial=0.0))),
        "norm": float(norms.mean()),
        "norm_stderr": float(norms.std(ddof=1) / np.sqrt(n)),
        "median_norm": float(np.median(norms)),
        "logit_norm": float(logit_norms.mean()),
        "logit_norm_stderr": float(logit_norms.std(ddof=1) / np.sqrt(n)),
        "rank": parts.rank,
        "effective_rank": parts.effective_rank,
        "largest_diagonal": float(diagonal.max()),
        "mean_diagonal": float(diagonal.mean()),
        "top_example": float((parts.top[:, 0] ** 2).max()) if directions else np.nan,
        "within": blocks.within,
        "between": blocks.between,
        "within_std": blocks.within_std,
        "between_std": blocks.between_std,
        "class_share": float(structure.class_shares(parts.top, classes).mean()) if directions else np.nan,
        "class_share_null": at.classes / n,
        "participation": float(structure.participation(parts.top[:, :1])[0]) if directions else np.nan,
        **{f"softmax_{key}": value for key, value in parts.methods[f"{state.prefix}/softmax"].items()},
        "softmax_largest": float(parts.values[0]) if len(parts.values) else np.nan,
    }
    for name, aligned in parts.alignments.items():
        row |= {f"{name}alignment": aligned.value, f"{name}alignment_null": aligned.null}
        row[f"{name}alignment_null_std"] = aligned.null_std
    kept = parts.kept | (for_drawing(job, state, found, parts) if state.network in job.details else {})
    return Found(row, spectra, parts.methods, kept)


def of_matrices(job: ComputeJacobianJob, state: State, found: Jacobians) -> Parts | None:
    """From M of the softmax and of the logits, which are formed: 48 n² bytes in all; None where it is not finite."""
    of_softmax, of_logit, energy = matrices(found, job.threads)
    if not all(np.isfinite(m).all() for m in (of_softmax, of_logit, found.probabilities)):
        return None
    n, classes = len(of_softmax), state.at.true_labels
    tolerance = n * np.finfo(float).eps if job.double else SINGLE
    correlation = structure.correlation(of_softmax)
    diagonal, logit_diagonal = of_softmax.diagonal().copy(), of_logit.diagonal().copy()
    size = size_of(state)
    m = min(n, size["columns"])
    methods = {name: method("eigh", m, n) for name in ("softmax", "centred", "correlation", "logit")}
    graded = graded_eigenvalues(of_softmax, tolerance) if n <= job.exact else None
    if graded is not None and not graded.status:
        values, rank = graded.values, graded.rank
        methods["softmax"] = method("jacobi", m, error=graded.accuracy)
    else:
        values, rank = eigenvalues(of_softmax), structure.numerical_rank(correlation, tolerance)
    if n <= job.exact:
        ranked, vectors = np.linalg.eigh(of_softmax)
        ranked, vectors = ranked[::-1][: job.vectors], vectors[:, ::-1][:, : job.vectors]
    else:
        rng = generator(job.seed, f"{state.prefix} top")
        pairs = top(lambda v: of_softmax @ v, n, job.vectors, rng, tolerance=1e-10, max_steps=500)
        ranked, vectors = pairs.values, pairs.vectors
    spectra = [
        of_gram(job, state, "softmax", values, size, np.sqrt(diagonal)),
        of_gram(job, state, "centred", eigenvalues(structure.centred(of_softmax)), size),
        of_gram(job, state, "correlation", eigenvalues(correlation), size, np.sqrt(correlation.diagonal())),
        of_gram(job, state, "logit", eigenvalues(of_logit), size, np.sqrt(logit_diagonal)),
    ]
    matrices_of = {"": of_softmax, "correlation_": correlation, "logit_": of_logit}
    shown = drawn(n)
    return Parts(
        diagonal=diagonal,
        logit_diagonal=logit_diagonal,
        energy=energy.ravel(),
        spectra=spectra,
        methods={f"{state.prefix}/{name}": how for name, how in methods.items()},
        rank=rank,
        effective_rank=structure.effective_rank(values),
        blocks=structure.block_means(correlation, classes),
        alignments={name: structure.alignment(m, classes, job.seed) for name, m in matrices_of.items()},
        top=vectors,
        values=ranked,
        correlation=correlation if len(shown) == n else correlation[np.ix_(shown, shown)],
    )


def of_products(job: ComputeJacobianJob, state: State, found: Jacobians) -> Parts | None:
    """The same from products with the rows of 𝒥, for more examples than M is formed for."""
    n, classes = len(found.logits), state.at.true_labels
    softmax, logit = (partial(found.rows, level, pixels=False) for level in ("softmax", "logit"))
    diagonal, logit_diagonal = (streamed.row_energy(rows, n) for rows in (softmax, logit))
    if not all(np.isfinite(part).all() for part in (diagonal, logit_diagonal, found.probabilities)):
        return None
    size, columns = size_of(state), softmax(0, 1).shape[1]
    correlation = streamed.scaled(softmax, diagonal)
    rows_of = {"softmax": softmax, "centred": streamed.centred(softmax, n), "correlation": correlation, "logit": logit}
    norms = {"softmax": np.sqrt(diagonal), "correlation": np.sign(diagonal), "logit": np.sqrt(logit_diagonal)}
    spectra, methods, kept, known = [], {}, {}, {}
    for name, rows in rows_of.items():
        full = f"{state.prefix}/{name}"
        own = known[name] = spectrum_of_rows(job, full, rows, n, columns)
        if own.sketched is None:
            spectra.append(of_gram(job, state, name, own.values, size, norms.get(name)))
            methods[full] = method("eigh", min(n, size["columns"]), max(n, columns))
        else:
            spectra.append(of_sketch(state, name, own))
            error = float(own.sketched.errors.max() / own.values[-1]) if len(own.values) else np.nan
            methods[full] = method("sketch", len(own.values), error=error)
            kept |= {f"{full}_{key}": array for key, array in of_quadrature(own, n).items()}
    sums, alignments = {}, {}
    for name, prefix in (("softmax", ""), ("correlation", "correlation_"), ("logit", "logit_")):
        sums[name], alignments[prefix] = streamed.class_sums(
            rows_of[name], n, columns, classes, known[name].squares, job.seed
        )
    of_softmax, shown = known["softmax"], drawn(n)
    few = np.concatenate([correlation(i, i + 1) for i in shown]) if state.network in job.details else np.empty((0, 1))
    return Parts(
        diagonal=diagonal,
        logit_diagonal=logit_diagonal,
        energy=column_energy(partial(found.rows, "softmax"), n),
        spectra=spectra,
        methods=methods,
        rank=None,
        effective_rank=of_softmax.total**2 / of_softmax.squares if of_softmax.squares > 0 else np.nan,
        blocks=streamed.block_means(sums["correlation"], np.sign(diagonal), classes),
        alignments=alignments,
        top=streamed.left_vectors(softmax, n, of_softmax.vectors),
        values=of_softmax.values[::-1][: job.vectors],
        correlation=few @ few.T,
        kept=kept,
    )


def spectrum_of_rows(job: ComputeJacobianJob, name: str, rows: Rows, n: int, columns: int) -> streamed.Known:
    rng = generator(job.seed, f"{name} sketch")
    settings = {"dense": job.dense, "vectors": job.vectors, "rank": job.sketch}
    return streamed.spectrum(rows, n, columns, rng, **settings, probes=job.probes, steps=job.lanczos_steps)


def method(name: str, known: int, size: int = 0, error: float | None = None) -> dict[str, Any]:
    """How eigenvalues were found; of symmetric matrices of `size` in floating point where no error is given."""
    return {"method": name, "known": known, "error": size * np.finfo(float).eps if error is None else error}


def size_of(state: State) -> dict[str, int]:
    """Rows and columns of 𝒥, and the dimension that rows of it with sum 0 over the classes lie in."""
    pixels = int(np.prod(state.at.images.shape[1:]))
    return {
        "n": len(state.at.images),
        "columns": state.at.classes * pixels,
        "dimension": (state.at.classes - 1) * pixels,
    }


def drawn(n: int) -> np.ndarray:
    """The examples whose correlations are drawn."""
    return np.linspace(0, n - 1, min(n, _DRAWN)).round().astype(int)


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
    """The spectrum of rows' Gram matrix, with that of rows of the same norms and random directions as its null.

    values: ascending, all that are not zero.
    """
    rows, columns = size["n"], size["columns"]
    m = min(rows, columns)
    null = np.empty((0, 0))
    if norms is not None and job.nulls:
        null = np.array(list(nulls(job, f"{state.prefix}/{name}", norms, size["dimension"], m)))
    return record(state, name, max(rows, columns), m, last(values, m), null)


def nulls(job: ComputeJacobianJob, name: str, norms: np.ndarray, dimension: int, m: int) -> Iterator[np.ndarray]:
    """m eigenvalues of each null, from the smaller Gram matrix where the other one is not formed."""
    rng = generator(job.seed, name)
    for i in range(job.nulls):
        if len(norms) <= job.dense:
            gram = structure.random_directions(norms, dimension, rng)
        else:
            rows = streamed.random_directions(norms, dimension, job.seed, f"{name}/{i}")
            gram = column_gram(rows, len(norms))
        yield last(eigenvalues(gram), m)


def last(values: np.ndarray, m: int) -> np.ndarray:
    """The m largest of ascending values, with zeros where there are fewer."""
    return np.concatenate([np.zeros(max(m - len(values), 0)), values[-m:]])


def of_sketch(state: State, name: str, own: streamed.Known) -> Spectrum:
    """An entry that says why there is no spectrum."""
    size = size_of(state)
    n, m = max(size["n"], size["columns"]), min(size["n"], size["columns"])
    status = f"only the {len(own.values)} largest of {m} eigenvalues are known, from a sketch"
    return replace(record(state, name, n, m, np.empty(0), np.empty((0, 0))), status=status)


def of_quadrature(own: streamed.Known, n: int) -> dict[str, np.ndarray]:
    """The largest eigenvalues, largest first, with their errors, and how many there are above each of many places."""
    found, above = own.sketched, counts(own.sketched, n)
    arrays = {"values": found.values, "errors": found.errors, "places": above.places}
    return arrays | {"above_low": above.low, "above_high": above.high, "above_stderr": above.stderr}


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


def for_drawing(job: ComputeJacobianJob, state: State, found: Jacobians, parts: Parts) -> dict[str, np.ndarray]:
    """What figures need of a state, under its name.

    correlation n x n, of 2000 examples at most, and their labels, ascending; diagonal n; vectors n x r: of the largest
    eigenvalues; values r; directions r x k x d: right singular vectors; patterns r x k and images r x c x h x w:
    `structure.class_pattern` of these, shares r; flow r x steps x k: mean probabilities of the classes when all images
    move along one of `images`, and moved r x steps: share of the images whose class changes.
    """
    at, r = state.at, parts.top.shape[1]
    shape = at.images.shape[1:]
    usable = int(np.sum(parts.values[:r] > np.finfo(float).eps * len(parts.top) * parts.values.max(initial=0.0)))
    if not usable:
        return {}
    top, values = parts.top[:, :usable], parts.values[:usable]
    directions = np.stack([found.transposed("softmax", top[:, i]) / np.sqrt(values[i]) for i in range(usable)])
    patterns, images, shares = zip(*map(structure.class_pattern, directions), strict=True)
    flow, moved = probability_flow(state, np.array(images), job.steps)
    return {
        f"{state.prefix}/correlation": parts.correlation.astype(np.float32),
        f"{state.prefix}/labels": at.true_labels[drawn(len(at.true_labels))].astype(np.int64),
        f"{state.prefix}/diagonal": parts.diagonal,
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

    def scores(moved: torch.Tensor) -> torch.Tensor:
        return torch.cat([state.trained.network(part) for part in moved.split(_IMAGES)])

    before = scores(images).argmax(dim=1)
    flow = np.empty((len(directions), len(steps), state.at.classes))
    moved = np.empty(flow.shape[:2])
    for i, direction in enumerate(directions):
        along = torch.from_numpy(direction.astype(np.float32)).reshape(1, *images.shape[1:])
        for j, step in enumerate(steps):
            found = scores(images + step * scale * along).double()
            flow[i, j] = found.softmax(dim=1).mean(dim=0).numpy()
            moved[i, j] = float((found.argmax(dim=1) != before).double().mean())
    return flow, moved


if __name__ == "__main__":
    main()
