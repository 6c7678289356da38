"""What the page asks for, over HTTP without a network."""

import asyncio
import base64
import dataclasses
import hashlib
import io
import re
import tempfile
import threading

import numpy as np
import pytest

from d3gzsl_jax import api as d3
from d3gzsl_jax.runs.model import TrainedModel
from d3gzsl_jax.serving import app as app_module
from d3gzsl_jax.serving.live_model import LiveModel, in_words, numbers
from tests.serving import small_model
from tools.pictures.digits import DESCRIPTIONS

pytest.importorskip("starlette")
pytest.importorskip("httpx2")
from starlette.testclient import TestClient

pytestmark = pytest.mark.slow

PNG = {"Content-Type": "image/png"}


@pytest.fixture
def client(live):
    return TestClient(app_module.application(live, {"testserver"}), raise_server_exceptions=False)


def refused(answer, status, message):
    assert answer.status_code == status and re.search(message, answer.json()["error"]), answer.text
    assert "\n" not in answer.json()["error"]


def test_the_page_fetches_nothing_from_elsewhere(client):
    answer = client.get("/")
    assert answer.status_code == 200 and answer.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search(r"(https?:)?//(?!\s)[\w.]+\.\w", re.sub(r"^\s*//.*$", "", answer.text, flags=re.M))
    script = re.search(r"<script>(.*)</script>", answer.text, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; connect-src 'self'; script-src 'sha256-{digest}'" in answer.text
    assert answer.headers["content-security-policy"].startswith("frame-ancestors 'none'")
    assert "wgan + D3 on digits" in answer.text


def test_a_picture_is_predicted_as_the_model_does(client, run):
    content = small_model.picture_of(4)
    answer = client.post("/predict?name=four.png", content=content, headers=PNG).json()
    from PIL import Image

    features = small_model.GreyPictures().encode([Image.open(io.BytesIO(content)).convert("RGB")])
    expected = run.model.predict(features, top=5)
    assert [one["name"] for one in answer["best"]] == list(expected.names[0])
    np.testing.assert_allclose([one["probability"] for one in answer["best"]], expected.probabilities[0], rtol=1e-6)
    unseen = {run.model.class_names[label] for label in run.model.unseen}
    assert all(one["kind"] == ("unseen" if one["name"] in unseen else "seen") for one in answer["best"])
    assert answer["name"] == "four.png" and answer["thumbnail"].startswith("data:image/")
    np.testing.assert_allclose(answer["in_distribution"], expected.in_distribution[0], rtol=1e-6)
    assert answer["words"] == in_words(answer["in_distribution"], run.model.config.teacher.threshold)


def test_a_described_class_joins_and_is_saved(client, live, tmp_path):
    before = client.post("/predict", content=small_model.picture_of(9), headers=PNG).json()
    state = client.get("/state").json()
    assert state["takes"] == "description" and state["added"] == 0 and len(state["classes"]) == 9
    answer = client.post("/classes", json={"name": " nine ", "description": f"{DESCRIPTIONS[9]}\n\nA loop above a line."})
    assert answer.status_code == 200 and answer.json()["classes"][-1] == {"name": "nine", "kind": "new"}
    assert answer.json()["added"] == 1 and answer.json()["unsaved"] == 1 and answer.json()["predictor"] == "classifier"
    after = client.post("/predict", content=small_model.picture_of(9), headers=PNG).json()
    assert before["classes"] == 9 and after["classes"] == 10
    assert client.post("/save").json() == {"saved": str(tmp_path / "kept")}
    assert client.get("/state").json()["unsaved"] == 0
    kept = d3.load_model(tmp_path / "kept")
    assert kept.class_names[-1] == "nine"
    np.testing.assert_array_equal(kept.semantics, live.model.semantics)
    assert client.post("/classes", json={"name": "star", "description": "Five points."}).json()["added"] == 2
    assert client.post("/save").status_code == 200  # in the place of the one before


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"name": "", "description": "A loop."}, "the new class has no name"),
        ({"name": "eight", "description": "A loop."}, "class 'eight': the model knows a class of that name"),
        ({"name": "x", "description": " \n "}, "class 'x' has no description"),
        ({"name": "x", "description": "!"}, "^class 'x': the text encoder makes no vector of its descriptions"),
        ({"name": "x", "description": "A loop.\n A  loop."}, "^class 'x' has this description twice; drop one$"),
        ({"name": "x" * 300, "description": "A loop."}, "has 300 characters"),
        ({"name": "x"}, "need a JSON object of the texts name and description"),
        ({"name": 3, "description": "A loop."}, "need a JSON object"),
        (["x"], "need a JSON object"),
    ],
)  # fmt: skip
def test_classes_that_are_refused(client, asked, message):
    refused(client.post("/classes", json=asked), 400, message)
    assert client.get("/state").json()["added"] == 0


