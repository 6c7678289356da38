"""Every command by name. Nothing heavy is imported before a command's options are known to be right."""

import importlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from d3gzsl_jax.config import check, command_line, schema
from d3gzsl_jax.config.load import flat
from d3gzsl_jax.data.location import check_files, root_named
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import contents
from d3gzsl_jax.runs.model_commands import MODES, OPTIONS, of_mode
from d3gzsl_jax.system import joining, paths
from d3gzsl_jax.system.options import Parser, flag, one_of, require_same, share, whole

if TYPE_CHECKING:
    from ml_collections import ConfigDict

_EXAMPLE = "try --config=configs/digits.py, which needs no download"
_CODES = "0 done, 2 bad input (one line says what)"
_TRAIN = """\
Trains, or goes on with the run in the folder RUN.

    d3gzsl train --config=configs/digits.py --workdir=runs/digits --config.train.epochs=10

With --config.seeds='(0,1,2)' several seeds are trained together, each in a folder of its own,
RUN/seed-0 and so on, and RUN/results.json holds them all.
"""
_TRAIN_CODES = f"""\
{_CODES}, 3 training broke down (not finite, or exploded),
130 ended by ctrl-C with results, 141 nobody reads the output any more and 143 SIGTERM (a checkpoint was
saved, the same command goes on from it)."""
_JOINING: Mapping[str, dict[str, Any]] = {
    "coordinator": {"metavar": "HOST:PORT", "default": "", "help": "one run in many processes: address of the first, or auto"},
    "processes": {"metavar": "N", "type": whole(0, 2**20), "default": 0, "help": "with --coordinator: how many processes"},
    "process_id": {"metavar": "N", "type": whole(-1), "default": -1, "help": "with --coordinator: which of them, from 0"},
}
_CONVERT = """\
Takes weights of the PyTorch implementations over into this package's models, and back, bit for bit.

    d3gzsl convert to-jax --torch=FILE.pt --config=configs/cub.py --output=RUN
    d3gzsl convert to-jax --torch=FILE.pt --like=RUN_OR_MODEL --output=MODEL
    d3gzsl convert to-torch --workdir=RUN_OR_MODEL --output=FILE.pt
"""
_TO_JAX = """
The PyTorch side is a dict of state dicts, {'generator': netG.state_dict(), ...}, saved by torch.save;
a folder of <network>.pt; or an .npz file of arrays 'generator/fc1.weight', which needs no torch. Networks
and layers: generator, critic; student_embed (fc1), student_head (fc1 = C_s, fc2 = H), confidence (weight,
offset), teacher_embed (fc1), teacher_head (fc2) with D3; on CE-GZSL embed (fc1 = E, fc2 = projection) and
comparator; on f-VAEGAN-D2 and TF-VAEGAN encoder (fc1, fc3, linear_means, linear_log_var), a generator of fc1
and fc3, decoder (fc1, fc3) and feedback; on FREE refiner (fc1, fc3) and centers (centers) in the place of the last
two; on CADA-VAE encoder_features and encoder_semantics (fc1, mu, logvar), decoder_features and decoder_semantics
(fc1, fc2); on ZeroDiff generator, critic_x0, critic_xc and critic_xt (fc1, fc2; all but critic_x0 with
con_emb_layers.model.0 and .2, generator and critic_xt with time_embed.model.0 and .2), encoder (fc1, fc2,
linear_means, linear_log_var), decoder (fc1, fc3) and representation, the generator of its first stage (fc1, fc2,
time_embed.model.0 and .2);
fc, the final classifier, and zsl (fc), T1's own softmax where the run has one. What nothing uses is dropped, the
released student head's fc3, the refiner's discriminator and classifier: the way back to those classes is
load_state_dict(..., strict=False).

--config writes a run folder with a checkpoint at outer step 0: every command takes it, training goes on
from it, and the final classifier is fitted anew where the file has none. --like writes a model alone
(predict, synthesize), otherwise as the one there: configuration, classes, scaling; what was fitted or
measured on the old weights, baselines and calibration among them, is left out. It needs no data.
"""

