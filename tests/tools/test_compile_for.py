"""Programs compiled for chips that are not there: what is read out of them, and what they must not have."""

import dataclasses
import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system.terminal import run_command
from tests.conftest import ROOT
from tools.benchmark import chips, compile_for, device_programs
from tools.benchmark.compiled_program import Collective, Reading, bytes_of
from tools.benchmark.convolution import pairs
from tools.benchmark.flops import matmul_flops
from tools.benchmark.program_checks import faults
from tools.benchmark.sizes import SIZES

# Three turns of a loop, as a GPU's compiler writes it: a fusion, a product of a library, a sum over devices in two parts; before it a
# copy and a gather, and of a condition one branch with two kernels and one with one.
GPU = """
HloModule jit_step

%fused (p: f32[8,4]) -> f32[8,4] {
  %p = f32[8,4]{1,0} parameter(0)
  ROOT %twice = f32[8,4]{1,0} add(%p, %p)
}

%body (carry: (s32[], f32[8,4])) -> (s32[], f32[8,4]) {
  %carry = (s32[], f32[8,4]{1,0}) parameter(0)
  %i = s32[] get-tuple-element(%carry), index=0
  %x = f32[8,4]{1,0} get-tuple-element(%carry), index=1
  %y = f32[8,4]{1,0} fusion(%x), kind=kLoop, calls=%fused, metadata={op_name="jit(step)/while/body/add"}
  %view = f32[4,8]{0,1} bitcast(%y)
  %gemm = (f32[8,8]{1,0}, s8[512]{0}) custom-call(%y, %view), custom_call_target="__cublas$lt$matmul", backend_config={"gemm_backend_config":{"dot_dimension_numbers":{"lhs_contracting_dimensions":["1"],"rhs_contracting_dimensions":["0"]}}}
  %start = f32[8,4]{1,0} all-reduce-start(%y), to_apply=%sum
  %done = f32[8,4]{1,0} all-reduce-done(%start)
  ROOT %next = (s32[], f32[8,4]{1,0}) tuple(%i, %done)
}

%condition (carry.1: (s32[], f32[8,4])) -> pred[] {
  %carry.1 = (s32[], f32[8,4]{1,0}) parameter(0)
  %i.1 = s32[] get-tuple-element(%carry.1), index=0
  %end = s32[] constant(3)
  ROOT %less = pred[] compare(%i.1, %end), direction=LT
}

%measure (m: f32[8,4]) -> f32[8,4] {
  %m = f32[8,4]{1,0} parameter(0)
  %one = f32[8,4]{1,0} fusion(%m), kind=kLoop, calls=%fused
  ROOT %two = f32[8,4]{1,0} copy(%one)
}

%not (n: f32[8,4]) -> f32[8,4] {
  %n = f32[8,4]{1,0} parameter(0)
  ROOT %three = f32[8,4]{1,0} copy(%n)
}

ENTRY %main (a: f32[1,4], which: s32[]) -> f32[8,4] {
  %a = f32[1,4]{1,0} parameter(0)
  %which = s32[] parameter(1)
  %zero = s32[] constant(0)
  %copied = f32[1,4]{1,0} copy(%a)
  %gather = (f32[1,4]{1,0}, f32[8,4]{1,0}) all-gather-start(%copied), dimensions={0}
  %all = f32[8,4]{1,0} all-gather-done(%gather)
  %begin = (s32[], f32[8,4]{1,0}) tuple(%zero, %all)
  %loop = (s32[], f32[8,4]{1,0}) while(%begin), condition=%condition, body=%bodyBACKEND
  %last = f32[8,4]{1,0} get-tuple-element(%loop), index=1
  ROOT %maybe = f32[8,4]{1,0} conditional(%which, %last, %last), branch_computations={%measure, %not}
}
"""


