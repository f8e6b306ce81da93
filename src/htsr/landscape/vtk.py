"""Measured planes as files of VTK's XML formats, which ParaView opens.

A plane becomes a structured grid, what is marked on it a set of points and lines; one multi-block file names them all.
Format: VTK's file formats, https://docs.vtk.org/en/latest/vtk_file_formats/vtkxml_file_format.html; arrays are inline
base64 after their number of bytes, which, unlike its ASCII, keeps what is not a number.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import quoteattr

import numpy as np

from htsr.landscape.export import Plane, described, height_range, heights, log10, value_at

HIDDEN_CELL = 32  # vtkDataSetAttributes::HIDDENCELL
_PIECES = 8  # of a line from state to state, which lies on the surface
_TYPES = {"f": "Float64", "i": "Int64", "u": "UInt8"}

_README = """Loss surfaces for ParaView or any other reader of VTK's XML files.

surfaces.vtm        opens everything; Extract Block, or the eyes of the Multiblock Inspector, choose among surfaces
surfaces/*.vts      one surface each: a, b and, as height, the decimal logarithm of the loss (of the training images
                    where it was measured), from 0 for {low:.6g} to 1 for {high:.6g}, the lowest and the highest of
                    all surfaces here, so that they can be compared
checkpoints/*.vtp   networks on them (vertices; epoch -1), and states of a training with lines between them

Point data: loss, its decimal logarithm, its standard error over the examples, accuracy in percent, for train and test,
and measured (0: interpolated between points of a coarser grid). Cells beside a loss that is not finite are hidden
(vtkGhostType); the arrays keep the NaN or infinity. Field data say what is shown.
"""


def files(surfaces: Sequence[Plane], titles: Mapping[str, str]) -> dict[str, str]:
    """All files by name: README.txt, surfaces.vtm and those that it names. titles: printed names."""
    low, high = height_range(surfaces)
    found = {"README.txt": _README.format(low=low, high=high)}
    blocks = {"surfaces": {}, "checkpoints": {}}
    for number, own in enumerate(surfaces, 1):
        about = own.about
        name = f"{number:03d}_{about['surface']}_{about['network']}_{about['seed']}"
        name = re.sub("[^A-Za-z0-9_.-]", "-", name)
        height = heights(own, low, high)
        for folder, ending, text in (
            ("surfaces", "vts", grid(own, height, described(own, titles))),
            ("checkpoints", "vtp", marks(own, height)),
        ):
            found[f"{folder}/{name}.{ending}"] = text
            blocks[folder][name] = f"{folder}/{name}.{ending}"
    return found | {"surfaces.vtm": multiblock(blocks)}


def grid(own: Plane, height: np.ndarray, description: str) -> str:
    """A plane as a structured grid (.vts), a varying first; height: p x q, NaN where cells are to be hidden."""
    p, q = height.shape
    hole = ~np.isfinite(height)
    data = {}
    for column, values in own.values.items():
        data[column] = values
        if column.endswith("_loss"):
            data[f"log10_{column}"] = log10(values)
    data |= {"measured": own.measured.astype(np.uint8), "height": height}
    corners = np.stack(np.broadcast_arrays(own.a[:, None], own.b, np.where(hole, 0.0, height)), axis=-1)
    hidden = hole[:-1, :-1] | hole[1:, :-1] | hole[:-1, 1:] | hole[1:, 1:]
    told = {key: own.about[key] for key in own.about if own.about[key] is not None} | {"description": description}
    extent = f"0 {p - 1} 0 {q - 1} 0 0"
    return _file(
        "StructuredGrid",
        f' WholeExtent="{extent}"',
        _fields(told),
        f'<Piece Extent="{extent}">',
        f'<PointData Scalars="{own.splits[0]}_loss">',
        *(_array(name, values.T) for name, values in data.items()),
        "</PointData>",
        "<CellData>",
        *([_array("vtkGhostType", (HIDDEN_CELL * hidden.T).astype(np.uint8))] if hidden.any() else []),
        "</CellData>",
        "<Points>",
        _array("Points", corners.transpose(1, 0, 2), 3),
        "</Points>",
        "</Piece>",
    )


def marks(own: Plane, height: np.ndarray) -> str:
    """What is marked on a plane (.vtp): a vertex for every network and state, and lines on it from state to state.

    What lies beyond the measured points, or in a hole, is left out. Epochs are -1 for networks, and between those of
    the states along the lines.
    """
    marked = [(mark["a"], mark["b"], -1 if mark["epoch"] is None else mark["epoch"]) for mark in own.places]
    rows = np.array([(a, b, value_at(own, height, a, b), t) for a, b, t in (*marked, *course(own))]).reshape(-1, 4)
    there = np.isfinite(rows[:, 2])
    n, index = int(there[: len(marked)].sum()), np.cumsum(there) - 1  # of what is left
    gaps = np.flatnonzero(~there)
    runs = np.split(np.arange(len(rows)), np.union1d(gaps, gaps + 1))
    lines = [index[run[run >= len(marked)]] for run in runs if len(run) and there[run[0]]]
    lines = [line for line in lines if len(line) > 1]
    told = [mark["checkpoint"] for mark, seen in zip(own.places, there, strict=False) if seen]
    return _file(
        "PolyData",
        "",
        _fields({"checkpoint": told}),
        f'<Piece NumberOfPoints="{there.sum()}" NumberOfVerts="{n}" NumberOfLines="{len(lines)}">',
        '<PointData Scalars="epoch">',
        _array("epoch", rows[there, 3]),
        "</PointData>",
        "<Points>",
        _array("Points", rows[there, :3], 3),
        "</Points>",
        "<Verts>",
        _array("connectivity", np.arange(n)),
        _array("offsets", np.arange(1, n + 1)),
        "</Verts>",
        "<Lines>",
        _array("connectivity", np.concatenate([np.empty(0, int), *lines])),
        _array("offsets", np.cumsum([len(line) for line in lines], dtype=int)),
        "</Lines>",
        "</Piece>",
    )


def course(own: Plane) -> np.ndarray:
    """a, b, epoch along the straight lines between the states of a training, _PIECES each; none of fewer than two."""
    states = np.array([(mark["a"], mark["b"], mark["epoch"]) for mark in own.places if mark["epoch"] is not None])
    if len(states) < 2:
        return np.empty((0, 3))
    steps = np.arange(_PIECES * (len(states) - 1) + 1) / _PIECES
    return np.stack([np.interp(steps, np.arange(len(states)), column) for column in states.T], axis=1)


def multiblock(blocks: Mapping[str, Mapping[str, str]]) -> str:
    """A multi-block file (.vtm): blocks of files, by their names."""
    lines = []
    for index, (block, entries) in enumerate(blocks.items()):
        lines.append(f'<Block index="{index}" name={quoteattr(block)}>')
        for i, (name, file) in enumerate(entries.items()):
            lines.append(f'<DataSet index="{i}" name={quoteattr(name)} file={quoteattr(file)}/>')
        lines.append("</Block>")
    return _file("vtkMultiBlockDataSet", "", *lines)


def _file(kind: str, attributes: str, *lines: str) -> str:
    head = f'<VTKFile type="{kind}" version="1.0" byte_order="LittleEndian" header_type="UInt64">'
    return "\n".join(['<?xml version="1.0"?>', head, f"<{kind}{attributes}>", *lines, f"</{kind}>", "</VTKFile>", ""])


def _array(name: str, values: np.ndarray, components: int = 1) -> str:
    """An array in the order of its memory, base64 after its number of bytes."""
    values = np.ascontiguousarray(values)
    content = values.astype(values.dtype.newbyteorder("<")).tobytes()
    text = base64.b64encode(len(content).to_bytes(8, "little") + content).decode()
    kind = f'type="{_TYPES[values.dtype.kind]}" NumberOfComponents="{components}" format="binary"'
    return f"<DataArray Name={quoteattr(name)} {kind}>{text}</DataArray>"


def _fields(told: Mapping[str, object]) -> str:
    """Field data: what stands beside the arrays, as text, each a list of strings or one."""
    lines = ["<FieldData>"]
    for name, value in told.items():
        texts = list(map(str, value)) if isinstance(value, list) else [str(value)]
        codes = " ".join(str(code) for text in texts for code in (*text.encode(), 0))
        lines.append(
            f'<Array type="String" Name={quoteattr(name)} NumberOfTuples="{len(texts)}" format="ascii">{codes}</Array>'
        )
    return "\n".join([*lines, "</FieldData>"])
