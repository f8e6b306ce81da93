"""Sample an ensemble of random matrices and compute their spectra.

Out: eigenvalues (`esd`, safetensors), the record of compute_esd with the normalization 1/N, and one row a spectrum with
its law, shape, parameters and the phase that it stands for (`listing`, CSV). Matrices exist one at a time.
"""

import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from htsr.config import Ensemble, EnsemblePart, SampleEnsemble
from htsr.errors import InputError
from htsr.files import write_arrays, write_table
from htsr.spectra.ensembles import sample
from htsr.spectra.esd import compute_spectrum
from htsr.spectra.permutation import generator
from htsr.spectra.spectrum import Spectrum, to_arrays, to_header
from htsr.stage import stage

log = logging.getLogger("htsr.sample_ensemble")

_FIXED = ("layer", "law", "n", "m", "sample", "phase")


@dataclass
class SampleEnsembleJob(SampleEnsemble):
    name: str = MISSING
    ensemble: Ensemble = field(default_factory=Ensemble)
    esd: str = MISSING
    listing: str = MISSING


def combinations(name: str, part: EnsemblePart) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Rows of the listing of the part `name`, each with its law's parameters. Raises InputError where impossible."""
    if part.samples < 1 or not part.shapes:
        raise InputError(f"part {name!r}: it needs at least one shape and one sample")
    for shape in part.shapes:
        if len(shape) != 2 or not 1 <= shape[1] <= shape[0]:
            raise InputError(f"part {name!r}: shape {shape} is no pair [N, M] with N >= M >= 1")
    for key, values in part.parameters.items():
        if key in _FIXED or not isinstance(values, list) or not values:
            raise InputError(f"part {name!r}: parameters.{key} is {values!r}: it must be a list of values")
    for (n, m), values in itertools.product(part.shapes, itertools.product(*part.parameters.values())):
        parameters = dict(zip(part.parameters, values, strict=True))
        text = ",".join(f"{key}={value}" for key, value in {"n": n, "m": m, **parameters}.items())
        for i in range(part.samples):
            row = {"layer": f"{name}[{text},sample={i}]", "law": part.law, "n": n, "m": m, "sample": i}
            yield row | {"phase": part.phase, **parameters}, parameters


@stage(SampleEnsembleJob)
def main(job: SampleEnsembleJob) -> None:
    try:
        rows = [row for name, part in job.ensemble.parts.items() for row in combinations(name, part)]
    except InputError as error:
        raise InputError(f"ensemble {job.name!r}, {error}") from error
    header = {"ensemble": job.name, "normalization": "one_over_n", "permutations": job.permutations, "seed": job.seed}
    header["spectra"] = {}

    def spectra() -> Iterator[Spectrum]:
        for done, (row, parameters) in enumerate(rows, 1):
            name = row["layer"]
            try:
                w = sample(row["law"], row["n"], row["m"], generator(job.seed, name), **parameters)
            except (ValueError, TypeError) as error:
                raise InputError(f"ensemble {job.name!r}, {name}: {error}") from error
            part = name.partition("[")[0]
            spectrum = compute_spectrum(name, part, row["law"], {name: w}, "one_over_n", job.permutations, job.seed)
            header["spectra"] |= to_header([spectrum])["spectra"]
            if done % 50 == 0 or done == len(rows):
                log.info("%s: %d of %d spectra, %s", job.name, done, len(rows), name)
            yield spectrum

    write_arrays(job.esd, to_arrays(spectra()), header)
    write_table(job.listing, [row for row, _ in rows])


if __name__ == "__main__":
    main()
