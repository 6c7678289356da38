"""The page of predictions: what it shows, that it holds all it shows, and, in a browser, what can be chosen in it."""

import re
import types
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from d3gzsl_jax.config.load import load_config
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import accuracy
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.gallery.thumbnails import SIDE, thumbnail
from d3gzsl_jax.runs.gallery.write import Gallery, output_file
from d3gzsl_jax.runs.predictions import Predictions
from d3gzsl_jax.runs.truth import truth_of
from tests.conftest import ROOT

NAMES = ("cat", "dog", '<b>"owl"&', "eel")
EVIL = '"><script>alert(1)</script>'
FILES = ("cat/1.png", "cat/2.png", f"{EVIL}.png", "okapi/10.png", "okapi/9.png")
CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def model():
    config = load_config(str(ROOT / "configs" / "digits.py"))
    return types.SimpleNamespace(config=config, name="my pets", class_names=NAMES, unseen=np.array([2, 3]))


def predictions(files=FILES, classes=("cat", "cat", None, "okapi", "okapi")):
    best = np.array([[0, 1, 2], [1, 0, 2], [2, 0, 1], [3, 1, 0], [0, 1, 2]], np.int32)
    probabilities = np.array([[0.9, 0.05, 0.05], [0.5, 0.4, 0.1], [0.999, 0.001, 0.0], [0.6, 0.3, 0.1], [0.4, 0.3, 0.3]], np.float32)
    return Predictions(best, probabilities, np.ones(5, np.float32), None, NAMES, files, truth_of(classes, NAMES))


def written(model, tmp_path, found=None, pictures=(), **options):
    found = found or predictions()
    gallery = Gallery(model, pictures, **options)
    gallery.add(found)
    measured = found.truth and accuracy.accuracy_of(found.classes[:, 0], found.truth, model.unseen)
    return gallery.write(tmp_path / "p.html", measured, Display(quiet=True)), (tmp_path / "p.html").read_text(encoding="utf-8")


