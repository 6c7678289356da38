"""`d3gzsl baselines`: its options, and how it ends."""

import sys

from d3gzsl_jax.config import check, command_line, schema
from d3gzsl_jax.studies.baselines import names
from d3gzsl_jax.studies.overrides import assignment, configured, rooted
from d3gzsl_jax.system import paths
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

    def guess(name: str, value: str) -> str:
        found = command_line.meant(name, value, schema.by_name(), "--set={}={}")
        return f"did you mean {found}?" if found else ""

    codes = "0 done, 2 bad input, 3 training broke down, 130 ctrl-C; the same command goes on."
    found = Parser("d3gzsl baselines", description=_ABOUT, exit_codes=codes, guess=guess)
    found.add_argument("--config", required=True, metavar="FILE.py[:VARIANT]", help="of the data and the folds")
    found.add_argument("--seeds", type=whole(1), default=3, metavar="N", help="seeds 0, 1, ... of each baseline")
    found.add_argument("--data_root", "--root", dest="root", metavar="FOLDER", help="instead of config.data.root")
    found.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="another field of the configuration")
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
        fixed = dict(assignment("--set", text) for text in arguments.set)
        config = configured(arguments.config, rooted(fixed, arguments.root))
        check.check(config)
        output = paths.clean_folder(arguments.output, "--output") if arguments.output is not None else None
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
