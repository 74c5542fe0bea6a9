"""Searches whose jobs are done in this process: what a study learns, and what it goes on with."""

import ast
import json
import sys
from pathlib import Path

import pytest
from hydra.errors import HydraException
from omegaconf import DictConfig

optuna = pytest.importorskip("optuna")

from hydra_plugins.hydra_local_queue._job import Job, JobFailed, Jobs, Outcome  # noqa: E402
from hydra_plugins.hydra_queue_optuna import _study  # noqa: E402
from hydra_plugins.hydra_queue_optuna.sweeper import OptunaSearch  # noqa: E402

STEPS = 4
X = "x=interval(0,1)"


def x_of(overrides):
    return next((float(override[2:]) for override in overrides if override.startswith("x=")), None)


class Known(Jobs):
    """Jobs whose value is x, or what `ends` says; those that are done stay done."""

    def __init__(self, ends=None):
        self.ends, self.done, self.step, self.run, self.late = ends or {}, {}, {}, [], {}

    def before(self, job):
        return self.done.get(tuple(job.overrides))

    def end(self, job):
        self.run.append(job.overrides)
        found = self.ends.get(len(self.run) - 1, Outcome("finished", None, 0))
        if found.is_good:
            self.done[tuple(job.overrides)] = found
        return found

    def value(self, job):
        return x_of(job.overrides)

    def values(self, job):
        return {step: self.value(job) + 1 / step for step in range(1, self.step.get(job.number, STEPS) + 1)}

    def place(self, job):
        return f"runs/{x_of(job.overrides)}"

    def told(self, overrides):
        return [override for override in overrides if not override.startswith("must")]


class InProcess:
    """In the place of the queue: runs jobs here, as many at a time as there are workers."""

    def __init__(self, knowing, workers, killed_after):
        self._knowing, self._workers, self._killed_after = knowing, workers, killed_after

    def say(self, line):
        print(line)

    def wait_for(self, jobs, *, retry_failed):
        for job in jobs:  # as if each had been held, and was done by now
            job.outcome = self._knowing.late.get(tuple(job.overrides))

    def tell_outcome(self, job):
        print(f"{job.label}: {job.outcome.status}: {job.outcome.reason}")

    def run(self, feed, *, stop_on_failure):
        running, ended = [], 0
        while True:
            while len(running) < self._workers and (job := feed.next()) is not None:
                assert job.overrides not in [one.overrides for one in running]
                running.append(job)
            if not running:
                return
            if ended == self._killed_after:
                raise InterruptedError
            job = running.pop(0)
            job.outcome = Outcome("pruned") if self._is_stopped(feed, job) else self._knowing.end(job)
            feed.ended(job)
            ended += 1

    def _is_stopped(self, feed, job):
        for step in range(1, STEPS + 1):
            self._knowing.step[job.number] = step
            if feed.unwanted(job):
                return True
        return False


class Launcher:
    """In the place of the queue's."""

    dry_run = retry_failed = stop_on_failure = False

    def __init__(self, knowing, workers, killed_after):
        self.knowing, self._with = knowing, (workers, killed_after)

    def handed_on(self, overrides):
        return overrides

    def job(self, number, overrides, label):
        return Job(number, list(overrides), label, DictConfig({}))

    def queue(self):
        return InProcess(self.knowing, *self._with)


@pytest.fixture
def search(loader, tmp_path):
    """Searches; gives the trials of the study, and leaves exceptions to the test."""

    def run(*typed, trials, known=None, workers=1, killed_after=None, **settings):
        sweeper = OptunaSearch(str(tmp_path / "optuna.journal"), trials, "quality", sampler="random", **settings)
        sweeper._loader, sweeper._config = loader, loader.config
        sweeper._launcher = Launcher(known or Known(), workers, killed_after)
        sweeper.sweep(list(typed))
        return trials_of(tmp_path)

    return run


def trials_of(folder):
    with _study.opened(folder / "optuna.journal", of_journal(folder), "min") as study:
        return study.get_trials()


def of_journal(folder):
    lines = [json.loads(line) for line in (folder / "optuna.journal").read_text().splitlines()]
    return next(line["user_attr"]["of"] for line in lines if "of" in line.get("user_attr", {}))


def test_the_best_is_told_with_its_overrides_and_its_place(search, capsys):
    trials = search(X, "must=1", trials=5)
    best = min(trials, key=lambda trial: trial.value)
    told = capsys.readouterr().out
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 5
    assert "search: of 5 trials 5 finished; all are done" in told
    assert f"best: trial {best.number}, quality {best.value:.6g}\n  x={best.value:g}\n  runs/{best.value}" in told


def test_what_is_best_may_be_the_most(search, capsys):
    known = Known()
    search(X, trials=4, known=known, mode="max")
    assert f"quality {max(map(x_of, known.run)):.6g}" in capsys.readouterr().out


