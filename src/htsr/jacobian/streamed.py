"""What `structure` says of M = RRᵀ, and its spectrum, from the rows of R: for more examples than M has memory for.

Every function goes through the rows (`gram.Rows`) a block at a time and keeps what does not grow with n². Where X =
RᵀR has few columns all eigenvalues are those of X; otherwise the largest ones come from a sketch.
"""

from dataclasses import dataclass

import numpy as np

from htsr.jacobian.gram import BLOCK, Rows, column_gram
from htsr.jacobian.structure import Alignment
from htsr.spectra import sketch
from htsr.spectra.lanczos import top
from htsr.spectra.permutation import generator

_WIDE = 8 * BLOCK  # rows of a block in products with many columns


def row_energy(rows: Rows, n: int) -> np.ndarray:
    """The diagonal of M: squared length of each row (n)."""
    parts = (rows(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK))
    return np.concatenate([np.einsum("ij,ij->i", part, part) for part in parts])


def centred(rows: Rows, n: int) -> Rows:
    """The rows less their mean."""
    mean = sum(rows(start, min(start + BLOCK, n)).sum(axis=0) for start in range(0, n, BLOCK)) / n
    return lambda start, stop: rows(start, stop) - mean


def scaled(rows: Rows, diagonal: np.ndarray) -> Rows:
    """The rows scaled to length one, those of length zero as they are. diagonal: of M."""
    scale = np.divide(1.0, np.sqrt(diagonal), out=np.zeros_like(diagonal), where=diagonal > 0)
    return lambda start, stop: rows(start, stop) * scale[start:stop, None]


def random_directions(norms: np.ndarray, dimension: int, seed: int, name: str) -> Rows:
    """Rows of the given norms (n) with independent, uniformly random directions, drawn anew whenever they are asked."""

    def block(number: int) -> np.ndarray:
        own = norms[number * BLOCK : (number + 1) * BLOCK]
        drawn = generator(seed, f"{name}/{number}").standard_normal((len(own), dimension))
        return drawn * (own / np.linalg.norm(drawn, axis=1))[:, None]

    def rows(start: int, stop: int) -> np.ndarray:
        first = start // BLOCK
        found = np.concatenate([block(number) for number in range(first, (stop - 1) // BLOCK + 1)])
        return found[start - first * BLOCK : stop - first * BLOCK]

    return rows


@dataclass(frozen=True)
class Known:
    """Of M and X alike. values: ascending, all that can differ from zero or, with a sketch, the largest.

    vectors: size x r, eigenvectors of X with the largest eigenvalues, none of them zero, largest first. total: Σλ;
    squares: Σλ². sketched: None where all eigenvalues are known.
    """

    values: np.ndarray
    vectors: np.ndarray
    total: float
    squares: float
    sketched: sketch.Largest | None = None


def spectrum(
    rows: Rows,
    n: int,
    size: int,
    rng: np.random.Generator,
    *,
    dense: int,
    vectors: int,
    rank: int,
    probes: int,
    steps: int,
) -> Known:
    """Of n rows of `size` columns: from X where size <= dense, otherwise `sketch.largest` of the given rank."""
    if size > dense:
        found = sketch.largest(rows, n, size, rank, rng, power=5, probes=probes, steps=steps, block=_WIDE)
        return Known(found.values[::-1], found.vectors[:, :vectors], found.total, found.squares, found)
    x = column_gram(rows, n)
    values = np.linalg.eigvalsh(x)
    smallest = np.finfo(float).eps * max(n, size) * values[-1]
    values[values < smallest] = 0.0
    pairs = top(lambda v: x @ v, size, vectors, rng, tolerance=1e-10, max_steps=500)
    return Known(values, pairs.vectors[:, pairs.values > smallest], float(np.trace(x)), float(np.vdot(x, x)))


def left_vectors(rows: Rows, n: int, right: np.ndarray) -> np.ndarray:
    """Unit eigenvectors of M (n x r) that belong to eigenvectors of X with eigenvalues that are not zero."""
    found = sketch.times(rows, right, n, _WIDE)[0]
    return found / np.linalg.norm(found, axis=0)


def class_sums(
    rows: Rows, n: int, size: int, labels: np.ndarray, squares: float, seed: int, permutations: int = 39
) -> tuple[np.ndarray, Alignment]:
    """Sums of M over the pairs of every two classes (k x k), and `structure.alignment`. squares: ‖M‖_F²."""
    classes = np.eye(labels.max() + 1)[labels]
    own = classes - classes.mean(axis=0)
    rng = generator(seed, "alignment")
    drawn = [rng.permutation(own) for _ in range(permutations)]
    of_classes, *of_drawn = np.split(
        sketch.transposed(rows, np.hstack([classes, *drawn]), size, _WIDE), permutations + 1, axis=1
    )
    total = of_classes.sum(axis=1)
    row_sums = sketch.times(rows, total[:, None], n, _WIDE)[0][:, 0]
    # ‖HMH‖² with H = 1 - 11ᵀ/n, from M and M1.
    inner = squares - 2 / n * float(row_sums @ row_sums) + (float(total @ total) / n) ** 2
    norm = np.sqrt(max(inner, 0.0)) * np.linalg.norm(own.T @ own)
    sums = of_classes.T @ of_classes
    if not norm > 0:
        return sums, Alignment(np.nan, np.nan, np.nan)
    of_own = of_classes - total[:, None] * classes.mean(axis=0)
    values = np.array([np.vdot(part, part) for part in of_drawn]) / norm
    return sums, Alignment(float(np.vdot(of_own, of_own)) / norm, float(values.mean()), float(values.std(ddof=1)))


def block_means(sums: np.ndarray, diagonal: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """`structure.block_means` from `class_sums` and the diagonal of M."""
    counts = np.bincount(labels, minlength=len(sums))
    pairs = np.outer(counts, counts) - np.diag(counts)
    off = sums - np.diag(np.bincount(labels, diagonal, minlength=len(sums)))
    return np.divide(off, pairs, out=np.full_like(off, np.nan), where=pairs > 0)
