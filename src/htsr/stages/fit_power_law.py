"""Fit a power law and its rivals to the tail of every spectrum of a model.

In: eigenvalues and those of permuted matrices (`esd`, safetensors). Out: one row a spectrum (`fits`, CSV), also for
spectra that could not be fitted.
"""

import logging
from dataclasses import dataclass

from omegaconf import MISSING

from htsr.config import FitPowerLaw
from htsr.errors import InputError
from htsr.files import Arrays, write_table
from htsr.spectra.spectrum import from_arrays
from htsr.stage import stage
from htsr.tails.fits import COLUMNS, fit_spectrum

log = logging.getLogger("htsr.fit_power_law")


@dataclass
class FitPowerLawJob(FitPowerLaw):
    esd: str = MISSING
    fits: str = MISSING


@stage(FitPowerLawJob)
def main(job: FitPowerLawJob) -> None:
    for key in ("min_tail", "drop_smallest", "min_eigenvalue", "bootstrap", "seed"):
        if getattr(job, key) < 0:
            raise InputError(f"fit_power_law.{key} is {getattr(job, key)}: it must not be negative")
    arrays = Arrays(job.esd)
    rows = []
    for spectrum in from_arrays(arrays, arrays.header):
        row = fit_spectrum(
            spectrum,
            backend=job.backend.value,
            ks=job.ks.value,
            min_tail=job.min_tail,
            cut_at_xmax=job.cut_at_xmax,
            drop_smallest=job.drop_smallest,
            min_eigenvalue=job.min_eigenvalue,
            bootstrap=job.bootstrap,
            seed=job.seed,
        )
        log.info("%s: %s", spectrum.name, f"alpha {row['alpha']:.3f}" if row["status"] == "ok" else row["status"])
        rows.append(row)
    write_table(job.fits, rows, COLUMNS)


if __name__ == "__main__":
    main()
