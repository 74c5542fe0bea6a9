"""Train a GAN: compose the config, check it, assemble the parts, train. `python train.py --help` tells how."""

import logging
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from lsgan import command, config
from lsgan.errors import LsganError

CONF_DIR = Path(__file__).resolve().parent / "conf"

log = logging.getLogger("lsgan.train")


@hydra.main(version_base="1.3", config_path=str(CONF_DIR), config_name="train")
@command.job
def main(cfg: DictConfig) -> None:
    if cfg.resume is not None:
        cfg = config.for_resume(Path(cfg.resume), cfg, HydraConfig.get().overrides.task)
    config.check(cfg)

    # torch is imported only now that the config is known to be sound
    from lsgan.losses import describe
    from lsgan.tracking.console import ConsoleTracker, show_log_lines
    from lsgan.tracking.run_folder import RunFolder
    from lsgan.tracking.tracker import RunInfo, Trackers
    from lsgan.training.loop import Problem, train

    show_log_lines()
    experiment = config.assemble(cfg)
    settings, state = experiment.settings, experiment.state
    batches = experiment.dataset.open(settings.data_dir, settings.batch_size, settings.seed, settings.device_cache_gb)
    problem = Problem(
        experiment.loss, experiment.penalty, experiment.latent, experiment.dataset, batches, experiment.conditional
    )

    if settings.resume is None:
        parent = settings.runs_dir / settings.study
        folder = RunFolder.create(parent, experiment.run_name, unique=settings.run is None)
    else:
        folder = RunFolder(settings.resume)
        state.load_latest(folder.checkpoints)
        if state.step >= settings.steps:
            raise LsganError(f"{folder.path} has finished its {settings.steps} steps: add steps=<more> to go further")
    values = experiment.resolved(run=folder.path.name)
    info = RunInfo(folder.path, settings.study, folder.path.name, config.flat(values), experiment.tags)
    folder.start(state.step, config.to_yaml(values))
    log.info("run folder: %s", folder.path)
    log.info("%s", describe(experiment.loss))
    with Trackers(folder) as trackers:
        trackers.add(experiment.service.start(info))
        trackers.add(ConsoleTracker(settings.steps, state.step))
        device, watch = experiment.runtime.torch_device, experiment.collapse_watch(folder.metrics())
        train(state, problem, experiment.schedule, device, trackers, folder.checkpoints, watch)
    log.info("run folder:  %s", folder.path)
    log.info("last sample: %s", folder.last_picture)
    log.info("go on:       python train.py resume=%s steps=%d", folder.path, 2 * settings.steps)


if __name__ == "__main__":
    command.run(main, CONF_DIR)
