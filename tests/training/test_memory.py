"""What a configuration needs is known before anything is made; what fits is let through."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.config.load import load_config
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks import registry
from d3gzsl_jax.system import host_memory
from d3gzsl_jax.training import memory

GIB = 2**30


class _Sizes:
    """Stands for an array of which only the size matters."""

    def __init__(self, *shape, dtype=np.float32):
        self.shape, self.dtype = shape, np.dtype(dtype)

    def __len__(self):
        return self.shape[0]


class Large(GZSLData):
    """A benchmark of which there are only sizes."""

    def __init__(self, rows, tests, features, semantics, seen, unseen):
        of = {"name": "large", "features": _Sizes(rows + tests, features), "semantics": _Sizes(seen + unseen, semantics)}
        of |= {"trainval": range(rows), "test_seen": range(tests // 2), "test_unseen": range(tests // 2)}
        for name, value in of.items():
            object.__setattr__(self, name, value)
        self.__dict__ |= {"_seen": range(seen), "_unseen": range(unseen)}

    seen_classes = property(lambda self: self.__dict__["_seen"])
    unseen_classes = property(lambda self: self.__dict__["_unseen"])
    feature_size = property(lambda self: self.features.shape[1])


CUB = (7057, 4731, 2048, 312, 150, 50)


def config(spec="digits", **fields):
    return load_config(spec, {field.replace("__", "."): value for field, value in fields.items()})


@pytest.mark.parametrize(
    ("name", "sizes", "most"),
    [("cub", CUB, 4), ("cub:cegzsl,att", CUB, 4), ("cub:fclswgan", CUB, 4), ("many_classes", (10000, 21000, 2048, 500, 1000, 20000), 5),
     ("sun", (10320, 4020, 2048, 102, 645, 72), 4)],
)  # fmt: skip
def test_what_works_on_common_machines_is_let_through(name, sizes, most, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: most * GIB)
    memory.check(config(name), Large(*sizes))
    assert memory.needed(config(name), Large(*sizes)) > 0.2 * GIB


@pytest.mark.parametrize(
    ("field", "value"),
    [("networks.generator_hidden", 2**31 - 1), ("networks.critic_hidden", 10**9), ("networks.embedding", 10**9), ("networks.noise", 10**9),
     ("train.n_critic", 10**8), ("distillation.n_syn", 10**9), ("classifier.n_syn", 10**9), ("classifier.epochs", 10**9),
     ("networks.generator_hidden", 10**7)],
)  # fmt: skip
def test_the_field_that_asks_for_most_is_named(data, field, value):
    with pytest.raises(UserError, match=rf"^config\.{field}={value}: at least [\d.]+ [TPE]?(GiB|TiB|PiB|EiB) of memory are needed and .* are free; lower it"):
        memory.check(config(**{field.replace(".", "__"): value}), data)
    memory.check(config(**{field.replace(".", "__"): value, "guards__memory": False}), data)


def test_what_the_method_does_not_read_is_not_blamed(data):
    small = {"train__batch_size": 10, "teacher__batch_size": 10, "data__scaling": "minmax", "networks__output": "published"}
    of, large = config("flo_small:cadavae", **small), config("flo_small:cadavae", **small, networks__generator_hidden=10**9)
    assert memory.needed(of, data) == memory.needed(large, data)
    of.cadavae.feature_decoder_hidden = 10**10 // 8
    of.networks.generator_hidden = of.networks.critic_hidden = of.train.n_critic = 10**8
    with pytest.raises(UserError, match=r"^config\.cadavae\.feature_decoder_hidden=1250000000: "):
        memory.check(of, data)


@pytest.mark.parametrize("name", sorted(set(registry.FRAMEWORKS) - {"zerodiff_representation"}))
@pytest.mark.parametrize("widths", [{}, {"networks__generator_hidden": 10**8}])
def test_every_method_that_does_not_fit_names_a_field_of_its_own(name, widths, data, monkeypatch):
    """Options that a first stage shares are lowered in both places."""
    small = {"train__batch_size": 10, "teacher__batch_size": 10, "data__scaling": "minmax", "networks__output": "published"}
    monkeypatch.setattr(memory, "free_memory", lambda: 10**5)
    with pytest.raises(UserError, match=r"^config\.[a-z_.]+=\d+: at least .* are needed and"):
        memory.check(config(f"flo_small:{name}", **small, **widths), data)


def test_folds_and_seeds_that_do_not_fit_are_named(data, monkeypatch):
    with pytest.raises(UserError, match=r"config.eval.folds=1000000000: "):
        memory.check(config(eval__selection="validation", eval__folds=10**9), data)
    monkeypatch.setattr(memory, "free_memory", lambda: 2 * memory.needed(config(), data))
    memory.check(config(), data)
    with pytest.raises(UserError, match=r"config.parallel.seeds=1000: "):
        memory.check(config(), data, runs=1000)


def test_what_streams_is_not_counted(data):
    assert memory.needed(config(data__pipeline="stream"), data) < memory.needed(config(data__pipeline="device"), data)


def test_rows_that_stay_on_the_host_are_not_counted_for_the_final_classifier(data):
    """Where nothing else needs as much: not twice with the synthesized rows, nor once without any."""
    of = {"classifier__n_syn": 0, "train__batch_size": 2, "distillation__n_syn": 1, "eval__batch_size": 1, "classifier__epochs": 1}
    size = 4 * len(data.trainval) * data.feature_size
    resident, streamed = (memory.needed(config(data__pipeline=mode, **of), data) for mode in ("device", "stream"))
    assert resident - streamed > 1.5 * size  # on the device as they are, and again as the classifier sees them


def test_the_compiled_step_says_what_it_needs_and_is_not_compiled_again(data, monkeypatch):
    traces = []

    def step(x, count):
        traces.append(1)
        return jax.lax.fori_loop(0, count, lambda _, y: jnp.sin(y @ y), x)

    jitted, x = jax.jit(step, donate_argnums=0), jnp.ones((100, 100))
    compiled = jitted.lower(x, 2).compile()
    monkeypatch.setattr(memory, "free_memory", lambda: 10**6)
    memory.check_step(compiled, config(), data)
    monkeypatch.setattr(memory, "free_memory", lambda: 10)
    with pytest.raises(UserError, match=r"^config\.[a-z_.]+=\d+: a step of training needs [\d.]+ KiB more and 10\.0 B are free"):
        memory.check_step(compiled, config(), data)
    memory.check_step(compiled, config(guards__memory=False), data)
    jitted(x, 2)
    assert len(traces) == 1


def test_free_memory_is_what_can_be_had_here():
    free = memory.free_host_memory()
    assert 2**20 < free < 2**50 and memory.free_memory() <= 2 * free


def test_limits_of_process_and_group_count(tmp_path, monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (host_memory.psutil.Process().memory_info().vms + 2**30, 0))
    assert memory.free_host_memory() <= 2**30
    for name, text in (("max", "1000000"), ("current", "900000"), ("stat", "anon 1\ninactive_file 300000\n")):
        (tmp_path / name).write_text(text)
    assert host_memory._left_in_group(tuple(str(tmp_path / name) for name in ("max", "current", "stat"))) == 400000
    (tmp_path / "max").write_text("max\n")
    assert host_memory._left_in_group(tuple(str(tmp_path / name) for name in ("max", "current", "stat"))) == float("inf")


def test_memory_that_runs_out_is_one_line():
    for error in (MemoryError("x"), jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes")):
        with pytest.raises(UserError, match=r"^memory ran out \((MemoryError|JaxRuntimeError)"), memory.told():
            raise error
    with pytest.raises(jax.errors.JaxRuntimeError), memory.told():
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")


def test_sizes_are_told_for_people():
    assert [memory.size(n) for n in (0, 1023, 2048, 3 * 2**30, 2**90)] == ["0.0 B", "1023.0 B", "2.0 KiB", "3.0 GiB", "1024.0 YiB"]
    assert re.match(r"[\d.]+ YiB", memory.size(10**40))


def test_synthesized_rows_that_are_made_batch_by_batch_are_not_counted():
    classes = Large(10000, 21000, 2048, 500, 1000, 20000)
    of = lambda how: config("many_classes", classifier__fit="last", classifier__n_syn=300, classifier__synthesis=how)  # noqa: E731
    ahead, auto = (memory.needed(of(how), classes) for how in ("ahead", "auto"))
    assert ahead > 90 * GIB and auto < 5 * GIB


def test_seeds_with_devices_of_their_own_are_counted_on_one(data):
    assert memory.needed(config(), data, runs=4, devices=4) == memory.needed(config(), data)
    assert memory.needed(config(), data, runs=3, devices=2) > memory.needed(config(), data, runs=2, devices=2)
