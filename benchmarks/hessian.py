"""Hessian of a ResNet-20 on 512 images: both ends beside scipy's eigsh, a product beside its parts, and densities.

    python benchmarks/hessian.py [images] [side]

The network is trained for 40 steps on noise with random labels, so that no data are needed; `side` is the width of its
images in pixels (32 as in CIFAR-10, about an hour; 8 by default, about 5 minutes). eigsh gets the same products;
curvlinops is compared where it is installed.
"""

import sys
import time

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch.nn.functional import cross_entropy

from htsr.landscape.hessian import hessian_product
from htsr.landscape.sharpness import certified, extremes
from htsr.networks.build import build
from htsr.spectra.lanczos import Tridiagonal, lanczos, ritz
from htsr.spectra.quadrature import quadrature, trace_of

REPETITIONS = 3
TOLERANCES = (1e-1, 1e-2, 1e-3)
STEPS_AT_MOST = 300
STEPS, PROBES = 30, 4


def trained(images: torch.Tensor, labels: torch.Tensor) -> torch.nn.Module:
    """A ResNet-20 of width 16 after 40 steps of gradient descent."""
    network = build("resnet", 16, 20, images.shape[1:], 10, torch.Generator().manual_seed(0))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    for _ in range(10):
        for x, y in zip(images.split(128), labels.split(128), strict=True):
            optimizer.zero_grad()
            cross_entropy(network(x), y).backward()
            optimizer.step()
    return network.eval()


def seconds(work) -> float:
    """Least processor time of a few runs."""
    times = []
    for _ in range(REPETITIONS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def product_beside_its_parts(network, images, labels) -> None:
    arrays = images.numpy(), labels.numpy()
    fast = network.to(memory_format=torch.channels_last)
    x = images.contiguous(memory_format=torch.channels_last)
    parameters = list(fast.parameters())
    v = np.random.default_rng(0).standard_normal(sum(p.numel() for p in parameters))
    parts = [torch.from_numpy(part).float().view(p.shape) for part, p in zip(
        np.split(v, np.cumsum([p.numel() for p in parameters])[:-1]), parameters, strict=True)]  # fmt: skip

    def textbook() -> None:
        gradients = torch.autograd.grad(cross_entropy(fast(x), labels), parameters, create_graph=True)
        inner = sum((g * part).sum() for g, part in zip(gradients, parts, strict=True))
        torch.autograd.grad(inner, parameters)

    def gradient() -> None:
        torch.autograd.grad(cross_entropy(fast(x), labels), parameters)

    kept, anew = (hessian_product(network, *arrays, memory=memory) for memory in (1e11, 0))
    unit = seconds(gradient)
    print(f"one gradient {unit:.2f} s; products, in gradients:")
    for name, work in (
        ("graph kept", lambda: kept(v)),
        ("graph made anew", lambda: anew(v)),
        ("textbook, all images in one pass", textbook),
    ):
        print(f"  {name:34} {seconds(work) / unit:.2f}")


def ends(product, size: int) -> None:
    """Products until the residual of each end is within a tolerance of its eigenvalue, which is how eigsh stops."""
    count = 0

    def counted(v):
        nonlocal count
        count += 1
        return product(np.ravel(v))

    def within(run: Tridiagonal) -> bool:
        found = ritz(run)
        return (found.bounds[[0, -1]] <= tolerance * np.abs(found.values[[0, -1]])).all()

    start = np.random.default_rng(0).standard_normal(size)
    operator = LinearOperator((size, size), matvec=counted, dtype=float)
    for tolerance in TOLERANCES:
        print(f"both ends, each residual within {tolerance:g} of its eigenvalue:")
        run = lanczos(product, start, STEPS_AT_MOST, until=within)
        own = ritz(run)
        ours = len(run.alpha)
        pair = own.values[[0, -1]], run.basis @ own.coefficients[:, [0, -1]]
        _line("htsr lanczos", ours, ours, *pair, product)
        count = 0
        pair = eigsh(operator, k=2, which="BE", tol=tolerance, v0=start)
        _line("scipy eigsh BE", count, ours, *pair, product)


def _line(name, count, ours, values, vectors, product) -> None:
    images = np.stack([product(v) for v in vectors.T], axis=1)
    low, high = certified(vectors, images)[1] / np.abs(values)
    print(
        f"  {name:20} {count:4d} products ({count / ours:.1f} times), {values[0]:.5f}, {values[-1]:.5f},"
        f" residuals {low:.0e}, {high:.0e}"
    )


def densities(product, size: int) -> None:
    """The share of eigenvalues near 0, weighted by exp(-(λ/s)²/2) with s = λmax/50, and the trace, at equal cost."""
    known = extremes(product, size, 9, np.random.default_rng(1), tolerance=1e-3)
    scale = 0.02 * np.abs(known.values).max()
    paid = -(-known.products // STEPS)  # probes in place of the eigenvectors
    print(
        f"densities, {PROBES + paid} x {STEPS} products, or {PROBES} x {STEPS} and {known.products} for eigenvectors:"
    )
    pairs = (known.values, known.vectors)
    for name, probes, deflated in (("plain", PROBES + paid, None), ("deflated, lowest and 9 highest", PROBES, pairs)):
        spectrum = quadrature(
            product, size, probes=probes, steps=STEPS, rng=np.random.default_rng(0), deflated=deflated
        )
        near, error = trace_of(spectrum, lambda x: np.exp(-((x / scale) ** 2) / 2))
        trace, trace_error = trace_of(spectrum, lambda x: x)
        print(f"  {name:34} near 0 {near / size:.5f} ± {error / size:.5f}, trace {trace:.2f} ± {trace_error:.2f}")


def curvlinops_agrees(network, images, labels, product) -> None:
    try:
        from curvlinops import HessianLinearOperator
    except ImportError:
        print("curvlinops is not installed: not compared")
        return
    parameters = [p for p in network.parameters()]
    operator = HessianLinearOperator(
        network, torch.nn.CrossEntropyLoss(), parameters, list(zip(images.split(128), labels.split(128), strict=True))
    )
    v = np.random.default_rng(3).standard_normal(sum(p.numel() for p in parameters)).astype(np.float32)
    theirs = (operator @ torch.from_numpy(v)).detach().numpy()
    own = product(v.astype(float))
    print(
        f"largest difference to curvlinops: {np.abs(theirs - own).max() / np.abs(own).max():.0e} of the largest entry"
    )


def main(n: int, side: int) -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.standard_normal((n, 3, side, side)).astype(np.float32))
    labels = torch.from_numpy(rng.integers(0, 10, n))
    network = trained(images, labels)
    print(f"ResNet-20, {n} images of {side} x {side}")
    product_beside_its_parts(network, images, labels)
    product = hessian_product(network, images.numpy(), labels.numpy(), memory=1e11)
    size = sum(p.numel() for p in network.parameters())
    ends(product, size)
    densities(product, size)
    curvlinops_agrees(network, images, labels, product)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:] or ("512", "8")))
