# From networks to papers: `snakemake --cores 8 all`. What is analysed stands in config/, how it is scheduled here.
from snakemake.utils import min_version

min_version("9.19")


include: "workflow/rules/common.smk"


pathvars:
    results=RESULTS,
    logs=f"{RESULTS}/logs",
    benchmarks=f"{RESULTS}/benchmarks",


include: "workflow/functions/training.smk"
include: "workflow/functions/jacobian.smk"
include: "workflow/functions/landscape.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/spectra.smk"
include: "workflow/rules/jacobian.smk"
include: "workflow/rules/landscape.smk"
include: "workflow/rules/statistics.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/paper.smk"


# With its own limit of 100 jobs a second Snakemake looks through all ready jobs once a second for every job that has run
# (as of 9.27), which takes half a core after a few hundred jobs. A limit that the user sets is kept.
onstart:
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


rule all:
    """Every figure, table and paper of the chosen experiment."""
    default_target: True
    input:
        expand(
            f"{RESULTS}/figures/{{figure}}.{{format}}",
            figure=[name for name in FIGURES if name not in ABSENT_FIGURES],
            format=["pdf", "png", "csv"],
        ),
        expand(f"{RESULTS}/tables/{{table}}.tex", table=TABLES),
        expand(f"{RESULTS}/papers/{{paper}}.pdf", paper=cfg["papers"]),
        of_landscapes(),
