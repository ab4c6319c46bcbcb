"""What a person sees. Lines go to the screen; what libraries and the JVM print goes to the night's log file."""

from __future__ import annotations

import io
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from landbridge.errors import LakeError, LandbridgeError


@contextmanager
def speaking(log: Path) -> Iterator[Console]:
    """Give a console on standard output, while file descriptors 1 and 2 lead to `log` until the block ends.

    An error leaves its traceback in the log. One that Landbridge did not raise on purpose becomes a sentence with the
    log's path.
    """
    _make(log)
    with _redirected(log) as console:
        try:
            yield console
        except LandbridgeError:
            _keep(log)
            raise
        except Exception as error:
            _keep(log)
            first = (str(error).strip() or "no message").splitlines()[0]
            raise LandbridgeError(f"{type(error).__name__}: {first}; the whole story is in {log}") from error


def lines_of(console: Console, text: str) -> None:
    """Print a line of progress as it is: no markup, no wrapping."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _make(log: Path) -> None:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.open("a", encoding="utf-8").close()
    except OSError as error:
        raise LakeError(
            f"{log}: cannot be written ({error.strerror}): make the place writable, "
            "or name another with --set root=FOLDER"
        ) from None


def _keep(log: Path) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(traceback.format_exc())


@contextmanager
def _redirected(log: Path) -> Iterator[Console]:
    """Keep the screen under another descriptor. A standard output that is no file (a test's) needs no keeping."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    kept = [os.dup(1), os.dup(2)]
    file = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    screen = os.fdopen(os.dup(kept[0]), "w", encoding="utf-8", buffering=1) if _is_file(sys.stdout) else None
    handler = _logging(log)
    try:
        yield Console(file=screen or sys.stdout, width=None if _is_terminal(kept[0]) else 140)
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        logging.getLogger().removeHandler(handler)
        handler.close()
        if screen is not None:
            screen.close()
        for descriptor, number in zip(kept, (1, 2), strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)


def _logging(log: Path) -> logging.Handler:
    handler = logging.FileHandler(log, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    warnings.simplefilter("default")
    return handler


def _is_file(stream: object) -> bool:
    try:
        return isinstance(stream, io.TextIOWrapper) and stream.fileno() == 1
    except (OSError, ValueError):
        return False


def _is_terminal(descriptor: int) -> bool:
    return os.isatty(descriptor)
