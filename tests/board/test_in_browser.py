"""The page in a real browser, without a network: what its user does, with the mouse and by keyboard alone."""

import json

import pytest
from browser import chromium, complaints, resize, scheme
from studies import row, write_plane, write_run

from lsgan.board.write import write

EVIL = "</script><script>document.title='owned'</script><img src=x onerror=document.title='owned'>"


@pytest.fixture(scope="module")
def chrome():
    with chromium(width=1440, height=900) as driver:
        yield driver


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Two studies as files: of losses, with runs that went wrong, and of a plane of targets."""
    folder = tmp_path_factory.mktemp("board")
    losses = folder / "losses"
    won = {"discriminator_won": {"step": 2, "reason": "D has won: look at the samples"}}
    for seed, (first, second) in enumerate([(1.0, 3.0), (2.0, 5.0), (3.0, 7.0)]):
        for loss, last in (("nsgan", first), ("lsgan_b1c0a-1", second)):
            middle = [row(10.0 - k / 10, d_loss=0.1 + k / 100, g_loss=0.5) for k in range(18)]
            rows = [*middle, row(0.5, g_loss=0.4), row(last, d_loss=0.25)]
            write_run(losses, loss, seed, rows, warnings=won if seed == 2 else None)
    write_run(losses, "lsgan_b1c1a0", 3, [row(9.0)], status="failed", reason="step 2: loss/discriminator is nan")
    paths = {}
    for study in (losses, write_plane(folder / "plane")):
        paths[study.name] = write(study, folder / f"{study.name}.html").path.as_uri()
    return paths


@pytest.fixture
def losses(chrome, pages):
    return opened(chrome, pages["losses"])


@pytest.fixture
def plane(chrome, pages):
    return opened(chrome, pages["plane"])


def opened(chrome, uri):
    resize(chrome, 1440, 900)
    scheme(chrome, "light")
    chrome.get(uri)
    settled(chrome)
    return chrome


def settled(chrome):
    """Two frames later, all that was asked for is drawn."""
    chrome.execute_async_script(
        "requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(arguments[0], 30)))"
    )


def js(chrome, script, *arguments):
    return chrome.execute_script(script, *arguments)


def texts(chrome, selector):
    return js(chrome, "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", selector)


def listed(chrome):
    return texts(chrome, "#runs button[data-run]")


def change(chrome, selector, value):
    js(
        chrome,
        "const e = document.querySelector(arguments[0]); e.value = arguments[1];"
        "e.dispatchEvent(new Event('input', {bubbles: true})); e.dispatchEvent(new Event('change', {bubbles: true}))",
        selector,
        value,
    )
    settled(chrome)


def click(chrome, selector, nth=0):
    js(chrome, "document.querySelectorAll(arguments[0])[arguments[1]].click()", selector, nth)
    settled(chrome)


def press(chrome, *keys):
    """With the real keyboard, wherever the focus is."""
    from selenium.webdriver import ActionChains

    for key in keys:
        ActionChains(chrome).send_keys(key).perform()
    settled(chrome)


def test_it_opens_without_a_complaint_and_asks_for_nothing(losses):
    assert complaints(losses) == []
    assert (
        js(losses, "return performance.getEntriesByType('resource').filter((e) => !e.name.startsWith('data:'))") == []
    )


def test_it_opens_with_the_answer(losses):
    (first, *_) = texts(losses, "#answer-told p")
    assert first == "loss=nsgan: 2 over 3 seeds, the best mean (last metric/mind, min is best)."
    assert "+3" in texts(losses, "#answer-figure tbody tr")[1]  # against the best, as the sentence says the other way
    change(losses, "#answer-at", "best")
    assert texts(losses, "#answer-told p")[0].endswith("(best metric/mind, min is best).")
    assert len(js(losses, "return [...document.querySelectorAll('#answer-figure .mean')]")) >= 2


def test_what_went_wrong_leads_to_its_run(losses):
    assert "failed lsgan_b1c1a0-s3: step 2: loss/discriminator is nan" in texts(losses, "#troubles li")
    assert any(told.startswith("D has won") and "at step 2" in told for told in texts(losses, "#troubles li"))
    change(losses, "#table-search", "nsgan")  # hides it
    index = [told.startswith("failed") for told in texts(losses, "#troubles li")].index(True)
    click(losses, "#troubles button", index)
    assert js(losses, "return document.activeElement.dataset.run") == "lsgan_b1c1a0-s3"
    assert "loss/discriminator is nan" in texts(losses, "#runs tr.unfolded")[0]


def test_the_table_sorts_both_ways_and_says_so(losses):
    header = "#runs th.number button"
    assert texts(losses, header)[0] == "MIND"
    click(losses, header)
    assert listed(losses)[0] == "nsgan-s0"
    assert listed(losses)[-1] == "lsgan_b1c1a0-s3"  # 9
    assert js(losses, "return document.querySelector('#runs th[aria-sort]').ariaSort") == "ascending"
    press(losses, "\ue007")  # Enter: the focus is still on the header
    assert listed(losses)[0] == "lsgan_b1c1a0-s3"
    assert js(losses, "return document.querySelector('#runs th[aria-sort]').ariaSort") == "descending"


def test_what_is_filtered_searched_and_unticked_is_left_out_everywhere(losses):
    change(losses, '#table-filters select[data-key="loss"]', "=nsgan")
    assert listed(losses) == ["nsgan-s0", "nsgan-s1", "nsgan-s2"]
    change(losses, "#table-search", "SEED=2")
    assert listed(losses) == ["nsgan-s2"]
    change(losses, "#table-search", "")
    click(losses, "#runs tbody input[type=checkbox]", 1)
    assert js(losses, "return [...board.chosen]") == ["nsgan-s0", "nsgan-s2"]
    assert texts(losses, "#curves-legend li") == ["loss=nsgan (2)"]
    assert "3 of 7 runs listed, 2 of them shown" in texts(losses, "#table-told")[0]
    click(losses, "#table-all")
    assert len(js(losses, "return [...board.chosen]")) == 7


def test_a_row_unfolds_to_all_that_is_known_of_the_run(losses):
    click(losses, '#runs button[data-run="nsgan-s2"]')
    (told,) = texts(losses, "#runs tr.unfolded")
    for part in (
        "python train.py loss=nsgan seed=2",
        "started from step 0",
        "finished at step 20",
        "step 2: D has won",
    ):
        assert part in told
    assert "losses/nsgan-s2" in told
    assert js(losses, "return document.querySelector('#runs button[data-run=\"nsgan-s2\"]').ariaExpanded") == "true"
    press(losses, "\ue007")
    assert texts(losses, "#runs tr.unfolded") == []


def test_columns_of_the_table_can_be_chosen(losses):
    before = len(texts(losses, "#runs thead th"))
    click(
        losses,
        "#table-columns input",
        [t.strip() for t in texts(losses, "#table-columns label")].index("loss/generator"),
    )
    assert len(texts(losses, "#runs thead th")) == before + 1  # a loss has no best
    assert "loss/generator" in "".join(texts(losses, "#runs thead th"))


def zoom(chrome):
    return texts(chrome, "#curves-note")[0]


def drag(chrome, column, start, end):
    """From one share of a chart's width to another."""
    js(
        chrome,
        "const svg = document.querySelector(`[data-column='${arguments[0]}'] svg`);"
        "const box = svg.getBoundingClientRect();"
        "const at = (type, share) => svg.dispatchEvent(new PointerEvent(type, {bubbles: true, button: 0, pointerId: 1,"
        " clientX: box.left + share * box.width, clientY: box.top + 50}));"
        "svg.setPointerCapture = () => {}; at('pointerdown', arguments[1]); at('pointermove', arguments[2]);"
        "at('pointerup', arguments[2])",
        column,
        start,
        end,
    )
    settled(chrome)


