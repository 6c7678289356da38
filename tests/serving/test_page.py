"""The page in a real browser: a picture is dropped and predicted, a class is described and joins."""

import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from d3gzsl_jax.serving import server
from d3gzsl_jax.serving.app import application
from tests.serving import small_model
from tools.pictures.digits import DESCRIPTIONS

pytestmark = pytest.mark.slow

CHROMIUM, DRIVER = shutil.which("chromium") or shutil.which("chromium-browser"), shutil.which("chromedriver")
DROP = """
const input = document.createElement("input"); input.type = "file"; input.multiple = true; input.id = "of-test";
input.onchange = () => {
  const transfer = new DataTransfer(); for (const file of input.files) transfer.items.add(file);
  document.getElementById("drop").dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
};
document.body.append(input); return input;
"""
SHOTS = os.environ.get("D3GZSL_SCREENSHOTS", "")  # a folder, to look at the page


@pytest.fixture
def address(live):
    """Where the page is served, in this process."""
    import uvicorn

    bound = server.listening_socket("127.0.0.1", 0)
    running = uvicorn.Server(uvicorn.Config(application(live, {"127.0.0.1"}), log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [bound]})
    thread.start()
    yield server.address_of("127.0.0.1", bound)
    running.should_exit = True
    thread.join(30)
    bound.close()


@pytest.fixture
def browser(tmp_path):
    if not CHROMIUM or not DRIVER:
        pytest.skip("needs chromium and chromedriver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync", "disable-dev-shm-usage", f"user-data-dir={tmp_path / 'profile'}",
    ):  # fmt: skip
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield found
    found.quit()


def until(wanted, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := wanted()):
        assert time.monotonic() < deadline, "the page did not get so far"
        time.sleep(0.1)
    return found


def shot(browser, name):
    if not SHOTS:
        return
    for width in (1280, 420):
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500})
        time.sleep(0.3)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        height = browser.execute_script("return document.documentElement.scrollHeight")
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})
        browser.save_screenshot(str(Path(SHOTS) / f"{name}-{width}.png"))


def test_a_dropped_picture_is_predicted_and_a_described_class_joins(browser, address, tmp_path):
    for digit in (3, 4, 9):
        (tmp_path / f"{digit}.png").write_bytes(small_model.picture_of(digit))
    (tmp_path / "broken.png").write_bytes(small_model.picture_of(1)[:100])
    browser.get(address)
    read = "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText)"
    text = lambda selector: browser.execute_script(read, selector)  # noqa: E731 (at once: the page changes meanwhile)
    until(lambda: len(text("#classes li")) == 9)
    shot(browser, "empty")

    browser.execute_script(DROP)
    browser.find_element("id", "of-test").send_keys("\n".join(str(tmp_path / f"{name}.png") for name in ("3", "4", "9")))
    until(lambda: len(text(".card:not(.waiting) .answer")) == 3)
    browser.execute_script("document.getElementById('of-test').remove()")
    assert text(".card .file") == ["9.png", "4.png", "3.png"]
    assert all(len(one.find_elements("css selector", ".best li")) == 5 for one in browser.find_elements("css selector", ".card"))
    assert all("looks" in words for words in text(".words"))
    browser.find_element("id", "pictures").send_keys(str(tmp_path / "broken.png"))
    until(lambda: text(".card .error"))
    assert "broken.png: is no whole picture" in text(".card .error")[0]

    browser.find_element("id", "name").send_keys("eight")
    browser.find_element("id", "description").send_keys("Two loops.")
    browser.find_element("id", "add").click()
    assert "the model knows a class of that name" in until(lambda: text("#class-error")[0])
    browser.find_element("id", "name").clear()
    browser.find_element("id", "name").send_keys("<b>nine</b>")
    browser.find_element("id", "description").clear()
    browser.find_element("id", "description").send_keys(DESCRIPTIONS[9])
    browser.find_element("id", "add").click()
    until(lambda: len(text("#classes li")) == 10)
    assert text("#classes li")[-1] == "<b>nine</b> new" and text("#adding") == ["<b>nine</b> has joined."]
    predicts = " The final classifier predicts now: the student knows no new classes."
    assert text("#lives") == [f"The new class lives until the server stops.{predicts}"]
    until(lambda: len(text(".card:not(.waiting) .answer")) == 3)
    shot(browser, "grown")

    browser.find_element("id", "save").click()
    until(lambda: text("#saved")[0].startswith("Saved to"))
    until(lambda: text("#lives") == [f"The new class lives in the saved model.{predicts}"])
    assert (tmp_path / "kept" / "notes").is_dir()
    severe = [line["message"] for line in browser.get_log("browser") if "400 (Bad Request)" not in line["message"]]
    assert not [line for line in severe if "favicon" not in line], severe
