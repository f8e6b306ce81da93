"""The stage from the outside: one model's entry in, a file of weights out."""

import hashlib
import sys

import numpy as np
import pytest
import torch
import yaml
from omegaconf import OmegaConf
from safetensors.torch import load_file
from torch import nn

from htsr.compose import as_overrides
from htsr.config import Series
from htsr.files import Arrays
from htsr.models.download import place
from htsr.models.layers import matrices
from htsr.models.loading import load_state
from htsr.models.weights import count_parameters, untie
from htsr.stages import download_model


@pytest.fixture
def download(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HTSR_MIRROR", raising=False)

    def call(model, **options):
        settings = {"name": "net", "model": model, "weights": "out/net.safetensors", "retries": 0, "timeout": 1.0}
        monkeypatch.setattr(sys, "argv", ["stage", *as_overrides(settings | options)])
        download_model.main()
        return tmp_path / "out" / "net.safetensors"

    return call


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 64, 3), nn.BatchNorm2d(64), nn.Linear(64, 50))


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("suffix", ["th", "safetensors"])
def test_local_file(download, tmp_path, suffix):
    state = network().state_dict()
    file = tmp_path / f"mine.{suffix}"
    if suffix == "th":
        torch.save({"state_dict": state}, file)
    else:
        from safetensors.torch import save_file

        save_file(state, file)
    model = {
        "source": "file",
        "file": f"mine.{suffix}",
        "accuracy": 91.5,
        "accuracy_source": "a 'quoted', = {odd} text",
    }
    path = download(model | {"sha256": sha256(file)})
    found = load_file(path)
    assert set(found) == set(state)
    assert all(torch.equal(found[key], state[key]) for key in state)
    assert Arrays(path).header == {
        "model": "net",
        "source": "file",
        "origin": f"mine.{suffix}",
        "sha256": sha256(file),
        "accuracy": 91.5,
        "accuracy_source": "a 'quoted', = {odd} text",
        "train_accuracy": None,
        "layers": {},
        "n_parameters": sum(p.numel() for p in network().parameters()),
        "tied": {},
    }
    again = path.read_bytes()
    assert download(model).read_bytes() == again


def test_folder_of_shards(download, tmp_path):
    from safetensors.torch import save_file

    (tmp_path / "mine").mkdir()
    for number, (key, tensor) in enumerate(network().state_dict().items()):
        save_file({key: tensor}, tmp_path / "mine" / f"{number}.safetensors")
    path = download({"source": "file", "file": "mine"})
    assert len(load_file(path)) == len(network().state_dict())
    assert Arrays(path).header["sha256"] is None


def test_url_through_the_mirror(download, tmp_path, monkeypatch):
    url = "https://host.invalid/models/net.th"
    file = tmp_path / "mirror" / place(url)
    file.parent.mkdir(parents=True)
    torch.save(network().state_dict(), file)
    model = {"source": "url", "url": url, "sha256": sha256(file)}
    path = download(model, mirror="mirror")
    assert Arrays(path).header["origin"] == url
    monkeypatch.setenv("HTSR_MIRROR", "mirror")
    assert download(model).read_bytes() == path.read_bytes()
    assert not (tmp_path / "downloads").exists()


def test_torchvision_through_the_mirror(download, tmp_path):
    """The metadata are torchvision's, the file a small one in the place of the real one."""
    file = tmp_path / "mirror" / "download.pytorch.org" / "models" / "resnext50_32x4d-1a0047aa.pth"
    file.parent.mkdir(parents=True)
    torch.save({"layer1.0.conv2.weight": torch.randn(128, 4, 3, 3)}, file)
    model = {"source": "torchvision", "weights": "ResNeXt50_32X4D_Weights.IMAGENET1K_V2"}
    with pytest.raises(SystemExit, match=r"model net: .*resnext50_32x4d-1a0047aa.pth: sha256 is .* expected 1a0047aa:"):
        download(model, mirror="mirror")
    path = download(model | {"sha256": sha256(file)}, mirror="mirror")
    header = Arrays(path).header
    assert header["origin"] == "ResNeXt50_32X4D_Weights.IMAGENET1K_V2"
    assert header["accuracy"] == pytest.approx(81.198)
    assert header["layers"]["layer1.0.conv2.weight"]["groups"] == 32
    own = {"accuracy": 50.0, "accuracy_source": "mine", "layers": {"layer1.0.conv2.weight": {"groups": 2}}}
    header = Arrays(download(model | own | {"sha256": sha256(file)}, mirror="mirror")).header
    assert (header["accuracy"], header["accuracy_source"]) == (50.0, "mine")
    assert header["layers"]["layer1.0.conv2.weight"] == {"kind": "conv2d", "groups": 2, "transposed": False}


