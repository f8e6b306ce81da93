"""Named values for a paper's text, as one family of LaTeX macros.

    \\val{NAME}             the value; an undefined name is a LaTeX error
    \\ifhas{FLAG}{A}{B}     A where the flag holds, else B; an undefined flag is a LaTeX error
    \\eachseries{TEXT}      TEXT once for each series, whose name is \\thisseries in it: \\val{\\thisseries.n_models}
    \\eachmodel, \\eachclaim    the same for models (\\thismodel) and claims (\\thisclaim)

\\val and \\ifhas are expandable.
"""

from typing import Any

from htsr.tables.latex import MISSING


class Values:
    """Named values (LaTeX) and flags, in the order in which they were set."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.flags: dict[str, bool] = {}
        self.lists: dict[str, list[str]] = {}

    def put(self, prefix: str, **texts: str) -> None:
        self.texts |= {f"{prefix}{name}": text or MISSING for name, text in texts.items()}

    def flag(self, prefix: str = "", **flags: Any) -> None:
        self.flags |= {f"{prefix}{name}": bool(value) for name, value in flags.items()}


_MACROS = r"""
\newcommand*{\val}[1]{%
  \ifcsname val@#1\endcsname\csname val@#1\endcsname
  \else\PackageError{values}{There is no value named `#1'}{All names stand in values.tex.}\fi}
\newcommand*{\ifhas}[1]{%
  \ifcsname has@#1\endcsname\else\PackageError{values}{There is no flag named `#1'}{All names stand in values.tex.}\fi
  \csname has@#1\endcsname}
"""


def render(values: Values) -> str:
    """values.tex: the macros and one definition a line."""
    lines = ["% Made by make_values: every value and flag of this experiment. Do not edit.", r"\makeatletter"]
    lines += _MACROS.strip().split("\n")
    for name, entries in values.lists.items():
        lines.append(rf"\def\all@{name}{{{','.join(entries)}}}")
        lines.append(rf"\newcommand{{\each{name}}}[1]{{\@for\this{name}:=\all@{name}\do{{#1}}}}")
    lines += [rf"\@namedef{{val@{name}}}{{{text}}}" for name, text in values.texts.items()]
    lines += [
        rf"\expandafter\let\csname has@{name}\endcsname\@{'first' if flag else 'second'}oftwo"
        for name, flag in values.flags.items()
    ]
    return "\n".join([*lines, r"\makeatother"]) + "\n"
