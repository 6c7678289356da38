"""config.precision: what is rounded, and that nothing else is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax
from jax._src import source_info_util

from configs import digits
from d3gzsl_jax.config.check import check
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks.networks import Embedding
from d3gzsl_jax.frameworks.registry import FRAMEWORKS
from d3gzsl_jax.losses.pairwise import half_cosine
from d3gzsl_jax.precision import PRECISIONS, product, scope, transposed_product, weight_product
from d3gzsl_jax.training.loop import Loop
from tests import small


def operands(rng):
    return (jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in ((5, 7), (7, 3)))


def rounded(x):
    return np.asarray(x.astype(jnp.bfloat16), np.float64)


def test_bfloat16_rounds_the_operands_and_sums_in_float32(rng):
    x, w = operands(rng)
    with scope("bfloat16"):
        found = jax.jit(product)(x, w)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, rounded(x) @ rounded(w), rtol=1e-5, atol=1e-6)
    with scope("float32"):
        exact = jax.jit(product)(x, w)
    np.testing.assert_allclose(exact, np.asarray(x, np.float64) @ np.asarray(w, np.float64), rtol=1e-5, atol=1e-6)
    assert np.abs(found - exact).max() > 1e-3


def test_gradients_of_bfloat16_products_are_products_of_rounded_operands(rng):
    x, w = operands(rng)
    pull = jnp.asarray(rng.normal(size=(2, 5, 3)), jnp.float32)
    x = jnp.stack([x, 2 * x])
    with scope("bfloat16"):
        of_x, of_w = jax.jit(lambda x, w, pull: jax.vjp(product, x, w)[1](pull))(x, w, pull)
    np.testing.assert_allclose(of_x, rounded(pull) @ rounded(w).T, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(of_w, np.einsum("brk,brn->kn", rounded(x), rounded(pull)), rtol=1e-4, atol=1e-5)


def test_one_traced_function_serves_each_precision_with_its_own(rng):
    """A jitted function called in another scope is traced anew: no result of one precision is passed off as the other's."""
    x, w = operands(rng)
    function = jax.jit(product)
    with scope("float32"):
        before = function(x, w)
    with scope("bfloat16"):
        assert np.abs(function(x, w) - before).max() > 1e-3
    with scope("float32"):
        np.testing.assert_array_equal(function(x, w), before)


@pytest.mark.parametrize("name", PRECISIONS)
def test_parameters_stay_float32_and_losses_are_not_rounded(name, rng):
    x, _ = operands(rng)
    network = Embedding(width=4)
    with scope(name):
        params = network.init(jax.random.key(0), x)
        gradients = jax.jit(jax.grad(lambda p: network.apply(p, x).sum()))(params)
        unit = x / jnp.linalg.norm(x, axis=1, keepdims=True)
        cosines = jax.jit(half_cosine)(unit, unit)
    assert {leaf.dtype for leaf in jax.tree.leaves((params, gradients))} == {jnp.dtype("float32")}
    exact = np.asarray(unit, np.float64)
    np.testing.assert_allclose(cosines, 0.5 + 0.5 * exact @ exact.T, atol=1e-6)


def test_an_unknown_precision_is_refused():
    config = digits.get_config()
    config.precision = "float16"
    with pytest.raises(UserError, match=r"config.precision='float16': expected one of float32, tf32, bfloat16; did you mean 'bfloat16'"):
        check(config)


@pytest.mark.parametrize("lead", [(5,), (3, 5), (2, 1, 4)])
@pytest.mark.parametrize("name", PRECISIONS)
def test_a_weight_product_sums_over_all_leading_axes(name, lead, rng):
    x, pulls = (jnp.asarray(rng.normal(size=(*lead, width)), jnp.float32) for width in (7, 4))
    exact = (rounded if name == "bfloat16" else np.asarray)
    with scope(name):
        found = jax.jit(weight_product)(x, pulls)
        batched = jax.jit(jax.vmap(weight_product))(x[None], pulls[None])[0]
    expected = exact(x).reshape(-1, 7).T.astype(float) @ exact(pulls).reshape(-1, 4)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(batched, expected, rtol=1e-5, atol=1e-5)


def value_and_pulls(x, w, pull):
    """Every kind of product, and all the layouts of operands."""
    return product(x, w), weight_product(x, pull), transposed_product(pull, w), jax.vjp(product, x, w)[1](pull)