def axis(chrome, column):
    return texts(chrome, f"[data-column='{column}'] svg > text[text-anchor=middle]")


def test_zoom_is_shared_by_all_charts(losses):
    whole = axis(losses, "loss/generator")
    drag(losses, "loss/discriminator", 0.5, 0.8)
    assert zoom(losses).startswith("Steps ")
    assert axis(losses, "loss/generator") == axis(losses, "loss/discriminator") != whole
    js(losses, "document.querySelector('.chart svg').dispatchEvent(new MouseEvent('dblclick'))")
    settled(losses)
    assert axis(losses, "loss/generator") == whole


def test_charts_answer_the_keyboard(losses):
    js(losses, "document.querySelector(\"[data-column='loss/generator'] svg\").focus()")
    press(losses, "\ue014")  # right
    readout = "[data-column='loss/generator'] .readout"
    assert texts(losses, readout)[0].startswith("step ")
    press(losses, "+")
    assert zoom(losses).startswith("Steps ")
    press(losses, "0")
    assert zoom(losses).startswith("Drag over a chart")
    press(losses, "\ue007")
    assert js(losses, "return board.step()") is not None


def test_a_click_on_a_chart_goes_to_that_step(losses):
    js(losses, "window.steps = []; board.onStep((step) => window.steps.push(step))")
    drag(losses, "loss/generator", 0.6, 0.6)
    (step,) = js(losses, "return window.steps")
    assert 0 < step < 20


def test_a_mean_and_its_interval_are_read_off(losses):
    """Step 20 of nsgan: 1, 2 and 3, so 2 ± 4.303 / √3."""
    js(
        losses,
        "const svg = document.querySelector(arguments[0]); const box = svg.getBoundingClientRect();"
        "const there = {bubbles: true, clientX: box.right - 10, clientY: box.top};"
        "svg.dispatchEvent(new PointerEvent('pointermove', there))",
        "[data-column='metric/mind'] svg",
    )
    (shown,) = texts(losses, "[data-column='metric/mind'] .readout")
    assert "step 20" in shown
    assert "loss=nsgan2 ± 2.484" in shown
    box = "const box = document.querySelector(arguments[0]).getBoundingClientRect(); return [box.width, box.height]"
    width, height = js(losses, box, "[data-column='metric/mind'] .readout")
    assert width < 400
    assert height < 120


