import re
import signal
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import OmegaConf
from omegaconf.errors import GrammarParseError

from lsgan import command
from lsgan.errors import LsganError, TerminatedError


@pytest.fixture(autouse=True)
def without_arguments(monkeypatch):
    """Those of pytest are not for us."""
    monkeypatch.setattr(sys, "argv", sys.argv[:1])


def failing(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "code", "shown"),
    [
        (LsganError("too hot: open a window"), 1, "error: too hot: open a window\n"),
        (ConfigCompositionException("first line\nsecond line"), 1, "error: first line\n"),
        (LsganError("run=a\nb is not here: make it"), 1, "error: run=a b is not here: make it\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_a_mistake_is_a_sentence_and_an_exit_code(error, code, shown, capsys, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    with pytest.raises(SystemExit) as ended:
        command.run(failing(error))
    assert ended.value.code == code
    assert capsys.readouterr().err == shown


def test_what_was_shown_is_not_shown_again(capsys, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    error = LsganError("once")
    error.shown = True
    with pytest.raises(SystemExit):
        command.run(failing(error))
    assert capsys.readouterr().err == ""


def test_too_little_memory_names_what_was_typed(monkeypatch, capsys):
    """Wherever it happens; a RuntimeError of another kind is a bug."""
    monkeypatch.setattr("sys.argv", ["sample", "run=r", "num_images=1000000000"])
    sentence = "the memory does not suffice: make something smaller (num_images=1000000000)"
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert command.explain(caught.value) == command.explain(MemoryError()) == sentence
    assert command.explain(RuntimeError("shapes do not match")) is None


def test_a_reference_that_is_torn_is_a_sentence():
    with pytest.raises(GrammarParseError) as caught:
        OmegaConf.create({"run": "${here"})
    assert command.explain(caught.value) == (
        "run holds a ${ without its end: write ${<key>} for the value of a key, or leave it out"
    )


def test_a_home_that_nobody_has_is_named(monkeypatch):
    monkeypatch.setattr("sys.argv", ["runs", "~nobody-here/runs"])
    with pytest.raises(RuntimeError) as caught:
        Path("~nobody-here/runs").expanduser()
    assert command.explain(caught.value) == (
        "~nobody-here/runs: nobody here has that home: write the whole path, from / on"
    )


ODD_WORDS = (
    *("=", "=x", "", " ", "key=", "key=[1,2", "key={a", "key=!!python/x 1", "ключ=значение", "a..b=1", "~run", "\0"),
    *("run=[1,2", "study=[1,2", "run=${", "run=~nobody-here/x", "~nobody-here/x", "nofolder", "afile", "run=afile/x"),
    *("run=папка", "run=a\nb", "seed=[1", "device={", "data_dir=${", "out=[", "csv=[1", "num_images="),
)


@pytest.mark.parametrize("name", ["review.__main__", "evaluate.__main__", "sample", "export", "runs", "prepare"])
def test_odd_words_are_one_sentence_in_every_command(name, tmp_path, monkeypatch, capsys):
    (tmp_path / "afile").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    module = import_module(f"lsgan.{name}")
    read = getattr(module, "_read", command.arguments.plain)
    for word in ODD_WORDS:
        monkeypatch.setattr(sys, "argv", [name, word])
        with pytest.raises(SystemExit) as ended:
            command.run(module.main, read=read)
        assert ended.value.code == 1, word
        told = capsys.readouterr()
        assert re.fullmatch(r"error: .*\S.*\n", told.err), word
        assert told.out == ""


def test_a_bug_keeps_its_traceback(monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    with pytest.raises(ZeroDivisionError):
        command.run(failing(ZeroDivisionError()))


def failing_job(error):
    def job(cfg):
        raise error

    return job


@pytest.fixture
def in_a_sweep(monkeypatch):
    monkeypatch.setattr(command.HydraConfig, "get", lambda: SimpleNamespace(mode=RunMode.MULTIRUN))


def test_what_a_job_of_submitit_says_nobody_has_read_yet(in_a_sweep, capsys, monkeypatch):
    """Its error comes back in a file; the process that waits for it shows it."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    for executor in ("", "slurm"):
        if executor:
            monkeypatch.setenv("SUBMITIT_EXECUTOR", executor)
        error = LsganError("too hot: open a window")
        with pytest.raises(LsganError):
            command.job()(failing_job(error))({})
        capsys.readouterr()
        with pytest.raises(SystemExit):
            command.run(failing(error))
        assert capsys.readouterr().err == ("error: too hot: open a window\n" if executor else "")


@pytest.mark.skipif(not hasattr(signal, "SIGUSR2"), reason="Windows has none")
def test_a_job_that_was_told_to_end_hands_that_on_when_all_is_closed(in_a_sweep):
    closed, met = [], []
    before = signal.signal(signal.SIGUSR2, lambda number, _: met.append((number, list(closed))))

    def train(cfg):
        try:
            raise TerminatedError(signal.SIGUSR2)
        finally:
            closed.append("W&B")

    try:
        with pytest.raises(TerminatedError):
            command.job()(train)({})
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert met == [(signal.SIGUSR2, ["W&B"])]


def test_what_a_launcher_or_sweeper_says_is_said(capsys):
    target = "hydra_plugins.hydra_local_queue.launcher.LocalQueue"

    def main():
        instantiate({"_target_": target, "folder": "f", "on_failure": "ignore"})

    with pytest.raises(SystemExit):
        command.run(main)
    assert capsys.readouterr().err == "error: on_failure=ignore must be continue or stop\n"


def test_several_values_without_m_are_a_sentence():
    error = ConfigCompositionException("Sweep parameters 'seed=range(3)' requires --multirun")
    assert command.explain(error).endswith("which takes -m: python train.py -m seed=range(3)")
