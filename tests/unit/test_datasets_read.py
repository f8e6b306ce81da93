"""Files of data sets: every format read back, and every kind of damage named."""

import gzip
import hashlib
import io
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from htsr.datasets.read import read
from htsr.errors import InputError

RNG = np.random.default_rng(0)


def idx(array):
    """The bytes of an idx file."""
    array = np.asarray(array, np.uint8)
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def idx_files(folder, **changes):
    """A small MNIST; `changes` replace the content of one of its files."""
    content = {
        "train_images": idx(RNG.integers(0, 256, (8, 5, 4))),
        "train_labels": idx([0, 1, 2, 0, 1, 2, 0, 1]),
        "test_images": idx(RNG.integers(0, 256, (3, 5, 4))),
        "test_labels": idx([2, 1, 0]),
    } | changes
    files = {name: folder / f"{name}.gz" for name in content}
    for name, path in files.items():
        path.write_bytes(gzip.compress(content[name]))
    return files, content


def test_idx_gzipped_and_plain(tmp_path):
    files, content = idx_files(tmp_path)
    files["test_images"].write_bytes(content["test_images"])
    md5 = {name: hashlib.md5(data).hexdigest() for name, data in content.items()}
    arrays, classes = read("idx", files, md5)
    assert classes == ["0", "1", "2"] and list(arrays)[:2] == ["train_labels", "test_labels"]
    assert arrays["train_images"].shape == (8, 1, 5, 4) and arrays["train_images"].dtype == np.uint8
    assert arrays["test_images"].tobytes() == content["test_images"][16:]
    assert arrays["test_labels"].tolist() == [2, 1, 0] and arrays["test_labels"].dtype == np.int64
    only, _ = read("idx", {name: path for name, path in files.items() if name.startswith("train")})
    assert list(only) == ["train_labels", "train_images"]
    with pytest.raises(InputError, match=r"test_labels.gz: md5 of its content is [0-9a-f]{32}, expected 00"):
        read("idx", files, md5 | {"test_labels": "00"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_labels": idx([0, 1])}, "train_labels.gz: 2 labels for 8 images"),
        ({"test_images": idx(np.zeros((3, 5, 5)))}, "test_images.gz: its images have another size"),
        ({"train_images": idx([1, 2])}, "train_images.gz: not an idx file of bytes in 3"),
        ({"train_images": idx(np.zeros((8, 5, 4)))[:-1]}, r"159 bytes of data for the shape \[8, 5, 4\]"),
        ({"train_labels": b""}, "train_labels.gz: not an idx file"),
        ({"train_labels": idx([])}, "train_labels.gz: 0 bytes of data"),
    ],
)
def test_damaged_idx(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        read("idx", idx_files(tmp_path, **changes)[0])


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: data[:20] + b"\0\0\0\0" + data[24:]])
def test_damaged_gzip(tmp_path, damage):
    files, _ = idx_files(tmp_path)
    files["train_images"].write_bytes(damage(files["train_images"].read_bytes()))
    with pytest.raises(InputError, match=r"train_images.gz: not a complete gzip file"):
        read("idx", files)


def cifar(path, leave_out=(), **changes):
    """A small CIFAR-10 in the layout of the binary version, two images a batch."""
    records = {f"data_batch_{i}.bin": RNG.integers(0, 256, (2, 3073)).astype(np.uint8) for i in range(1, 6)}
    records["test_batch.bin"] = RNG.integers(0, 256, (2, 3073)).astype(np.uint8)
    for array in records.values():
        array[:, 0] = [3, 9]
    content = {name: array.tobytes() for name, array in records.items()}
    content["batches.meta.txt"] = "\n".join("abcdefghij").encode() + b"\n\n"
    with tarfile.open(path, "w:gz") as archive:
        for name, data in (content | changes).items():
            if name not in leave_out:
                info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return records


def test_cifar_binary(tmp_path):
    records = cifar(tmp_path / "c.tar.gz")
    arrays, classes = read("cifar_binary", {"archive": tmp_path / "c.tar.gz"})
    assert classes == list("abcdefghij")
    assert arrays["train_labels"].tolist() == [3, 9] * 5 and arrays["test_labels"].tolist() == [3, 9]
    assert arrays["train_images"].shape == (10, 3, 32, 32)
    assert np.array_equal(arrays["train_images"][3].ravel(), records["data_batch_2.bin"][1, 1:]), (
        "red, green, blue rows"
    )
    assert np.array_equal(arrays["test_images"].reshape(2, -1), records["test_batch.bin"][:, 1:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"leave_out": ["data_batch_4.bin"]}, "has no data_batch_4.bin: is it the binary version"),
        ({"test_batch.bin": b"\0" * 3072}, "test_batch.bin: 3072 bytes, not a whole number of records"),
        ({"test_batch.bin": b""}, "test_batch.bin: 0 bytes"),
        ({"data_batch_1.bin": b"\x0a" + b"\0" * 3072}, "data_batch_1.bin: has a label above 9"),
    ],
)
def test_damaged_cifar(tmp_path, change, message):
    cifar(tmp_path / "c.tar.gz", **change)
    with pytest.raises(InputError, match=message):
        read("cifar_binary", {"archive": tmp_path / "c.tar.gz"})