_EMBED = """\
Makes a benchmark, to train on, of pictures of some classes and words about all of them.

    d3gzsl embed --images=pictures --classes=classes.csv --output=birds.npz

pictures/ has a folder of pictures for each class, called as in classes.csv, whose columns are class and description (several
lines of a class are averaged), or class and numbers. Classes with pictures are seen, those with words only unseen. A run that was
killed goes on with the pictures that are not done.
"""
_IMAGE_SPECS = (
    "resnet101, timm:NAME, timm:NAME@WEIGHTS_FILE, onnx:FILE or clip:NAME_OR_FOLDER (default: resnet101, a download of 178 MB)"
)
_TEXT_SPECS = (
    "sentence-transformers:NAME_OR_FOLDER or clip:NAME_OR_FOLDER (default: the clip of --image-encoder, else all-MiniLM-L6-v2, a "
    "download of 91 MB)"
)


def train(arguments: Sequence[str]) -> int:
    """Trains, or goes on with a run; several seeds together where the configuration has them."""
    if {"-h", "--help"} & set(arguments):
        _train_parser(None).print_help()
        print(f"\nFields of the configuration, with their defaults:\n\n{schema.help_text()}")
        raise SystemExit(0)
    config, overrides, rest = _taken(arguments)
    options = _train_parser(config).parse_args(rest)
    if config is None:
        raise UserError(f"--config is missing; {_EXAMPLE}")
    joining.check(options.coordinator, options.processes, options.process_id)
    if not options.coordinator:  # else all processes refuse it together
        check.check(config)
        if config.seeds:
            check.check_seeds(config)
        if options.workdir is not None and paths.scheme_of(options.workdir) not in paths.BUCKETS:
            paths.clean_folder(options.workdir, "--workdir")
        check_files(config.dataset, config.data)
    from d3gzsl_jax.runs.display import Display

    with Display(quiet=bool(options.coordinator)).doing("starting JAX", logged=False):  # before anything may still be refused
        from d3gzsl_jax.studies.seeds import train_seeds
        from d3gzsl_jax.studies.start import train as train_one
        from d3gzsl_jax.system.startup import configure, join, require_devices
        from d3gzsl_jax.training import memory

    configure(devices=False, keep_compiled=bool(config.get("compile_cache", True)))
    join(options.coordinator, options.processes, options.process_id)
    require_devices()
    with memory.told():
        results = (train_seeds if config.seeds else train_one)(config, options.workdir or "", overrides=overrides)
    return 130 if results["interrupted"] else 0


def _taken(arguments: Sequence[str]) -> tuple["ConfigDict | None", dict[str, Any], list[str]]:
    """`command_line.taken`, which leaves fields of no configuration to be told."""
    config, overrides, rest = command_line.taken(arguments)
    if config is None and any(re.match(r"--?(no)?config\.", argument) for argument in rest):
        raise UserError(f"--config is missing, whose fields --config.FIELD sets; {_EXAMPLE}")
    return config, overrides, rest


def _train_parser(config: "ConfigDict | None") -> Parser:
    def guess(name: str, value: str) -> str:
        if name in OPTIONS:
            of = ", ".join(mode for mode, known in MODES.items() if name in known.needs + known.takes)
            raise UserError(f"{flag(name)} means nothing in training; it is an option of {of}")
        fields = schema.by_name() if config is None else dict(flat(config))
        found = command_line.meant(name, value, fields)
        found += "=VALUE" if found and not value else ""
        return f"did you mean {found}?" if found else ""

    parser = Parser("d3gzsl train", description=_TRAIN, exit_codes=_TRAIN_CODES, guess=guess)
    parser.add_argument("--config", metavar="FILE.py[:VARIANT]", help="configs/cub.py, or configs/cub.py:base without D3")
    parser.add_argument("--config.GROUP.FIELD", dest="field", metavar="VALUE", help="sets a field of it")
    parser.add_argument("--workdir", metavar="RUN", help="the run folder (default: a new one under runs/)")
    for name, of in _JOINING.items():
        parser.add_argument(flag(name), **of)
    return parser