@pytest.mark.parametrize("known", [', backend_config={"known_trip_count":{"n":"3"}}', ""])
def test_what_is_in_a_loop_counts_as_often_as_it_is_done(known):
    """Whether the compiler writes how often that is, or it follows from the condition."""
    read = Reading(GPU.replace("BACKEND", known))
    assert read.times["body"] == 3 and read.unknown_loops == 0
    assert [(one.kind, one.size, one.times) for one in read.collectives] == [("all-gather", 128, 1), ("all-reduce", 128, 3)]
    assert read.product_flops == 3 * 2 * 8 * 8 * 4
    assert read.custom_calls == ["__cublas$lt$matmul"]


def test_kernels_are_counted():
    """What only names data is none; of a condition the shorter branch counts, and the condition of a loop is looked at once more."""
    launches = Reading(GPU.replace("BACKEND", "")).launches
    assert launches == {"fusion": 3, "custom-call": 3, "all-reduce": 3, "copy": 2, "all-gather": 1, "compare": 4}


def test_a_loop_of_unknown_length_counts_once_and_is_told():
    read = Reading(GPU.replace("BACKEND", "").replace("constant(3)", "parameter(1)"))
    assert read.times["body"] == 1 and read.unknown_loops == 1


def test_a_loop_that_begins_later():
    assert Reading(GPU.replace("BACKEND", "").replace("constant(0)", "constant(1)")).times["body"] == 2


def test_products_are_counted_as_the_trace_says():
    """Loops, a condition, products of batches; compiled for the CPU of this process."""

    def function(x, kernel):
        x = jax.lax.scan(lambda x, _: (jnp.tanh(x @ kernel), None), x, None, length=7)[0]
        x = jax.lax.cond(x[0, 0] > 0, lambda x: x @ kernel, lambda x: x, x)
        return jnp.einsum("bij,bjk->bik", x.reshape(4, 4, 32), x.reshape(4, 32, 4))

    shapes = jax.ShapeDtypeStruct((16, 32), jnp.float32), jax.ShapeDtypeStruct((32, 32), jnp.float32)
    read = Reading(jax.jit(function).lower(*shapes).compile().as_text())
    assert read.product_flops == matmul_flops(function, *shapes, branch=1) == 8 * 2 * 16 * 32 * 32 + 2 * 4 * 4 * 4 * 32
    assert read.unknown_loops == 0 and not read.collectives and not read.arrays_of("f64")


@pytest.mark.parametrize(("shapes", "attributes", "expected"), [
    (((506, 2048), (2048, 4096), (506, 4096)), "dim_labels=bf_io->bf", 506 * 2048 * 4096),
    (((5, 3, 32), (32, 64, 1), (5, 3, 64)), "window={size=1}, dim_labels=b0f_io0->b0f", 5 * 3 * 32 * 64),
    (((2, 4, 3), (3, 3, 7), (2, 4, 7)), "window={size=3 pad=1_1}, dim_labels=b0f_0io->b0f", 2 * 3 * 7 * 10),  # two taps are outside
    # Five products of batches, (3, 32) times (32, 64): an axis of five with holes between, of which each place meets one number.
    (((5, 3, 32), (5, 32, 64), (5, 3, 64)), "window={size=5 stride=4 lhs_dilate=5}, dim_labels=0bf_0io->0bf", 5 * 3 * 32 * 64),
])  # fmt: skip
def test_products_that_a_tpu_takes_for_convolutions(shapes, attributes, expected):
    assert pairs(*shapes, attributes) == expected


def test_bytes():
    assert [bytes_of(kind, (2, 3)) for kind in ("f32", "bf16", "pred", "f8e4m3fn", "s64", "token")] == [24, 12, 6, 6, 48, 0]


def test_products_that_grow_with_the_rows_are_told_from_those_of_classes():
    """By hand, the semantic part of first layers: it is made per class, of both networks, there and back."""
    of = SIZES["tiny"]
    per_class = device_programs._products(of) - device_programs._row_products(of)
    seen, classes, widths = of.seen, of.seen + of.unseen, 2 * of.semantics * of.hidden
    critic = 5 * 2 * seen * widths
    assert per_class == pytest.approx(critic + 3 * classes * widths + seen * widths, rel=0.35)
    assert per_class < 0.1 * device_programs._products(of)


