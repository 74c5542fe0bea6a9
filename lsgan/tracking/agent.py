"""What `wandb agent` means: it starts train.py for the runs of a W&B sweep, and speaks by arguments and environment."""

import os
from collections.abc import Sequence
from pathlib import Path

from lsgan.errors import LsganError
from lsgan.files import read_small
from lsgan.tracking.run_record import RunRecord

_OWN = "_wandb"  # the key under which W&B keeps notes of its own in a run's config


def run_id() -> str | None:
    """Under which id W&B waits for the run of this process; None where no agent has started it."""
    return os.environ.get("WANDB_RUN_ID") if "WANDB_SWEEP_ID" in os.environ else None


def is_of_another_run(folder: Path) -> bool:
    """Whether an agent has started this process for another W&B run than that of the run folder."""
    return run_id() is not None and RunRecord(folder).wandb_id != run_id()


def meant(arguments: Sequence[str]) -> list[str]:
    """The command line of train.py that an agent means.

    Of a new run it tells the keys of the sweep. To go on with one ("resume" on the sweep's page) it hands back the
    run's whole config as W&B knows it, all of it text: `images=None`, `_wandb={…}`. The run folder has it better.

    Raises:
        LsganError: the run folder is not here, or another run's.
    """
    told = dict(argument.lstrip("-").split("=", 1) for argument in arguments if "=" in argument)
    if run_id() is None or not (_OWN in told or any(key.endswith("._target_") for key in told)):
        return list(arguments)
    if not {"runs_dir", "study", "run"} <= told.keys():  # it ended before it had told its config
        return [argument for argument in arguments if argument.lstrip("-").partition("=")[0] != _OWN]
    folder = Path(told["runs_dir"]).expanduser() / told["study"] / told["run"]
    known = RunRecord(folder).wandb_id
    if known != run_id():
        what = "is not here" if known is None else f"here is that of another, {known}"
        raise LsganError(
            f"W&B's agent wants to go on with the run {run_id()}, but {folder} {what}: start the agent on the machine "
            "and in the folder where the run was begun"
        )
    quoted = str(folder).replace("'", "\\'")
    return [f"resume='{quoted}'"]


def place(folder: Path) -> tuple[str, str] | None:
    """Entity and project in W&B of a run that an agent began: they are the sweep's. None for any other run."""
    entity, _, project = (read_small(folder / "wandb" / "place") or "").strip().partition("/")
    return (entity, project) if project else None
