"""From the matrices of a weight back to its tensor."""

from collections.abc import Sequence
from math import prod

import numpy as np


def assemble(
    matrices: Sequence[np.ndarray],
    shape: Sequence[int],
    kernel: Sequence[int],
    unfolded: bool = False,
    transposed: bool = False,
) -> np.ndarray:
    """The tensor of a weight from all its matrices, inverse of `htsr.models.layers.matrices`.

    matrices: of one shape, in the order in which they come, one for each block and, unless unfolded, each kernel
    position. shape, kernel: as its entries say. unfolded: whether the matrices are out x in·kernel, which a transposed
    convolution (in x out x kernel) swaps.
    """
    stack = np.stack(list(matrices))
    rows, columns = stack.shape[1:]
    if unfolded:
        stack = stack.reshape(len(stack), rows, columns // prod(kernel), *kernel)
        stack = stack.swapaxes(1, 2) if transposed else stack
    else:
        stack = stack.reshape(-1, *kernel, rows, columns)
        stack = np.moveaxis(stack, (-2, -1), (1, 2))
    return np.ascontiguousarray(stack).reshape(tuple(shape))
