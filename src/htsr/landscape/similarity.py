"""How similar two solutions are: their weights, what they compute, and what they predict.

Units of networks that started from different weights are in no common order, so their weights have a cosine near its
null however alike they are; features and predictions do not depend on that order.
"""

import copy
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from htsr.spectra.similarity import cka


class Cosine(NamedTuple):
    """Distance and cosine of two states; null, null_std: mean and standard deviation of the cosine by chance."""

    distance: float
    relative_distance: float
    cosine: float
    null: float
    null_std: float


def weight_similarity(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]) -> Cosine:
    """‖θ₁ - θ₂‖, that over √(‖θ₁‖² + ‖θ₂‖²) (1 for orthogonal ones), and the cosine of states with the same tensors.

    The null permutes the entries within each tensor; its first two moments are exact: of Σ x_i y_π(i) with n entries,
    mean n x̄ȳ and variance Σ(x - x̄)² Σ(y - ȳ)²/(n - 1). NaN where one of the states is zero.
    """
    pairs = [(np.asarray(x, float).ravel(), np.asarray(second[name], float).ravel()) for name, x in first.items()]
    squares = [sum(float(v @ v) for v in side) for side in zip(*pairs, strict=True)]
    inner = sum(float(x @ y) for x, y in pairs)
    distance = sum(float((x - y) @ (x - y)) for x, y in pairs) ** 0.5
    mean = sum(len(x) * x.mean() * y.mean() for x, y in pairs)
    variance = sum(len(x) ** 2 * x.var() * y.var() / (len(x) - 1) for x, y in pairs if len(x) > 1)
    norms = (squares[0] * squares[1]) ** 0.5
    scale = 1 / norms if norms > 0 else float("nan")
    total = sum(squares) ** 0.5
    relative = distance / total if total > 0 else float("nan")
    return Cosine(distance, relative, inner * scale, float(mean * scale), float(variance**0.5 * scale))


def outputs(network: nn.Module, images: np.ndarray, chunk: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Outputs (n x k) for images n x c x h x w, and inputs of the last fully connected layer (n x p), evaluated."""
    network = copy.deepcopy(network).eval()
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    seen: list[np.ndarray] = []
    last.register_forward_pre_hook(lambda _, given: seen.append(given[0].flatten(1).cpu().numpy()))
    like = next(network.parameters())
    with torch.no_grad():
        found = [network(x.to(like)).cpu().numpy() for x in torch.from_numpy(images).split(chunk)]
    return np.concatenate(found), np.concatenate(seen)


def agreement(first: np.ndarray, second: np.ndarray) -> float:
    """Share of examples where two outputs (n x k) have the same largest entry."""
    return float(np.mean(first.argmax(axis=1) == second.argmax(axis=1)))


def expected_agreement(first: float, second: float, classes: int) -> float:
    """The agreement of independent classifiers of these accuracies (shares) whose errors fall on any other class."""
    return first * second + (1 - first) * (1 - second) / (classes - 1)


class Interval(NamedTuple):
    """A value with its standard error and interval over examples."""

    value: float
    stderr: float
    low: float
    high: float


def functional_similarity(
    first: tuple[np.ndarray, np.ndarray],
    second: tuple[np.ndarray, np.ndarray],
    labels: np.ndarray,
    resamples: int,
    rng: np.random.Generator,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Similarities of two networks' `outputs` on the same n examples, with intervals over the examples.

    cka_logits, cka_features: debiased linear CKA; agreement; expected_agreement: by the accuracies alone; excess: the
    difference of the last two. Intervals are value ± the quantile of the deviations of random halves from it (Politis,
    Romano 1994, Ann. Statist. 22, 2031: halves without replacement scatter as much around the whole as that around the
    truth); examples drawn twice would bias CKA.
    """
    n, classes = first[0].shape

    def values(of: np.ndarray) -> list[float]:
        own = [(z[of], features[of]) for z, features in (first, second)]
        accuracies = [float(np.mean(z.argmax(axis=1) == labels[of])) for z, _ in own]
        agree, expected = agreement(own[0][0], own[1][0]), expected_agreement(*accuracies, classes)
        return [cka(own[0][0], own[1][0]), cka(own[0][1], own[1][1]), agree, expected, agree - expected]

    whole = np.array(values(np.arange(n)))
    halves = np.array([values(rng.permutation(n)[: n // 2]) for _ in range(resamples)]).reshape(resamples, len(whole))
    names = ("cka_logits", "cka_features", "agreement", "expected_agreement", "excess")
    if not resamples:
        return {name: Interval(float(v), *[float("nan")] * 3) for name, v in zip(names, whole, strict=True)}
    deviations = halves - whole
    stderr = np.sqrt((deviations**2).mean(axis=0))
    tails = np.quantile(deviations, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return {
        name: Interval(float(v), float(s), float(v - high), float(v - low))
        for name, v, s, low, high in zip(names, whole, stderr, *tails, strict=True)
    }
