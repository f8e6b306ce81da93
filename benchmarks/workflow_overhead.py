"""Time of a dry run of 2,000 jobs, beside a few jobs and beside a bare Snakefile of as many that only copies files."""

import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = ["Snakefile", "config", "environment.yml", "paper", "profiles", "src", "workflow"]
MODELS = 400  # five jobs each: download_model, extract_layers, compute_esd, fit_power_law, measure_layers
REPETITIONS = 5
BARE = f"""
rule all:
    input: [f"stage5/{{i}}.csv" for i in range({MODELS})]
for stage in range(1, 6):
    rule:
        name: f"rule_{{stage}}"
        input: f"stage{{stage - 1}}/{{{{model}}}}.csv" if stage > 1 else "start.csv"
        output: f"stage{{stage}}/{{{{model}}}}.csv"
        shell: "cp {{input}} {{output}}"
"""


def dry_run(folder: Path, *config: str) -> tuple[float, int]:
    """Median seconds of a dry run, and the number of its jobs."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", "--quiet", "rules", "all"]
    command += ["--config", *config] if config else []
    seconds = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), int(re.search(r"total\s+(\d+)", run.stdout + run.stderr)[1])


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, folder / part)
        entries = "".join(f"    model{i}: {{source: file, file: weights.safetensors}}\n" for i in range(MODELS))
        (folder / "config/series/many.yaml").write_text(f"many:\n  title: Many\n  dataset: none\n  models:\n{entries}")
        (folder / "weights.safetensors").touch()
        few, few_jobs = dry_run(folder, "experiment=smoke")
        many, many_jobs = dry_run(folder, "experiment=smoke", "series=[many]")
        bare_folder = folder / "bare"
        bare_folder.mkdir()
        (bare_folder / "Snakefile").write_text(BARE)
        (bare_folder / "start.csv").touch()
        bare, bare_jobs = dry_run(bare_folder)
        print(f"dry run of {few_jobs} jobs: {few:.2f} s")
        print(f"dry run of {many_jobs} jobs: {many:.2f} s, {many / few:.2f} times as long")
        print(f"bare Snakefile of {bare_jobs} jobs: {bare:.2f} s, ours takes {many / bare:.2f} times as long")


if __name__ == "__main__":
    main()