@pytest.fixture
def pictures(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for number, path in enumerate(paths[:-1]):
        Image.new("RGB", (8, 8) if number else (400, 600), (40 * number, 90, 7)).save(path)
    return paths  # the last one has gone


class Cards(HTMLParser):
    """Attributes of the cards, tags that are there, and addresses that are asked for."""

    def __init__(self, text):
        super().__init__()
        self.cards, self.tags, self.addresses = [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        of = dict(attributes)
        self.tags.add(tag)
        self.addresses += [of[key] for key in ("src", "href") if key in of]
        if "card" in of.get("class", "").split():
            self.cards.append(of)


def test_the_least_sure_come_first_and_nothing_comes_from_outside(model, tmp_path, pictures):
    said, text = written(model, tmp_path, pictures=pictures, skipped=[("cat/bad<i>.png", "is no whole picture")])
    found = Cards(text)
    assert said == f"wrote {tmp_path / 'p.html'}: a page of 5 pictures"
    assert [card["data-row"] for card in found.cards] == ["4", "1", "3", "0", "2"]
    assert [card["data-kind"] for card in found.cards] == ["seen", "seen", "unseen", "seen", "unseen"]
    assert [card["data-wrong"] for card in found.cards] == ["1", "1", "1", "0", "0"] and found.cards[0]["data-truth"] == "? okapi"
    assert found.cards[-1]["data-truth"] == "" and found.cards[-1]["data-name"] == NAMES[2]
    images = [address for address in found.addresses if not address.startswith("#")]
    assert len(images) == 4 and all(address.startswith("data:image/") for address in images) and "cannot be read any more" in text
    assert "b" in found.tags and EVIL not in text and '<b>"owl"' not in text and "bad&lt;i&gt;.png: is no whole picture" in text
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert "the model does not know okapi: 2 pictures, which count in no accuracy.</p>" in text and "1 of 2 pictures" in text
    _, text = written(model, tmp_path, predictions(classes=("cat", "cat", None, "dogg", "dogg")))
    assert "the model does not know dogg: 2 rows, which count in no accuracy; did you mean &#39;dog&#39;?</p>" in text


def test_the_script_runs_by_its_digest_alone(model, tmp_path):
    import base64
    import hashlib

    _, text = written(model, tmp_path)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text and "unsafe-inline" not in text.split("script-src")[1].split('"')[0]


def test_many_rows_are_cut_to_the_least_sure_ones(model, tmp_path):
    gallery = Gallery(model, most=3)
    for _ in range(20):
        gallery.add(predictions(classes=(None,) * 5))
    said = gallery.write(tmp_path / "p.html", None, Display(quiet=True))
    text = (tmp_path / "p.html").read_text()
    assert said.endswith("a page of 3 rows, the least sure of 100") and "Only the 3 least sure ones are shown here" in text
    assert [card["data-sure"] for card in Cards(text).cards] == ["0.4"] * 3 and "Accuracy by class" not in text


def test_rows_without_names_and_without_pictures(model, tmp_path):
    _, text = written(model, tmp_path, predictions(None, None))
    assert "row 4" in text and "img" not in Cards(text).tags and 'name="right"' not in text


def test_a_matrix_of_many_classes_is_left_to_the_file(model, tmp_path, monkeypatch):
    assert '<table class="matrix">' in written(model, tmp_path)[1]
    monkeypatch.setattr("d3gzsl_jax.runs.gallery.page._MATRIX", 1)
    text = written(model, tmp_path)[1]
    assert '<table class="matrix">' not in text and "--accuracy=FILE.json" in text


def test_only_a_page_like_it_is_written_over(model, tmp_path):
    written(model, tmp_path)
    assert output_file(tmp_path / "p.html", "--gallery")
    (tmp_path / "p.html").write_text("<html>mine</html>")
    with pytest.raises(UserError, match=r"--gallery=.*holds no gallery of predictions"):
        output_file(tmp_path / "p.html", "--gallery")


def test_thumbnails_are_small_and_tiny_pictures_keep_their_pixels(pictures, tmp_path):
    import base64
    import io

    large, is_tiny = thumbnail(pictures[0])
    assert not is_tiny and Image.open(io.BytesIO(base64.b64decode(large.split(",")[1]))).size == (SIDE * 2 // 3, SIDE)
    tiny, is_tiny = thumbnail(pictures[1])
    assert is_tiny and Image.open(io.BytesIO(base64.b64decode(tiny.split(",")[1]))).convert("RGB").getpixel((0, 0)) == (40, 90, 7)
    assert thumbnail(tmp_path / "none.png") == ("", False)


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium")
def test_in_a_browser(model, tmp_path, pictures):
    playwright = pytest.importorskip("playwright.sync_api")
    written(model, tmp_path, pictures=pictures)
    arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        page, complaints = browser.new_page(viewport={"width": 420, "height": 800}), []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if not request.url.startswith(("data:", "file:")) else None)
        page.goto((tmp_path / "p.html").as_uri())

        def rows():
            return page.eval_on_selector_all("#cards .card", "all => all.filter(c => c.offsetParent).map(c => +c.dataset.row)")

        assert rows() == [4, 1, 3, 0, 2] and page.text_content("#count") == "5 of 5 shown"
        assert page.evaluate("document.documentElement.scrollWidth") <= 420
        for name, value, expected in (
            ("search", "OKAPI", [4, 3]), ("kind", "unseen", [3, 2]), ("predicted", "0", [4, 0]), ("truth", "? okapi", [4, 3]),
            ("right", "wrong", [4, 1, 3]), ("right", "right", [0]), ("order", "file", [2, 0, 1, 4, 3]), ("order", "row", [0, 1, 2, 3, 4]),
            ("order", "sure", [2, 0, 3, 1, 4]), ("order", "wrong", [3, 1, 4, 2, 0]), ("search", "nothing", []),
        ):
            field = page.locator(f"[name={name}]")
            field.fill(value) if name == "search" else field.select_option(value)
            assert rows() == expected, (name, value)
            page.click("button[type=reset]")
            playwright.expect(page.locator("#count")).to_have_text("5 of 5 shown")
        page.focus("[name=search]")
        page.keyboard.press("Tab")
        page.keyboard.press("ArrowDown")
        assert len(rows()) < 5  # by the keyboard alone
        assert complaints == []
        browser.close()
