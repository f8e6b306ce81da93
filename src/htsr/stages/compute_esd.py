"""Compute the spectrum of every weight matrix of a model, of its element-wise permutations and of its windows.

In: matrices (`layers`, safetensors), read one at a time. Out: eigenvalues (`esd`, safetensors); a matrix that has none
is listed in the header with the reason.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from omegaconf import MISSING

from htsr.config import ComputeEsd
from htsr.errors import InputError
from htsr.files import Arrays, write_arrays
from htsr.spectra.esd import compute_spectrum
from htsr.spectra.spectrum import Spectrum, to_arrays, to_header
from htsr.stage import stage

log = logging.getLogger("htsr.compute_esd")


@dataclass
class ComputeEsdJob(ComputeEsd):
    layers: str = MISSING
    esd: str = MISSING


@stage(ComputeEsdJob)
def main(job: ComputeEsdJob) -> None:
    for key in ("permutations", "windows", "seed"):
        if getattr(job, key) < 0:
            raise InputError(f"compute_esd.{key} is {getattr(job, key)}: it must not be negative")
    arrays = Arrays(job.layers)
    if "matrices" not in arrays.header:
        raise InputError(f"{job.layers}: its header lists no matrices: was it made by extract_layers?")
    pools: dict[str, list[str]] = {}
    for name, entry in arrays.header["matrices"].items():
        pools.setdefault(entry["pool"], []).append(name)
    header = {key: value for key, value in arrays.header.items() if key != "matrices"}
    header |= {"normalization": job.normalization.value, "permutations": job.permutations, "windows": job.windows}
    header["seed"] = job.seed
    header["spectra"] = {}

    def spectra() -> Iterator[Spectrum]:
        for pool, names in pools.items():
            entry = arrays.header["matrices"][names[0]]
            spectrum = compute_spectrum(
                pool,
                entry["layer"],
                entry["kind"],
                {name: arrays[name] for name in names},
                job.normalization.value,
                job.permutations,
                job.seed,
                job.windows,
            )
            log.info("%s: %d matrices, %d x %d, %s", pool, len(names), spectrum.n, spectrum.m, spectrum.status)
            header["spectra"] |= to_header([spectrum])["spectra"]
            yield spectrum

    write_arrays(job.esd, to_arrays(spectra()), header)


if __name__ == "__main__":
    main()
