"""A paper compiles to the same bytes wherever it stands, and what is wrong in it is said."""

import shutil

import pytest
from omegaconf import OmegaConf

from htsr.stages.compile_paper import main, problems

TEX = r"""\documentclass{article}\begin{document}
Value \input{\results/value.tex}, cited \cite{a}.\bibliographystyle{plain}\bibliography{references}\end{document}"""

needs_tex = pytest.mark.skipif(shutil.which("latexmk") is None, reason="latexmk is not installed: run `make tex`")


def compiled(folder, tex=TEX):
    (folder / "paper/one").mkdir(parents=True)
    (folder / "results").mkdir()
    (folder / "paper/one/main.tex").write_text(tex)
    (folder / "paper/references.bib").write_text("@misc{a, author={A. Author}, title={T}, year={2000}}")
    (folder / "results/value.tex").write_text("42")
    pdf = folder / "results/one.pdf"
    main(
        OmegaConf.create(
            {"tex": str(folder / "paper/one/main.tex"), "results": str(folder / "results"), "pdf": str(pdf)}
        )
    )
    return pdf


@needs_tex
def test_the_same_bytes_in_two_places(tmp_path):
    first, second = (compiled(tmp_path / name).read_bytes() for name in ("here", "there/deeper"))
    assert first == second and first.startswith(b"%PDF")
    assert str(tmp_path).encode() not in first


@needs_tex
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (r"\results/value.tex", r"\results/missing.tex", "missing.tex"),
        (r"\cite{a}", r"\cite{b}", "b' on page 1 undefined"),
        ("Value", r"\nosuchmacro", "main.tex:2: Undefined control sequence"),
    ],
)
def test_errors_are_named_and_leave_no_pdf(tmp_path, capsys, old, new, says):
    with pytest.raises(SystemExit) as caught:
        compiled(tmp_path, TEX.replace(old, new))
    assert says in str(caught.value) and not (tmp_path / "results/one.pdf").exists()


def test_problems_of_a_log():
    log = (
        "LaTeX Warning: Reference `tab:x' on page 2 undefined on input line 3.\n"
        "Overfull \\hbox (12.5pt too wide) in paragraph at lines 3--4\n"
        "Overfull \\hbox (0.3pt too wide) in paragraph at lines 5--6\n"
        "Overfull \\vbox (30.0pt too high) has occurred while \\output is active\n"
    )
    undefined, overfull = problems(log)
    assert undefined == ["Reference `tab:x' on page 2 undefined"]
    assert len(overfull) == 2 and "12.5pt" in overfull[0] and "30.0pt" in overfull[1]