class Text:
    """A reading with one thing in it."""

    def __init__(self, text="", **given):
        self.__dict__ |= {"collectives": [], "custom_calls": [], "product_flops": 0.0, "arrays_of": lambda *kinds: 0} | given


def test_faults():
    h100 = chips.CHIPS["h100"]
    program = device_programs.Program(None, 1000.0, 800.0, trained=2000, compared=3000, row_numbers=100, own_rows=500)
    found = lambda **given: faults(h100, program, Text(**given), 8)  # noqa: E731
    collective = lambda kind, size: [dataclasses.replace(SUM, kind=kind, size=size)]  # noqa: E731
    assert found() == []
    assert found(arrays_of=lambda *kinds: 2 * ("f64" in kinds)) == ["2 arrays are float64"]
    assert found(custom_calls=["__cublas$gemm"]) == []
    assert found(custom_calls=["xla_ffi_python_gpu_callback"]) == ["custom calls that are not the compiler's: xla_ffi_python_gpu_callback"]
    assert found(collectives=collective("all-reduce", 4000)) == found(collectives=collective("all-gather", 3000)) == []
    (fault,) = found(collectives=collective("all-gather", 8000))
    assert fault.startswith("all-gather of 8,000 bytes, expected 4,024 at most, from somewhere")
    assert found(product_flops=200.0 + 1.3 * 100) == []
    (fault,) = found(product_flops=340.0)
    assert "a device does 340 of the 1000 FLOP" in fault and "multiplied whole on every device" in fault


SUM = Collective("all-reduce", 0, 1, "somewhere")


@pytest.mark.slow
def test_steps_on_eight_devices_are_split_and_one_that_is_not_is_found():
    env = os.environ | {"JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "tests.tools.compiled_programs_script"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert ["all-reduce", 60, 7] in found["small"]["moved"] and ["all-gather", 192, 1] in found["small"]["moved"]
    assert found["small"]["flops"] == 7 * 2 * 2 * 2 * 3 * 5 and not found["small"]["unknown"]
    assert not any(found["faults"].values()), found["faults"]
    assert any("multiplied whole on every device" in fault for fault in found["merged"])


def test_a_compiler_that_is_not_installed_is_named(monkeypatch):
    for chip, package in (("v5e", "libtpu=="), ("h100", f"jax-cuda12-plugin=={jax.__version__} jax-cuda12-pjrt==")):
        missing = dataclasses.replace(chips.CHIPS[chip], module="not_installed.anywhere")
        assert not missing.is_there
        with pytest.raises(UserError, match=r"its compiler is not installed; pip install --no-deps --target FOLDER") as told:
            missing.devices()
        assert package in str(told.value)
    monkeypatch.setattr(chips, "prepare", lambda: None)
    monkeypatch.setitem(chips.CHIPS, "h100", missing)
    monkeypatch.setattr(compile_for, "configure", lambda **_: None)
    assert run_command(lambda: compile_for.main(["--chip", "h100"])) == 2


@pytest.mark.slow
@pytest.mark.compilers
@pytest.mark.parametrize("chip", ["v5e", "h100"])
def test_the_step_compiles_for_a_chip_that_is_not_there(chip, tmp_path):
    if not chips.CHIPS[chip].is_there:
        pytest.skip(chips.CHIPS[chip].missing)
    env = {name: value for name, value in os.environ.items() if name not in ("JAX_DISABLE_MOST_OPTIMIZATIONS", "XLA_FLAGS")}
    command = [sys.executable, "tools/benchmark/compile_for.py", "--chip", chip, "--output", str(tmp_path / "found.json")]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stderr
    alone, of_eight = json.loads((tmp_path / "found.json").read_text())
    assert of_eight["product_flops"] < 0.2 * alone["product_flops"] and not alone["collectives"]
    assert alone["float64"] == alone["loops_of_unknown_length"] == 0
    if chip == "h100":
        assert sum(alone["launches"].values()) < 700  # 650 with JAX 0.10.2; a binary search for classes takes 145 more
