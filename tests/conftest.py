"""Shared by all tests: where the repository and the mirror are."""

import gc
import os
from pathlib import Path

import pytest
from omegaconf import OmegaConf

ROOT = Path(__file__).parents[1]


def pytest_collection_finish():
    """What is imported by now stays: looking for garbage in it again and again takes a tenth of the tests' time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder of published checkpoints and data, laid out as their hosts serve them."""
    folder = os.environ.get("HTSR_MIRROR")
    if not folder:
        pytest.skip("HTSR_MIRROR is not set: no published checkpoints here")
    return Path(folder)


@pytest.fixture(scope="session")
def digits(tmp_path_factory) -> Path:
    """The file of images that download_dataset makes of the digits that come with scikit-learn."""
    from htsr.stages import download_dataset

    images = tmp_path_factory.mktemp("images") / "digits.safetensors"
    download_dataset.main(OmegaConf.create({"name": "digits", "images": str(images)}))
    return images
