"""The stage download_dataset from the outside: a data set's entry in, a file of arrays out."""

import functools
import gzip
import hashlib
import http.server
import struct
import sys
import threading

import numpy as np
import pytest
import yaml
from PIL import Image
from safetensors.numpy import load_file

from htsr.compose import as_overrides
from htsr.files import Arrays
from htsr.stages import download_dataset

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 5, 5)).astype(np.uint8)
LABELS = bytes([0, 1, 1, 0])
CONTENT = {
    "train_images": bytes([0, 0, 8, 3]) + struct.pack(">3I", *PIXELS.shape) + PIXELS.tobytes(),
    "train_labels": bytes([0, 0, 8, 1]) + struct.pack(">I", 4) + LABELS,
}


@pytest.fixture
def download(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HTSR_MIRROR", raising=False)

    def call(form, files, **options):
        settings = {"name": "set", "source": {"format": form, "files": files}, "images": "out/set.safetensors"}
        settings |= {"retries": 0, "timeout": 1.0}
        monkeypatch.setattr(sys, "argv", ["stage", *as_overrides(settings | options)])
        download_dataset.main()
        return tmp_path / "out" / "set.safetensors"

    return call


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Quiet."""


@pytest.fixture
def served(tmp_path):
    """The address of a folder on a server of this machine, and the folder."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", folder
        server.shutdown()
        thread.join()


def test_gzip_files_are_known_by_their_content(download, served, tmp_path):
    url, folder = served
    files = {}
    for level, (name, content) in enumerate(CONTENT.items(), 1):
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, level, mtime=level))
        files[name] = {"url": f"{url}/{name}.gz", "content_md5": hashlib.md5(content).hexdigest()}
    path = download("idx", files)
    found, header = load_file(path), Arrays(path).header
    assert np.array_equal(found["train_images"][:, 0], PIXELS) and found["train_labels"].tolist() == list(LABELS)
    assert header["name"] == "set" and header["classes"] == ["0", "1"]
    assert header["source"]["train_images"] == {
        "origin": f"{url}/train_images.gz",
        "sha256": hashlib.sha256((folder / "train_images.gz").read_bytes()).hexdigest(),
    }
    before = path.read_bytes()
    for name in CONTENT:
        (folder / f"{name}.gz").unlink()
    assert download("idx", files).read_bytes() == before, "from the cache"
    for name, content in CONTENT.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, 9, mtime=7))
    again = download("idx", files, cache="other")
    assert Arrays(again).header["sha256"] == header["sha256"], "of the arrays, whatever wraps them"
    (folder / "train_labels.gz").write_bytes(gzip.compress(CONTENT["train_labels"] + b"\0"))
    with pytest.raises(SystemExit, match=r"data set set: third/.*train_labels.gz: md5 of its content is .* delete it"):
        download("idx", files, cache="third")
    assert again.exists()


def test_local_files_and_folders(download, tmp_path):
    (tmp_path / "labels").write_bytes(CONTENT["train_labels"])
    (tmp_path / "images").write_bytes(CONTENT["train_images"])
    path = download("idx", {"train_images": {"file": "images"}, "train_labels": {"file": "labels"}})
    assert Arrays(path).header["source"]["train_images"]["origin"] == "images"
    for i, pixels in enumerate(PIXELS):
        file = tmp_path / "mine" / "train" / "ab"[LABELS[i]] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)
    header = Arrays(download("folders", {"archive": {"file": "mine"}})).header
    assert header["source"] == {"archive": {"origin": "mine", "sha256": None}} and header["classes"] == ["a", "b"]
    assert np.array_equal(Arrays(path)["train_images"][:, 0], PIXELS[[0, 3, 1, 2]])


@pytest.mark.parametrize(
    ("form", "files", "message"),
    [
        (
            "idx",
            {"train_images": {"file": "f"}},
            r"names \['train_images'\]: format idx needs train_images, .*labels$",
        ),
        ("folders", {"zip": {"file": "f"}}, r"names \['zip'\]: format folders needs archive"),
        ("folders", {"archive": {}}, "archive: give one of `url` and `file`"),
        ("folders", {"archive": {"url": "http://h/a.zip", "file": "f"}}, "give one of"),
        ("folders", {"archive": {"file": "f", "content_md5": "00"}}, "content_md5 is for format idx"),
        ("folders", {"archive": {"file": "none"}}, "none: no such file .* correct source.files.archive.file"),
        ("folders", {"archive": {"file": ".", "sha256": "0" * 64}}, "a folder has no sha256"),
        ("folders", {"archive": {"file": "f", "sha256": "0" * 64}}, "f: sha256 is [0-9a-f]+, expected 0"),
        ("folders", {"archive": {"file": "f"}}, "f: not a complete zip archive"),
        ("folders", {"archive": {"url": "http://127.0.0.1:1/a.zip", "sha256": "0" * 64}}, r"[Rr]efused \(1 tries\)"),
        ("pickle", {}, "pickle"),
    ],
)
def test_one_message(download, tmp_path, form, files, message):
    (tmp_path / "f").write_bytes(b"text")
    with pytest.raises(SystemExit, match=f"^error: .*{message}") as stop:
        download(form, files)
    assert "\n" not in str(stop.value) and not (tmp_path / "out").exists()


def test_mnist_of_the_mirror(download, root, mirror):
    source = yaml.safe_load((root / "config" / "dataset" / "mnist.yaml").read_text())["source"]
    found = Arrays(download("idx", source["files"], mirror=str(mirror)))
    assert found["train_images"].shape == (60000, 1, 28, 28) and found["test_images"].shape == (10000, 1, 28, 28)
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(found["train_labels"]).tolist() == counts
    assert np.mean(found["train_images"]) / 255 == pytest.approx(0.1307, abs=1e-4)
