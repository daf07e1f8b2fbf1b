"""Entry point of `screen` (and `coatscreen`)."""

from __future__ import annotations

import atexit
import sys
from typing import Annotated

from screening.cli.stopped import stop_is_answered
from screening.process.stopping import ignore_signals

with stop_is_answered():  # on a cold disk this takes seconds, in which Ctrl-C is no traceback
    import typer

    from screening import __version__
    from screening.cli import failures, terminal
    from screening.cli.commands.ingest import ingest_command
    from screening.cli.commands.label import label_command
    from screening.cli.commands.phases import phases_app
    from screening.cli.commands.rank import rank_command
    from screening.cli.commands.retrain import retrain_command
    from screening.cli.commands.run import run_command
    from screening.cli.commands.ui import ui_command
    from screening.cli.commands.validate import validate_command
    from screening.cli.commands.window import window_command
    from screening.cli.once import OnceCommand
    from screening.process import logs
    from screening.process.threads import set_environment

app = typer.Typer(
    name="screen",
    help="Find dopants that make a niobate coating stick, conduct and survive on Ni-rich cathodes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command(
    "run",
    cls=OnceCommand,
    help="Screen dopants (the main job; `screen --dopants ...` means `screen run --dopants ...`).",
)(run_command)
app.command(
    "rank", cls=OnceCommand, help="Print a run's ranking again, with other weights or thresholds, without computing."
)(rank_command)
app.command("ingest", cls=OnceCommand, help="Take finished DFT calculations into the training set and into their run.")(
    ingest_command
)
app.command(
    "window", cls=OnceCommand, help="Electrochemical window of any composition, and its reactions with other phases."
)(window_command)
app.command("label", cls=OnceCommand, help="DFT energies and forces of any structures, with GPAW.")(label_command)
app.add_typer(phases_app)
app.command(
    "validate",
    cls=OnceCommand,
    help="Send the best candidates of a run to DFT: write the inputs, and run them if wanted.",
)(validate_command)
app.command(
    "retrain",
    cls=OnceCommand,
    help="Fine-tune the potential on DFT data, or fit a softening correction where there are few.",
)(retrain_command)
app.command("ui", cls=OnceCommand, help="Open the MLflow user interface on the recorded runs.")(ui_command)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"coatscreen {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


def with_default_command(arguments: list[str]) -> list[str]:
    """A first argument that starts with ``-`` (other than --help, --version) means `run`."""
    if arguments and arguments[0].startswith("-") and arguments[0] not in ("--help", "--version"):
        return ["run", *arguments]
    return arguments


def main() -> None:
    """Run the command line; whatever goes wrong ends with one sentence and the exit code of `failures.end`."""
    try:
        with stop_is_answered():
            set_environment()  # before anything that computes is imported
            terminal.prepare()
            logs.set_up()
            app(args=with_default_command(sys.argv[1:]), prog_name="screen")
    except Exception as error:  # the last place where it can become a sentence
        sys.exit(failures.end(error))
    finally:
        atexit.register(ignore_signals)  # all is said and done: nothing turns a finished command into a stopped one
