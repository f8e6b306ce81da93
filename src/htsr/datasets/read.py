"""Data sets from the files that their authors publish, and from folders of images.

Every format gives the arrays train_images, train_labels and, where it has a test part, test_images, test_labels: images
as uint8 arrays n x channels x height x width, labels as int64 positions in a list of class names.
"""

import gzip
import hashlib
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, UnidentifiedImageError

from htsr.datasets.digits import read_digits
from htsr.errors import InputError

# What a file's name must be in the configuration, by format.
FILES = {
    "digits": ("table",),
    "idx": ("train_images", "train_labels", "test_images", "test_labels"),
    "cifar_binary": ("archive",),
    "folders": ("archive",),
}
_SUFFIXES = {".png", ".jpg", ".jpeg"}
_COLOURED = {"RGB", "RGBA", "P", "CMYK", "YCbCr"}


def read(
    form: str, files: Mapping[str, Path], content_md5: Mapping[str, str] | None = None
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Arrays and class names of the data set in `files`, which are named as in `FILES`.

    content_md5: MD5 of what is in the gzip files of that name, for format idx. Raises InputError, naming the file, for
    what is damaged, not of the format, or of another checksum.
    """
    if form == "digits":
        images, labels = read_digits(files["table"])
        return {"train_labels": labels, "train_images": images}, [str(digit) for digit in range(10)]
    if form == "idx":
        return _read_idx(files, content_md5 or {})
    if form == "cifar_binary":
        return _read_cifar(files["archive"])
    return _read_folders(files["archive"])


def _read_idx(files: Mapping[str, Path], content_md5: Mapping[str, str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Files in the format of MNIST (LeCun, Cortes, Burges: "The MNIST database"), gzipped or not."""
    arrays = {}
    for name, path in files.items():
        array = _idx(path, _content(path, content_md5.get(name)), 3 if name.endswith("images") else 1)
        arrays[name] = array[:, None] if name.endswith("images") else array.astype(np.int64)
    for part in sorted({name.split("_")[0] for name in arrays}, reverse=True):
        images, labels = (len(arrays[f"{part}_{kind}"]) for kind in ("images", "labels"))
        if images != labels:
            raise InputError(f"{files[f'{part}_labels']}: {labels} labels for {images} images")
    if "test_images" in arrays and arrays["test_images"].shape[1:] != arrays["train_images"].shape[1:]:
        raise InputError(f"{files['test_images']}: its images have another size than those of training")
    classes = max(int(array.max()) for name, array in arrays.items() if name.endswith("labels")) + 1
    return dict(sorted(arrays.items(), key=_labels_first)), [str(label) for label in range(classes)]


def _content(path: Path, md5: str | None) -> bytes:
    """The bytes of a file, unzipped where it is gzipped."""
    try:
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: not a complete gzip file ({error}): delete it and run again") from error
    found = hashlib.md5(content).hexdigest()
    if md5 is not None and found != md5.lower():
        raise InputError(f"{path}: md5 of its content is {found}, expected {md5}: delete it, or correct content_md5")
    return content


def _idx(path: Path, content: bytes, dimensions: int) -> np.ndarray:
    head = 4 + 4 * dimensions
    if content[:4] != bytes([0, 0, 8, dimensions]) or len(content) < head:
        raise InputError(f"{path}: not an idx file of bytes in {dimensions} dimension(s): begins with {content[:4]!r}")
    shape = np.frombuffer(content, ">u4", dimensions, 4).tolist()
    size = int(np.prod(shape, dtype=object))
    if size == 0 or len(content) - head != size:
        raise InputError(f"{path}: {len(content) - head} bytes of data for the shape {shape}: truncated?")
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)


def _labels_first(item: tuple[str, np.ndarray]) -> tuple[bool, bool]:
    """Labels before images, so that their 8 bytes each begin at a multiple of 8; training before test."""
    return item[0].endswith("images"), item[0].startswith("test")


