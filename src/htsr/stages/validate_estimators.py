"""Try every estimator of the tail's exponent on samples whose exponent is known.

Out: bias, spread and coverage of the 95 % interval (`validations`, CSV): one row a law, size, exponent, estimator and
interval. It reads nothing: the numbers depend on the settings alone.
"""

import logging
from dataclasses import dataclass

from omegaconf import MISSING

from htsr.config import ValidateEstimators
from htsr.errors import InputError
from htsr.files import write_table
from htsr.stage import stage
from htsr.tails.validation import COLUMNS, validate_all

log = logging.getLogger("htsr.validate_estimators")


@dataclass
class ValidateEstimatorsJob(ValidateEstimators):
    validations: str = MISSING


@stage(ValidateEstimatorsJob)
def main(job: ValidateEstimatorsJob) -> None:
    for key, least in (("replicates", 1), ("matrices", 0), ("resamples", 1), ("seed", 0)):
        if getattr(job, key) < least:
            raise InputError(f"validate_estimators.{key} is {getattr(job, key)}: it must be at least {least}")
    if not job.sizes or min(job.sizes) < 10:
        raise InputError(f"validate_estimators.sizes is {job.sizes}: give sizes of samples, none below 10")
    if not job.exponents or min(job.exponents) <= 1:
        raise InputError(f"validate_estimators.exponents is {job.exponents}: give exponents, all above 1")
    rows = []
    for row in validate_all(job.sizes, job.exponents, job.replicates, job.matrices, job.resamples, job.seed):
        if not rows or any(row[key] != rows[-1][key] for key in ("law", "n")):
            log.info("%s, samples of %d", row["law"], row["n"])
        rows.append(row)
    write_table(job.validations, rows, COLUMNS)


if __name__ == "__main__":
    main()
