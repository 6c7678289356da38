"""Several seeds trained as one program, by vmap and one after another within it, against one seed at a time."""

from pathlib import Path

import jax

from tools.accelerator_stages.benchmark_data import NARROW, source
from tools.accelerator_stages.stage import Stage
from tools.benchmark.time_seeds import configuration, training

CONFIG = str(Path(__file__).resolve().parents[2] / "configs" / "cub_small.py")


def run(stage: Stage) -> None:
    """Records 'seconds' of 'steps' outer steps of 'seeds' seeds: 'vmap', 'map', and 'alone' one after another."""
    rows, seeds, steps = source(stage), 2 if stage.quick else 8, 4 if stage.quick else 200
    given = rows.options | {"teacher.epochs": "1", "log.report": "False"} | (NARROW if stage.quick else {})
    config = configuration(CONFIG, [f"--config.{field}={value}" for field, value in given.items()])
    if jax.devices()[0].platform == "cpu":
        steps = min(steps, 10)
    taken = training(config, range(seeds), 1 if stage.quick else 3, steps)
    stage.record(source=rows.name, config="configs/cub_small.py", seeds=seeds, steps=steps, seconds=taken)
    print(stage.found, flush=True)
