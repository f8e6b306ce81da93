"""How well each metric of the weights predicts accuracy, per series and pooled over series.

It reads any table of models, also one of your own:

    python -m htsr.stages.regress_accuracy 'metrics=[my_table.csv]' regressions=out.csv

my_table.csv (comma-separated, one row a model; several files are put together):
    series      models that may be compared with each other; a model stands once in a series
    model       its name
    error       test error in percent, or accuracy (or both): the missing one is 100 minus the other
    gap         optional: training less test accuracy, a third target
    seed        optional: models of a series whose names agree up to the ending _s<seed> are one training repeated; they
                become one row, the mean over their seeds. With it, columns that are settings of training
                (htsr.statistics.metrics_table.SETTINGS) are not taken as metrics
    others      every other column of numbers is a metric. Not taken as metrics: train_accuracy, counts (n_...),
                standard errors (..._stderr) and columns of text. An empty cell leaves the model out of that metric
                only. The columns depth and log_norm, where present, are also what the partial correlations take out.

out.csv: one row for each series, and `pooled` for all, metric and target (error, accuracy, gap):
    n                                       models used; of repeated trainings, those that differ
    slope, intercept, r2, rmse, loo_rmse    least squares; rmse = sqrt(SSR/n); loo_rmse predicts a model from the others
    kendall_tau, spearman                   rank correlations, p from permutations (all of them where they are few)
    partial_r, partial_tau                  after taking out depth and log_norm
    ..._low, ..._high                       bootstrap interval: models resampled within their series
    status                                  ok, or what could not be computed and why (its cells are empty)
`pooled` compares within series only: one intercept a series, ranks within series.
"""

import logging
from dataclasses import dataclass

from omegaconf import MISSING

from htsr.config import RegressAccuracy
from htsr.files import read_table, write_table
from htsr.stage import stage
from htsr.statistics.metrics_table import average_seeds, combine, metric_columns
from htsr.statistics.regression import Sampling, regress

log = logging.getLogger("htsr.regress_accuracy")


@dataclass
class RegressAccuracyJob(RegressAccuracy):
    metrics: list[str] = MISSING
    regressions: str = MISSING


@stage(RegressAccuracyJob)
def main(job: RegressAccuracyJob) -> None:
    table = average_seeds(combine({path: read_table(path) for path in job.metrics}))
    log.info("%d models of %d series, metrics %s", len(table), table["series"].nunique(), metric_columns(table))
    write_table(job.regressions, regress(table, Sampling(job.resamples, job.level, job.seed)))


if __name__ == "__main__":
    main()