@pytest.mark.parametrize("cut", [0, 10, 2000])
def test_truncated_tar(tmp_path, cut):
    cifar(tmp_path / "c.tar.gz")
    path = tmp_path / "c.tar.gz"
    path.write_bytes(path.read_bytes()[: cut or None] if cut else b"no archive")
    with pytest.raises(InputError, match=r"c.tar.gz: not a complete tar archive"):
        read("cifar_binary", {"archive": path})


def png(array):
    data = io.BytesIO()
    Image.fromarray(np.asarray(array, np.uint8)).save(data, "PNG")
    return data.getvalue()


def pictures(parts=("train", "test"), shape=(6, 5, 3), count=2):
    """Content of images by name: classes `cat` and `ant`, `count` of each in every part."""
    names = [f"{part}/{label}/{i}.png" for part in parts for label in ("cat", "ant") for i in range(count)]
    arrays = {name: RNG.integers(0, 256, shape).astype(np.uint8) for name in names}
    return arrays, {name: png(array) for name, array in arrays.items()}


def zipped(path, content, prefix="images-1a2b/"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(prefix + name, data)
    return path


def test_folders_zipped_and_not(tmp_path):
    arrays, content = pictures()
    extra = {"README.md": b"text", "train/cat/.hidden.png": b"", "train/cat/notes.txt": b"", "train/loose.png": b""}
    content |= extra
    for name, data in content.items():
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    from_zip, classes = read("folders", {"archive": zipped(tmp_path / "a.zip", content | {"__MACOSX/train/x": b""})})
    from_folder, same = read("folders", {"archive": tmp_path / "folder"})
    assert classes == same == ["ant", "cat"]
    assert all(np.array_equal(from_zip[key], from_folder[key]) for key in from_zip | from_folder)
    assert from_zip["train_labels"].tolist() == [0, 0, 1, 1] and from_zip["train_labels"].dtype == np.int64
    assert np.array_equal(from_zip["train_images"][2], arrays["train/cat/0.png"].transpose(2, 0, 1))
    assert np.array_equal(from_zip["test_images"][1], arrays["test/ant/1.png"].transpose(2, 0, 1))


def test_grey_images_without_a_test_part(tmp_path):
    arrays, content = pictures(["train"], (6, 5))
    read_back, _ = read("folders", {"archive": zipped(tmp_path / "a.zip", content, "")})
    assert list(read_back) == ["train_labels", "train_images"] and read_back["train_images"].shape == (4, 1, 6, 5)
    assert np.array_equal(read_back["train_images"][0, 0], arrays["train/ant/0.png"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"train/cat/1.png": png(np.zeros((5, 5, 3)))},
            r"train/cat/1.png: .* are \(3, 5, 5\), of the others \(3, 6, 5\)",
        ),
        ({"test/ant/0.png": png(np.zeros((6, 5)))}, r"test/ant/0.png: .* are \(1, 6, 5\)"),
        ({"train/ant/0.png": b"GIF89a"}, "train/ant/0.png: no PNG or JPEG image"),
        ({"train/ant/0.png": png(RNG.integers(0, 256, (6, 5, 3)))[:80]}, "train/ant/0.png: .*truncated"),
        ({"train/dog/": b""}, "train/dog: has no image"),
        ({"train/dog/1.txt": b""}, "train/dog: has no image"),
        ({"test/dog/1.png": png(np.zeros((6, 5, 3)))}, "class 'dog' stands in one of train/ and test/ only"),
    ],
)
def test_damaged_folders(tmp_path, change, message):
    with pytest.raises(InputError, match=f"a.zip: .*{message}"):
        read("folders", {"archive": zipped(tmp_path / "a.zip", pictures()[1] | change)})


def test_deep_pixels_are_refused(tmp_path):
    data = io.BytesIO()
    Image.fromarray(np.zeros((6, 5), np.uint16)).save(data, "PNG")
    with pytest.raises(InputError, match=r"train/ant/0.png: pixels of mode I"):
        read("folders", {"archive": zipped(tmp_path / "a.zip", pictures()[1] | {"train/ant/0.png": data.getvalue()})})


def test_archives_that_are_none(tmp_path):
    path = zipped(tmp_path / "a.zip", pictures()[1])
    whole = path.read_bytes()
    for damaged in (whole[:-30], whole[:100], b"", b"text"):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"a.zip: not a complete zip archive"):
            read("folders", {"archive": path})
    zipped(path, {"train/cat/1.png": png(np.zeros((6, 5, 3)))})
    with pytest.raises(InputError, match=r"train/ has 1 folder\(s\) of classes"):
        read("folders", {"archive": path})
    zipped(path, {"cat/1.png": b""})
    with pytest.raises(InputError, match="has no folder train/"):
        read("folders", {"archive": path})
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="has no folder train/"):
        read("folders", {"archive": tmp_path / "empty"})
