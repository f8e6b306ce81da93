"""From a network to eigenvalues, tail fits and measures, beside weightwatcher and beside the bare linear algebra.

    python benchmarks/compute_esd.py [resnet18 vgg11 ...]        needs torchvision and weightwatcher

The work is that of weightwatcher's defaults: slices of convolutions pooled, one power law a layer, norms and ranks, no
null, no bootstrap. `bare` is the float64 Gram matrix and numpy's eigvalsh of every matrix and nothing else. Peak
memory is that of one 4096 x 25088 linear layer beyond the layer itself, each in its own process.
"""

import logging
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision

from htsr.metrics.measures import measure
from htsr.models.layers import known_layers, matrices
from htsr.spectra.esd import compute_spectrum
from htsr.tails.power_law import Rule, fit_power_law, hill, usable

REPETITIONS = {"resnet18": 5, "vgg11": 1}
LARGE = (4096, 25088)


def pools(network: torch.nn.Module) -> Iterator[tuple[str, dict[str, Any], dict[str, np.ndarray]]]:
    found, _ = matrices(network.state_dict(), "pooled", 1, known_layers(network))
    for pool, group in groupby(found, key=lambda item: item[2]["pool"]):
        items = list(group)
        yield pool, items[0][2], {name: w for name, w, _ in items}


def ours(network: torch.nn.Module) -> list[dict[str, Any]]:
    rows = []
    for pool, info, found in pools(network):
        spectrum = compute_spectrum(pool, info["layer"], info["kind"], found, "weightwatcher")
        x = usable(spectrum.eigenvalues, spectrum.n, min_eigenvalue=1e-5)
        fit = fit_power_law(x, Rule("left", 2))
        rows.append(
            {**measure(spectrum, {"alpha": fit.alpha, "xmin": fit.xmin}), "alpha": fit.alpha, "alpha_hill": hill(x)}
        )
    return rows


def theirs(network: torch.nn.Module) -> Any:
    import weightwatcher

    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return weightwatcher.WeightWatcher(model=network).analyze()


def bare(network: torch.nn.Module) -> None:
    for _, _, found in pools(network):
        for w in found.values():
            w = w.astype(float)
            np.linalg.eigvalsh(w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T)


def in_turns(works: tuple[Callable, ...], network: torch.nn.Module, repetitions: int) -> tuple[list[float], list[Any]]:
    """Median seconds of each and its last result; in turns, so that a busy machine slows all of them."""
    times, results = [[] for _ in works], [None for _ in works]
    for _ in range(repetitions):
        for i, work in enumerate(works):
            start = time.perf_counter()
            results[i] = work(network)
            times[i].append(time.perf_counter() - start)
    return [statistics.median(t) for t in times], results


def memory(key: str) -> int:
    """A line of /proc/self/status in bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return 1024 * int(line.split()[1])


def extra_memory(who: str) -> float:
    """Peak memory of the analysis of one large layer beyond what stood before, as a multiple of its float32 size."""
    work = {"ours": ours, "theirs": theirs}[who]
    work(torch.nn.Sequential(torch.nn.Linear(100, 60)))
    network = torch.nn.Sequential(torch.nn.Linear(LARGE[1], LARGE[0], bias=False))
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    work(network)
    return (memory("VmHWM") - before) / (4 * LARGE[0] * LARGE[1])


def main(names: list[str]) -> None:
    for name in names:
        torch.manual_seed(0)
        network = torchvision.models.get_model(name, weights=None)
        repetitions = REPETITIONS.get(name, 1)
        ours(network)  # the first call compiles and loads libraries
        (our, their, least), (rows, table, _) = in_turns((ours, theirs, bare), network, repetitions)
        difference = np.abs(np.array([row["alpha"] for row in rows]) - table["alpha"]).max()
        print(f"{name}, median of {repetitions}: {our:.2f} s, weightwatcher {their:.2f} s, bare {least:.2f} s")
        print(f"  {their / our:.1f} times faster than weightwatcher, {our / least:.2f} times the bare linear algebra")
        print(f"  largest difference in alpha: {difference:.1e}", flush=True)
    for who in ("ours", "theirs"):
        run = subprocess.run([sys.executable, __file__, f"--{who}"], capture_output=True, text=True, check=True)
        print(f"peak extra memory on {LARGE[0]} x {LARGE[1]}, {who}: {run.stdout.split()[-1]} times its float32 size")


if __name__ == "__main__":
    if sys.argv[1:2] in (["--ours"], ["--theirs"]):
        print(f"{extra_memory(sys.argv[1].removeprefix('--')):.2f}")
    else:
        main(sys.argv[1:] or list(REPETITIONS))
