"""The tables of docs/benchmarks.md, made of what tools/benchmark/outer_step.py --output wrote on one machine, and of what
tools/accelerator.py wrote on another.

    python tools/benchmark/outer_step_table.py F1.json F2.json ... --keep=docs/benchmarks.json --page=docs/benchmarks.md
    python tools/benchmark/outer_step_table.py docs/benchmarks.json --accelerator=docs/accelerator.json --page=docs/benchmarks.md

A row a size: our outer step in float32 and in bfloat16, and by how much what is compared takes longer than our float32 step (of
the published loop also than bfloat16), each with its peak resident memory. It stands in the page between <!-- begin outer-steps -->
and <!-- end outer-steps -->, the accelerator's tables between such marks called accelerator. Several files are read as one, which
--keep writes; of a size and precision that is there twice the later counts.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import contents, json_files
from d3gzsl_jax.studies.own_outputs import json_list_with
from d3gzsl_jax.studies.tables.cells import UNKNOWN
from d3gzsl_jax.studies.tables.writer import Cell, Column, Table, markdown_lines
from d3gzsl_jax.system.atomic import write_text
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.terminal import run_command
from tools.accelerator_stages.summary import markdown
from tools.generated_blocks import filled

ACCELERATOR = Path(__file__).resolve().parents[2] / "docs" / "accelerator.json"
_ORACLES = ("eager", "explicit", "compiled")


class _Rival(msgspec.Struct):
    """What is compared, as tools/benchmark/outer_step.py writes it."""

    seconds_per_step: float
    ratio: float
    peak_resident_gib: float


class _Measured(msgspec.Struct):
    """What the table reads of a size at a precision."""

    size: str
    precision: str
    seconds_per_step: float
    matmul_flops_per_step: float
    share_of_machine_rate: float
    peak_resident_gib: float
    rivals: dict[str, _Rival]


def table(measured: Sequence[Mapping[str, Any]]) -> Table:
    """A row a size, in the order in which float32 was measured."""
    known = {(one["size"], one["precision"]): one for one in measured}
    headings = ["size", "GFLOP", "float32", "of the matmul rate", "bfloat16", *(f"PyTorch {kind}" for kind in _ORACLES)]
    headings += ["published loop", "published loop, by bfloat16", "peak memory", "of PyTorch", "of the published loop"]
    rows = []
    for size in dict.fromkeys(size for size, precision in known if precision == "float32"):
        of, fast = known[size, "float32"], known.get((size, "bfloat16"))
        published = next((rival for name, rival in of["rivals"].items() if "loop" in name), None)
        oracles = [next((rival for name, rival in of["rivals"].items() if kind in name), None) for kind in _ORACLES]
        cells = [size, _gflop(of), _seconds(of), f"{100 * of['share_of_machine_rate']:.0f} %"]
        cells += [_seconds(fast), *map(_ratio, oracles), _ratio(published)]
        by_fast = published and fast and published["seconds_per_step"] / fast["seconds_per_step"]
        cells.append(f"{by_fast:.2f}" if by_fast else UNKNOWN)
        cells += [_memory([of]), _memory(oracles), _memory([published])]
        rows.append([Cell.of(cell) for cell in cells])
    return Table("", [Column.of(heading, right=place > 0) for place, heading in enumerate(headings)], rows)


def _gflop(of: Mapping[str, Any]) -> str:
    count = of["matmul_flops_per_step"] / 1e9
    return f"{count:,.0f}" if count >= 1000 else f"{count:.3g}"


def _seconds(of: Mapping[str, Any] | None) -> str:
    return f"{of['seconds_per_step']:.3g} s" if of else UNKNOWN


def _ratio(rival: Mapping[str, Any] | None) -> str:
    return f"{rival['ratio']:.2f}" if rival else UNKNOWN


def _memory(of: Sequence[Mapping[str, Any] | None]) -> str:
    found = [one["peak_resident_gib"] for one in of if one]
    return f"{min(found):.1f} GiB" if found else UNKNOWN


def _measured(file: Path) -> list[dict[str, Any]]:
    """What tools/benchmark/outer_step.py wrote."""
    content = json_files.read(file, list[_Measured], "measure again by tools/benchmark/outer_step.py --output")
    if content is None:
        raise UserError(f"{file}: there is no such file")
    return content


def _found(accelerator: Path) -> dict[str, Any]:
    """What tools/accelerator.py wrote."""
    content = json_files.read(accelerator, dict[str, Any])
    if not content or not {"date", "commands", "stages"} <= content.keys():
        raise UserError(f"--accelerator {accelerator}: is not there, or not what this version of tools/accelerator.py writes")
    return content


def main() -> None:
    """The command line."""
    parser = Parser(description=__doc__)
    parser.add_argument("measured", type=Path, nargs="+", metavar="FILE.json")
    parser.add_argument("--keep", type=Path, metavar="FILE.json", help="write all that was measured there, as one list")
    parser.add_argument("--accelerator", type=Path, default=ACCELERATOR, metavar="FILE.json", help="default: docs/accelerator.json")
    parser.add_argument("--page", required=True, type=Path, metavar="FILE.md")
    arguments = parser.parse_args()
    measured = [one for file in arguments.measured for one in _measured(file)]
    if not arguments.page.is_file():
        raise UserError(f"--page={arguments.page}: there is no such page")
    keep = arguments.keep and contents.output(arguments.keep, "--keep", json_list_with("size"), "results of outer_step.py")
    made = {"outer-steps": "\n".join(markdown_lines(table(measured)))}
    made["accelerator"] = markdown(_found(arguments.accelerator)).strip()
    page = filled(arguments.page.read_text(encoding="utf-8"), made)
    if keep:  # first: what the page is made of
        write_text(keep, json.dumps(measured, indent=1) + "\n", parents=True)
    write_text(arguments.page, page)


if __name__ == "__main__":
    sys.exit(run_command(main))
