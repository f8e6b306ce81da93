"""Fetch one data set, verify it, and keep its images and labels as arrays.

Out (`images`): train_images and, where the set has a test part of its own, test_images (uint8, n x channels x height x
width), with train_labels and test_labels (positions in the header's `classes`).
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from omegaconf import MISSING

from htsr.config import DatasetFile, DatasetSource, DownloadModel
from htsr.datasets.digits import digits_file
from htsr.datasets.read import FILES, read
from htsr.errors import InputError
from htsr.files import write_arrays
from htsr.models.download import fetch_by, verify
from htsr.stage import stage

log = logging.getLogger("htsr.download_dataset")


@dataclass
class DownloadDatasetJob(DownloadModel):
    """mirror: a folder looked at before the network; without it, the environment variable HTSR_MIRROR."""

    name: str = MISSING
    source: DatasetSource = field(default_factory=DatasetSource)
    mirror: str | None = None
    images: str = MISSING


@stage(DownloadDatasetJob)
def main(job: DownloadDatasetJob) -> None:
    try:
        form, entries = job.source.format.value, dict(job.source.files)
        if form == "digits" and not entries:
            entries = {"table": DatasetFile(file=str(digits_file()))}
        _check(form, entries)
        found = {key: locate(job, key, entry) for key, entry in entries.items()}
        paths = {key: path for key, (path, _) in found.items()}
        arrays, classes = read(form, paths, {key: entry.content_md5 for key, entry in entries.items()})
    except InputError as error:
        raise InputError(f"data set {job.name}: {error}") from error
    header = {
        "name": job.name,
        "classes": classes,
        "source": {
            key: {"origin": entry.url or Path(entry.file).name, "sha256": found[key][1]}
            for key, entry in entries.items()
        },
        "sha256": checksum(arrays),
    }
    write_arrays(job.images, arrays.items(), header)
    shapes = ", ".join(f"{key} {array.shape}" for key, array in arrays.items())
    log.info("%s: %d classes, %s, sha256 %s", job.name, len(classes), shapes, header["sha256"])


def _check(form: str, entries: Mapping[str, DatasetFile]) -> None:
    """Raises InputError where `files` names not what the format needs, or not one place for each."""
    needed = FILES[form]
    if form == "idx" and not any(key.startswith("test") for key in entries):
        needed = needed[:2]
    if set(entries) != set(needed):
        raise InputError(f"source.files names {sorted(entries)}: format {form} needs {', '.join(needed)}")
    for key, entry in entries.items():
        if (entry.url is None) == (entry.file is None):
            raise InputError(f"source.files.{key}: give one of `url` and `file`")
        if entry.content_md5 and form != "idx":
            raise InputError(f"source.files.{key}: content_md5 is for format idx: give the sha256 of the file")


def locate(job: DownloadDatasetJob, key: str, entry: DatasetFile) -> tuple[Path, str | None]:
    """A file of the set, downloaded if need be, and its SHA-256 (None for a folder)."""
    if entry.url:
        return fetch_by(job, entry.url, entry.sha256)
    path = Path(entry.file)
    if not path.exists():
        raise InputError(f"{path}: no such file (relative to the working directory): correct source.files.{key}.file")
    if path.is_dir():
        if entry.sha256:
            raise InputError(f"{path}: a folder has no sha256: leave it out")
        return path, None
    return path, verify(path, entry.sha256, "correct `sha256` or replace the file")


def checksum(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of names, shapes and contents, whatever the images came from."""
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(f"{name} {array.shape} {array.dtype} ".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


if __name__ == "__main__":
    main()
