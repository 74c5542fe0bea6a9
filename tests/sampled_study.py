"""A study with sample grids of known colours and known outputs of D, and its page in a browser."""

import json

import numpy as np
from browser import chromium
from PIL import Image

STEPS = (10, 20, 30)
LEAST_SQUARES = {"_target_": "lsgan.losses.LeastSquares", "a": -1.0, "b": 1.0, "c": 0.0}
NSGAN = {"_target_": "lsgan.losses.NonSaturating"}


def grid(left, right=None, size=(96, 64)):
    """A picture of two halves, each of one RGB colour."""
    pixels = np.empty((size[1], size[0], 3), np.uint8)
    pixels[:, : size[0] // 2], pixels[:, size[0] // 2 :] = left, left if right is None else right
    return Image.fromarray(pixels)


def colour(seed, step):
    """Of the left half of a run's grid; the right half is blue."""
    return (60 + 60 * seed, 5 * min(step, 50), 0)


def write(folder, name, seed, *, loss=None, choice="lsgan", steps=STEPS, rows=(), status="finished"):
    """A run folder; without steps it has no samples at all."""
    run = folder / name
    run.mkdir(parents=True)
    config = {"steps": 30, "seed": seed, "loss": LEAST_SQUARES if loss is None else loss, "study": folder.name}
    (run / "config.yaml").write_text(json.dumps(config))
    (run / "status.json").write_text(json.dumps({"status": status, "step": 30, "reason": None}))
    start = {"event": "start", "step": 0, "overrides": [f"loss={choice}", f"seed={seed}"]}
    (run / "history.jsonl").write_text(json.dumps(start) + "\n")
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if steps:
        (run / "samples").mkdir()
        grid((250, 250, 250), (0, 0, 250)).save(run / "samples" / "real.jpg", quality=95)
    for step in steps:
        grid(colour(seed, step), (0, 0, 250)).save(run / "samples" / f"{step:06d}.jpg", quality=95)
    return run


def quantiles(step, real, fake, share):
    """A row with the five quantiles of both sides, 0.1 and 0.2 around the median, and the share of fakes."""
    names = ("q05", "q25", "q50", "q75", "q95")
    row = {"step": step, "outputs/fake_on_real_side": share}
    for side, middle in (("real", real), ("fake", fake)):
        row |= {f"outputs/{side}_{name}": middle + 0.1 * k for name, k in zip(names, range(-2, 3), strict=True)}
    return row


class Page:
    """A page in a browser."""

    def __init__(self, chrome, path):
        self.chrome = chrome
        chrome.get_log("browser")  # of pages before
        chrome.get(path.as_uri())

    def js(self, script, *values):
        return self.chrome.execute_script(script, *values)

    def until(self, script, *values, seconds=10):
        """Waits until it returns something true, and gives that back."""
        from selenium.webdriver.support.wait import WebDriverWait

        return WebDriverWait(self.chrome, seconds, poll_frequency=0.05).until(lambda _: self.js(script, *values))

    def find(self, selector):
        from selenium.webdriver.common.by import By

        found = self.chrome.find_element(By.CSS_SELECTOR, selector)
        self.js("arguments[0].scrollIntoView({block: 'center'})", found)
        return found

    def press(self, selector, *keys):
        """Gives an element the focus and types."""
        element = self.find(selector)
        self.js("arguments[0].focus()", element)
        element.send_keys(*keys)

    def choose(self, selector, value):
        script = "const it = document.querySelector(arguments[0]); it.value = arguments[1]; "
        self.js(script + "it.dispatchEvent(new Event('change', {bubbles: true}))", selector, value)

    def slide(self, selector, value):
        script = "const it = document.querySelector(arguments[0]); it.value = arguments[1]; "
        self.js(script + "it.dispatchEvent(new Event('input', {bubbles: true}))", selector, value)

    def text(self, selector):
        return self.js("return document.querySelector(arguments[0]).textContent", selector)


def browser():
    return chromium(width=1200, height=900)
