"""Each figure in both languages: words fit to each other and to what is drawn, also for odd choices."""

import importlib
import string
import warnings

import pytest

from lsgan.explain import drawing, words
from lsgan.explain.choices import Choices
from lsgan.explain.figures import FIGURES

ODD = {
    "default": {},
    "narrow": {"fake_std": 0.1},
    "equal": {"fake_mean": 0.0},
    "far": {"fake_mean": -40.0, "real_std": 0.5, "fake_std": 3.0},
    "huge targets": {"a": -1e6, "b": 1e6, "c": 3e5},
    "small targets": {"a": 0.0, "b": 1e-5, "c": -2.0},
    "c outside": {"a": 0.0, "b": 1.0, "c": 5.0},
    "reversed": {"a": 1.0, "b": -1.0, "c": 0.0},
}


def drawn(name, **choices):
    said = words.of_figure("en", name)
    module = importlib.import_module(f"lsgan.explain.figures.{name}")
    with drawing.style():
        return module.draw(Choices(**choices), said.say)


def quoted(text):
    return {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}


@pytest.mark.parametrize("name", FIGURES)
def test_both_languages_say_the_same_things(name):
    english, vietnamese = (words.of_figure(lang, name) for lang in words.LANGUAGES)
    assert set(english.labels) == set(vietnamese.labels)
    assert len(english.text) == len(vietnamese.text)
    for one, other in zip((*english.text, english.alt), (*vietnamese.text, vietnamese.alt), strict=True):
        assert quoted(one) == quoted(other)
    assert english.title != vietnamese.title


@pytest.mark.parametrize("name", FIGURES)
def test_figures_say_all_their_words_and_give_all_their_numbers(name):
    said, used = words.of_figure("en", name), set()
    module = importlib.import_module(f"lsgan.explain.figures.{name}")
    with drawing.style():
        for choices in (Choices(real_std=0.5), Choices()):
            values = module.draw(choices, lambda key: used.add(key) or said.labels[key]).values
    assert used == set(said.labels)  # nobody keeps a label that nothing shows
    assert {field for text in (*said.text, said.alt) for field in quoted(text)} <= set(values)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", FIGURES)
def test_any_choice_is_drawn_without_a_warning(name, odd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure, values = drawn(name, **ODD[odd])
        with drawing.style():
            figure.draw_without_rendering()
        quoting = words.of_figure("vi", name).quoting(values)
    told = " ".join((*quoting.text, quoting.alt))
    assert "nan" not in told.split()


@pytest.mark.parametrize("lang", words.LANGUAGES)
def test_the_page_has_the_same_words_in_each_language(lang):
    def keys(node):
        return {key: keys(value) for key, value in node.items()} if isinstance(node, dict) else type(node)

    assert keys(words.load(lang, "page")) == keys(words.load("en", "page"))
