"""Text and numbers as LaTeX, and booktabs tables that fit the text width of an article (6.3 in, up to 11 pt)."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MISSING = "--"  # an en dash
LONG = 36  # lines of a table that still fit on a page with its caption
_LONG_WORD = 16  # characters of a word after which it may break anywhere
_CHARACTERS = 14.0  # of a table's text in an inch
_LINE = 95  # characters of a heading with its note that fit on a line

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    "–": "--",
    "—": "---",
    "−": "$-$",
    "’": "'",
    "‘": "`",
    "“": "``",
    "”": "''",
    "…": r"\ldots{}",
    "\N{NO-BREAK SPACE}": "~",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "²": "$^2$",
    "³": "$^3$",
    "½": "$1/2$",
    "°": r"$^\circ$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≠": r"$\neq$",
    "≈": r"$\approx$",
    "∼": r"$\sim$",
    "∞": r"$\infty$",
    "→": r"$\to$",
    "√": r"$\surd$",
    "∈": r"$\in$",
    "Σ": r"$\Sigma$",
    "‖": r"$\|$",
    "ᵀ": r"$^{\top}$",
    "₊": "$_+$",
    "₋": "$_-$",
    "ρ": r"$\rho$",
    "α̂": r"$\hat{\alpha}$",
} | {
    letter: f"$\\{name}$"
    for letter, name in zip(
        "αβγδεθλμνπστφχψωΓΔΘΛΠΦΨΩ",
        [
            *("alpha", "beta", "gamma", "delta", "epsilon", "theta", "lambda", "mu", "nu", "pi", "sigma", "tau"),
            *("phi", "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Pi", "Phi", "Psi", "Omega"),
        ],
        strict=True,
    )
}
_PATTERN = re.compile("α̂|.", re.DOTALL)


def escape(text: Any, breakable: bool = False) -> str:
    """Text that LaTeX (pdflatex, UTF-8) prints as it is; a missing value becomes an en dash.

    breakable: lines may break after the dots, slashes, underscores and hyphens of names and addresses, and within very
    long words. A character that no standard font has is printed as its code, [U+4E2D], so that it never stops a run.
    """
    if missing(text):
        return MISSING
    pieces, run, quotes = [], 0, 0
    for character in _PATTERN.findall(str(text)):
        if character == '"':
            pieces.append("``" if quotes % 2 == 0 else "''")
            quotes += 1
        elif character in _SPECIAL:
            pieces.append(_SPECIAL[character])
        elif character.isspace():
            pieces.append(" ")
        else:
            latin = character.isascii() or ("À" <= character <= "ſ" and character.isalpha())
            pieces.append(character if latin and character.isprintable() else f"[U+{ord(character):04X}]")
        run = 0 if character.isspace() or character in "./_-" else run + 1
        if breakable and (character in "./_-" or run > _LONG_WORD):
            pieces.append(r"\allowbreak{}")
    return "".join(pieces)


def missing(value: Any) -> bool:
    """Whether a cell of a table is empty."""
    return value is None or (isinstance(value, float) and math.isnan(value)) or value == ""


def number(value: Any, digits: int = 2) -> str:
    """A number with so many decimals; an en dash where it is missing."""
    if missing(value):
        return MISSING
    if math.isinf(value):
        return r"$\infty$" if value > 0 else r"$-\infty$"
    if abs(value) >= 1e6:
        return significant(value)
    text = f"{value:.{digits}f}"
    return f"${text}$" if float(text) < 0 else text.lstrip("-")


def significant(value: Any, digits: int = 3) -> str:
    """A number with so many significant digits, in powers of ten where it is very large or small."""
    if missing(value) or math.isinf(value):
        return number(value)
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    if -3 <= exponent < 5:
        return number(value, max(digits - 1 - exponent, 0))
    return rf"${value / 10.0**exponent:.{digits - 1}f}\times10^{{{exponent}}}$"


def integer(value: Any) -> str:
    """A whole number with thin spaces between thousands."""
    return MISSING if missing(value) else f"{round(value):,}".replace(",", r"\,")


def percent(share: Any) -> str:
    """A share in percent, without the sign; neither 0 nor 100 unless it is exactly that."""
    if missing(share):
        return MISSING
    value = 100 * share
    return f"{value:.1f}" if f"{value:.0f}" in ("0", "100") and value not in (0, 100) else f"{value:.0f}"


def probability(value: Any) -> str:
    """A p value."""
    if missing(value):
        return MISSING
    return "$<0.001$" if value < 0.001 else f"{value:.3f}" if value < 0.0995 else f"{value:.2f}"


def interval(low: Any, high: Any, digits: int = 2, show=number) -> str:
    """[low, high]; empty where an end is missing."""
    return "" if missing(low) or missing(high) else f"[{show(low, digits)}, {show(high, digits)}]"


def with_interval(value: Any, low: Any, high: Any, digits: int = 2, show=number) -> str:
    """The value and behind it its interval, where it has one."""
    return f"{show(value, digits)} {interval(low, high, digits, show)}".strip()


def with_error(value: Any, error: Any, digits: int = 2) -> str:
    """The value and, smaller, its standard error, where it has one; less decimals where that error is large."""
    if missing(value) or missing(error):
        return number(value, digits)
    if error >= 1:
        digits = min(digits, max(0, 1 - math.floor(math.log10(error))))
    return rf"{number(value, digits)}{{\scriptsize$\pm${number(error, digits)}}}"


@dataclass(frozen=True)
class Column:
    """header: LaTeX; align: l, c, r, or a width in inches, in which text is broken into lines."""

    header: str
    align: str | float = "r"

    @property
    def spec(self) -> str:
        if isinstance(self.align, str):
            return self.align
        return rf">{{\raggedright\arraybackslash}}p{{{self.align}in}}"


@dataclass(frozen=True)
class Heading:
    """A line across the table that names the rows below it, with what they share in small print."""

    text: str
    note: str = ""


def table(columns: Sequence[Column], rows: Sequence[Sequence[str] | Heading], note: str = "") -> str:
    """A tabular with booktabs rules; a longtable, which breaks over pages, where it has more than LONG lines.

    rows: cells in LaTeX, one for each column. note: small print in a paragraph below. Needs booktabs, longtable, array.
    Where the document defines \\tablecaption, that is the caption, and stays with the table (needs caption, too).
    """
    width = len(columns)
    body, lines = [], 0
    for index, row in enumerate(rows):
        if isinstance(row, Heading):
            space = r"\addlinespace" + "\n" if index else ""
            shared = rf" {{\scriptsize {row.note}}}" if row.note else ""
            long = len(row.text + row.note) > _LINE
            wide = r"@{}>{\raggedright\arraybackslash}p{6.2in}@{}" if long else "@{}l"
            body.append(rf"{space}\multicolumn{{{width}}}{{{wide}}}{{\textit{{{row.text}}}{shared}}} \\*")
            lines += 1 + long
        else:
            body.append(" & ".join(row) + r" \\")
            lines += max(_lines(cell, column) for cell, column in zip(row, columns, strict=True))
    if not rows:
        body.append(rf"\multicolumn{{{width}}}{{@{{}}l}}{{nothing to report}} \\")
    spec = "@{}" + "".join(column.spec for column in columns) + "@{}"
    header = " & ".join(column.header for column in columns) + r" \\"
    if lines > LONG:
        top = [
            rf"\begin{{longtable}}{{{spec}}}",
            r"\ifdefined\tablecaption\caption{\tablecaption}\\\fi",
            r"\toprule",
            header,
            r"\midrule",
            r"\endfirsthead",
            r"\toprule",
            header,
            r"\midrule",
            r"\endhead",
            r"\midrule",
            rf"\multicolumn{{{width}}}{{r@{{}}}}{{\scriptsize continued on the next page}} \\",
            r"\endfoot",
            r"\bottomrule",
            r"\endlastfoot",
        ]
        bottom = [r"\end{longtable}"]
    else:
        top = [
            r"\par\noindent\begin{minipage}{\linewidth}\centering",
            r"\ifdefined\tablecaption\captionof{table}{\tablecaption}\fi",
            rf"\begin{{tabular}}{{{spec}}}",
            r"\toprule",
            header,
            r"\midrule",
        ]
        bottom = [r"\bottomrule", r"\end{tabular}"]
    below = [rf"\par\nopagebreak{{\scriptsize\raggedright\noindent {note}\par}}"] if note else []
    start = r"\begingroup\footnotesize\setlength{\tabcolsep}{3pt}\setlength{\LTpost}{2pt}%"
    end = [] if lines > LONG else [r"\end{minipage}\par"]
    return "\n".join([start, *top, *body, *bottom, *below, *end, r"\endgroup"]) + "\n"


def _lines(cell: str, column: Column) -> int:
    """Lines that a cell takes, roughly."""
    if isinstance(column.align, str):
        return 1
    text = re.sub(r"\\[a-zA-Z]+(\{\})?|[{}$]", "", cell)
    return max(1, math.ceil(len(text) / (column.align * _CHARACTERS)))
