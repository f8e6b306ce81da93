"""Points of a loss surface of ResNet-20 on 512 images of 3 x 32 x 32, beside the published way and a bare forward pass.

    OMP_NUM_THREADS=1 python benchmarks/surface.py [points]

The published way is that of the code of Li et al. 2018 (tomgoldstein/loss-landscape), point by point in memory: the
weights plus both directions, batch normalization as it is, images in batches of 128, the loss of each batch. `bare` is
the forward pass of the folded network alone, in the layout and the chunks of ours. Each way runs in processes of its
own, since what an allocator gives back to the system and takes again differs with what ran before.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from htsr.landscape import surface
from htsr.landscape.directions import moved, random_direction
from htsr.networks.build import build
from htsr.networks.folding import fold_batch_norm

N = 512
OPERATIONS = 81.1e6  # of the convolutions for one image, in floating point
ROUNDS = 2
OURS, ANEW, PUBLISHED, BARE = WAYS = "ours, frozen", "ours, recalibrated", "published way, frozen", "bare forward pass"


def ours(network: nn.Module, images: Tensor, labels: Tensor, directions: list[dict[str, Tensor]], way: str) -> Callable:
    policy = "frozen" if way == OURS else "recalibrated"
    evaluate = surface.evaluator(network, {"train": (images, labels)}, batch_norm=policy, calibration=images)
    state = network.state_dict()
    return lambda a, b: evaluate(moved(state, directions, (a, b)))["train"].loss


def published(network: nn.Module, images: Tensor, labels: Tensor, directions: list[dict[str, Tensor]]) -> Callable:
    start = {key: parameter.data.clone() for key, parameter in network.named_parameters()}
    single = [{key: tensor.float() for key, tensor in direction.items()} for direction in directions]

    def loss(a: float, b: float) -> float:
        for key, parameter in network.named_parameters():
            if key in single[0]:
                parameter.data = start[key] + a * single[0][key] + b * single[1][key]
        network.eval()
        total = 0.0
        with torch.no_grad():
            for x, y in zip(images.split(128), labels.split(128), strict=True):
                total += nn.functional.cross_entropy(network(x), y).item() * len(y)
        return total / N

    return loss


def bare(network: nn.Module, images: Tensor) -> Callable:
    folded = fold_batch_norm(network, images[:2]).to(memory_format=torch.channels_last)
    chunks = images.contiguous(memory_format=torch.channels_last).split(32)

    @torch.no_grad()
    def passes(a: float, b: float) -> float:
        for x in chunks:
            folded(x)
        return np.nan

    return passes


def run(way: str, points: int) -> None:
    """Print seconds of processor time a point (median) and the losses."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    network = build("resnet", 16, 20, (3, 32, 32), 10, generator)
    images, labels = torch.randn(N, 3, 32, 32, generator=generator), torch.randint(0, 10, (N,), generator=generator)
    surface.recalibrate(network, [images[:128]])  # as if it were trained
    directions = [random_direction(network.state_dict(), 0, axis=axis) for axis in (0, 1)]
    if way == PUBLISHED:
        loss = published(network, images, labels, directions)
    elif way == BARE:
        loss = bare(network, images)
    else:
        loss = ours(network, images, labels, directions, way)
    times, losses = [], []
    for a, b in [(0.0, 0.0), *np.random.default_rng(0).uniform(-0.5, 0.5, (points, 2)).tolist()]:
        start = time.process_time()
        losses.append(loss(a, b))
        times.append(time.process_time() - start)
    print(statistics.median(times[1:]), *losses)


def peak() -> float:
    """Operations in a second of this core in a product of single-precision matrices."""
    torch.set_num_threads(1)
    a, best = torch.randn(1024, 1024), 0.0
    for _ in range(10):
        start = time.process_time()
        a @ a
        best = max(best, 2 * 1024**3 / (time.process_time() - start))
    return best


def main(points: int) -> None:
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    losses = {}
    for _ in range(ROUNDS):  # in turns, so that a busy machine slows all of them
        for way in WAYS:
            command = [sys.executable, __file__, way, str(points)]
            seconds, *found = map(float, subprocess.check_output(command, text=True).split())
            times[way].append(seconds)
            losses[way] = np.array(found)
    median = {way: statistics.median(own) for way, own in times.items()}
    print(f"{points} points, {ROUNDS} runs, one thread: seconds of processor time a point, GFLOP/s of its convolutions")
    for way, seconds in median.items():
        passes = 2 if way == ANEW else 1
        print(f"  {way:24} {seconds:.3f} s  {passes * N * OPERATIONS / seconds / 1e9:.0f} GFLOP/s")
    print(f"  a product of matrices of 1024 x 1024 reaches {peak() / 1e9:.0f} GFLOP/s")
    print(f"  ours is {median[PUBLISHED] / median[OURS]:.2f} times as fast as the published way")
    print(f"  ours takes {median[OURS] / median[BARE]:.3f} of a bare forward pass")
    print(f"  largest relative difference of the losses {np.abs(losses[OURS] / losses[PUBLISHED] - 1).max():.0e}")


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in WAYS:
        run(sys.argv[1], int(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 5)
