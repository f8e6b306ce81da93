import numpy as np
import pytest
import torch

from htsr.landscape import similarity
from htsr.networks.build import build


def weights(seed, shift=0.0):
    rng = np.random.default_rng(seed)
    return {"a.weight": rng.standard_normal((30, 20)) + shift, "a.bias": rng.standard_normal(30)}


def test_weights_and_their_null():
    a, b = weights(0, 0.5), weights(1, 0.3)
    x, y = (np.concatenate([t.ravel() for t in state.values()]) for state in (a, b))
    found = similarity.weight_similarity(a, b)
    assert found.distance == pytest.approx(np.linalg.norm(x - y))
    assert found.cosine == pytest.approx(x @ y / np.linalg.norm(x) / np.linalg.norm(y))
    rng = np.random.default_rng(2)
    draws = []
    for _ in range(1000):
        permuted = {name: rng.permutation(t.ravel()).reshape(t.shape) for name, t in b.items()}
        draws.append(similarity.weight_similarity(a, permuted).cosine)
    assert found.null == pytest.approx(np.mean(draws), abs=4 * np.std(draws) / 1000**0.5)
    assert found.null_std == pytest.approx(np.std(draws), rel=0.09)
    same = similarity.weight_similarity(a, {name: 3 * t for name, t in a.items()})
    assert same.cosine == pytest.approx(1) and same.null < 0.5
    zero = similarity.weight_similarity(a, {name: 0 * t for name, t in a.items()})
    assert np.isnan(zero.cosine) and zero.relative_distance == pytest.approx(1)


def outputs_of(seed, n=200, k=4, mix=0.0, base=None):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, k))
    if base is not None:
        z = mix * base + (1 - mix) * z
    return z, np.tanh(z @ rng.standard_normal((k, 6)))


def test_agreement_of_independent_classifiers_is_the_expected_one():
    labels = np.random.default_rng(9).integers(0, 4, 20_000)
    first, second = (outputs_of(seed, 20_000) for seed in (0, 1))
    for z, _ in (first, second):
        z[np.arange(20_000), labels] += 1
    accuracies = [(z.argmax(axis=1) == labels).mean() for z, _ in (first, second)]
    expected = similarity.expected_agreement(*accuracies, 4)
    assert similarity.agreement(first[0], second[0]) == pytest.approx(expected, abs=4 * 0.5 / 20_000**0.5)
    assert similarity.expected_agreement(1, 0.7, 10) == pytest.approx(0.7)


def test_the_same_function_is_similar_and_another_is_not():
    labels = np.random.default_rng(9).integers(0, 4, 200)
    first, other = outputs_of(0), outputs_of(1)
    turned = np.linalg.qr(np.random.default_rng(3).standard_normal((6, 6)))[0]
    rng = np.random.default_rng(0)
    same = similarity.functional_similarity(first, (first[0], 2 * first[1] @ turned), labels, 50, rng)
    assert same["cka_logits"].value == pytest.approx(1) and same["cka_features"].value == pytest.approx(1)
    assert same["cka_features"].stderr < 1e-9 and same["agreement"] == (1, 0, 1, 1)
    apart = similarity.functional_similarity(first, other, labels, 50, rng)
    assert abs(apart["cka_logits"].value) < 4 * apart["cka_logits"].stderr
    assert apart["excess"].low < 0 < apart["excess"].high
    none = similarity.functional_similarity(first, other, labels, 0, rng)
    assert none["agreement"].value == apart["agreement"].value and np.isnan(none["agreement"].stderr)


def test_halves_give_the_error_over_examples():
    """Standard errors agree with the scatter over fresh examples."""
    found = []
    for seed in range(40):
        first = outputs_of(seed)
        second = outputs_of(100 + seed, mix=0.5, base=first[0])
        labels = first[0].argmax(axis=1)
        found.append(similarity.functional_similarity(first, second, labels, 20, np.random.default_rng(0)))
    for key in ("cka_logits", "agreement"):
        scatter = np.std([f[key].value for f in found], ddof=1)
        assert np.mean([f[key].stderr for f in found]) == pytest.approx(scatter, rel=0.3)


def test_outputs_and_features_of_a_network():
    net = build("resnet", 2, 8, (1, 8, 8), 5, torch.Generator().manual_seed(0)).train()
    images = np.random.default_rng(0).standard_normal((7, 1, 8, 8)).astype(np.float32)
    z, features = similarity.outputs(net, images, chunk=3)
    assert z.shape == (7, 5) and features.shape == (7, 8) and net.training
    np.testing.assert_allclose(features @ net.fc.weight.detach().numpy().T + net.fc.bias.detach().numpy(), z, atol=1e-5)
