"""The matrix 𝒥 of all Jacobians of a data set, M = 𝒥𝒥ᵀ and X = 𝒥ᵀ𝒥, in memory that M alone makes grow with n.

Row i of 𝒥 (n x k d) is the flattened Jacobian (k classes x d pixels) of example i, of the softmax or of the logits less
their mean. What is kept of an example are its k - 1 gradients (`htsr.jacobian.gradients`), in a temporary file; rows
are made of them in float64 when they are asked for. Products are cut into tiles of one shape, so that their bits depend
neither on the number of threads nor on how many examples follow.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np
from torch import Tensor, nn

from htsr.errors import InputError
from htsr.jacobian.gradients import (
    BLOCK,
    FirstLayer,
    differences,
    first_layer,
    in_order,
    logit_jacobian,
    preactivations,
    prepared,
    probabilities,
    softmax_jacobian,
)

TILE = 128  # rows of a tile
_PANEL = 4  # tiles that are held while all others pass by
LEVELS = {"softmax": softmax_jacobian, "logit": logit_jacobian}

Rows = Callable[[int, int], np.ndarray]
"""rows(start, stop): rows start to stop of a matrix, (stop - start) x D, float64."""


class Store:
    """Arrays of one shape, numbered, in an unnamed temporary file; written and read in runs, by any thread.

    The file lies where `tempfile` puts it (the variable TMPDIR) and goes with the last reference. Unlike a memory map,
    what was read of it does not count as the process's memory.
    """

    def __init__(self, count: int, shape: tuple[int, ...], dtype: np.dtype):
        """Raises InputError where the disk has no room for `count` arrays."""
        self.shape, self.dtype = shape, dtype
        self._bytes = prod(shape) * dtype.itemsize
        folder = tempfile.gettempdir()
        if count * self._bytes > shutil.disk_usage(folder).free:
            raise InputError(
                f"{count} Jacobians take {count * self._bytes / 1e9:.1f} GB, more than is free in {folder}: set TMPDIR "
                "to a folder with more room, or take fewer examples"
            )
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the store

    def write(self, start: int, arrays: np.ndarray) -> None:
        """Put arrays (b x shape) at the numbers from `start`."""
        rest, at = memoryview(np.ascontiguousarray(arrays, self.dtype)).cast("B"), start * self._bytes
        while rest:  # the system writes 2 GB at most
            written = os.pwrite(self._file.fileno(), rest, at)
            rest, at = rest[written:], at + written

    def read(self, start: int, stop: int) -> np.ndarray:
        """The arrays of the numbers from `start` to before `stop`."""
        arrays = np.empty((stop - start, *self.shape), self.dtype)
        rest, at = memoryview(arrays).cast("B"), start * self._bytes
        while rest:
            given = os.preadv(self._file.fileno(), [rest], at)
            if not given:
                raise EOFError(f"nothing was written at {start} to {stop}")
            rest, at = rest[given:], at + given
        return arrays


def gram(rows: Rows, n: int, threads: int = 1) -> np.ndarray:
    """M = R Rᵀ (n x n, float64, exactly symmetric) of n rows; rows(start, stop) may be asked by several threads."""
    m = np.empty((n, n))
    starts = range(0, n, TILE)

    def tile(start: int) -> np.ndarray:
        part = rows(start, min(start + TILE, n))
        return part if len(part) == TILE else np.pad(part, ((0, TILE - len(part)), (0, 0)))

    for first in range(0, len(starts), _PANEL):
        panel = starts[first : first + _PANEL]
        left = dict(zip(panel, in_order(tile, panel, threads), strict=True))

        def against(j: int, left: dict[int, np.ndarray] = left) -> None:
            right = left[j] if j in left else tile(j)
            for i, own in left.items():
                if i >= j:
                    part = own @ right.T
                    m[i : i + TILE, j : j + TILE] = part[: n - i, : n - j]
                    m[j : j + TILE, i : i + TILE] = part[: n - i, : n - j].T

        for _ in in_order(against, starts[: first + len(panel)], threads):
            pass
    return m


def column_gram(rows: Rows, n: int) -> np.ndarray:
    """X = Rᵀ R (D x D, float64, exactly symmetric) of n rows, where twice D² numbers fit into memory."""
    first, *more = range(0, n, TILE)
    x = (part := rows(first, min(first + TILE, n))).T @ part
    for start in more:
        x += (part := rows(start, min(start + TILE, n))).T @ part
    return x


def column_energy(rows: Rows, n: int) -> np.ndarray:
    """The diagonal of RᵀR: sum of the squares of each column of n rows (D, float64)."""
    return sum(np.einsum("ij,ij->j", part, part) for part in _parts(rows, n))


def _parts(rows: Rows, n: int):
    return (rows(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK))


@dataclass(frozen=True)
class Jacobians:
    """𝒥 of n examples with k classes and d pixels.

    logits, probabilities: n x k, float64.
    """

    logits: np.ndarray
    probabilities: np.ndarray
    _reference: np.ndarray
    _store: Store
    _first: FirstLayer | None

    def rows(self, level: str, start: int, stop: int, pixels: bool = True) -> np.ndarray:
        """Rows of 𝒥 at a level (`softmax` or `logit`): (stop - start) x k d, float64.

        pixels: False gives them in the coordinates of `gradients.FirstLayer` where the network has one: k u columns
        with the same inner products.
        """
        found = [
            LEVELS[level](self.logits[part], self._reference[part], self._store.read(part.start, part.stop))
            for part in (slice(i, min(i + BLOCK, stop)) for i in range(start, stop, BLOCK))
        ]
        if self._first is not None:
            found = [part @ self._first.factor for part in found]
            found = [part @ self._first.back for part in found] if pixels else found
        return np.concatenate(found).reshape(stop - start, -1)

    def times(self, level: str, v: np.ndarray) -> np.ndarray:
        """𝒥 v for v of k x d or m x k x d: n or n x m numbers."""
        columns = v.reshape(-1, v.shape[-2] * v.shape[-1])
        if self._first is not None:
            columns = (v @ self._first.back.T).reshape(len(columns), -1)
        product = np.concatenate([part @ columns.T for part in self._reduced(level)])
        return product[:, 0] if v.ndim == 2 else product

    def transposed(self, level: str, u: np.ndarray) -> np.ndarray:
        """𝒥ᵀ u for u of n or n x m: k x d or m x k x d. Of an eigenvector of M, over √λ: the right singular vector."""
        columns = u.reshape(len(u), -1)
        parts = zip(range(0, len(u), BLOCK), self._reduced(level), strict=True)
        found = sum(columns[start : start + BLOCK].T @ part for start, part in parts)
        found = found.reshape(*u.shape[1:], self.logits.shape[1], -1)
        return found if self._first is None else found @ self._first.back

    def _reduced(self, level: str):
        return _parts(lambda start, stop: self.rows(level, start, stop, pixels=False), len(self.logits))


@dataclass(frozen=True)
class JacobianMatrices(Jacobians):
    """𝒥 with M = 𝒥𝒥ᵀ of the softmax and of the logits (n x n, float64), and the diagonal of the softmax's X (k x d)."""

    softmax: np.ndarray
    logit: np.ndarray
    energy: np.ndarray


