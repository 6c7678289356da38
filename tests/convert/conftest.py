"""Small runs of three kinds, made of random weights in PyTorch's layout."""

import numpy as np
import pytest

from d3gzsl_jax import api as d3
from d3gzsl_jax.training import build as model_module
from tests.conftest import ROOT
from tests.convert.weights import CONFIG, KINDS, convert


@pytest.fixture(scope="module")
def data():
    return d3.load_data(d3.load_config(ROOT / "configs" / "digits.py"))


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def config_file(kind, tmp_path_factory):
    framework, variant = KINDS[kind]
    path = tmp_path_factory.mktemp("configs") / "small.py"
    path.write_text(CONFIG.format(framework=framework, variant=variant))
    return path


@pytest.fixture(scope="module")
def arrays(config_file, data):
    """Random weights of all networks, in PyTorch's shapes (out, in), as tests/golden/README.md names them."""
    config = d3.load_config(config_file)
    objective = model_module.build(config, data).objective
    sizes, rng = objective.framework.sizes, np.random.default_rng(3)
    shapes = {
        "generator/fc1": (sizes.generator_hidden, sizes.noise + sizes.semantics), "generator/fc2": (64, sizes.generator_hidden),
        "critic/fc1": (20, 64 + sizes.semantics), "critic/fc2": (1, 20), "fc": (10, 24 if sizes and config.framework == "cegzsl" else 64),
    }
    if config.framework == "cegzsl":
        of = objective.framework
        shapes |= {"embed/fc1": (24, 64), "embed/fc2": (of.projection, 24)}
        shapes |= {"comparator/fc1": (of.comparator_hidden, 24 + sizes.semantics), "comparator/fc2": (1, of.comparator_hidden)}
    found = {}
    if objective.distillation.active:
        shapes |= {"student_head/fc1": (10, 24), "student_head/fc2": (2, 10), "teacher_embed/fc1": (24, 64), "teacher_head/fc2": (7, 24)}
        shapes |= {} if config.framework == "cegzsl" else {"student_embed/fc1": (24, 64)}
        found = {"confidence/weight": np.array([1.5], np.float32), "confidence/offset": np.array([-0.25], np.float32)}
    for layer, shape in shapes.items():
        found |= {f"{layer}.weight": rng.normal(0, 0.3, shape).astype(np.float32), f"{layer}.bias": rng.normal(0, 0.3, shape[0]).astype(np.float32)}
    return found


@pytest.fixture(scope="module")
def run_folder(arrays, config_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("converted")
    np.savez(folder / "weights.npz", **arrays)
    assert convert("--torch", folder / "weights.npz", "--config", config_file, "--output", folder / "run") == 0
    return folder / "run"