def test_tied_and_half_precision(download, tmp_path):
    weight = torch.randn(60, 50).half()
    torch.save({"wte.weight": weight, "lm_head.weight": weight, "h.weight": torch.full((2, 2), np.nan)}, "net.th")
    path = download({"source": "file", "file": "net.th"})
    header = Arrays(path).header
    assert header["tied"] == {"lm_head.weight": "wte.weight"}
    assert header["n_parameters"] == 3004
    assert load_file(path)["wte.weight"].dtype == torch.float16


def test_unknown_classes(download):
    import argparse

    torch.save({"args": argparse.Namespace(), "model": network().state_dict()}, "net.th")
    with pytest.raises(SystemExit, match=r"model net: net.th: needs argparse.Namespace"):
        download({"source": "file", "file": "net.th"})
    assert len(load_file(download({"source": "file", "file": "net.th", "placeholders": True}))) == 9


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"source": "file", "file": "no.th"}, "no.th: no such file"),
        ({"source": "file", "file": "net.th", "sha256": "0" * 64}, f"net.th: sha256 is [0-9a-f]+, expected {'0' * 64}"),
        ({"source": "file", "file": ".", "sha256": "0" * 64}, "a folder has no sha256"),
        ({"source": "file", "file": "page.html"}, "page.html: no checkpoint of a known format"),
        ({"source": "url", "url": "http://127.0.0.1:1/net.th", "sha256": "0" * 64}, r"[Rr]efused \(1 tries\)"),
        ({"source": "url", "url": "ftp://host/net.th", "sha256": "0" * 64}, "not the http"),
        ({"source": "torchvision", "weights": "VGG12_Weights.V1"}, "weights 'VGG12_Weights.V1': unknown"),
        ({"source": "trained"}, "source trained: there is nothing to download"),
        ({"source": "fil"}, "fil"),
        ({"source": "file", "fiel": "net.th"}, "fiel"),
    ],
)
def test_one_message(download, tmp_path, model, message):
    torch.save(network().state_dict(), "net.th")
    (tmp_path / "page.html").write_text("<html>")
    with pytest.raises(SystemExit, match=f"^error: .*{message}") as stop:
        download(model)
    assert "\n" not in str(stop.value)
    assert not (tmp_path / "out").exists()


def published(root):
    """The entries of the two series of published checkpoints."""
    for series in ("resnet_cifar10", "distiller_resnet20"):
        content = yaml.safe_load((root / "config" / "series" / f"{series}.yaml").read_text())[series]
        entry = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Series), content))
        yield from entry.models.items()


def test_published_checkpoints(root, mirror, tmp_path):
    """name -> tensors, parameters, accuracy, layers of 64 x 64 slices."""
    expected = {
        "resnet20": (97, 269_722, 91.73, 5),
        "resnet32": (157, 464_154, 92.63, 9),
        "resnet44": (217, 658_586, 93.10, 13),
        "resnet56": (277, 853_018, 93.39, 17),
        "distiller_resnet20_dense": (107, 272_474, 91.78, 5),
        "distiller_resnet20_regularized": (107, 272_474, 22.29, 5),
        "distiller_resnet20_finetuned": (107, 272_474, 91.02, 5),
    }
    removed = ["layer1.0.conv1", "layer1.0.conv2", "layer1.1.conv1", "layer1.1.conv2", "layer2.2.conv2"]
    found = {}
    for name, model in published(root):
        job = download_model.DownloadModelJob(name=name, model=model, mirror=str(mirror), cache=str(tmp_path))
        path, header = download_model.locate(job)
        assert header["sha256"] == model.sha256
        state, tied = untie(load_state(path))
        assert tied == {}
        extracted = [(key, matrix.shape) for key, matrix, _ in matrices(state)[0]]
        assert extracted[0] == ("layer3.0.conv2[0,0]", (64, 64))
        assert {shape for _, shape in extracted} == {(64, 64)}
        found[name] = (len(state), count_parameters(state), header["accuracy"], len(extracted) // 9)
        zero = [key.removesuffix(".weight") for key, tensor in state.items() if tensor.ndim > 1 and not tensor.any()]
        assert zero == (removed if "regularized" in name or "finetuned" in name else [])
    assert found == expected
