"""`d3gzsl baselines`: its options, and how it ends."""

import sys

from d3gzsl_jax.config import check
from d3gzsl_jax.studies import options
from d3gzsl_jax.studies.baselines import names
from d3gzsl_jax.studies.overrides import configured
from d3gzsl_jax.system.options import Parser, whole

_ABOUT = """\
Baselines without synthesis, which a generative method has to beat, over several seeds on the data
of one configuration.

    d3gzsl baselines --config=configs/cub_small.py --seeds=3 --set=data.semantics=att --output=runs/baselines

eszsl: a bilinear map in closed form. regressor: prototypes linear in the semantics, scaled cosine.
class_norm: prototypes by the network of class normalization. no_synthesis: the configuration's own
networks and losses, trained on real rows only (config.distillation.n_syn=0); it takes as long as
the run and its folds. All choose hyperparameters (no_synthesis: its epoch) and gamma of calibrated
stacking by calibrated H on folds inside trainval, those of config.eval.folds, fold_classes,
fold_rows and fold_seed; the test rows are looked at once, or, with --set eval.selection=validation
--set eval.retrain=False, not at all: figures are means over the folds then.

Writes FOLDER/<baseline>/seed-<k>/results.json, for d3gzsl table too; what is there already is not
done again. Prints mean and standard deviation (n - 1) over seeds, in percent.
"""


def parser() -> Parser:
    """The options."""
    codes = "0 done, 2 bad input, 3 training broke down, 130 ctrl-C; the same command goes on."
    found = options.parser_of("baselines", _ABOUT, codes)
    found.add_argument("--config", required=True, metavar="FILE.py[:VARIANT]", help="of the data and the folds")
    found.add_argument("--seeds", type=whole(1), default=3, metavar="N", help="seeds 0, 1, ... of each baseline")
    options.add_fields(found, "another field of the configuration")
    found.add_argument("--baselines", metavar="NAME,NAME", help="some of them (default: eszsl, regressor and class_norm)")
    found.add_argument("--output", metavar="FOLDER", help="of the results; not given: they are printed only")
    return found


def main(argv: list[str] | None = None) -> int:
    """Runs the baselines; returns the exit code.

    Raises:
        UserError: bad input. DivergenceError: training broke down.
    """
    try:
        arguments = parser().parse_args(sys.argv[1:] if argv is None else argv)
        config = configured(arguments.config, options.fields(arguments))
        check.check(config)
        output = options.output_folder(arguments.output) if arguments.output is not None else None
        given = arguments.baselines
        chosen = list(names.FITTED) if given is None else names.chosen(given, (*names.FITTED, names.NO_SYNTHESIS))
        from d3gzsl_jax.studies.baselines import study
        from d3gzsl_jax.system.startup import configure

        configure(keep_compiled=bool(config.get("compile_cache", True)))
        study.run(arguments.config, config, chosen, arguments.seeds, output)
    except KeyboardInterrupt:
        print("d3gzsl baselines: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0
