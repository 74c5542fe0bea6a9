"""A real browser without a window, for tests of pages. It sees local files and no network."""

import os
import shutil
from contextlib import contextmanager

import pytest

FLAGS = (
    "--headless=new",
    "--no-sandbox",  # of a root user, as in containers
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no name is ever looked up
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def found():
    """The paths of a Chromium and its driver; the test is skipped, and says why, where there are none."""
    pytest.importorskip("selenium", reason="selenium drives the browser: pip install -e '.[test]'")
    driver = shutil.which("chromedriver")
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None or driver is None:
        pytest.skip("no Chromium with its chromedriver is installed here: apt-get install chromium chromium-driver")
    return browser, driver


@contextmanager
def chromium(*, width=1000, height=800, dark=False):
    """A selenium driver of a new, empty profile, which ends with the block.

    `offline` of the network is emulated too, so that even an address of loopback is not reached: pages are files here.
    """
    browser, driver = found()
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = browser
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--window-size={width},{height}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = Chrome(options=options, service=Service(driver, env={**os.environ, "no_proxy": "localhost,127.0.0.1"}))
    try:
        resize(chrome, width, height)
        chrome.execute_cdp_cmd("Network.enable", {})
        chrome.execute_cdp_cmd(
            "Network.emulateNetworkConditions",
            {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0},
        )
        scheme(chrome, "dark" if dark else "light")
        yield chrome
    finally:
        chrome.quit()


def resize(chrome, width, height):
    """The page's own size, which a window's narrowest does not bound: 390 is a phone."""
    chrome.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )


def scheme(chrome, name):
    """Light or dark, as the system would ask for."""
    chrome.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": name}]}
    )


def complaints(chrome):
    """What the console has from errors on: of scripts, and of what the page's policy refused."""
    return [entry["message"] for entry in chrome.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def screenshot(chrome, path, *, whole=False):
    """A PNG of what is seen, or of the whole page."""
    if whole:
        width, height = chrome.execute_script(
            "return [document.documentElement.clientWidth, document.documentElement.scrollHeight]"
        )
        resize(chrome, width, height)
    path.write_bytes(chrome.get_screenshot_as_png())
