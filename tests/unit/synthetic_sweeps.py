"""Made-up sweeps of trained networks in the shape of collect_sweep's tables, for tests of claims, tables and values."""

import itertools

import numpy as np
import pandas as pd

PHASES = ("RANDOM-LIKE", "BLEEDING-OUT", "BULK+SPIKES", "BULK-DECAY", "HEAVY-TAILED")
SETTINGS = {"batch_size": 16, "label_noise": 0.0, "weight_decay": 0.0, "width": 64, "depth": 3, "learning_rate": 0.1}


def sweep(name, over, seeds=3, effect=None, noise=0.1, epochs=(0, 5), diverged=(), layers=("fc1", "fc2")):
    """(layers, networks, spectra) of a sweep.

    over: values of each axis. effect: function of the axes' values, what training adds: it lowers stable rank, soft
    rank and entropy by itself, raises spikes, phase, log norm and accuracy. diverged: numbers of networks.
    """
    rng, rows, networks, spectra = np.random.default_rng(0), [], [], {}
    effect = effect or (lambda **axes: 1.0)
    for number, (values, seed) in enumerate(itertools.product(itertools.product(*over.values()), range(seeds))):
        axes = dict(zip(over, values, strict=True))
        network = f"{name}_{'_'.join(map(str, values))}_s{seed}"
        status = "diverged in epoch 3" if number in diverged else "ok"
        start = rng.normal(0, noise, len(layers))
        for epoch in epochs:
            done = epoch > 0
            trained = 99 + rng.random() / 2
            accuracy = 50 + 10 * effect(**axes) + rng.normal(0, noise) if done else 10.0
            lost = status != "ok" and done
            for index, layer in enumerate(layers):
                moved = effect(**axes) * done + start[index] + rng.normal(0, noise)
                rows.append(
                    {"sweep": name, "network": network, "seed": seed}
                    | SETTINGS
                    | axes
                    | {"epoch": epoch, "final": epoch == epochs[-1], "layer": layer, "weight_layer": layer}
                    | {"loss": 1.0, "train_accuracy": trained, "true_accuracy": 99.0, "test_loss": 1.0}
                    | {"test_accuracy": np.nan if lost else accuracy, "distance": (0.5 + noise * rng.random()) * done}
                    | {"n": 100, "m": 50, "q": 2.0, "alpha": 5 - moved, "stable_rank": 30 - moved}
                    | {"mp_softrank": 0.9 - 0.1 * moved, "entropy": 0.95 - 0.01 * moved, "n_spikes": max(moved, 0.0)}
                    | {"log_norm": 1 + moved, "log_spectral_norm": moved, "alpha_weighted": moved, "n_traps": 0.0}
                    | {"phase": PHASES[int(np.clip(round(moved), 0, 4))], "status": "ok"}
                )
                spectra[f"{network}/{epoch}/{layer}"] = np.sort(np.exp(rng.normal(moved, 1, 50)))
        final = pd.DataFrame(rows[-len(layers) :])
        means = final[["alpha", "alpha_weighted", "log_norm", "log_spectral_norm", "stable_rank", "distance"]].mean()
        networks.append(
            {"series": name, "model": network, "title": network, "dataset": "digits", "seed": seed, **SETTINGS, **axes}
            | {"accuracy": np.nan if status != "ok" else accuracy, "train_accuracy": trained}
            | means.to_dict()
            | {"n_matrices": len(layers), "n_failed": 0, "status": status, "epochs_trained": 5, "train_loss": 0.1}
        )
    networks = pd.DataFrame(networks)
    networks["error"] = 100 - networks["accuracy"]
    networks["gap"] = networks["train_accuracy"] - networks["accuracy"]
    return pd.DataFrame(rows), networks, spectra