def test_a_description_that_is_cut_off_is_told(client):
    asked = lambda name, text: client.post("/classes", json={"name": name, "description": text}).json()["note"]  # noqa: E731
    assert asked("nine", DESCRIPTIONS[9]) == ""
    assert re.match("1 description is longer than the text encoder reads [(]100 tokens", asked("star", "Five points. " * 60))


def test_what_is_no_picture_is_refused(client, monkeypatch):
    refused(client.post("/predict?name=notes.txt", content=b"some words", headers={"Content-Type": "text/plain"}), 415, "text/plain is no picture")
    refused(client.post("/predict?name=a.png", content=b"some words", headers=PNG), 400, r"^a\.png: is no whole picture")
    refused(client.post("/predict?name=a.png", content=small_model.picture_of(1)[:-60], headers=PNG), 400, r"^a\.png: is no whole picture")
    refused(client.post("/predict", content=b"", headers=PNG), 400, "the picture is empty")
    refused(client.post("/predict?name=" + "%0A%1B[2J", content=b"words", headers=PNG), 400, "is no whole picture")
    monkeypatch.setattr(app_module, "LARGEST_PICTURE", 100)
    refused(client.post("/predict", content=small_model.picture_of(1), headers=PNG), 413, "has more than 0 KiB; make it smaller")
    refused(client.post("/classes", content=b"x" * 300_000), 413, "has more than 256 KiB")
    refused(client.get("/predict"), 405, "Method Not Allowed")
    refused(client.get("/etc/passwd"), 404, "Not Found")


def test_a_page_on_the_network_is_for_who_has_its_token(live):
    app = app_module.application(live, (), "secret")
    client = TestClient(app, base_url="http://here:7860", follow_redirects=False)
    for path in ("/", "/state", "/?token=", "/?token=secre", "/?token=s%C3%A9cret", "/state?token=secret"):
        refused(client.get(path), 403, "open the address that the server printed")
    refused(client.post("/predict", content=small_model.picture_of(4), headers=PNG | {"Cookie": "d3gzsl_token_7860=other"}), 403, "token")
    answer = client.get("/?token=secret")
    assert answer.status_code == 303 and answer.headers["location"] == "/" and answer.headers["referrer-policy"] == "no-referrer"
    assert "HttpOnly" in answer.headers["set-cookie"] and "samesite=lax" in answer.headers["set-cookie"].lower()
    assert client.get("/").status_code == client.get("/state").status_code == 200  # by its cookie
    assert client.post("/predict", content=small_model.picture_of(4), headers=PNG).status_code == 200
    refused(client.post("/save", headers={"Origin": "http://evil.example"}), 403, "only the page itself")
    # A name of somebody else's that leads here: the browser has no cookie for that.
    refused(TestClient(app, base_url="http://evil.example:7860").get("/state"), 403, "token")


