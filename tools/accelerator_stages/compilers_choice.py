"""The outer step as a GPU's compiler makes it without flags of ours: what a run has whose environment says nothing."""

from d3gzsl_jax.precision import scope
from d3gzsl_jax.system.accelerators import GPUS
from d3gzsl_jax.system.startup import configure
from tools.accelerator_stages.outer_steps import prepared, sizes, timed
from tools.accelerator_stages.stage import NotHereError, Stage


def run(stage: Stage) -> None:
    """Records 'wgan': the figures of `outer_steps.timed`, in float32."""
    if stage.platform not in GPUS:
        raise NotHereError("no GPU here; elsewhere outer_steps has the compiler's own choices")
    configure()
    with scope("float32"):
        stage.record(wgan=timed(*prepared(sizes(stage.quick)["wgan"], "float32")))
    print(stage.found, flush=True)
