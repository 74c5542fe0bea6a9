"""What the command line may say, and what is said of the rest."""

import pytest

from lsgan.errors import LsganError
from lsgan.explain.choices import Choices, read
from lsgan.explain.figures import FIGURES

REFUSED = {
    "x=3": "x is read by nothing: take it out; there are lang, out, real_mean,",
    "fake_sd=1": "fake_sd is read by nothing (did you mean fake_std?): take it out",
    "lang=fr": "lang=fr must be en or vi",
    "a=[1,2": "a=[1,2 must be a number: write a=0.5, for example",
    "a=": "a= must be a number",
    "c=${b}": "c=${b} must be a number",
    "fake_std=0": "fake_std=0 must be between 0.1 and 10",
    "real_std=10.1": "real_std=10.1 must be between 0.1 and 10",
    "real_mean=-1001": "real_mean=-1001 must be between -1000 and 1000",
    "fake_mean=nan": "fake_mean=nan must be between -1000 and 1000",
    "b=inf": "b=inf must be between -1e+06 and 1e+06",
    "a=1": "a=1 and b=1 must differ: D cannot tell fake from real with one target",
    "out=": "out= must be a path: write one, or leave it out",
    "figures=lema": "figures=lema: no such figure (did you mean lemma?); name some of lemma, jsd,",
    "figures=": "figures= must name one at least: some of lemma, jsd,",
    "figures=[": "figures= must name one at least",
    "=3": "=3 is not understood: write key=value, with one of lang, out,",
    "theory": "theory is not understood: write key=value",
}


@pytest.mark.parametrize("word", REFUSED)
def test_what_is_refused_is_one_sentence(word):
    with pytest.raises(LsganError) as caught:
        read([word])
    assert str(caught.value).startswith(REFUSED[word])
    assert "\n" not in str(caught.value)


def test_bounds_are_taken():
    chosen = read(["fake_std=0.1", "real_std=10", "real_mean=-1000", "fake_mean=1000", "a=-1e6", "b=1e6"])
    assert (chosen.fake_std, chosen.real_std, chosen.distance) == (0.1, 10.0, 2000.0)
    assert (chosen.targets.a, chosen.targets.b, chosen.targets.c) == (-1e6, 1e6, 0.0)


def test_what_is_not_typed_is_the_default():
    assert read([]) == Choices()
    assert read(["a=0.5", "lang=vi"]) == Choices(a=0.5, lang="vi")


def test_figures_come_in_the_page_s_order_whatever_was_typed():
    assert read(["figures=jsd,lemma"]).figures == ("lemma", "jsd")
    assert read(["figures=[plane]"]).figures == ("plane",)
    assert read(["figures=all"]).figures == FIGURES
