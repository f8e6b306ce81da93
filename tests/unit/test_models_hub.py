"""torchvision's enumerated weights, from the package's own metadata."""

import math

import pytest
import yaml
from torchvision.models import get_model_weights, get_weight, vgg11

from htsr.errors import InputError
from htsr.models.hub import hub_weights


def test_address_accuracy_and_layers():
    hub = hub_weights("VGG11_Weights.IMAGENET1K_V1")
    meta = get_weight("VGG11_Weights.IMAGENET1K_V1").meta
    assert hub.url == "https://download.pytorch.org/models/vgg11-8a719046.pth"
    assert hub.sha256 == "8a719046"
    assert hub.accuracy == meta["_metrics"]["ImageNet-1K"]["acc@1"]
    assert "VGG11_Weights.IMAGENET1K_V1, ImageNet-1K, acc@1" in hub.accuracy_source
    weights = {key for key, tensor in vgg11(weights=None).state_dict().items() if tensor.ndim > 1}
    assert set(hub.layers) == weights
    assert hub.layers["classifier.0.weight"]["kind"] == "linear"


def test_groups_are_known():
    layers = hub_weights("ResNeXt50_32X4D_Weights.IMAGENET1K_V2").layers
    assert layers["layer1.0.conv2.weight"] == {"kind": "conv2d", "groups": 32, "transposed": False}


def test_accuracy_that_nobody_reports():
    """torchvision says NaN for feature extractors and nothing for detectors."""
    assert math.isnan(get_weight("VGG16_Weights.IMAGENET1K_FEATURES").meta["_metrics"]["ImageNet-1K"]["acc@1"])
    assert hub_weights("VGG16_Weights.IMAGENET1K_FEATURES").accuracy is None
    detector = hub_weights("SSD300_VGG16_Weights.COCO_V1")
    assert (detector.accuracy, detector.accuracy_source, detector.layers) == (None, None, {})


SERIES = {
    "vgg": [f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")],
    "resnet": [f"resnet{depth}" for depth in (18, 34, 50, 101, 152)],
    "densenet": [f"densenet{depth}" for depth in (121, 161, 169, 201)],
}


@pytest.mark.parametrize("series", SERIES)
def test_every_model_of_the_series_is_known(root, series):
    models = yaml.safe_load((root / f"config/series/torchvision_{series}.yaml").read_text())[f"torchvision_{series}"]
    named = {name: model["weights"] for name, model in models["models"].items()}
    assert named == {name: str(get_model_weights(name).IMAGENET1K_V1) for name in SERIES[series]}
    assert all(get_weight(name).meta["_metrics"]["ImageNet-1K"]["acc@1"] > 60 for name in named.values())


@pytest.mark.parametrize("name", ["VGG11_Weights.IMAGENET1K_V2", "VGG11_Weigths.IMAGENET1K_V1", "VGG11"])
def test_unknown_weights(name):
    with pytest.raises(InputError, match=rf"weights '{name}': unknown to torchvision .*VGG\w+_Weights.IMAGENET1K_V1"):
        hub_weights(name)