def test_a_search_that_is_done_says_so_and_a_larger_number_goes_on(search, capsys):
    known = Known()
    search(X, trials=2, known=known)
    capsys.readouterr()
    search(X, trials=2, known=known)
    assert "of 2 trials 2 finished; all are done, and a larger trials= goes further" in capsys.readouterr().out
    assert len(known.run) == 2
    assert len(search(X, trials=3, known=known)) == 3
    assert len(known.run) == 3


def test_a_search_in_pieces_chooses_what_one_piece_would(search, tmp_path):
    whole, pieces = Known(), Known()
    search(X, trials=4, known=whole)
    (tmp_path / "optuna.journal").unlink()
    for trials in (1, 3, 4):
        search(X, trials=trials, known=pieces)
    assert pieces.run == whole.run
    assert len({tuple(overrides) for overrides in whole.run}) == 4


@pytest.mark.parametrize("status", ["failed", "collapsed", "refused"])
def test_a_job_that_fails_is_a_failed_trial_and_the_search_goes_on(search, status, capsys):
    trials = search(X, trials=4, known=Known({1: Outcome(status, "why", 1)}))
    assert [trial.state.name for trial in trials] == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert trials[1].user_attrs["outcome"] == status
    assert trials[1].user_attrs["reason"] == "why"
    assert "3 finished, 1 failed; all are done" in capsys.readouterr().out


def test_a_value_that_is_none_or_no_number_is_a_failed_trial(search):
    known = Known()
    known.value = lambda job: None if len(known.run) == 1 else float("nan") if len(known.run) == 2 else 1.0
    trials = search(X, trials=3, known=known)
    assert [trial.state.name for trial in trials] == ["FAIL", "FAIL", "COMPLETE"]


def test_if_none_finishes_the_exit_code_is_1(search):
    failed = Outcome("failed", "why", 4)
    with pytest.raises(JobFailed) as error:
        search(X, trials=2, known=Known({0: failed, 1: failed}))
    assert error.value.exit_code == 1


@pytest.mark.parametrize("status", ["killed", "interrupted"])
def test_a_job_that_was_stopped_is_taken_up_by_the_next_command(search, status):
    known = Known({1: Outcome(status, None, -9)})
    with pytest.raises(JobFailed):
        search(X, trials=3, known=known)
    trials = search(X, trials=3, known=known)
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 3
    assert len(known.run) == 4
    assert known.run[3] == known.run[1]


def test_a_command_that_was_killed_goes_on_with_the_same_parameters(search, tmp_path):
    known = Known()
    with pytest.raises(InterruptedError):
        search(X, trials=5, known=known, workers=2, killed_after=1)
    begun = [json.loads(line) for line in (tmp_path / "optuna.journal").read_text().splitlines()]
    chosen = [line["user_attr"]["chosen"] for line in begun if "chosen" in line.get("user_attr", {})]
    assert len(chosen) == 3
    with open(tmp_path / "optuna.journal", "a") as journal:  # it died in the middle of a line
        journal.write('{"op_code":4,"work')
    trials = search(X, trials=5, known=known, workers=2)
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 5
    assert known.run[:3] == chosen
    assert len(known.run) == 5


def test_what_has_ended_while_it_was_waited_for_is_not_run_again(search, tmp_path):
    known = Known()
    with pytest.raises(InterruptedError):
        search(X, trials=3, known=known, workers=2, killed_after=1)
    begun = [json.loads(line) for line in (tmp_path / "optuna.journal").read_text().splitlines()]
    chosen = [line["user_attr"]["chosen"] for line in begun if "chosen" in line.get("user_attr", {})]
    known.late = {tuple(chosen[1]): Outcome("finished", None, 0)}
    trials = search(X, trials=3, known=known, workers=2)
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 3
    assert known.run == [chosen[0], chosen[2]]


def test_what_was_killed_before_all_was_chosen_is_chosen_to_the_end(search, tmp_path):
    search(X, "must=interval(0,1)", trials=1)
    journal = tmp_path / "optuna.journal"
    lines = journal.read_text().splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if '"param_name"' in line)
    journal.write_text("".join(lines[: first + 1]))
    known = Known()
    (trial,) = search(X, "must=interval(0,1)", trials=1, known=known)
    assert trial.params["x"] == json.loads(lines[first])["param_value_internal"]
    assert trial.state.name == "COMPLETE"


def test_the_same_choice_again_is_not_run_again(search):
    known = Known()
    trials = search("x=0.25,0.5", trials=8, known=known, workers=3)
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 8
    assert {trial.value for trial in trials} == {0.25, 0.5}
    assert sorted(known.run) == [["x=0.25"], ["x=0.5"]]


def test_a_trial_that_is_worse_than_the_others_is_stopped(search):
    trials = search(X, trials=12, pruner="median")
    pruned = [trial for trial in trials if trial.state.name == "PRUNED"]
    assert 0 < len(pruned) < 7
    median = sorted(trial.value for trial in trials[:5])[2]
    assert all(trial.number >= 5 and trial.params["x"] > median for trial in pruned)
    assert all(len(trial.intermediate_values) == 1 for trial in pruned)
    assert all(len(trial.intermediate_values) == STEPS for trial in trials if trial not in pruned)