def test_every_port_has_a_cookie_of_its_own(live):
    """Browsers send cookies to all ports of a host: with one name for all the page opened last would shut out the others."""
    app, cookies = app_module.application(live, (), "secret"), {}
    for host, name in (("here:7860", "d3gzsl_token_7860"), ("here:7861", "d3gzsl_token_7861"), ("here", "d3gzsl_token_80"), ("[::1]:7", "d3gzsl_token_7")):
        client = TestClient(app, base_url=f"http://{host}", follow_redirects=False)
        cookies[host] = client.get("/?token=secret").headers["set-cookie"]
        assert cookies[host].startswith(f"{name}=secret;")
    sent = {"Cookie": "d3gzsl_token_7861=another"}
    refused(TestClient(app, base_url="http://here:7861").get("/state", headers=sent), 403, "token")
    sent = {"Cookie": "d3gzsl_token_7860=secret; d3gzsl_token_7861=another"}
    assert TestClient(app, base_url="http://here:7860").get("/state", headers=sent).status_code == 200


@pytest.mark.parametrize("token", ["secret", "of-before", ""])
def test_a_token_never_stays_in_the_address(live, token):
    client = TestClient(app_module.application(live, (), "secret"), base_url="http://here:7860", follow_redirects=False)
    client.get("/?token=secret")
    answer = client.get(f"/?token={token}")
    assert answer.status_code == 303 and answer.headers["location"] == "/"


def test_many_pictures_at_once_wait_unread(live):
    """Each may have 32 MiB: what is sent is read when its turn has come."""
    scope = {"type": "http", "method": "POST", "path": "/predict", "query_string": b"", "headers": [(b"content-type", b"image/png")]}
    app, content = app_module.application(live), small_model.picture_of(3)

    async def ask_all():
        reading, answers, go_on = [], [], asyncio.Event()

        async def ask():
            async def receive():
                reading.append(1)
                await go_on.wait()
                return {"type": "http.request", "body": content}

            async def send(message):
                answers.append(message.get("status"))

            await app(scope, receive, send)

        asked = [asyncio.ensure_future(ask()) for _ in range(3 * app_module._AT_ONCE)]
        for _ in range(50):
            await asyncio.sleep(0)
        begun = len(reading)
        go_on.set()
        await asyncio.gather(*asked)
        return begun, answers

    begun, answers = asyncio.run(ask_all())
    assert begun == app_module._AT_ONCE and answers.count(200) == 3 * app_module._AT_ONCE


