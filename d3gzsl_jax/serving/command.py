"""`d3gzsl serve`: a local page to try a model on pictures, and to describe new classes to it."""

import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import contents
from d3gzsl_jax.runs.storage import bucket
from d3gzsl_jax.serving.server import address_of, is_loopback, listening_socket, serve
from d3gzsl_jax.system import extras, paths
from d3gzsl_jax.system.options import Parser, flag, whole

if TYPE_CHECKING:
    import argparse

    from d3gzsl_jax.runs.display import Display
    from d3gzsl_jax.serving.live_model import LiveModel

_ABOUT = """\
A page in the browser for one model: drop pictures on it and see the best classes; type a new class and what it
looks like, and see it join. Pictures and words stay on this machine; an encoder whose weights are not here yet is
downloaded first. The page is for who has the token in the address that is printed: others may use this machine, too.

    d3gzsl serve --workdir=runs/mine
    d3gzsl serve --workdir=runs/mine --save=models/grown

The new classes live until the server stops (ctrl-C); with --save the page has a button that keeps them.
"""
_CODES = "0 ended by ctrl-C or SIGTERM, 2 bad input, 130 ended so in the middle of a request."
_NEEDED = ("starlette", "uvicorn", "PIL")


def main(argv: list[str] | None = None) -> int:
    """The command line; returns its exit code.

    Raises:
        UserError: bad input.
    """
    options = _parser().parse_args(sys.argv[1:] if argv is None else argv)
    for library in _NEEDED:
        extras.require(library, "serve", "this command")
    _check(options)
    with listening_socket(options.host, options.port) as bound:  # before a model is loaded, which may take long
        from d3gzsl_jax.runs.display import Display

        display = Display()
        with bucket.local(options.workdir, display, write=False, checkpoints=False) as here:
            options.workdir = here
            live = _live_model(options, display)
            from d3gzsl_jax.serving.app import application

            here_only, token = is_loopback(bound), secrets.token_urlsafe()
            hosts = {"localhost", "127.0.0.1", "::1", options.host} if here_only else set()
            if not here_only:
                display.say(
                    f"--host={options.host}: other machines reach the page, by this one's name or address in place of 127.0.0.1; "
                    "it asks for the token below, which goes over the network unencrypted"
                )
            display.say(f"open {address_of(options.host, bound)}?token={token} in a browser; ctrl-C ends it")
            is_cut = serve(application(live, hosts, token), bound)
            live.end()
        _say_left(live, options.save, display, is_cut)
    if is_cut:
        _leave(130)
    return 0


def _leave(code: int) -> None:
    """Ends the process, whatever its threads still do: Python would wait for them."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _parser() -> Parser:
    parser = Parser("d3gzsl serve", description=_ABOUT, exit_codes=_CODES)
    parser.add_argument("--workdir", required=True, metavar="RUN", help="folder of a run or a saved model")
    parser.add_argument("--port", type=whole(0, 65535), default=7860, metavar="N", help="0 for a free one (default: 7860)")
    parser.add_argument(
        "--host", default="127.0.0.1", help="127.0.0.1 for this machine alone (the default); 0.0.0.0 for all"
    )
    parser.add_argument("--save", default="", metavar="FOLDER", help="where a button of the page saves the grown model")
    parser.add_argument("--data-root", default="", metavar="FOLDER", help="where the run's data is now, if it was moved")
    parser.add_argument("--image-encoder", default="", metavar="SPEC", help="the model's, if it does not say, or was moved")
    parser.add_argument("--text-encoder", default="", metavar="SPEC", help="the model's, if it was moved")
    return parser


def _check(options: "argparse.Namespace") -> None:
    """Refuses what can be seen to be wrong before anything is loaded."""
    inputs = []
    for name in ("workdir", "data_root"):
        if not (given := getattr(options, name)) or (name == "workdir" and bucket.is_in_one(given)):
            continue
        inputs.append(path := paths.clean(given, flag(name)))
        if not path.exists():
            raise UserError(f"{flag(name)}={path}: no such {'folder' if name == 'workdir' else 'file or folder'}")
        setattr(options, name, str(path))
    if options.text_encoder:
        from d3gzsl_jax.encoders import texts

        texts.split(options.text_encoder)
    if not bucket.is_in_one(options.workdir):
        contents.require_model(Path(options.workdir))
    if options.save:
        options.save = contents.output(options.save, "--save", contents.is_model, "saved model", inputs)


def _live_model(options: "argparse.Namespace", display: "Display") -> "LiveModel":
    """The model and its image encoder, loaded."""
    with display.doing("loading the model", logged=False):
        from d3gzsl_jax.data.location import check_files, moved, root_named
        from d3gzsl_jax.runs.described_classes import text_encoder_for
        from d3gzsl_jax.runs.model import load_model
        from d3gzsl_jax.runs.picture_rows import encoder_of
        from d3gzsl_jax.runs.reopen import data_of
        from d3gzsl_jax.serving.live_model import LiveModel
        from d3gzsl_jax.system.startup import configure

        configure(keep_compiled=None)
        model = load_model(options.workdir)
        model.check_predictor()
        if options.data_root:  # which is read when the first class joins
            with root_named("--data-root"):
                check_files(model.config.dataset, moved(model.config, options.data_root).data)
        if options.text_encoder and not (model.encoders or {}).get("text"):
            raise UserError("--text-encoder: the model takes numbers of a new class, no description; leave the option out")
    with display.doing("loading the image encoder", logged=False):
        images = encoder_of(model, options.image_encoder)
    return LiveModel(
        model, images, lambda: text_encoder_for(model, options.text_encoder), lambda: data_of(model.config, options.data_root),
        options.save or None, (Path(options.workdir),),
    )


def _say_left(live: "LiveModel", save: object, display: "Display", is_cut: bool) -> None:
    """Says at the end what has become of the new classes; `is_cut`: and that a request has no answer."""
    state, stopped = live.state(), "stopped in the middle of a request" if is_cut else "stopped"
    if not state["added"]:
        display.say(stopped)
    elif lost := state["unsaved"]:
        advice = "" if save else "; with --save=FOLDER the page can keep what joins"
        display.say(f"{stopped}; {lost} new {'class is' if lost == 1 else 'classes are'} gone, unsaved{advice}")
    else:
        display.say(f"{stopped}; the model with what has joined is in {save}")