def _read_cifar(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """CIFAR-10's binary version (Krizhevsky 2009): records of a label and 3 x 32 x 32 bytes in six files."""
    wanted = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin", "batches.meta.txt"]
    found = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = PurePosixPath(member.name).name
                if member.isfile() and name in wanted:
                    found[name] = archive.extractfile(member).read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: not a complete tar archive ({error}): delete it and run again") from error
    if missing := [name for name in wanted if name not in found]:
        raise InputError(f"{path}: has no {missing[0]}: is it the binary version of CIFAR-10?")
    classes = found.pop("batches.meta.txt").decode("ascii", "replace").split()
    records = {}
    for name, content in found.items():
        if not content or len(content) % 3073:
            raise InputError(f"{path}: {name}: {len(content)} bytes, not a whole number of records of 3073")
        records[name] = np.frombuffer(content, np.uint8).reshape(-1, 3073)
        if records[name][:, 0].max() >= len(classes):
            raise InputError(f"{path}: {name}: has a label above {len(classes) - 1}")
    arrays = {}
    for part, names in (("train", wanted[:5]), ("test", wanted[5:6])):
        rows = np.concatenate([records[name] for name in names])
        arrays[f"{part}_labels"] = rows[:, 0].astype(np.int64)
        arrays[f"{part}_images"] = rows[:, 1:].reshape(-1, 3, 32, 32)
    return dict(sorted(arrays.items(), key=_labels_first)), classes


def _read_folders(path: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Images in train/<class>/ and test/<class>/, of a folder or a zip archive; test/ may be missing.

    PNG and JPEG files of one size, all grey or all coloured; other files are passed over.
    """
    if path.is_dir():
        names = [f"{entry.relative_to(path).as_posix()}{'/' * entry.is_dir()}" for entry in path.rglob("*")]
        return _read_named(path, names, lambda name: (path / name).read_bytes())
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_named(path, archive.namelist(), archive.read)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise InputError(f"{path}: not a complete zip archive ({error}): delete it and run again") from error


def _read_named(
    path: Path, names: Iterable[str], content: Callable[[str], bytes]
) -> tuple[dict[str, np.ndarray], list[str]]:
    found = _classes(path, names)
    classes = list(found["train"])
    arrays: dict[str, np.ndarray] = {}
    for part, files in found.items():
        if list(files) != classes:
            odd = sorted(set(files) ^ set(classes))[0]
            raise InputError(f"{path}: class {odd!r} stands in one of train/ and test/ only")
        listed = [name for own in files.values() for name in own]
        images = None
        for i, name in enumerate(listed):
            image = _image(path, name, content)
            if images is None:
                images = np.empty((len(listed), *image.shape), np.uint8)
                expected = arrays["train_images"].shape[1:] if arrays else image.shape
            if image.shape != expected:
                raise InputError(
                    f"{path}: {name}: channels, height, width are {image.shape}, of the others {expected}: "
                    "make all images alike"
                )
            images[i] = image
        arrays[f"{part}_labels"] = np.repeat(np.arange(len(classes)), [len(own) for own in files.values()])
        arrays[f"{part}_images"] = images
    return dict(sorted(arrays.items(), key=_labels_first)), classes


def _classes(path: Path, names: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """{train, test: {class: sorted names of its images}}, from under the topmost folder that has a train/."""
    split = {name: PurePosixPath(name).parts for name in sorted(names)}
    split = {name: parts for name, parts in split.items() if not any(p[0] == "." or p == "__MACOSX" for p in parts)}
    roots = [parts[: parts.index("train")] for parts in split.values() if "train" in parts]
    if not roots:
        raise InputError(f"{path}: has no folder train/: put images into train/<class>/ and test/<class>/")
    root = min(roots, key=len)
    found: dict[str, dict[str, list[str]]] = {"train": {}, "test": {}}
    for name, parts in split.items():
        own = parts[len(root) :]
        if parts[: len(root)] != root or len(own) < 2 or own[0] not in found:
            continue
        if len(own) > 2 or name.endswith("/"):  # a class, or something in it
            files = found[own[0]].setdefault(own[1], [])
            if len(own) == 3 and PurePosixPath(name).suffix.lower() in _SUFFIXES:
                files.append(name)
    for part, classes in found.items():
        for label, files in classes.items():
            if not files:
                raise InputError(f"{path}: {part}/{label}: has no image (png, jpg): add some or remove the folder")
    if len(found["train"]) < 2:
        raise InputError(f"{path}: train/ has {len(found['train'])} folder(s) of classes: two are the least")
    return {part: classes for part, classes in found.items() if classes}


def _image(path: Path, name: str, content: Callable[[str], bytes]) -> np.ndarray:
    """One image as channels x height x width."""
    data = content(name)
    try:
        with Image.open(BytesIO(data), formats=("PNG", "JPEG")) as image:
            if image.mode in _COLOURED:
                return np.asarray(image.convert("RGB")).transpose(2, 0, 1)
            if image.mode in ("L", "1"):
                return np.asarray(image.convert("L"))[None]
            problem = f"pixels of mode {image.mode}: 8 bits a channel are needed"
    except UnidentifiedImageError:
        problem = "no PNG or JPEG image"
    except Exception as error:  # a damaged image can end in any exception
        problem = str(error) or type(error).__name__
    raise InputError(f"{path}: {name}: {problem}")
