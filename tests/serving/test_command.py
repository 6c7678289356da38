"""`d3gzsl serve`: refused before anything is loaded, or served until it is asked to stop."""

import contextlib
import dataclasses
import importlib.util
import os
import re
import signal
import socket
import threading
import time
import urllib.request

import pytest

from d3gzsl_jax.main import main
from d3gzsl_jax.runs import picture_rows
from d3gzsl_jax.serving import command, server
from d3gzsl_jax.serving.app import application
from d3gzsl_jax.serving.live_model import LiveModel
from d3gzsl_jax.system.extras import install_command
from tests.serving import small_model

pytest.importorskip("uvicorn")


def refused(capsys, arguments, message):
    assert main(["serve", *arguments]) == 2
    errors = capsys.readouterr().err
    assert message in errors and len(errors.splitlines()) == 1, errors


def test_bad_options(tmp_path, capsys, monkeypatch):
    refused(capsys, [], "--workdir is missing")
    refused(capsys, [f"--workdir={tmp_path / 'none'}"], "no such folder")
    refused(capsys, [f"--workdir={tmp_path}"], "holds no saved model")
    refused(capsys, [f"--workdir={tmp_path}", "--port=x"], "expected a whole number, 0 to 65535, not x")
    refused(capsys, [f"--workdir={tmp_path}", "--prot=1"], "did you mean --port?")
    refused(capsys, [f"--workdir={tmp_path}", "--text-encoder=words"], "text encoder 'words': expected sentence-transformers:NAME")
    refused(capsys, [f"--workdir={tmp_path}", "--data-root=/no/such"], "--data-root=/no/such: no such file or folder")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else object())
    refused(capsys, [f"--workdir={tmp_path}"], f"this command needs uvicorn, which is not installed: {install_command('serve')}")


@pytest.mark.slow
def test_what_cannot_be_listened_on(run, capsys):
    workdir = f"--workdir={run.folder}"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused(capsys, [workdir, f"--port={taken.getsockname()[1]}"], "is taken by another program; give another")
    refused(capsys, [workdir, "--host=no such host"], "there is no such host")
    refused(capsys, [workdir, "--host=192.0.2.1", "--port=0"], "--host=192.0.2.1: is no address of this machine")
    refused(capsys, [workdir, f"--save={run.folder}", "--port=0"], "--save=")


@pytest.mark.slow
def test_options_that_are_read_when_a_class_joins_are_looked_at_first(run, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(picture_rows, "encoder_of", lambda model, spec: pytest.fail("a network was loaded"))
    start = [f"--workdir={run.folder}", "--port=0"]
    refused(capsys, [*start, f"--data-root={tmp_path}"], f"--data-root={tmp_path}: is a folder, without an .npz or .h5 in it")
    model = dataclasses.replace(run.model, encoders={"image": {}, "text": None})
    model.save(tmp_path / "numbers")
    refused(capsys, [f"--workdir={tmp_path / 'numbers'}", "--port=0", "--text-encoder=clip:x"], "--text-encoder: the model takes numbers")
    model.config.data.source, before = "digits", model.config.data.source
    model.save(tmp_path / "digits")
    model.config.data.source = before
    refused(capsys, [f"--workdir={tmp_path / 'digits'}", "--port=0", f"--data-root={tmp_path}"], "--data-root: the data is the digits")


@pytest.mark.slow
@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_it_says_where_it_is_and_what_is_lost(run, monkeypatch, capsys, host, warned, tmp_path):
    from starlette.testclient import TestClient

    said = []

    def once(app, bound):
        client = TestClient(app, base_url="http://127.0.0.1:80")
        assert client.get("/state").status_code == 403  # others may use this machine
        said.append(capsys.readouterr().out)
        client.get("/" + re.search(r"/([?]token=\S{40,}) in a browser", said[0])[1])
        answer = client.post("/predict", content=small_model.picture_of(5), headers={"Content-Type": "image/png"})
        assert answer.status_code == 200 and answer.json()["classes"] == 9
        assert client.get("/", headers={"Host": "evil.example", "Cookie": ""}).status_code == 403

    monkeypatch.setattr(command, "serve", once)
    monkeypatch.setattr(picture_rows, "encoder_of", lambda model, spec: small_model.GreyPictures())
    assert main(["serve", f"--workdir={run.folder}", "--port=0", f"--host={host}", f"--save={tmp_path / 'kept'}"]) == 0
    said = "".join([*said, capsys.readouterr().out])
    assert "open http://127.0.0.1:" in said and "in a browser; ctrl-C ends it" in said and said.rstrip().endswith("stopped")
    assert ("it asks for the token below" in said) == warned


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_gracefully(live, number):
    bound = server.listening_socket("127.0.0.1", 0)
    before = signal.getsignal(number)

    def ask_and_stop():
        with urllib.request.urlopen(server.address_of("127.0.0.1", bound), timeout=30) as answer:
            assert answer.status == 200
        os.kill(os.getpid(), number)

    asking = threading.Thread(target=ask_and_stop)
    with bound:
        asking.start()
        assert not server.serve(application(live, {"127.0.0.1"}), bound)
    asking.join(10)
    assert signal.getsignal(number) is before


@pytest.mark.slow
def test_a_signal_in_the_middle_of_a_request_leaves_it_in_a_line(live, monkeypatch, capfd):
    bound, working, over = server.listening_socket("127.0.0.1", 0), [], threading.Event()

    def predict(content, name):
        working.append(1)
        over.wait(60)
        return {}

    def ask():
        asked = urllib.request.Request(server.address_of("127.0.0.1", bound) + "predict", b"x", {"Content-Type": "image/png"})
        with contextlib.suppress(OSError), urllib.request.urlopen(asked, timeout=60):
            pass

    def stop():
        while len(working) < 4:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(server, "_GRACE_SECONDS", 0.2)
    monkeypatch.setattr(live, "predict", predict)
    monkeypatch.setattr(server, "_IDLE_SECONDS", 2)
    began = time.monotonic()
    threads = [threading.Thread(target=of) for of in (ask, ask, ask, ask, stop)]
    with bound:
        for thread in threads:
            thread.start()
        assert server.serve(application(live, {"127.0.0.1"}), bound)
    assert time.monotonic() - began < 7  # two seconds for all threads, not for each of them
    over.set()
    for thread in threads:
        thread.join(10)
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_what_was_cut_off_is_said_and_ends_the_process(run, monkeypatch, capsys):
    codes = []
    monkeypatch.setattr(command, "serve", lambda app, bound: True)
    monkeypatch.setattr(LiveModel, "end", lambda live: codes.append("all is saved"))
    monkeypatch.setattr(command.os, "_exit", codes.append)
    monkeypatch.setattr(picture_rows, "encoder_of", lambda model, spec: small_model.GreyPictures())
    main(["serve", f"--workdir={run.folder}", "--port=0"])
    assert codes == ["all is saved", 130] and capsys.readouterr().out.splitlines()[-1] == "stopped in the middle of a request"


def test_addresses():
    with server.listening_socket("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        assert server.address_of("0.0.0.0", bound) == f"http://127.0.0.1:{port}/"
        assert server.address_of("::1", bound) == f"http://[::1]:{port}/"
        assert server.is_loopback(bound)
