"""Draw singular values of input-output Jacobians of random networks of several depths beside their laws.

The networks are sampled here: linear and ReLU, with Gaussian and orthogonal weights.
"""

import logging
from dataclasses import dataclass

import numpy as np
from omegaconf import MISSING

from htsr.config import PlotJacobianDepth
from htsr.errors import InputError
from htsr.figures import jacobian_depth, style
from htsr.spectra.permutation import generator
from htsr.stage import stage

log = logging.getLogger("htsr.plot_jacobian_depth")


@dataclass
class PlotJacobianDepthJob(PlotJacobianDepth):
    pdf: str = MISSING
    png: str = MISSING
    csv: str = MISSING


def squared_singular_values(
    width: int, depth: int, relu: bool, orthogonal: bool, rng: np.random.Generator
) -> np.ndarray:
    """Those of D_L W_L ... D_1 W_1, descending: D_l is what a random Gaussian input leaves active, the identity
    without ReLU. W_l: Gaussian of variance σ²/width, or σ times Haar-random orthogonal; σ² = 2 with ReLU, else 1.
    """
    scale = np.sqrt(2.0) if relu else 1.0
    signal, jacobian = rng.standard_normal(width), np.eye(width)
    for _ in range(depth):
        weight = rng.standard_normal((width, width))
        if orthogonal:
            q, r = np.linalg.qr(weight)
            weight = scale * q * np.sign(r.diagonal())
        else:
            weight *= scale / np.sqrt(width)
        signal, jacobian = weight @ signal, weight @ jacobian
        if relu:
            active = signal > 0
            signal, jacobian = signal * active, jacobian * active[:, None]
    return np.linalg.svd(jacobian, compute_uv=False) ** 2


@stage(PlotJacobianDepthJob)
def main(job: PlotJacobianDepthJob) -> None:
    for key, least in (("width", 2), ("samples", 1), ("seed", 0)):
        if getattr(job, key) < least:
            raise InputError(f"plot_jacobian_depth.{key} is {getattr(job, key)}: the least is {least}")
    samples = {}
    for name, network in jacobian_depth.NETWORKS.items():
        for depth in network.depths:
            found = []
            for i in range(job.samples):
                rng = generator(job.seed, f"{name}[depth={depth},sample={i}]")
                relu = network.active < 1
                found.append(squared_singular_values(job.width, depth, relu, network.orthogonal, rng))
            samples[name, depth] = np.array(found)
    figure, drawn = jacobian_depth.draw(samples, job.width)
    style.save(figure, drawn, job.pdf, job.png, job.csv)
    log.info("drew %d random networks", sum(map(len, samples.values())))


if __name__ == "__main__":
    main()
