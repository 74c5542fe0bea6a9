"""Runs of a W&B sweep: what an agent's command lines mean, and a real agent against a server on loopback."""

import itertools
import json
import os
import sys
from pathlib import Path

import pytest
import wandb
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from lsgan import config
from lsgan.config.planning import plan
from lsgan.errors import LsganError
from lsgan.tracking import agent
from lsgan.tracking.run_record import RunRecord
from lsgan.tracking.tracker import Outcome, Record, RunInfo
from lsgan.tracking.weights_and_biases import WeightsAndBiases

ROOT = Path(__file__).resolve().parents[2]
SWEEPS = sorted((ROOT / "sweeps").glob("*.yaml"))
RUN = "abcd1234"


@pytest.fixture
def under_an_agent(monkeypatch):
    """With the environment of `wandb_agent.Agent._command_run`."""

    def begin(run_id=RUN):
        monkeypatch.setenv("WANDB_SWEEP_ID", "efgh5678")
        monkeypatch.setenv("WANDB_RUN_ID", run_id)

    return begin


@pytest.fixture
def handed_back(composed, tmp_path, monkeypatch):
    """The arguments by which an agent goes on with the run `r`: W&B's words for the config that it was told."""
    values = config.assemble(composed("loss=nsgan", "study=s")).resolved("r")
    folder = tmp_path / values["runs_dir"] / values["study"] / "r"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(config.to_yaml(values))
    (folder / "wandb").mkdir()
    (folder / "wandb" / "run-id").write_text(RUN)
    monkeypatch.chdir(tmp_path)
    told = {**config.flat(values), "loss": "nsgan", "_wandb": {"t": {"1": [1]}, "cli_version": "0.31"}}
    return create_sweep_command_args({"args": {key: {"value": value} for key, value in told.items()}})


@pytest.mark.parametrize("form", ["args_no_hyphens", "args"])
def test_to_go_on_with_a_run_an_agent_hands_back_its_whole_config(handed_back, under_an_agent, form):
    arguments = handed_back[form]
    assert {argument.lstrip("-") for argument in arguments} > {"images=None", "resume=None", "loss=nsgan"}
    assert agent.meant(arguments) == arguments  # as long as no agent says it
    under_an_agent()
    assert agent.meant(arguments) == ["resume='runs/s/r'"]
    assert agent.meant(arguments[:-1]) == ["resume='runs/s/r'"]  # should W&B keep its own key to itself


def test_a_folder_that_is_not_here_is_told(handed_back, under_an_agent, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "runs")
    under_an_agent()
    with pytest.raises(LsganError, match="the run abcd1234, but runs/s/r is not here: start the agent on the machine"):
        agent.meant(handed_back["args_no_hyphens"])
    monkeypatch.chdir(tmp_path)
    under_an_agent("ijkl9012")
    with pytest.raises(LsganError, match="the run ijkl9012, but runs/s/r here is that of another, abcd1234: start"):
        agent.meant(handed_back["args_no_hyphens"])


def test_of_a_run_that_ended_before_it_told_its_config_the_keys_of_the_sweep_are_left(under_an_agent):
    under_an_agent()
    assert agent.meant(["tracker=none", "seed=1", "_wandb={'t': 1}"]) == ["tracker=none", "seed=1"]


def test_a_new_runs_arguments_are_what_they_are(under_an_agent):
    under_an_agent()
    arguments = ["-m", "loss=nsgan", "dataset.root='a=b'", "++x"]
    assert agent.meant(arguments) == arguments


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_every_sweep_gives_commands_that_are_understood(path, composed, monkeypatch):
    monkeypatch.setenv("WANDB_SWEEP_ID", "efgh5678")
    sweep = yaml.safe_load(path.read_text())
    assert sweep["project"] == composed().tracker.project
    values = [told.get("values") or [told["min"], told["max"]] for told in sweep["parameters"].values()]
    for chosen in itertools.islice(itertools.zip_longest(*values), 5):
        given = {key: one for key, one in zip(sweep["parameters"], chosen, strict=True) if one is not None}
        told = create_sweep_command_args({"args": {key: {"value": value} for key, value in given.items()}})
        command = create_sweep_command(list(sweep["command"]))
        assert command[:3] + command[-1:] == ["${env}", "python", "train.py", "${args_no_hyphens}"]
        planned = plan(composed(*command[3:-1], *told["args_no_hyphens"]), [*command[3:-1], *told["args_no_hyphens"]])
        assert planned.settings.study.endswith("-efgh5678")
        if "metric" in sweep:
            assert sweep["metric"]["name"] in config.build_observers(planned.settings).columns