def convert(arguments: Sequence[str]) -> int:
    """Weights from PyTorch into a run or a model, and back."""
    config: ConfigDict | None = None
    overrides: dict[str, Any] = {}
    if arguments[:1] == ["to-jax"] and not {"-h", "--help"} & set(arguments):
        config, overrides, arguments = _taken(arguments)
    options = _convert_parser().parse_args(arguments)
    if options.direction == "to-jax":
        _check_target(options.like, config, overrides)
        options.config, options.overrides = config, overrides
    if options.data_root and not (options.config if options.direction == "to-jax" else options.checkpoint):
        means = "with --config" if options.direction == "to-jax" else "with --checkpoint"
        raise UserError(f"--data-root: means something {means} alone, else no data is read; leave it out")
    inputs = []
    for name in ("torch", "like", "workdir"):
        if (given := getattr(options, name, None)) is not None:
            inputs.append(paths.clean(given, f"--{name}"))
            if not os.path.lexists(inputs[-1]):
                raise UserError(f"--{name}={given}: no such file or folder")
    if options.direction == "to-jax":
        if os.path.lexists(paths.clean(options.output, "--output")):
            raise UserError(f"--output {options.output}: is there already; name a new folder")
        options.output = contents.output(options.output, "--output", contents.is_model, "saved model", inputs)
        if config is not None:
            if options.data_root:
                require_same("--config.data.root", overrides.get("data.root", options.data_root), "--data-root", options.data_root)
                overrides |= {"data.root": options.data_root}
                config.data.root = options.data_root
            check.check(config)
            with root_named("--data-root"):
                check_files(config.dataset, config.data)
    else:
        from d3gzsl_jax.runs import torch_files  # loads numpy

        options.output = torch_files.output(options.output, "--output", inputs)
    from d3gzsl_jax.convert import to_jax, to_torch
    from d3gzsl_jax.runs.display import Display
    from d3gzsl_jax.system.startup import configure

    configure(keep_compiled=bool(config.get("compile_cache", True)) if config is not None else None)
    {"to-jax": to_jax, "to-torch": to_torch}[options.direction](options, Display())
    return 0


def _check_target(like: str | None, config: "ConfigDict | None", overrides: Mapping[str, Any]) -> None:
    """Refuses weights that nothing says what to make of, or two things say."""
    if (config is None) == (like is None):
        raise UserError("--config or --like is missing" if config is None else "--config and --like: give one of them")
    if config is not None and config.seeds:
        raise UserError(f"config.seeds={config.seeds}: of the weights one run is made; give config.seed, or leave it out")


def _convert_parser() -> Parser:
    parser = Parser("d3gzsl convert", description=_CONVERT, exit_codes=_CODES)
    directions = parser.add_subparsers(dest="direction", required=True, metavar="to-jax|to-torch", title="directions")
    inward = directions.add_parser(
        "to-jax", help="PyTorch's weights into a run or a model of ours", description=_CONVERT + _TO_JAX, exit_codes=_CODES
    )
    inward.add_argument("--torch", required=True, metavar="FILE|FOLDER", help="a .pt or .npz file, or a folder of <network>.pt")
    inward.add_argument("--config", metavar="FILE.py[:VARIANT]", help="of the run to make; its data is read")
    inward.add_argument("--config.GROUP.FIELD", dest="field", metavar="VALUE", help="sets a field of it")
    inward.add_argument("--like", metavar="FOLDER", help="a finished run or saved model, to make a model like it")
    inward.add_argument("--data-root", default="", metavar="FOLDER", help="with --config: in place of config.data.root")
    inward.add_argument("--output", required=True, metavar="FOLDER", help="a new folder")
    outward = directions.add_parser(
        "to-torch", help="a run or a model of ours into PyTorch's layout", description=_CONVERT, exit_codes=_CODES
    )
    outward.add_argument("--workdir", required=True, metavar="FOLDER", help="a finished run or saved model")
    outward.add_argument("--checkpoint", default="", metavar="STEP", help="last, best or a step, in place of a run's saved model")
    outward.add_argument("--data-root", default="", metavar="FOLDER", help="with --checkpoint: where the data is now")
    outward.add_argument("--output", required=True, metavar="FILE", help=".npz, or anything else for torch.save")
    return parser