@pytest.mark.parametrize("lead", [(5,), (3, 5)])
@pytest.mark.parametrize("several", [False, True])
def test_operands_laid_out_for_a_cpu_give_the_values_of_others(lead, several, rng, monkeypatch):
    """With one device, row by row; with several, as before. At one seed and at two."""
    shapes = [(2, *lead, 40), (2, 40, 24), (2, *lead, 24)]
    given = [jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in shapes]
    of = (lambda *a: jax.vmap(value_and_pulls)(*a)) if several else (lambda *a: value_and_pulls(*(x[0] for x in a)))
    with scope("bfloat16"):
        assert "layout_constraint" in str(jax.make_jaxpr(of)(*given))
        found = jax.jit(lambda *a: of(*a))(*given)
        monkeypatch.setattr(jax, "device_count", lambda: 8)
        assert "layout_constraint" not in str(jax.make_jaxpr(lambda *a: of(*a))(*given))
        plain = jax.jit(lambda *a: of(*a))(*given)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), found, plain)


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_products_for_other_chips_have_no_constraint(platform, monkeypatch):
    """Compiled ahead by a CPU's process; and in a process of theirs, not even a choice."""
    shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((3, 5, 40), (40, 24), (3, 5, 24))]
    text = lambda: export.export(jax.jit(lambda *a: value_and_pulls(*a)), platforms=[platform])(*shapes).mlir_module()  # noqa: E731
    with scope("bfloat16"):
        assert "LayoutConstraint" not in text()
        monkeypatch.setattr(jax, "default_backend", lambda: platform)
        assert "LayoutConstraint" not in text() and "stablehlo.case" not in text()


@pytest.mark.optimized
@pytest.mark.parametrize(("batch", "width", "hidden"), [(16, 12, 8), (64, 64, 256), (37, 21, 10)])
def test_on_one_device_a_weight_product_has_the_bits_of_merged_axes(batch, width, hidden, rng):
    x, pulls = (jnp.asarray(rng.normal(size=(3, batch, size)), jnp.float32) for size in (width, hidden))
    with scope("float32"):
        found = jax.jit(weight_product)(x, pulls)
        merged = jax.jit(lambda x, pulls: x.reshape(-1, width).T @ pulls.reshape(-1, hidden))(x, pulls)
    np.testing.assert_array_equal(found, merged)


def products(jaxpr):
    """(precision, type of the operands, file and line) of every dot_general of a jaxpr and what it calls."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            where = source_info_util.summarize(equation.source_info)
            yield equation.params["precision"], {variable.aval.dtype.name for variable in equation.invars}, where
        for of in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda v: hasattr(v, "eqns") or hasattr(v, "jaxpr")):
            inner = getattr(of, "jaxpr", of)
            if hasattr(inner, "eqns"):
                yield from products(inner)


@pytest.mark.slow
@pytest.mark.parametrize("framework", list(FRAMEWORKS))
@pytest.mark.parametrize("name", ["tf32", "bfloat16"])
def test_what_is_no_product_of_a_network_is_float32(name, framework):
    """Scores of critic and comparator, class and instance contrast, pair losses: documented as float32 whatever the precision."""
    p = small.problem(framework=framework)
    loop = Loop(p.objective, p.optimization, p.n_critic, p.batch)
    with scope(name):
        jaxpr = jax.make_jaxpr(lambda state, constants: loop.one_step(state, constants, None))(p.state, p.constants).jaxpr
    found = list(products(jaxpr))
    assert len(found) > 30
    exact = [where for precision, _, where in found if precision and set(precision) == {lax.Precision.HIGHEST}]
    critic = [] if framework == "cadavae" else ["adversarial.py", "linear.py"]  # linear.py: flax's Dense, of the critic's score
    for file in ("pairwise.py", *critic, *(["contrastive.py"] if framework == "cegzsl" else [])):
        assert any(file in where for where in exact), file
    for precision, types, where in found:
        if where in exact:
            assert types == {"float32"}, where
        elif name == "bfloat16":
            assert types == {"bfloat16"}, (where, precision)
        else:
            assert any(file in where for file in ("precision.py", "wgan_gp.py")), (where, precision)
