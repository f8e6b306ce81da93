"""Training: optimizers as torch's, schedules, losses, group lasso, early ends, divergence, interruption."""

import copy
import math

import numpy as np
import pytest
import torch

from htsr.networks.build import build
from htsr.networks.train import (
    Recipe,
    descend,
    evaluate,
    filters,
    log_spaced,
    percent,
    schedule,
    shifted,
    shrink,
    squared,
    train,
)

PLAIN = Recipe(epochs=6, batch_size=32, learning_rate=0.02, momentum=0.9)


def recipe(**changes):
    return Recipe(**{**vars(PLAIN), **changes})


def network(name="lenet", width=16, depth=6, **settings):
    return build(name, width, depth, (1, 8, 8), 10, torch.Generator().manual_seed(0), **settings)


def blobs(n=300, seed=0):
    """Ten easy classes: a bright pixel each, on noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, n)
    images = rng.normal(0, 0.3, (n, 1, 8, 8)).astype(np.float32)
    images.reshape(n, -1)[np.arange(n), 6 * labels] += 3
    return torch.from_numpy(images), torch.from_numpy(labels)


def fit(built, how=PLAIN, **settings):
    """Train on blobs; the progress and the learning rates."""
    images, labels = blobs()
    rates = []

    def measure(epoch, rate):
        rates.append(rate)
        return {"epoch": epoch, "loss": evaluate(built, images, labels, how.loss)[0]}

    generator = settings.pop("generator", None) or torch.Generator().manual_seed(3)
    return train(built, images, labels, how, generator, measure, **settings), rates


def test_evaluate_closed_form_in_chunks():
    linear = torch.nn.Linear(4, 10)
    linear.weight.data.zero_()
    linear.bias.data.zero_()
    linear.bias.data[3] = math.log(2)
    labels = torch.tensor([3, 3, 3, 0, 1])
    for chunk in (2, 5):
        loss, predicted = evaluate(linear, torch.rand(5, 4), labels, chunk=chunk)
        assert loss == pytest.approx(math.log(11) - 0.6 * math.log(2), rel=1e-6)
        assert predicted.tolist() == [3] * 5 and percent(predicted, labels) == pytest.approx(60)


def test_squared_loss_closed_form():
    scores = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 2.0]])
    labels = torch.tensor([0, 1])
    assert squared(scores, labels).item() == pytest.approx((0.25 + 0.25 + 4) / 3 / 2)
    assert squared(scores, labels, "sum").item() == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("ours", "theirs", "settings"),
    [
        ({"momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9}),
        ({"momentum": 0.9, "nesterov": True}, torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
        ({"momentum": 0.0}, torch.optim.SGD, {}),
        ({"optimizer": "adam"}, torch.optim.Adam, {}),
    ],
)
def test_descend_is_torchs(ours, theirs, settings):
    torch.manual_seed(0)
    start = [torch.randn(5, 3), torch.randn(7)]
    expected = [tensor.clone().requires_grad_() for tensor in start]
    optimizer = theirs(expected, lr=0.1, weight_decay=0.01, **settings)
    moved = [tensor.clone() for tensor in start]
    slots = [[torch.zeros_like(tensor) for tensor in start] for _ in range(2)]
    for step in range(1, 5):
        gradients = [torch.randn_like(tensor) for tensor in start]
        for tensor, gradient in zip(expected, gradients, strict=True):
            tensor.grad = gradient.clone()
        optimizer.step()
        descend(
            moved,
            slots if ours.get("optimizer") else slots[:1],
            gradients,
            0.1,
            recipe(weight_decay=0.01, **ours),
            step,
        )
    for tensor, wanted in zip(moved, expected, strict=True):
        assert torch.allclose(tensor, wanted, rtol=1e-5, atol=1e-6)


def test_shrink_is_the_proximal_operator():
    weights = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    shrink(weights, 1.0)
    assert torch.allclose(weights, torch.tensor([[2.4, 3.2], [0.0, 0.0], [0.0, 0.0]]))


def test_schedules():
    cosine = recipe(epochs=20)
    assert [schedule(cosine, epoch) for epoch in (1, 11, 21)] == pytest.approx([1, 0.5, 0])
    steps = recipe(schedule="step", milestones=[2, 4], gamma=0.1)
    assert [schedule(steps, epoch) for epoch in range(1, 7)] == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    assert {schedule(recipe(schedule="constant"), epoch) for epoch in range(1, 7)} == {1.0}


def test_log_spaced_epochs():
    assert log_spaced(4, 1000) == [1, 10, 100, 1000]
    assert log_spaced(5, 3) == [1, 2, 3]
    assert log_spaced(1, 9) == [1]
    assert log_spaced(0, 9) == log_spaced(3, 0) == []


def test_training_learns_and_follows_the_schedule():
    built = network("resnet", 8, 8)
    images, labels = blobs(seed=1)
    assert percent(evaluate(built, images, labels)[1], labels) < 40
    progress, rates = fit(built)
    assert rates[0] is None and rates[1:] == pytest.approx([0.02 * schedule(PLAIN, epoch) for epoch in range(1, 7)])
    assert percent(evaluate(built, images, labels)[1], labels) > 90
    assert progress.epoch == 6 and progress.status == "ok" and list(progress.checkpoints) == [0, 6]
    assert [row["epoch"] for row in progress.history] == list(range(7))


@pytest.mark.parametrize(
    "changes", [{"optimizer": "adam", "learning_rate": 0.002}, {"loss": "squared", "learning_rate": 0.1}]
)
def test_other_optimizer_and_loss_learn(changes):
    built = network("mlp", 64, 3)
    fit(built, recipe(**changes))
    images, labels = blobs(seed=1)
    assert percent(evaluate(built, images, labels)[1], labels) > 80


def test_group_lasso_shrinks_filters_to_zero_and_they_stay_zero():
    plain, lasso = network(), network().to(memory_format=torch.channels_last)  # as it is trained
    fit(plain)
    fit(lasso, recipe(group_lasso=2.0))
    norms = [torch.cat([weights.flatten(1).norm(dim=1) for weights in filters(built)]) for built in (plain, lasso)]
    assert norms[1].median() < 0.7 * norms[0].median()
    zero = [~weights.flatten(1).any(dim=1) for weights in filters(lasso)]
    assert (norms[0] > 0).all() and 0 < sum(rows.sum() for rows in zero) < len(norms[1])
    fit(lasso)
    assert all(
        torch.equal(~weights.flatten(1).any(dim=1), rows) for weights, rows in zip(filters(lasso), zero, strict=True)
    )
    assert torch.cat([weights.flatten(1).norm(dim=1) for weights in filters(lasso)]).sum() > norms[1].sum()


def test_checkpoints_are_what_the_network_was():
    built = network("mlp", 16, 2)
    kept = fit(built, kept_epochs=[2])[0].checkpoints
    assert list(kept) == [0, 2, 6]
    short = network("mlp", 16, 2)
    fit(short, recipe(epochs=2, schedule="constant"))
    constant = network("mlp", 16, 2)
    longer = fit(constant, recipe(schedule="constant"), kept_epochs=[2])[0].checkpoints
    assert all(torch.equal(tensor, short.state_dict()[key]) for key, tensor in longer[2].items())
    assert all(torch.equal(tensor, built.state_dict()[key]) for key, tensor in kept[6].items())
    assert not torch.equal(kept[0]["fc1.weight"], kept[6]["fc1.weight"])


def test_shifted_images_are_windows_of_the_padded_ones():
    images = torch.arange(2 * 3 * 6 * 5, dtype=torch.float32).reshape(2, 3, 6, 5) + 1
    images = images.repeat(150, 1, 1, 1)
    moved = shifted(images, torch.Generator().manual_seed(0), most=1)
    padded = torch.nn.functional.pad(images, [1] * 4)
    seen = set()
    for i in range(len(images)):
        windows = {
            (top, left, mirrored): window.flip(2) if mirrored else window
            for top in range(3)
            for left in range(3)
            for mirrored in (False, True)
            for window in [padded[i, :, top : top + 6, left : left + 5]]
        }
        found = {place for place, window in windows.items() if torch.equal(window, moved[i])}
        assert len(found) == 1
        seen |= found
    assert moved.shape == images.shape and len(seen) == 18


def test_it_stops_at_a_small_loss():
    progress, _ = fit(network("mlp", 64, 2), recipe(epochs=50, stop_at_loss=0.5))
    losses = [row["loss"] for row in progress.history]
    assert 0 < progress.epoch < 50 and losses[-1] <= 0.5 < losses[-2]


def test_early_stopping_keeps_the_best_epoch():
    images, labels = blobs(seed=1)
    shuffled = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]
    built = network("mlp", 64, 2)
    progress, _ = fit(built, recipe(epochs=50, early_stopping=3, schedule="constant"), validation=(images, shuffled))
    assert progress.epoch - progress.best_epoch == 3 and progress.epoch < 50
    assert evaluate(built, images, shuffled)[0] == progress.best_loss
    assert progress.best_epoch in progress.checkpoints


def test_a_divergence_is_a_status():
    progress, _ = fit(network("mlp", 16, 3), recipe(learning_rate=1e12))
    assert progress.status == "diverged in epoch 1" and progress.epoch == 1
    assert not all(tensor.isfinite().all() for tensor in progress.checkpoints[1].values())
    assert all(tensor.isfinite().all() for tensor in progress.checkpoints[0].values())


def test_a_divergence_after_a_good_epoch_leaves_that_epoch_alone():
    built = network("mlp", 64, 2)
    how = recipe(learning_rate=0.02, schedule="step", milestones=[3], gamma=1e15, early_stopping=9)
    progress, _ = fit(built, how, validation=blobs(seed=1), kept_epochs=[3])
    assert progress.status == "diverged in epoch 4" and progress.best_epoch == 3
    assert progress.final_epoch == 4 and list(progress.checkpoints) == [0, 3, 4]
    assert all(tensor.isfinite().all() for tensor in progress.checkpoints[3].values())


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_training_goes_on_bit_for_bit(optimizer):
    """With dropout and batch order drawn anew every epoch: all that is random must go on as well."""
    how = recipe(optimizer=optimizer, learning_rate=0.005)
    torch.manual_seed(5)
    whole = network("mlp", 16, 3, dropout=0.5)
    expected, _ = fit(whole, how)
    torch.manual_seed(5)
    part, generator, saved = network("mlp", 16, 3, dropout=0.5), torch.Generator().manual_seed(3), {}

    class Killed(Exception):
        pass

    def after_epoch(progress):
        if progress.epoch == 3:
            saved["progress"] = copy.deepcopy(progress)
            saved["random"] = generator.get_state(), torch.get_rng_state()
            raise Killed

    with pytest.raises(Killed):
        fit(part, how, generator=generator, after_epoch=after_epoch)
    generator.set_state(saved["random"][0])
    torch.set_rng_state(saved["random"][1])
    resumed, _ = fit(part, how, generator=generator, progress=saved["progress"])
    assert all(torch.equal(tensor, whole.state_dict()[key]) for key, tensor in part.state_dict().items())
    assert resumed.history == expected.history
