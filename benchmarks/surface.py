"""Points of a loss surface of ResNet-20 on 512 images of 3 x 32 x 32, beside the published way and a bare forward pass.

    OMP_NUM_THREADS=1 python benchmarks/surface.py [points]

The published way is that of the code of Li et al. 2018 (tomgoldstein/loss-landscape), point by point in memory: the
weights plus both directions, batch normalization as it is, images in batches of 128, the loss of each batch. `bare` is
the forward pass of the folded network alone, in the layout and the chunks of ours.
"""

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from htsr.landscape import surface
from htsr.landscape.directions import moved, random_direction
from htsr.networks.build import build
from htsr.networks.folding import fold_batch_norm
from htsr.networks.train import evaluate

N = 512


def main(points: int) -> None:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    network = build("resnet", 16, 20, (3, 32, 32), 10, generator)
    images, labels = torch.randn(N, 3, 32, 32, generator=generator), torch.randint(0, 10, (N,), generator=generator)
    surface.recalibrate(network, [images[:128]])  # as if it were trained
    state = network.state_dict()
    directions = [random_direction(state, 0, axis=axis) for axis in (0, 1)]
    frozen = surface.evaluator(network, {"train": (images, labels)})
    anew = surface.evaluator(network, {"train": (images, labels)}, batch_norm="recalibrated", calibration=images)
    folded = fold_batch_norm(network, images[:2]).to(memory_format=torch.channels_last)
    chunks = images.contiguous(memory_format=torch.channels_last).split(32)
    work = build("resnet", 16, 20, (3, 32, 32), 10, generator)
    work.load_state_dict(state)
    single = [{key: tensor.float() for key, tensor in direction.items()} for direction in directions]

    def published(a: float, b: float) -> float:
        for key, parameter in work.named_parameters():
            if key in single[0]:
                parameter.data = state[key] + a * single[0][key] + b * single[1][key]
        work.eval()
        total = 0.0
        with torch.no_grad():
            for x, y in zip(images.split(128), labels.split(128), strict=True):
                total += nn.functional.cross_entropy(work(x), y).item() * len(y)
        return total / N

    def bare(a: float, b: float) -> float:
        with torch.no_grad():
            for x in chunks:
                folded(x)
        return np.nan

    works: dict[str, Callable[[float, float], float]] = {
        "ours, frozen": lambda a, b: frozen(moved(state, directions, (a, b)))["train"].loss,
        "ours, recalibrated": lambda a, b: anew(moved(state, directions, (a, b)))["train"].loss,
        "the published way, frozen": published,
        "bare forward pass": bare,
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    losses: dict[str, list[float]] = {name: [] for name in works}
    rng = np.random.default_rng(0)
    for a, b in [(0.0, 0.0), *rng.uniform(-0.5, 0.5, (points, 2)).tolist()]:
        for name, work_ in works.items():  # in turns, so that a busy machine slows all of them
            start = time.process_time()
            losses[name].append(work_(a, b))
            times[name].append(time.process_time() - start)
    median = {name: statistics.median(own[1:]) for name, own in times.items()}
    print(f"{points} points, one thread, median seconds of processor time a point")
    for name, seconds in median.items():
        print(f"  {name:28} {seconds:.3f}  ({seconds / median['ours, frozen']:.2f} of ours)")
    print(f"  ours is {median['the published way, frozen'] / median['ours, frozen']:.2f} times faster")
    print(f"  ours takes {median['ours, frozen'] / median['bare forward pass']:.3f} of a bare forward pass")
    ours, theirs = (np.array(losses[name]) for name in ("ours, frozen", "the published way, frozen"))
    print(f"  largest relative difference of the losses {np.abs(ours / theirs - 1).max():.0e}")
    print(f"  at (0, 0) {losses['ours, frozen'][0]:.7f}, of the network {evaluate(network, images, labels)[0]:.7f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 10)
