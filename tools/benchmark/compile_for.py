"""Compiles a run's programs for chips that are not there: TPU v5e, H100, CPU. Says what they need and fails where they should not.

    python tools/benchmark/compile_for.py --chip cpu                                   # nothing to install
    python tools/benchmark/compile_for.py --chip v5e h100 --size tiny cegzsl_tiny --d3 with without
    python tools/benchmark/compile_for.py --chip h100 --size cub --precision float32 tf32 bfloat16 --output FILE.json
    python tools/benchmark/compile_for.py --chip v5e --devices 1 --program step evaluation classifier

Nothing is run, and no device, driver or CUDA library is needed: arrays are shapes, and the compilers take descriptions of chips.
The TPU's is in libtpu, the GPU's in the wheels of JAX's CUDA plugin and of CUDA's own compiler; which versions to install is said
where one is missing.

Programs, of tools/benchmark/device_programs.py: `step`, an outer step as the body of the training loop; `evaluation` of the student
(of the final classifier without D3) and `classifier`, the final classifier's fit, which are always for one device, as in a run.

Printed, a row a program, of one device: memory at its peak, and of it what is temporary; floating-point operations of its products;
collectives, the bytes they move, the largest array that all devices get; kernels launched, on a GPU. Everything in a loop counts as
often as it is done. The JSON says more: memory, bytes and kernels by kind, products as traced, custom calls, float64 and 64-bit
integers (of those, random bits are counted in some). Below the table: what does not compile, and what a program should not have
(tools/benchmark/program_checks.py).

Exit code: 0, 1 where something is wrong with a program, 2 where a compiler is not installed.
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import jax

from d3gzsl_jax.errors import reason
from d3gzsl_jax.precision import PRECISIONS, scope
from d3gzsl_jax.runs import contents
from d3gzsl_jax.studies.own_outputs import json_list_with
from d3gzsl_jax.system.atomic import write_text
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.startup import configure
from d3gzsl_jax.system.terminal import run_command
from d3gzsl_jax.text import cut
from tools.benchmark import chips, device_programs
from tools.benchmark.compiled_program import Reading
from tools.benchmark.program_checks import faults
from tools.benchmark.sizes import SIZES, Size

MIB = 2**20
HEADS = (
    "size", "program", "precision", "chip", "devices", "peak, MiB", "temporary, MiB", "GFLOP a device", "collectives", "MiB moved",
    "largest gathered, MiB", "launches",
)  # fmt: skip


def measured(chip: chips.Chip, devices: list[Any], of: Size, program: str, keep: Path | None = None) -> dict[str, Any]:
    """The figures of a program, and its 'faults'. keep: a file for its text."""
    made = device_programs.lower(program, of, devices)
    began = time.perf_counter()
    try:
        compiled = made.lowered.compile(compiler_options=chip.options or None)
    except Exception as error:  # whatever a compiler raises
        return {"faults": [f"does not compile: {cut(reason(error))}"]}
    seconds = time.perf_counter() - began
    memory, reading = compiled.memory_analysis(), Reading(compiled.as_text())
    if keep:
        write_text(keep, reading.text)
    counts: Counter[str] = Counter()
    moved: Counter[str] = Counter()
    for one in reading.collectives:
        counts[one.kind] += one.times
        moved[one.kind] += one.times * one.size
    sizes = {name: getattr(memory, f"{name}_size_in_bytes") for name in ("argument", "temp", "output", "alias", "generated_code")}
    return {
        "compile_seconds": seconds, "memory": sizes | {"peak": peak(memory)},
        "product_flops": reading.product_flops, "all_product_flops": made.products, "row_product_flops": made.row_products,
        "collectives": {kind: {"times": times, "bytes": moved[kind]} for kind, times in counts.items()},
        "largest_gathered": max((one.size for one in reading.collectives if one.kind == "all-gather"), default=0),
        "launches": dict(reading.launches) if chip.counts_launches else None,
        "float64": reading.arrays_of("f64", "c128"), "int64": reading.arrays_of("s64", "u64"),
        "custom_calls": reading.custom_calls, "loops_of_unknown_length": reading.unknown_loops,
        "faults": faults(chip, made, reading, len(devices)),
    }  # fmt: skip


def peak(memory: Any) -> int:
    """Bytes a device needs at once: what the compiler says, or, where that is less (a TPU's leaves some out), arguments, temporary
    arrays, and results that are not written over them."""
    own = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes + memory.temp_size_in_bytes
    return max(getattr(memory, "peak_memory_in_bytes", 0), own)


def row(one: dict[str, Any]) -> str:
    """A line of the table."""
    name = one["size"] + (" without D3" if one["d3"] == "without" else "")
    head = f"| {name} | {one['program']} | {one['precision']} | {one['chip']} | {one['devices']} |"
    if "memory" not in one:
        return f"{head} does not compile |" + " |" * (len(HEADS) - 6)
    memory = [f"{one['memory'][part] / MIB:.3g}" for part in ("peak", "temp")]
    counts = ", ".join(f"{of['times']} {kind}" for kind, of in sorted(one["collectives"].items()))
    moved = f"{sum(of['bytes'] for of in one['collectives'].values()) / MIB:.3g}" if counts else ""
    gathered = f"{one['largest_gathered'] / MIB:.3g}" if one["largest_gathered"] else ""
    cells = [*memory, f"{one['product_flops'] / 1e9:.3g}", counts, moved, gathered]
    return f"{head} {' | '.join(cells)} | {sum(one['launches'].values()) if one['launches'] else ''} |"


def main(argv: list[str] | None = None) -> int:
    """Compiles and reports; returns the exit code."""
    parser = Parser(description=__doc__)
    parser.add_argument("--chip", choices=chips.CHIPS, nargs="+", default=["cpu"])
    parser.add_argument("--devices", type=int, choices=range(1, chips.DEVICES + 1), nargs="+", default=[1, chips.DEVICES])
    parser.add_argument("--size", choices=SIZES, nargs="+", default=["tiny"])
    parser.add_argument("--d3", choices=("with", "without"), nargs="+", default=["with"])
    parser.add_argument("--precision", choices=PRECISIONS, nargs="+", default=["float32"])
    parser.add_argument("--program", choices=device_programs.PROGRAMS, nargs="+", default=["step"])
    parser.add_argument("--output", metavar="FILE", help="also write the figures to a file, as JSON")
    parser.add_argument("--texts", metavar="FOLDER", help="also keep the texts of the compiled programs there")
    arguments = parser.parse_args(argv)
    found = []
    known = json_list_with("size", "chip")
    output = arguments.output and contents.output(arguments.output, "--output", known, "results of this tool")
    texts = arguments.texts and contents.output(arguments.texts, "--texts", _only_texts, "texts of this tool")
    if texts:
        texts.mkdir(exist_ok=True)
    chips.prepare()
    configure(keep_compiled=False)
    there = {name: chips.CHIPS[name].devices() for name in arguments.chip}
    print(f"| {' | '.join(HEADS)} |\n|{'---|' * len(HEADS)}", flush=True)
    for one, of in cases(arguments):
        with scope(one["precision"]):
            chip, devices = chips.CHIPS[one["chip"]], there[one["chip"]][: one["devices"]]
            keep = texts and texts / ("-".join(map(str, one.values())) + ".txt")
            found.append(one | {"jax": jax.__version__} | measured(chip, devices, of, one["program"], keep))
        print(row(found[-1]), flush=True)
        if output:
            write_text(output, json.dumps(found, indent=1) + "\n")
    wrong = [(one, fault) for one in found for fault in one["faults"]]
    for one, fault in wrong:
        case = " ".join(str(one[name]) for name in ("size", "program", "precision", "chip"))
        print(f"compile_for: {case}, {one['devices']} devices, {one['d3']} D3: {fault}", file=sys.stderr)
    return 1 if wrong else 0


def _only_texts(folder: Path) -> bool:
    return folder.is_dir() and all(path.suffix == ".txt" for path in folder.iterdir())


def cases(arguments: argparse.Namespace) -> list[tuple[dict[str, Any], Size]]:
    """What is to be compiled: how it is named, and its size. Programs for one device are compiled for one."""
    found = []
    for size in arguments.size:
        for d3 in arguments.d3:
            of = SIZES[size] if d3 == "with" else SIZES[size]._replace(n_syn=0)
            if d3 == "with" and not of.n_syn and "without" in arguments.d3:
                continue  # a size without
            for program in arguments.program:
                for precision in arguments.precision:
                    for chip in arguments.chip:
                        for count in arguments.devices if program == "step" else [1]:
                            one = {"size": size, "program": program, "precision": precision, "chip": chip, "devices": count}
                            found.append((one | {"d3": "with" if of.n_syn else "without"}, of))
    return found


if __name__ == "__main__":
    sys.exit(run_command(main))
