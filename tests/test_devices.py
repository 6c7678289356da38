"""Whole runs on several devices and in several processes, made of the CPU."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import pytest

from configs import digits
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system.startup import join
from d3gzsl_jax.training.build import sharding_of
from tests.conftest import ROOT
from tools.robustness import launch
from tools.robustness.device_equality import LIMIT, QUICK, difference, run

pytestmark = pytest.mark.slow


def given(folder, *further):
    return [f"--config={ROOT / 'configs' / 'digits.py'}", *QUICK, *further, f"--workdir={folder}"]


@pytest.fixture(scope="module")
def one_epoch(tmp_path_factory):
    """A run on one device."""
    folder = tmp_path_factory.mktemp("devices") / "alone"
    run(given(folder), 1)
    return folder


@pytest.mark.processes
def test_a_run_goes_on_with_other_devices_and_processes_as_if_it_had_one(tmp_path, one_epoch):
    shutil.copytree(one_epoch, tmp_path / "alone")
    run(given(tmp_path / "alone", "--config.train.epochs=2"), 1)
    run(given(tmp_path / "others"), 2, processes=2)
    assert {path.name for path in (tmp_path / "others").iterdir()} >= {"config.json", "results.json", "checkpoints", "model"}
    run(given(tmp_path / "others", "--config.train.epochs=2"), 2)
    found = difference(tmp_path / "alone", tmp_path / "others")
    assert found.parameters < LIMIT and found.losses < 1e-4 and found.metrics, found
    starts = json.loads((tmp_path / "others" / "environment.json").read_text())["starts"]
    assert [start["devices"] for start in starts] == [4, 2]


@pytest.mark.tensorflow
@pytest.mark.processes
def test_streaming_reads_in_each_process_its_own_rows(tmp_path, one_epoch):
    run(given(tmp_path / "two", "--config.data.pipeline=stream"), 2, processes=2)
    found = difference(one_epoch, tmp_path / "two")
    assert found.parameters < LIMIT and found.metrics, found


@pytest.mark.processes
def test_sigterm_to_one_process_stops_all_at_the_same_step(tmp_path):
    long = ["--config.train.epochs=100000", "--config.checkpoint.every_minutes=1000"]
    started = launch.start(2, 1, given(tmp_path / "run", *long), quiet=True)
    deadline = time.monotonic() + 240
    while not (tmp_path / "run" / "metrics.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    started[1].send_signal(signal.SIGTERM)
    assert launch.wait(started) == 143 and [process.returncode for process in started] == [143, 143]
    assert len(list((tmp_path / "run" / "checkpoints").iterdir())) == 1


@pytest.mark.processes
def test_a_refusal_of_one_process_is_that_of_all(tmp_path):
    (tmp_path / "file").write_text("")
    started = launch.start(2, 1, given(tmp_path / "file" / "run"), quiet=True)
    assert launch.wait(started) == 2 and [process.returncode for process in started] == [2, 2]


@pytest.mark.parametrize("devices", [2, 1000])
def test_devices_that_are_not_there(devices):
    config = digits.get_config()
    config.parallel.devices = devices
    with pytest.raises(UserError, match=rf"config.parallel.devices={devices}: there are 1; give at most that"):
        sharding_of(config)


def test_a_batch_that_cannot_be_split(monkeypatch):
    config = digits.get_config()
    config.train.batch_size = 50
    monkeypatch.setattr("jax.device_count", lambda: 8)
    with pytest.raises(UserError, match=r"batch_size=50: .* over 8 devices; give a multiple of 8, or --config.parallel.devices=5"):
        sharding_of(config)


JOIN = """
import sys
from d3gzsl_jax.system.startup import join, leave
join(sys.argv[1], 2, int(sys.argv[2]))
port = f":{int(sys.argv[1].rpartition(':')[2]):04X}"
if sys.argv[2] == "0":
    lines = [line.split() for table in ("tcp", "tcp6") for line in open(f"/proc/net/{table}")]
    print(*(words[1].removesuffix(port) for words in lines if words[1].endswith(port) and words[3] == "0A"))
sys.exit(leave(0))
"""
IPV4 = "0000000000000000FFFF0000"  # mapped, as /proc/net/tcp6 writes it


@pytest.mark.processes
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads the kernel's table of sockets")
@pytest.mark.parametrize(("host", "listens"), [("127.0.0.1", "0100007F"), ("localhost", "0100007F"), ("0.0.0.0", "0" * 8)])
def test_the_coordinator_listens_where_it_was_told(host, listens):
    command = [sys.executable, "-c", JOIN, f"{host}:{launch.free_port()}"]
    env = {name: value for name, value in launch.environment(1).items() if name != "JAX_COORDINATOR_BIND_ADDRESS"}
    started = [
        subprocess.Popen([*command, str(index)], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) for index in (0, 1)
    ]
    told = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    everywhere = {"0" * 8, "0" * 32}
    found = {where.removeprefix(IPV4) for where in told[0].split()}
    assert found <= everywhere if listens in everywhere else found <= {listens, "0" * 24 + "01000000"} and found, found


def test_an_address_of_another_machine_is_no_place_to_listen_at(monkeypatch, capsys):
    monkeypatch.setattr(jax.distributed, "initialize", lambda *_, **given: pytest.fail("started"))
    with pytest.raises(UserError, match=r"=192.0.2.1:1234: the first process is not on this machine.*BIND_ADDRESS=ADDRESS:1234"):
        join("192.0.2.1:1234", 2, 0)
    with pytest.raises(UserError, match="no machine of this name"):
        join("nowhere.invalid:1234", 2, 0)
    given = {}
    monkeypatch.setattr(jax.distributed, "initialize", lambda *_, **further: given.update(further))
    join("192.0.2.1:1234", 2, 1)  # the others do not listen
    assert given == {"coordinator_bind_address": None}
    monkeypatch.setenv("JAX_COORDINATOR_BIND_ADDRESS", "127.0.0.1:1")  # the user's own word
    join("192.0.2.1:1234", 2, 0)
    assert given == {"coordinator_bind_address": None}
    monkeypatch.delenv("JAX_COORDINATOR_BIND_ADDRESS")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, 1, 6, "", ("127.0.0.1", 1234))])
    join("this-machine:1234", 2, 0)
    assert given == {"coordinator_bind_address": "this-machine:1234"}
    assert "this-machine is 127.0.0.1, where only its own processes can join" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (("", 2, -1), "need --coordinator"),
        (("auto", 2, 0), "leave them out"),
        (("somewhere", 2, 0), "expected host:port"),
        (("localhost:99999", 2, 0), "expected host:port"),
        (("localhost:1234", 2, 2), "each its number from 0"),
    ],
)
def test_processes_that_cannot_find_each_other(flags, text):
    with pytest.raises(UserError, match=text):
        join(*flags)
