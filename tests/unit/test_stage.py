"""Programs made by htsr.stage: several jobs in one process."""

import sys
from dataclasses import dataclass

import pytest
from omegaconf import MISSING

from htsr.errors import InputError
from htsr.stage import split, stage

seen = []


@dataclass
class CountJob:
    word: str = MISSING
    times: int = 1


@stage(CountJob)
def main(job: CountJob) -> None:
    if job.times < 0:
        raise InputError(f"times: {job.times} is less than 0")
    seen.append(job.word * job.times)


def run(monkeypatch, *words):
    seen.clear()
    monkeypatch.setattr(sys, "argv", ["program", *words])
    main()
    return seen


def test_words_are_split_at_bars():
    assert split(["a", "--", "b", "c"]) == [["a"], ["b", "c"]]
    assert split([]) == [[]]


def test_several_jobs_run_one_after_the_other_with_their_own_settings(monkeypatch):
    assert run(monkeypatch, "word=a", "times=3", "--", "word=b") == ["aaa", "b"]


def test_a_wrong_job_ends_the_program_after_those_before_it(monkeypatch):
    with pytest.raises(SystemExit, match="times: -1"):
        run(monkeypatch, "word=a", "--", "word=b", "times=-1", "--", "word=c")
    assert seen == ["a"]