def test_the_folder_remembers_the_agents_run(server, under_an_agent, tmp_path, monkeypatch):
    """Id, entity and project are the sweep's; without the agent the run goes on under them."""
    info = RunInfo(tmp_path, "a-study", "a-run", {"loss.a": -1}, [])
    under_an_agent()
    monkeypatch.setenv("WANDB_PROJECT", "of-the-sweep")
    monkeypatch.setenv("WANDB_ENTITY", "me")
    for step in (10, 20):
        tracker = WeightsAndBiases("p").start(info)
        tracker.log(Record(step, {"loss/generator": 0.5}))
        tracker.close(Outcome("finished"))
        assert (tmp_path / "wandb" / "run-id").read_text() == RUN
        for name in ("WANDB_SWEEP_ID", "WANDB_RUN_ID", "WANDB_PROJECT", "WANDB_ENTITY"):
            monkeypatch.delenv(name, raising=False)
        wandb.teardown()
    assert {(run["name"], run["entity"], run["project"]) for run in server.runs} == {(RUN, "me", "of-the-sweep")}
    assert server.runs[0]["sweep"] == "efgh5678"
    assert server.steps(RUN) == [10, 20]


@pytest.mark.slow
def test_a_real_agent_begins_stops_and_goes_on(python, server, tmp_path):
    server.sweep = (ROOT / "sweeps" / "targets.yaml").read_text()
    study = tmp_path / "runs" / "targets-efgh5678"
    fixed = {"dataset": "gaussian_ring", "steps": 1_000_000, "runtime.threads": 1}
    args = {"loss": "nsgan", "seed": 2, "optimizer.lr": 0.001, **fixed}
    run = {"run_id": RUN, "program": "train.py"}

    def reached():
        return max((RunRecord(path).status.step for path in study.glob("nsgan-*")), default=0)

    def trained(running, further):
        """Until it has made so many steps more, and has then been stopped from the sweep's page."""
        end = reached() + further
        while running and reached() < end:
            running = yield []
        yield [{**run, "type": "stop"}]
        while (yield []):
            pass

    def commands():
        """Begins the run, stops it, and has it go on with the config that the server was told."""
        yield
        running = yield [{**run, "type": "run", "args": {key: {"value": value} for key, value in args.items()}}]
        yield from trained(running, 10)
        told = next(json.loads(told["config"]) for told in reversed(server.runs) if "config" in told)
        assert "_wandb" in told
        running = yield [{**run, "type": "resume", "args": told}]
        yield from trained(running, 10)
        yield [{"type": "exit"}]

    heartbeats = commands()
    next(heartbeats)
    server.heartbeat = heartbeats.send
    (tmp_path / "train.py").symlink_to(ROOT / "train.py")
    bin_dir = Path(sys.executable).parent
    path = f"{bin_dir}{os.pathsep}{os.environ['PATH']}"
    told = python(bin_dir / "wandb", "agent", "me/lsgan/efgh5678", fresh=True, PATH=path)

    (folder,) = [path for path in study.iterdir() if path.is_dir()]
    history = [entry for entry in RunRecord(folder).history if entry["event"] in ("start", "end")]
    assert [entry["event"] for entry in history] == ["start", "end"] * 2, told.stderr
    _, stopped, again, end = history
    assert stopped["status"] == end["status"] == "interrupted"
    assert end["step"] > again["step"] == stopped["step"] > 0
    assert {told["sweep"] for told in server.runs if "sweep" in told} == {"efgh5678"}
    python("train.py", f"resume={folder}", f"steps={end['step'] + 3}", fresh=True)  # by hand, without the agent
    assert server.steps(RUN)[-1] == end["step"] + 3
    assert server.steps(RUN) == sorted(set(server.steps(RUN)))
    assert {(told["name"], told["project"]) for told in server.runs} == {(RUN, "lsgan")}
