"""torchvision's enumerated weights: addresses, reported accuracies, and what their networks tell of the layers."""

import difflib
import math
import re
from dataclasses import dataclass
from typing import Any

from htsr.errors import InputError
from htsr.models.layers import known_layers


@dataclass(frozen=True)
class HubWeights:
    """sha256: the first digits, from the file's name. accuracy: top-1 in percent, None where none is reported."""

    url: str
    sha256: str | None
    accuracy: float | None
    accuracy_source: str | None
    layers: dict[str, dict[str, Any]]


def hub_weights(name: str) -> HubWeights:
    """What torchvision knows of weights such as "VGG11_Weights.IMAGENET1K_V1".

    Raises InputError, with names that are close, where torchvision has no such weights.
    """
    from torchvision import __version__, models

    package = f"torchvision {__version__.partition('+')[0]}"  # without the kind of build
    try:
        weights = models.get_weight(name)
    except (ValueError, KeyError, AttributeError) as error:
        names = [str(entry) for model in models.list_models() for entry in models.get_model_weights(model)]
        close = [entry for entry in names if name.lower() in entry.lower()]
        close = close[:3] or difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        raise InputError(f"weights {name!r}: unknown to {package}; close: {', '.join(close) or 'none'}") from error
    accuracy, source = None, None
    for dataset, metrics in weights.meta.get("_metrics", {}).items():
        top1 = metrics.get("acc@1")
        if accuracy is None and top1 is not None and not math.isnan(top1):
            accuracy, source = top1, f"{package}, {weights}, {dataset}, acc@1"
    prefix = re.search(r"-([0-9a-f]{8,64})\.\w+$", weights.url)
    return HubWeights(weights.url, prefix and prefix[1], accuracy, source, _layers(type(weights)))


def _layers(enumeration: type) -> dict[str, dict[str, Any]]:
    """Kinds and groups of the layers of the classifier that has these weights; empty for other networks."""
    import torch
    from torchvision import models

    for model in models.list_models(module=models):
        if models.get_model_weights(model) is enumeration:
            try:
                with torch.device("meta"):  # the modules without their numbers
                    return known_layers(models.get_model(model, weights=None))
            except NotImplementedError:  # networks such as RegNet compute their widths with tensors
                return known_layers(models.get_model(model, weights=None))
    return {}
