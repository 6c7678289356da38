"""Random damage to what a run folder holds, to configuration files and to overrides: a line of explanation, never a traceback.

    python -m pytest tests/test_fuzz.py                 # 100 examples of each kind
    python -m pytest tests/test_fuzz.py -m nightly      # 1,000
"""

import json
import math
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from d3gzsl_jax.config import check as checks
from d3gzsl_jax.config.load import flat, load_config, override
from d3gzsl_jax.errors import UserError
from tests.conftest import ROOT
from tests.runs.readers import READERS
from tests.runs.test_json_files import folder, outcomes, whole  # noqa: F401 (fixtures)

pytestmark = pytest.mark.slow

FEW = settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
MANY = settings(FEW, max_examples=1000, derandomize=False)
EXAMPLES = pytest.mark.parametrize("how", [pytest.param(FEW, id="100"), pytest.param(MANY, id="1000", marks=pytest.mark.nightly)])

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=12,
)  # fmt: skip
FIELDS = sorted(dict(flat(load_config(ROOT / "configs" / "default.py"))))
VALUES = JSON | st.sampled_from([10**9, 10**20, -1, 0, 1e300, 1e-300, -0.0, math.nan, math.inf, "", "x" * 3000, "\ud83d", b"\xff", (), (0, 0), 1 << 31])


def explained(work):
    """What `work` returns; None if it was refused, in one line that can be printed."""
    try:
        return work()
    except UserError as error:
        text = str(error)
        assert text and len(text.splitlines()) == 1 and len(text) < 1500, text
        return None


@EXAMPLES
def test_overrides(how):
    @how
    @given(st.dictionaries(st.sampled_from(FIELDS), VALUES, min_size=1, max_size=3))
    def attempt(changes):
        def work():
            config = load_config(ROOT / "configs" / "digits.py")
            for field, value in changes.items():
                override(config, field, value)
            checks.check(config)
            checks.check_seeds(config)
            return config

        explained(work)

    attempt()


LINES = st.sampled_from([
    "from configs import digits", "config = digits.get_config()", "import sys", "sys.exit(3)", "1 / 0", "return 5",
    "return {}", "return config", "def get_config(variant='d3'):", "def get_config():", "    return digits.get_config()", "    return get_config()",
    "    config = digits.get_config(variant)", "    config.train.epochs = 'x'", "    config.nothing = 1", "    del config.train",
    "    config.train = None", "    return config", "    return None", "    raise SystemExit", "    print('x')", "get_config = 5", "\0", "é\ud83d",
])  # fmt: skip


@EXAMPLES
def test_configuration_files(how, tmp_path):
    configs = tmp_path / "configs"
    configs.mkdir()
    for name in ("default.py", "digits.py"):
        shutil.copy(ROOT / "configs" / name, configs)

    @how
    @given(st.lists(LINES, max_size=8).map("\n".join).map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=60))
    def attempt(content):
        path = configs / "fuzzed.py"
        path.write_bytes(content)

        def work():
            config = load_config(path)
            checks.check(config)
            return config

        explained(work)

    attempt()


NAMES = sorted(READERS)
BYTES = st.tuples(st.just("bytes"), st.floats(0, 1), st.integers(0, 40), st.binary(max_size=40))
VALUE = st.tuples(st.just("value"), st.integers(0, 10**6), st.sampled_from(["replaced", "gone", "added"]), JSON)


def damaged(content, damage):
    """`content` with some bytes in place of others, or with one of its values another."""
    kind, where, how, what = damage
    if kind == "bytes":
        start = int(where * len(content))
        return content[:start] + what + content[start + how :]
    try:
        lines = content.splitlines()
        line = where % len(lines) if len(lines) > 1 and lines[0].endswith(b"}") else None  # of JSON lines one
        found = json.loads(content if line is None else lines[line])
    except ValueError:
        return content[:-1]  # arrays
    places, left = [], [found]
    while left:
        node = left.pop()
        for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
            places.append((node, key))
            if isinstance(value, dict | list):
                left.append(value)
    node, key = places[where % len(places)]
    if how == "gone" and isinstance(node, dict):
        del node[key]
    else:
        node["x" if how == "added" and isinstance(node, dict) else key] = what
    text = json.dumps(found).encode()
    return text if line is None else b"\n".join([*lines[:line], text, *lines[line + 1 :], b""])


@EXAMPLES
def test_files_of_a_run_folder(how, folder):  # noqa: F811 (the fixture)
    contents = {name: (folder / name).read_bytes() for name in NAMES}

    @how
    @given(st.sampled_from(NAMES), st.one_of(BYTES, VALUE))
    def attempt(name, damage):
        (folder / name).write_bytes(damaged(contents[name], damage))
        try:
            outcomes(folder, name)
        finally:
            (folder / name).write_bytes(contents[name])

    attempt()
