"""Train a GAN: compose the config, check it, assemble the parts, train. `python train.py --help` tells how."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from lsgan import command, config
from lsgan.world import World

if TYPE_CHECKING:
    from lsgan.tracking.run_folder import RunFolder

CONF_DIR = Path(__file__).resolve().parent / "conf"

log = logging.getLogger("lsgan.train")


@hydra.main(version_base="1.3", config_path=str(CONF_DIR), config_name="train")
@command.job
def main(cfg: DictConfig) -> None:
    if cfg.resume is not None:
        cfg = config.for_resume(Path(cfg.resume), cfg, HydraConfig.get().overrides.task)
    config.check_same_run(config.check(cfg))

    # torch is imported only now that the config is known to be sound
    from lsgan.losses import describe
    from lsgan.tracking.console import ConsoleTracker, show_log_lines
    from lsgan.tracking.tracker import RunInfo, Trackers
    from lsgan.training.distributed import joined, together
    from lsgan.training.loop import train
    from lsgan.training.memory import peak_bytes
    from lsgan.training.problem import Problem

    show_log_lines()
    world = World.from_environment()
    experiment = config.assemble(cfg)
    settings, state, runtime = experiment.settings, experiment.state, experiment.runtime
    runtime.apply()
    batches = experiment.dataset.open(settings.data_dir, settings.batch_size, settings.seed, settings.device_cache_gb)
    problem = Problem(
        experiment.loss, experiment.penalty, experiment.latent, experiment.dataset, batches, experiment.conditional
    )

    with joined(world, runtime.torch_device, runtime.rank_timeout_seconds):
        folder = _folder(experiment) if world.is_main else None
        if folder is not None:
            state.load_latest(folder.checkpoints)
        ranks = together(state, world, sync_batch_norm=runtime.sync_batch_norm)
        if state.step >= settings.steps:
            log.info("the run has finished its %d steps: add steps=<more> to go further", settings.steps)
            return
        if folder is None:
            train(state, problem, experiment.schedule, runtime, Trackers(), None, ranks)
            return
        values = experiment.resolved(run=folder.path.name)
        info = RunInfo(folder.path, settings.study, folder.path.name, config.flat(values), experiment.tags)
        folder.start(state.step, config.to_yaml(values))
        log.info("run folder: %s", folder.path)
        log.info("%s", runtime.describe())
        log.info("%s", describe(experiment.loss))
        with Trackers(folder) as trackers:
            trackers.add(experiment.service.start(info))
            trackers.add(ConsoleTracker(settings.steps, state.step))
            watch = experiment.collapse_watch(folder.metrics())
            train(state, problem, experiment.schedule, runtime, trackers, folder.checkpoints, ranks, watch)
        log.info("most memory: %s", _gigabytes(peak_bytes(runtime.torch_device)))
        log.info("run folder:  %s", folder.path)
        log.info("last sample: %s", folder.last_picture)
        log.info("go on:       python train.py resume=%s steps=%d", folder.path, 2 * settings.steps)


def _folder(experiment: config.Experiment) -> "RunFolder":
    """The folder of the run, held by this process: the one to go on with, the one that is named, or a new one."""
    from lsgan.tracking.run_folder import RunFolder

    settings = experiment.settings
    if settings.resume is not None:
        return RunFolder.open(settings.resume)
    if settings.run is not None:
        return RunFolder.open(settings.runs_dir / settings.study / settings.run)
    return RunFolder.create(settings.runs_dir / settings.study, experiment.run_name)


def _gigabytes(num_bytes: int | None) -> str:
    return "not known on this system" if num_bytes is None else f"{num_bytes / 1e9:.2f} GB"


if __name__ == "__main__":
    command.run(main, CONF_DIR)