def test_no_file_is_made_of_a_picture(client, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    assert client.post("/predict", content=small_model.picture_of(4), headers=PNG).status_code == 200


def test_memory_that_runs_out_is_no_matter_of_training(client, live, monkeypatch):
    def fail(pictures):
        raise MemoryError

    monkeypatch.setattr(live._images, "encode", fail)
    answer = client.post("/predict", content=small_model.picture_of(4), headers=PNG)
    refused(answer, 400, "memory ran out .*; close other programs")
    assert "config" not in answer.text


def test_the_end_waits_for_what_is_being_saved(live, monkeypatch):
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def write(model, folder):
        begun.set()
        assert go_on.wait(60)

    monkeypatch.setattr(TrainedModel, "write", write)
    saving = threading.Thread(target=live.save)
    ending = threading.Thread(target=lambda: (live.end(), ended.set()))
    saving.start()
    assert begun.wait(60)
    ending.start()
    assert not ended.wait(0.3)
    go_on.set()
    assert ended.wait(60)
    with pytest.raises(d3.UserError, match="the page has ended"):
        live.save()


def test_only_the_page_itself_may_ask(client):
    refused(client.get("/", headers={"Host": "evil.example"}), 403, "this page is not called so")
    refused(client.post("/save", headers={"Origin": "http://evil.example"}), 403, "only the page itself")
    refused(client.post("/save", headers={"Origin": "null"}), 403, "only the page itself")
    refused(client.post("/save", headers={"Origin": "http://["}), 403, "only the page itself")
    assert client.post("/save", headers={"Origin": "http://testserver"}).status_code == 200


def test_a_page_closed_while_it_sends_is_no_fault(live, capsys):
    sent, parts = [], iter([{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}])
    scope = {"type": "http", "method": "POST", "path": "/predict", "query_string": b"", "headers": [(b"content-type", b"image/png")]}

    async def receive():
        return next(parts)

    async def send(message):
        sent.append(message)

    asyncio.run(app_module.application(live)(scope, receive, send))
    assert sent[0]["status"] == 400 and not capsys.readouterr().err


def test_without_a_place_nothing_is_saved(run):
    live = LiveModel(run.model, small_model.GreyPictures(), small_model.WordCounts, lambda: None)
    refused(TestClient(app_module.application(live)).post("/save"), 400, "start the page with --save=FOLDER")


def test_something_else_in_the_place_stays(client, tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "thesis.txt").write_text("mine")
    refused(client.post("/save"), 400, "a folder is there that holds no saved model, which stays")
    assert (tmp_path / "kept" / "thesis.txt").read_text() == "mine"


def test_a_fault_of_the_program_is_one_line_too(client, live, monkeypatch, capsys):
    def fail(content, name):
        raise ZeroDivisionError("by the way")

    monkeypatch.setattr(live, "predict", fail)
    refused(client.post("/predict", content=b"x", headers=PNG), 500, "this went wrong: ZeroDivisionError: by the way")
    assert "Traceback" in capsys.readouterr().err


def test_pictures_are_answered_while_a_class_is_learned(run):
    begun, go_on = threading.Event(), threading.Event()

    def slow_data():
        begun.set()
        assert go_on.wait(60)
        return d3.load_data(run.model.config)

    live = LiveModel(run.model, small_model.GreyPictures(), small_model.WordCounts, slow_data)
    with TestClient(app_module.application(live)) as client:
        answers = []
        adding = threading.Thread(
            target=lambda: answers.append(client.post("/classes", json={"name": "nine", "description": "A loop."}))
        )
        adding.start()
        assert begun.wait(60)
        assert client.post("/predict", content=small_model.picture_of(2), headers=PNG).json()["classes"] == 9
        go_on.set()
        adding.join(120)
        assert answers[0].json()["added"] == 1


def test_a_model_of_numbers_takes_numbers(run):
    model = dataclasses.replace(run.model, encoders={"image": {}, "text": None, "attribute_names": [f"a{i}" for i in range(48)]})
    live = LiveModel(model, small_model.GreyPictures(), small_model.WordCounts, lambda: d3.load_data(run.model.config))
    client = TestClient(app_module.application(live))
    page = client.get("/").text
    assert "its 48 numbers" in page and "a46, a47" in page
    refused(client.post("/classes", json={"name": "x", "description": "1, 2"}), 400, "these are 2 numbers; this model takes 48")
    refused(client.post("/classes", json={"name": "x", "description": "a loop"}), 400, "a is no finite number")
    refused(client.post("/classes", json={"name": "x", "description": "1e99"}), 400, "1e99 is no finite number")
    refused(client.post("/classes", json={"name": "x", "description": "1_0"}), 400, "1_0 is no finite number")
    refused(client.post("/classes", json={"name": "x", "description": "1e20"}), 400, "1e20 is too large for float32 networks")
    half = b'{"name": "x", "description": "\\ud800"}'  # of a surrogate pair
    refused(client.post("/classes", content=half), 400, "is no finite number")
    assert client.post("/classes", json={"name": "x", "description": ", ".join(map(str, range(1, 49)))}).json()["added"] == 1
    np.testing.assert_array_equal(numbers("1,2;3 4\n5", 5), [1, 2, 3, 4, 5])


def test_what_the_teacher_says_in_words():
    assert in_words(0.9, -1.2) == "looks like the classes that the model was trained on"
    assert in_words(0.4, -1.2) == "looks somewhat like the classes that the model was trained on"
    assert in_words(0.2, -1.2) == "looks unlike the classes that the model was trained on"
