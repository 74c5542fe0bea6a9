"""Train a GAN: compose the config, check it, run. `python train.py --help` tells how."""

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from lsgan import arguments, command, config, threads
from lsgan.board import after
from lsgan.sweep import studies

LOAD = threads.Load()  # watches the machine while the config is composed
WORLD = command.world_or_exit()


@hydra.main(version_base="1.3", config_path=str(config.CONF_DIR), config_name="train")
@command.job(WORLD)
def main(cfg: DictConfig) -> float | None:
    plan = config.plan(cfg, HydraConfig.get().overrides.task, WORLD)
    if HydraConfig.get().mode == RunMode.MULTIRUN:  # a launcher that runs its jobs in this process
        studies.add(plan.settings.runs_dir / plan.settings.study)
    if plan.done is not None:
        if WORLD.is_main:
            print(plan.done)
        return plan.value
    notes = threads.choose(LOAD, plan.settings.runtime.get("threads"))

    from lsgan.run import run  # torch is imported only now that the config is known to be sound

    return run(config.build_experiment(plan, notes))


if __name__ == "__main__":
    command.run(main, WORLD, read=arguments.for_hydra, after=after.write_boards)