def test_none_is_stopped_before_the_warmup_has_passed(search):
    trials = search(X, trials=12, pruner="median", pruner_warmup=3)
    pruned = [trial for trial in trials if trial.state.name == "PRUNED"]
    assert pruned
    assert all(max(trial.intermediate_values) >= 3 for trial in pruned)


@pytest.mark.parametrize(
    ("typed", "settings", "message"),
    [
        (["x=interval(0,2)", "n=2"], {}, r"another search \(x=0.0 to 2.0, not 0.0 to 1.0\): choose another study"),
        ([X, "loss=a,b", "n=2"], {}, r"another search \(loss=a,b, not None\)"),
        ([X, "n=3"], {}, r"another search \(fixed overrides=n=3, not n=2\)"),
        ([X, "n=2"], {"mode": "max"}, r"another search \(best_mode=max, not min\)"),
    ],
)
def test_another_search_is_refused(search, typed, settings, message):
    search(X, "n=2", trials=1)
    with pytest.raises(HydraException, match=message):
        search(*typed, trials=2, **settings)


def test_what_makes_no_other_job_may_differ(search):
    search(X, "n=2", "must=1", trials=1)
    assert len(search("n=2", X, "must=2", trials=2, pruner="median", sampler_seed=3)) == 2


def test_two_commands_do_not_search_in_one_journal(search, tmp_path):
    search(X, trials=1)
    with (
        _study.opened(tmp_path / "optuna.journal", of_journal(tmp_path), "min"),
        pytest.raises(HydraException, match="another command searches by"),
    ):
        search(X, trials=2)


@pytest.mark.parametrize("content", ["not JSON\nat all\n", '{"a": 1}\n'])
def test_a_damaged_journal_is_a_sentence(search, tmp_path, content):
    (tmp_path / "optuna.journal").write_text(content)
    with pytest.raises(HydraException, match=r"no journal of a search, or damaged: move it away"):
        search(X, trials=1)


def test_a_folder_that_cannot_be_made_is_a_sentence(search, tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(HydraException, match="cannot be written: "),
        _study.opened(tmp_path / "file/journal", {}, "min"),
    ):
        pass


def test_a_mistake_that_no_job_would_survive_is_told_before_anything_is_written(search, tmp_path):
    known = Known()
    known.before = lambda job: Outcome("refused", "no column is called quality")
    with pytest.raises(HydraException, match="no column is called quality"):
        search(X, "loss=a,b", trials=3, known=known)
    assert not (tmp_path / "optuna.journal").exists()


def test_a_choice_that_is_refused_is_a_failed_trial(search):
    known = Known()
    known.before = lambda job: Outcome("refused", "not b") if "loss=b" in job.overrides else None
    trials = search(X, "loss=a,b", trials=8, known=known)
    states = {trial.params["loss"]: trial.state.name for trial in trials}
    assert states == {"a": "COMPLETE", "b": "FAIL"}


def test_choices_that_do_not_go_with_what_is_fixed_are_failed_trials(search):
    trials = search(X, "loss=a,b", "loss.weight=2", trials=8)
    states = {trial.params["loss"]: trial.state.name for trial in trials}
    assert states == {"a": "COMPLETE", "b": "FAIL"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"trials": 0}, "trials=0 must be a whole number of at least 1"),
        ({"trials": "many"}, "trials=many must be a whole number"),
        ({"sampler": "grid"}, "sampler=grid must be tpe or random"),
        ({"sampler_seed": -1}, "sampler_seed=-1 must be a whole number of at least 0"),
        ({"pruner": "yes"}, "pruner=yes must be none or median"),
        ({"pruner_warmup": 0.5}, "pruner_warmup=0.5 must be a whole number"),
        ({"mode": "most"}, "best_mode=most must be min or max"),
        ({"metric": None}, "best_metric=null: a search needs a number to compare"),
    ],
)
def test_settings_that_cannot_be_are_sentences(settings, message):
    with pytest.raises(HydraException, match=message):
        OptunaSearch(**{"journal": "j", "trials": 1, "metric": "m", **settings})


def test_without_optuna_it_says_what_to_install(search, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delitem(sys.modules, "hydra_plugins.hydra_queue_optuna._study")
    with pytest.raises(HydraException, match=r'pip install "lsgan\[optuna\]"'):
        search(X, trials=1)


def test_the_default_sampler_is_made_without_a_warning(recwarn):
    assert isinstance(_study.sampler("tpe", 3), optuna.samplers.TPESampler)
    assert not recwarn


def test_optuna_is_imported_only_to_search():
    """Hydra imports the sweeper whenever it starts."""
    for name in ("__init__.py", "sweeper.py", "_space.py"):
        path = Path(sys.modules[OptunaSearch.__module__].__file__).with_name(name)
        body = ast.parse(path.read_text()).body
        told = {alias.name for node in body if isinstance(node, ast.Import) for alias in node.names}
        told |= {node.module or "" for node in body if isinstance(node, ast.ImportFrom)}
        assert not any(module.split(".")[0] in ("optuna", "torch") or module.endswith("_study") for module in told)
