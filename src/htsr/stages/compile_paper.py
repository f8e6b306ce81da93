"""Compile one paper from its TeX source and the results that it names through the macro `\\results`."""

import logging
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from omegaconf import MISSING

from htsr.errors import InputError
from htsr.files import whole
from htsr.stage import stage

log = logging.getLogger("htsr.compile_paper")

# No dates, no file names, no identifier made from the path: the same sources give the same bytes.
_PRETEX = r"\pdfinfoomitdate=1 \pdfsuppressptexinfo=-1 \pdftrailerid{{}} \def\results{{{results}}}"


@dataclass
class CompilePaperJob:
    """`tex` is the main file, `results` the folder that `\\results` stands for, `pdf` the paper."""

    tex: str = MISSING
    results: str = MISSING
    pdf: str = MISSING


def problems(text: str) -> tuple[list[str], list[str]]:
    """What a TeX log complains of: (undefined references and citations, boxes more than 1 pt too wide or high)."""
    text = text.replace("\n", " ")
    undefined = re.findall(r"(?:Reference|Citation) [`'][^']+' on page \d+ undefined", text)
    overfull = [
        message
        for message, width in re.findall(r"(Overfull \\[hv]box \(([\d.]+)pt too (?:wide|high)\) [\w\\ ]+)", text)
        if float(width) > 1
    ]
    return sorted(set(undefined)), overfull


@stage(CompilePaperJob)
def main(job: CompilePaperJob) -> None:
    if shutil.which("latexmk") is None:
        raise InputError("latexmk is missing: run `make tex`, or install TeX Live with latexmk")
    results = Path(job.results).resolve().as_posix()
    with tempfile.TemporaryDirectory() as build:
        pretex = _PRETEX.format(results=results)
        command = ["latexmk", "-cd", "-pdf", "-halt-on-error", "-interaction=nonstopmode", "-file-line-error"]
        command += [f"-outdir={build}", "-usepretex", f"-pretex={pretex}", job.tex]
        log.info("%s", " ".join(command))
        papers = Path(job.tex).resolve().parents[1]  # where references.bib is
        environment = os.environ | {
            "BIBINPUTS": f"{papers}:",
            "SOURCE_DATE_EPOCH": "0",
            "FORCE_SOURCE_DATE": "1",
            "max_print_line": "1000",
        }
        run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        output = run.stdout.decode(errors="replace")
        if run.returncode:
            errors = [line for line in output.splitlines() if re.match(r"(\S+:\d+: |! )", line)]
            raise InputError(f"{job.tex} does not compile: {'; '.join(errors[:3]) or output[-2000:]}")
        stem = Path(build, Path(job.tex).stem)
        undefined, overfull = problems(stem.with_suffix(".log").read_text(errors="replace"))
        if undefined:
            raise InputError(f"{job.tex}: {'; '.join(undefined)}")
        for message in overfull:
            log.warning("%s", message)
        with whole(job.pdf) as partial:
            shutil.copyfile(stem.with_suffix(".pdf"), partial)
    log.info("wrote %s", job.pdf)


if __name__ == "__main__":
    main()
