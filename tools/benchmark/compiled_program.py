"""What a compiled program does, read out of its text: matrix products, collectives, kernels, wide types, custom calls.

The body of a loop is written once and done often: everything is counted as often as it is done (`Reading.times`). A loop's trip
count is the one the compiler found (known_trip_count), or, where it does not write that (TPU), what its condition compares the
counter with. A loop of unknown length counts once, and is counted.
"""

import dataclasses
import functools
import math
import re
from collections import Counter
from collections.abc import Iterator

from tools.benchmark.convolution import pairs

COLLECTIVES = ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter", "collective-broadcast")
_BRANCHES = ("branch_computations", "true_computation", "false_computation")
_WIDTHS = {"pred": 1, "bf16": 2}
_NO_KERNEL = {
    "parameter", "constant", "tuple", "get-tuple-element", "bitcast", "while", "call", "conditional", "after-all", "partition-id",
    "replica-id", "opt-barrier", "optimization-barrier", "async",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Instruction:
    """name = result operation(operands), attributes; result and attributes as they are written."""

    name: str
    result: str
    operation: str
    operands: tuple[str, ...]
    given: str  # what stands in the brackets, as it is written
    attributes: str
    is_root: bool

    @functools.cached_property
    def shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Element type and sizes of each array of the result."""
        return shapes_of(self.result)

    def called(self, role: str) -> list[str]:
        """The computations it names as this: 'body', 'calls', 'branch_computations', ..."""
        found = re.search(rf"\b{role}=(?:\{{([^}}]*)\}}|%?([\w.\-]+))", self.attributes)
        return re.findall(r"[\w.\-]+", found[1] or found[2]) if found else []

    @property
    def origin(self) -> str:
        """What it was traced from."""
        found = re.search(r'op_name="([^"]*)"', self.attributes)
        return found[1] if found else ""


@dataclasses.dataclass(frozen=True)
class Collective:
    """One kind of communication between devices: result bytes, how often it is done, what it was traced from."""

    kind: str
    size: int
    times: int
    origin: str


def shapes_of(text: str) -> list[tuple[str, tuple[int, ...]]]:
    """Element type and sizes of the arrays that a type is written with."""
    return [(kind, tuple(int(size) for size in sizes.split(",") if size)) for kind, sizes in re.findall(r"(\w+)\[([\d,]*)\]", text)]


def bytes_of(kind: str, sizes: tuple[int, ...]) -> int:
    """Of an array of this element type; of 4-bit and smaller elements, one byte each."""
    bits = re.search(r"\d+", kind)
    width = _WIDTHS.get(kind) or (max(int(bits[0]) // 8, 1) if bits else 0)
    return math.prod(sizes) * width


class Reading:
    """A compiled program.

    Attributes:
        computations: their instructions by name, by the name of the computation.
        times: how often each computation is done, 0 where it is not reached but by a branch that is not counted.
        unknown_loops: of how many loops the length is not known.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.computations: dict[str, dict[str, Instruction]] = {}
        self.entry = ""
        self._read(text)
        self.unknown_loops = 0
        self.times = self._times(most=True)
        self.fewest = self._times(most=False)

    def _read(self, text: str) -> None:
        inside: dict[str, Instruction] = {}
        for line in text.splitlines():
            if line.startswith("  "):
                if instruction := _instruction(line):
                    inside[instruction.name] = instruction
            elif head := re.match(r"(ENTRY )?%?([\w.\-]+) .*\{$", line):
                inside = self.computations[head[2]] = {}
                self.entry = head[2] if head[1] else self.entry

    def _times(self, most: bool) -> Counter[str]:
        """How often each computation is done, of the branches of a condition the one with most or fewest instructions."""
        times: Counter[str] = Counter()

        def go(name: str, count: int) -> None:
            times[name] += count
            for one in self.computations.get(name, {}).values():
                if one.operation == "while":
                    body, condition = one.called("body"), one.called("condition")
                    trips = self._trips(one, name, condition[0])
                    for inner, often in ((body[0], trips), (condition[0], trips + 1)):
                        go(inner, count * often)
                elif one.operation == "conditional":
                    branches = [branch for role in _BRANCHES for branch in one.called(role)]
                    go((max if most else min)(branches, key=self._length), count)
                else:
                    for inner in one.called("calls") + (one.called("to_apply") if one.operation == "call" else []):
                        go(inner, count)

        self.unknown_loops = 0
        go(self.entry, 1)
        return times

    @functools.cache  # noqa: B019 (a reading does not live long)
    def _length(self, name: str) -> int:
        return sum(1 + sum(map(self._length, one.called("calls"))) for one in self.computations[name].values())

    def _trips(self, loop: Instruction, within: str, condition: str) -> int:
        if found := re.search(r'known_trip_count"?:\{"?n"?:"?(\d+)', loop.attributes):
            return int(found[1])
        inside = self.computations[condition]
        root = next((one for one in inside.values() if one.is_root), None)
        if root and root.operation == "compare" and "direction=LT" in root.attributes:
            counter, limit = (inside.get(name) for name in root.operands)
            end = _constant(limit)
            place = re.search(r"index=(\d+)", counter.attributes) if counter and counter.operation == "get-tuple-element" else None
            if end is not None and place:
                carried = self.computations[within].get(loop.operands[0])
                first = carried.operands[int(place[1])] if carried and carried.operation == "tuple" else ""
                return max(end - (_constant(self._plain(within, first)) or 0), 0)
        self.unknown_loops += 1
        return 1

    def _plain(self, within: str, name: str) -> Instruction | None:
        """The instruction of this name, copies of it looked through."""
        one = self.computations[within].get(name)
        while one and one.operation in ("copy", "bitcast", "copy-start", "copy-done"):
            one = self.computations[within].get(one.operands[0])
        return one

    def _done(self) -> Iterator[tuple[Instruction, dict[str, Instruction], int]]:
        """Each instruction, those of its computation, and how often it is done."""
        for name, inside in self.computations.items():
            if self.times[name]:
                yield from ((one, inside, self.times[name]) for one in inside.values())

    @functools.cached_property
    def product_flops(self) -> float:
        """Floating-point operations of the matrix products of one device."""
        return sum(times * _flops(one, inside) for one, inside, times in self._done())

    @functools.cached_property
    def collectives(self) -> list[Collective]:
        """All of them, the largest first. A start and its end are one."""
        found = []
        for one, _, times in self._done():
            kind = one.operation.removesuffix("-start")
            if kind in COLLECTIVES:
                found.append(Collective(kind, _moved(one, kind), times, one.origin))
        return sorted(found, key=lambda one: (-one.size, one.kind, one.origin))

    @property
    def launches(self) -> Counter[str]:
        """Kernels by operation, as often as they are launched: each instruction outside of fusions but those that only name data.
        A sort and a product of a library count once, though they may take several kernels. Of a condition the branch with the
        fewest instructions counts: an outer step measures no norms but at the end of an epoch."""
        found: Counter[str] = Counter()
        everything = [one for inside in self.computations.values() for one in inside.values()]
        fused = {inner for one in everything if one.operation == "fusion" for inner in one.called("calls")}
        for name in self.computations.keys() - fused:
            for one in self.computations[name].values():
                operation = one.operation.removesuffix("-start")
                if operation not in _NO_KERNEL and not operation.endswith(("-done", "-update")):
                    found[operation] += self.fewest[name]
        return +found

    @property
    def custom_calls(self) -> list[str]:
        """Their targets."""
        return sorted({*re.findall(r'custom_call_target="([^"]*)"', self.text)})

    def arrays_of(self, *kinds: str) -> int:
        """How many results are of these element types."""
        results = (one.shapes for inside in self.computations.values() for one in inside.values())
        return sum(any(kind in kinds for kind, _ in shapes) for shapes in results)


def _instruction(line: str) -> Instruction | None:
    head = re.match(r"\s+(ROOT )?%?([\w.\-]+) = ", line)
    if not head:
        return None
    at = head.end()
    end = _closing(line, at) + 1 if line[at] == "(" else line.index(" ", at)
    operation = re.match(r"\s*([\w\-]+)\(", line[end:])
    if not operation:
        return None
    opens = end + operation.end() - 1
    closes = _closing(line, opens)
    given = line[opens + 1 : closes]
    names = tuple(re.findall(r"%([\w.\-]+)", given))
    return Instruction(head[2], line[at:end], operation[1], names, given, line[closes + 1 :], bool(head[1]))


def _closing(line: str, opens: int) -> int:
    """Where the bracket at `opens` is closed."""
    depth = 0
    for at in range(opens, len(line)):
        depth += {"(": 1, ")": -1}.get(line[at], 0)
        if not depth:
            return at
    return len(line) - 1


def _constant(one: Instruction | None) -> int | None:
    number = one and one.operation == "constant" and re.fullmatch(r"-?\d+", one.given)
    return int(number[0]) if number else None


def _moved(one: Instruction, kind: str) -> int:
    """Bytes of its result on a device; that of a start names what goes in before it."""
    result = one.result
    if one.operation.endswith("-start") and kind != "all-reduce":
        parts = re.findall(r"\(([^()]*)\)", re.sub(r"\{[^}]*\}", "", result)[1:-1]) or re.findall(r"\w+\[[\d,]*\]", result)
        result = parts[1] if len(parts) > 1 else result
    return sum(bytes_of(*shape) for shape in shapes_of(result))


def _flops(one: Instruction, inside: dict[str, Instruction]) -> float:
    if one.operation == "convolution":
        left, right = (inside[name].shapes[0][1] for name in one.operands)
        return 2.0 * pairs(left, right, one.shapes[0][1], one.attributes)
    contracted = re.search(r"lhs_contracting_dim(?:s=\{|ensions\":\[)([\d,\"]*)", one.attributes)
    if not contracted or one.operation not in ("dot", "custom-call"):
        return 0.0
    left = inside[one.operands[0]].shapes[0][1]
    return 2.0 * math.prod(one.shapes[0][1]) * math.prod(left[int(axis)] for axis in re.findall(r"\d+", contracted[1]))