def embed(arguments: Sequence[str]) -> int:
    """A benchmark of pictures and descriptions."""
    options = vars(_embed_parser().parse_args(arguments))
    for name in ("images", "classes"):
        if not os.path.lexists(path := paths.clean(options[name], f"--{name}")):
            raise UserError(f"--{name}={path}: no such file{' or folder' if name == 'images' else ''}")
    contents.output(options["output"], "--output", lambda path: True, "")
    from d3gzsl_jax.encoders.embed import embed as embedded
    from d3gzsl_jax.encoders.embed import plan
    from d3gzsl_jax.runs.display import Display

    embedded(plan(options.pop("images"), **options), Display())
    return 0


def _embed_parser() -> Parser:
    parser = Parser("d3gzsl embed", description=_EMBED, exit_codes=f"{_CODES}, 130 ended by ctrl-C (the same command goes on).")
    files: Mapping[str, tuple[str, str]] = {
        "images": ("FOLDER|CSV", "a subfolder of pictures for each class, or a CSV of file,class"),
        "classes": ("CSV", "class,description; or class and columns of numbers"),
        "output": ("FILE.npz", "the benchmark to write"),
    }
    for name, (metavar, text) in files.items():
        parser.add_argument(f"--{name}", required=True, metavar=metavar, help=text)
    further: Mapping[str, dict[str, Any]] = {
        "image_encoder": {"metavar": "SPEC", "default": "resnet101", "help": _IMAGE_SPECS},
        "text_encoder": {"metavar": "SPEC", "default": "", "help": _TEXT_SPECS},
        "holdout": {"metavar": "SHARE", "type": share(), "default": 0.2, "help": "of each seen class, to test with; 0 for none"},
        "unseen": {"metavar": "NAMES", "default": "", "help": "classes with pictures to test with as unseen ones: okapi,zebra"},
        "unseen_share": {"metavar": "SHARE", "type": share(), "default": 0.0, "help": "of the classes, drawn, if no --unseen"},
        "bad": {
            "metavar": "refuse|skip", "type": one_of("refuse", "skip"), "default": "refuse", "help": "pictures that cannot be read",
        },
        "seed": {"metavar": "N", "type": whole(0, 2**32 - 1), "default": 0, "help": "of what is drawn (default: 0)"},
        "batch": {"metavar": "N", "type": whole(1, 2**16), "default": 32, "help": "pictures at once"},
    }
    for name, of in further.items():
        parser.add_argument(flag(name), **of)
    return parser


def _in(module: str) -> Callable[[Sequence[str]], int]:
    """The command whose options and work have a room of their own."""
    return lambda arguments: importlib.import_module(f"d3gzsl_jax.{module}").main(list(arguments))


class Command(NamedTuple):
    """`run`(arguments) returns the exit code; `about`: one line for the list of commands."""

    run: Callable[[Sequence[str]], int]
    about: str


COMMANDS: Mapping[str, Command] = {
    "train": Command(train, "train a model, or go on with a run"),
    "embed": Command(embed, "a benchmark of your own pictures and descriptions"),
    "evaluate": Command(of_mode("evaluate"), "figures of a run's checkpoint, anew"),
    "predict": Command(of_mode("predict"), "classes of a file of features, as CSV"),
    "synthesize": Command(of_mode("synthesize"), "features the generator makes of classes"),
    "add-classes": Command(of_mode("add_classes"), "a model that knows further classes, by their semantics"),
    "serve": Command(_in("serving.command"), "a local page: drop pictures, describe new classes"),
    "ablate": Command(_in("studies.ablation.command"), "a grid of configurations over seeds, tabled and drawn"),
    "search": Command(_in("studies.search.command"), "settings searched on validation folds, as many trials for each"),
    "baselines": Command(_in("studies.baselines.command"), "methods without synthesis, which have to be beaten"),
    "table": Command(_in("studies.tables.command"), "finished runs in one table"),
    "report": Command(_in("runs.report.command"), "a run's plots and report.html, drawn anew"),
    "convert": Command(convert, "weights from PyTorch, and back"),
}
