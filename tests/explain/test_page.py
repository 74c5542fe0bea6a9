"""The page in a real browser, without a network: what its sliders tell is what the library computes."""

import functools
import json
import math
import re

import pytest
from browser import chromium, complaints, found, resize, scheme

from lsgan.explain.choices import Choices
from lsgan.explain.figures import FIGURES
from lsgan.explain.page import SCRIPTS, page
from lsgan.explain.writing import explain
from lsgan.theory import divergences
from lsgan.theory.optimal import Targets
from lsgan.theory.pairs import OnLine

DIVERGENCES = ("kl", "jsd", "pearson", "neyman", "triangular", "total_variation")
POSITIONS = (  # distance, spread, a, b, c
    (0.0, 1.0, -1.0, 1.0, 0.0),
    (0.1, 1.0, 0.0, 1.0, 1.0),
    (2.0, 1.0, 0.0, 1.0, 0.5),
    (4.0, 1.0, -2.0, 0.3, -0.85),
    (8.0, 0.3, 0.1, 0.2, 0.15),
    (1.5, 3.0, 0.1, 0.7, 0.45),
    (5.3, 0.75, 2.0, -2.0, 0.0),
    (3.0, 1.35, 1.0, 1.0, 1.0),
)


@functools.cache
def written(lang="en"):
    """The page with the words of all figures; drawing one of them is enough here."""
    choices = Choices(lang=lang)
    one = explain("lemma", choices)
    return page(choices, [one._replace(name=name) for name in FIGURES])


