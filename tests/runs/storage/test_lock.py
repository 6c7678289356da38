"""One process at a time writes a run folder, whatever happens to it."""

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading

import psutil
import pytest

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.storage import lock
from tests.conftest import ROOT

# Holds the lock until its standard input ends.
HOLD = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background has it ignored
from pathlib import Path
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.storage import lock
try:
    with lock.writing(Path(sys.argv[1])):
        print("goes on", flush=True)
        sys.stdin.read()
except UserError as error:
    print(error, flush=True)
"""


def start(folder):
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def end(*processes):
    for process in processes:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def test_of_two_starts_exactly_one_goes_on_ten_times_of_ten(tmp_path):
    pairs = [(start(folder), start(folder)) for folder in (tmp_path / str(number) for number in range(10)) if not folder.mkdir()]
    for number, pair in enumerate(pairs):
        said = sorted(process.stdout.readline().strip() for process in pair)
        winner = next(process.pid for process, other in (pair, pair[::-1]) if f"by process {process.pid} on" in said[0])
        assert said[1] == "goes on", said
        assert said[0].startswith(f"--workdir={tmp_path / str(number)}: is being written by process {winner} on {socket.gethostname()} since 20")
    end(*(process for pair in pairs for process in pair))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_lock_of_a_dead_process_is_taken_over(tmp_path, how):
    process = start(tmp_path)
    assert process.stdout.readline() == "goes on\n"
    process.send_signal(how)
    process.wait()
    end(process)
    with lock.writing(tmp_path):
        assert lock.holder(tmp_path)["process"] == os.getpid()
    assert lock.holder(tmp_path) == {} and (tmp_path / lock.NAME).is_file()


def test_one_process_holds_it_once_in_whatever_thread(tmp_path):
    found = []

    def other():
        try:
            with lock.writing(tmp_path):
                found.append("goes on")
        except lock.Held as error:
            found.append(str(error))

    with lock.writing(tmp_path):
        other()
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        (tmp_path / "inner").mkdir()
        with lock.writing(tmp_path / "inner"):  # as seeds and folds have it
            pass
    other()
    assert ["this very process" in text for text in found] == [True, True, False] and found[2] == "goes on"


def test_an_exception_frees_it(tmp_path):
    with pytest.raises(KeyboardInterrupt), lock.writing(tmp_path):
        raise KeyboardInterrupt
    with lock.writing(tmp_path):
        pass


def test_its_file_goes_where_nothing_came_of_it(tmp_path):
    for error, left in ((UserError, []), (KeyboardInterrupt, [lock.NAME])):
        with pytest.raises(error), lock.writing(tmp_path):
            raise error
        assert [path.name for path in tmp_path.iterdir()] == left
    with pytest.raises(UserError), lock.writing(tmp_path):  # an earlier one's
        raise UserError
    (tmp_path / lock.NAME).unlink()

    def refused_after(act):
        with lock.writing(tmp_path):
            act()
            raise UserError

    def replace():
        (tmp_path / "other").write_text("")
        (tmp_path / "other").rename(tmp_path / lock.NAME)

    with pytest.raises(UserError):
        refused_after(replace)
    (tmp_path / lock.NAME).unlink()  # another's, which stayed
    with pytest.raises(UserError):
        refused_after((tmp_path / "written").touch)
    assert sorted(path.name for path in tmp_path.iterdir()) == [lock.NAME, "written"]


@pytest.mark.parametrize("content", ["", "{", "[1]", "[" * 100_000, '{"process": "x", "host": 3, "since": null}', "\0" * 100])
def test_a_lock_file_that_says_nothing_is_no_obstacle(tmp_path, content):
    (tmp_path / lock.NAME).write_text(content)
    with lock.writing(tmp_path):
        with pytest.raises(lock.Held, match=f"by process {os.getpid()}"), lock.writing(tmp_path):
            pass
        (tmp_path / lock.NAME).write_text(content)
        with pytest.raises(lock.Held, match="is being written by"), lock.writing(tmp_path):
            pass


def test_a_folder_that_cannot_be_written_says_so(tmp_path, monkeypatch):
    (tmp_path / lock.NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"run.lock: cannot be written") as error, lock.writing(tmp_path):
        pass
    assert not isinstance(error.value, lock.Held) and not (tmp_path / "elsewhere").exists()


@pytest.fixture
def no_locks(monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_without_locks_a_marker_does(tmp_path, no_locks):
    with lock.writing(tmp_path):
        assert (tmp_path / lock.MARKER).is_file()
        with pytest.raises(lock.Held, match=f"by process {os.getpid()} on {socket.gethostname()}"), lock.writing(tmp_path):
            pass
    assert not (tmp_path / lock.MARKER).exists()


def test_the_marker_of_a_dead_process_is_taken_over_and_one_of_elsewhere_is_not(tmp_path, no_locks):
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True)
    assert not psutil.pid_exists(int(dead.stdout))
    (tmp_path / lock.MARKER).write_text(f"{dead.stdout.strip()}\n{socket.gethostname()}\n")
    with lock.writing(tmp_path):
        pass
    (tmp_path / lock.MARKER).write_text("1\nanother-machine\n")
    with pytest.raises(lock.Held, match=rf"process 1 on another-machine.*remove {tmp_path / lock.MARKER}"), lock.writing(tmp_path):
        pass


def test_the_holder_is_json(tmp_path):
    with lock.writing(tmp_path):
        assert json.loads((tmp_path / lock.NAME).read_text()) == lock.holder(tmp_path)