def test_groups_single_runs_smoothing_log_and_the_theory(losses):
    assert len(texts(losses, "[data-column='loss/discriminator'] .theory")) == 1  # the same value for all
    assert "equilibrium 1" in texts(losses, "[data-column='loss/discriminator'] text")
    curves = "[data-column='loss/generator'] path.curve"
    assert len(texts(losses, curves)) == 3
    change(losses, "#curves-group", ":seed")
    assert texts(losses, "#curves-legend li") == ["0 (2)", "1 (2)", "2 (2)", "3 (1)"]
    change(losses, "#curves-mode", "runs")
    assert len(texts(losses, curves)) == 7
    line = "[data-column='loss/discriminator'] path.curve:not(.raw)"
    before = js(losses, "return document.querySelector(arguments[0]).getAttribute('d')", line)
    change(losses, "#curves-smooth", "0.9")
    after = js(losses, "return document.querySelector(arguments[0]).getAttribute('d')", line)
    assert before != after
    click(losses, "#curves-log")
    assert complaints(losses) == []


def test_a_heat_map_of_two_numbers(plane):
    cells = texts(plane, "#plane td")
    assert cells == ["1.1252 runs", "3.1252 runs", "2.1252 runs", "4.1252 runs"]  # means of two seeds, a across
    assert texts(plane, "#plane td.best") == ["1.1252 runs"]
    change(plane, "#map-x", "loss.c")
    change(plane, "#map-y", "loss.a")
    assert [cell[:5] for cell in texts(plane, "#plane td")] == ["1.125", "2.125", "3.125", "4.125"]
    assert texts(plane, "#strips figcaption") == ["loss.a", "loss.c", "seed"]
    assert "a-1c0s0" in texts(plane, "#map-note")[0]  # the best run


def test_dark_and_light(losses):
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = js(losses, ground)
    click(losses, "#theme")
    dark = js(losses, ground)
    assert dark != light
    losses.refresh()
    settled(losses)
    assert js(losses, ground) == dark  # it is remembered
    click(losses, "#theme")
    js(losses, "localStorage.clear()")
    losses.refresh()
    scheme(losses, "dark")  # as the system asks for
    assert js(losses, ground) == dark


def test_a_phone_has_it_all_without_scrolling_sideways(losses):
    resize(losses, 390, 844)
    settled(losses)
    assert js(losses, "return document.documentElement.scrollWidth") == 390
    assert js(losses, "return document.querySelector('.chart svg').clientWidth") > 300


def test_the_page_has_landmarks_and_every_control_a_name(losses):
    for tag in ("header", "nav", "main", "footer"):
        assert js(losses, "return document.querySelectorAll(arguments[0]).length", tag) == 1
    titles = js(
        losses,
        "return [...document.querySelectorAll('section')]"
        ".map((section) => document.getElementById(section.getAttribute('aria-labelledby'))?.textContent)",
    )
    assert {"Answer", "Runs", "Curves", "Settings"} <= set(titles)
    nameless = js(
        losses,
        "const named = (e) => (e.matches('button') && e.textContent.trim()) || e.labels?.length || e.ariaLabel;"
        "return [...document.querySelectorAll('button, input, select')].filter((e) => !named(e)).map((e) => e.id)",
    )
    assert nameless == []


def test_printed_it_has_no_controls(losses):
    losses.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert js(losses, "return getComputedStyle(document.querySelector('.controls')).display") == "none"
    assert js(losses, "return getComputedStyle(document.querySelector('#runs')).display") == "table"
    losses.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_nothing_that_users_typed_is_run(chrome, tmp_path):
    warnings = {EVIL: {"step": 1, "reason": EVIL}}
    config = {"loss": {"_target_": EVIL, "name": EVIL}}
    for seed in (0, 1):
        rows = [row(1.0 + seed, **{f"metric/{EVIL}": 1.0, f"loss/{EVIL}": 2.0, EVIL: 3.0})]
        name = f"<img src=x onerror=alert(1)>{seed}"
        folder = write_run(tmp_path / "<b>", EVIL, seed, rows, warnings=warnings, name=name, config=config)
        history = {"event": "start", "time": EVIL, "overrides": [f"loss={EVIL}{seed}", EVIL], "host": EVIL}
        (folder / "history.jsonl").write_text(json.dumps(history) + "\n")
    write_run(tmp_path / "<b>", "nsgan", 2, [row(1.0)], status=EVIL, reason=EVIL, name="odd")
    opened(chrome, write(tmp_path / "<b>", tmp_path / "board.html").path.as_uri())
    for i in range(3):
        click(chrome, "#runs button[data-run]", i)
    for selector in ("#curves-columns input", "#table-columns input"):
        js(chrome, "document.querySelectorAll(arguments[0]).forEach((e) => e.click())", selector)
    change(chrome, "#curves-group", "=run")
    assert chrome.title == "<b> · lsgan"
    assert js(chrome, "return document.querySelectorAll('img[src=x], b').length") == len(texts(chrome, ".readout b"))
    assert complaints(chrome) == []