@pytest.fixture(scope="module")
def chrome(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    for lang in ("en", "vi"):
        (folder / f"{lang}.html").write_text(written(lang), encoding="utf-8")
    with chromium() as driver:
        driver.folder = folder
        yield driver


def opened(chrome, lang="en"):
    chrome.get((chrome.folder / f"{lang}.html").as_uri())
    return chrome


def slide(chrome, **values):
    """As a hand does: the value, then the event."""
    chrome.execute_script(
        "for (const [key, value] of Object.entries(arguments[0])) { const input = document.getElementById(key);"
        "input.value = value; input.dispatchEvent(new Event('input', { bubbles: true })); }",
        values,
    )


def told(chrome, key):
    return float(chrome.execute_script("return document.getElementById(arguments[0]).dataset.value", f"value-{key}"))


def verdict(chrome):
    return chrome.find_element("id", "verdict").text


def exact(distance, spread):
    def gaussian(mean, std):
        return lambda x: -0.5 * ((x - mean) / std) ** 2 - math.log(std * math.sqrt(2 * math.pi))

    # the crossings of p and q, corners of |p - q|, by the quadratic formula of its own
    k2, k1 = (1 / spread**2 - 1) / 2, -distance / spread**2
    k0 = distance**2 / (2 * spread**2) + math.log(spread)
    roots = (
        [distance / 2] if k2 == 0 else [(-k1 + sign * math.sqrt(k1**2 - 4 * k2 * k0)) / (2 * k2) for sign in (1, -1)]
    )
    reach = 14 * max(1.0, spread)
    points = (0.0, distance, *roots)
    return OnLine(gaussian(0.0, 1.0), gaussian(distance, spread), points, -reach, distance + reach)


def chi_square(distance, spread, *, below):
    """∫ (difference)² / (the density named) in closed form; inf where the tails are too heavy."""
    narrow, wide = (spread**2, 1.0) if below == "p" else (1.0, spread**2)
    rest = 2 * wide - narrow
    return math.inf if rest <= 0 else wide / math.sqrt(narrow * rest) * math.exp(distance**2 / rest) - 1


@pytest.mark.parametrize("position", POSITIONS, ids=str)
def test_the_sliders_tell_what_the_library_computes(chrome, position):
    distance, spread, a, b, c = position
    if "en.html" not in chrome.current_url:
        opened(chrome)
    slide(chrome, distance=distance, spread=spread, a=a, b=b, c=c)
    pair = exact(distance, spread)
    for name in DIVERGENCES:
        if name in ("pearson", "neyman"):
            expected = chi_square(distance, spread, below="p" if name == "pearson" else "q")
        else:
            expected = getattr(divergences, name)(pair)
        assert told(chrome, name) == pytest.approx(expected, rel=1e-6, abs=1e-6), name
    targets = Targets(a, b, c)
    assert told(chrome, "criterion") == pytest.approx(targets.criterion(pair), rel=1e-6, abs=1e-6)
    is_pearson = chrome.find_element("id", "verdict").get_attribute("data-value")
    assert is_pearson == str(targets.pearson_factor is not None).lower()


def test_a_chi_square_agrees_with_the_library_where_it_is_finite(chrome):
    opened(chrome)
    slide(chrome, distance=2.0, spread=1.1)
    assert told(chrome, "pearson") == pytest.approx(divergences.pearson(exact(2.0, 1.1)), rel=1e-6)
    assert told(chrome, "neyman") == pytest.approx(divergences.neyman(exact(2.0, 1.1)), rel=1e-6)


def test_what_is_infinite_or_huge_is_told_as_such(chrome):
    opened(chrome)
    slide(chrome, distance=8.0, spread=3.0)
    assert chrome.find_element("id", "value-pearson").text == "∞"
    slide(chrome, distance=8.0, spread=1.0)
    assert chrome.find_element("id", "value-pearson").text == "6.24·10²⁷"  # e⁶⁴


def test_every_triple_of_the_sliders_is_judged_exactly(chrome):
    """All 81³ positions by whole numbers, against the page's own question."""
    opened(chrome)
    wrong = chrome.execute_script(
        "let wrong = 0; const at = (i) => Number((i / 20).toFixed(2));"
        "for (let i = -40; i <= 40; i++) for (let j = -40; j <= 40; j++) for (let k = -40; k <= 40; k++)"
        " if (isPearson({ a: at(i), b: at(j), c: at(k) }) !== (i !== j && i + j === 2 * k)) wrong++; return wrong;"
    )
    assert wrong == 0


def test_the_verdict_is_said_in_words(chrome):
    opened(chrome)
    assert verdict(chrome) == "A Pearson χ²: c is halfway between a and b, and 2·C(G) = 1·Δ."
    slide(chrome, a=0, c=1)
    assert verdict(chrome) == "Not a Pearson χ²: c is not (a + b)/2 = 0.5, and 2·C(G) = 0.25·Δ + 0.5."
    slide(chrome, a=1)
    assert verdict(chrome).startswith("a = b: D is asked to answer the same")
    opened(chrome, "vi")
    assert verdict(chrome) == "Là χ² Pearson: c nằm chính giữa a và b, và 2·C(G) = 1·Δ."


def test_a_slider_answers_the_keyboard(chrome):
    from selenium.webdriver.common.keys import Keys

    opened(chrome)
    chrome.find_element("id", "distance").send_keys(Keys.ARROW_RIGHT)
    assert chrome.find_element("id", "distance-value").text == "2.1"
    before = chrome.find_element("id", "value-jsd").text
    chrome.find_element("id", "distance").send_keys(Keys.HOME)
    assert chrome.find_element("id", "distance-value").text == "0"
    assert chrome.find_element("id", "value-jsd").text == "0.0000" != before


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_the_page_fits_a_phone_in_the_dark_and_nothing_is_refused_or_loaded(chrome, lang):
    opened(chrome, lang)
    try:
        resize(chrome, 390, 800)
        scheme(chrome, "dark")
        assert chrome.execute_script("return document.documentElement.scrollWidth") <= 390
        assert chrome.execute_script("return getComputedStyle(document.documentElement).backgroundColor") == (
            "rgb(25, 25, 25)"
        )
        assert chrome.execute_script("return document.querySelector('img').naturalWidth") > 300  # it is shown
    finally:
        resize(chrome, 1000, 800)
        scheme(chrome, "light")
    assert complaints(chrome) == []
    loaded = chrome.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [name for name in loaded if not name.startswith("data:")] == []


def test_the_policy_stops_what_is_not_the_page_s_own(chrome):
    opened(chrome)
    chrome.execute_script(
        "const script = document.createElement('script'); script.textContent = 'window.strange = 1';"
        "document.body.append(script);"
    )
    assert chrome.execute_script("return window.strange") is None
    assert any("Content Security Policy" in message for message in complaints(chrome))


def test_every_slider_has_a_label_and_the_page_its_landmarks():
    text = written("vi")
    assert '<html lang="vi">' in text
    for key in ("distance", "spread", "a", "b", "c"):
        assert f'<label for="{key}">' in text
        assert f'<output id="{key}-value" for="{key}">' in text
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    for tag in ("<header>", "<nav ", "<main>", "<footer>"):
        assert text.count(tag) == 1
    assert all(image.count('alt="') == 1 for image in re.findall(r"<img [^>]*>", text))


def test_words_are_escaped():
    choices = Choices()
    one = explain("lemma", choices)
    strange = one._replace(words=one.words.__class__("<script>alert(1)</script>", ('"><b>',), '"><i>', {}))
    text = page(choices, [strange])
    assert "<script>alert" not in text
    assert '"><b>' not in text
    assert '"><i>' not in text


def test_no_script_names_an_address():
    assert len(SCRIPTS) == 3
    text = written()
    addresses = set(re.findall(r"https?://[^\s\"'<)]+", text))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, which nobody fetches
    said = re.search(r'id="said">(.*?)</script>', text)
    assert set(json.loads(said[1])) == {"same", "pearson", "no_pearson"}


def test_without_a_browser_the_tests_say_so(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pytest.skip.Exception, match="no Chromium with its chromedriver is installed here: apt-get"):
        found()