def jacobians(network: nn.Module, images: np.ndarray | Tensor, *, double: bool = False, threads: int = 1) -> Jacobians:
    """𝒥 of a network at images n x c x h x w. Arguments and errors as of `gradients.logit_gradients`.

    The temporary file takes 4 n (k - 1) d bytes (twice as much with `double`), with u in place of d where the network
    begins with a fully connected layer of u < d units.
    """
    network, images = prepared(network, images, double)
    first = first_layer(network)
    if first is not None:
        network, images = first.rest, preactivations(first, images)
    logits, reference, store = [], [], None
    for block in differences(network, images, threads):
        store = store or Store(len(images), block.gradients.shape[1:], block.gradients.dtype)
        store.write(block.start, block.gradients)
        logits.append(block.logits)
        reference.append(block.reference)
    logits = np.concatenate(logits)
    return Jacobians(logits, probabilities(logits), np.concatenate(reference), store, first)


def matrices(found: Jacobians, threads: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """M of the softmax and of the logits (n x n, float64), and the diagonal of the softmax's X (k x d).

    M takes 8 n² bytes a level; all the rest of the memory does not depend on n. Numbers that are not finite stay so.
    """
    n, k = found.logits.shape
    softmax, logit = (
        gram(lambda start, stop, level=level: found.rows(level, start, stop, pixels=False), n, threads)
        for level in LEVELS
    )
    return softmax, logit, column_energy(lambda start, stop: found.rows("softmax", start, stop), n).reshape(k, -1)


def jacobian_matrices(
    network: nn.Module, images: np.ndarray | Tensor, *, double: bool = False, threads: int = 1
) -> JacobianMatrices:
    """𝒥 of a network at images n x c x h x w with its `matrices`. Arguments and errors as of `jacobians`."""
    found = jacobians(network, images, double=double, threads=threads)
    softmax, logit, energy = matrices(found, threads)
    return JacobianMatrices(**vars(found), softmax=softmax, logit=logit, energy=energy)
