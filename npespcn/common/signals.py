"""Ctrl-C, SIGTERM and SIGHUP: the one place that handles signals.

Only the main thread may handle them; in any other thread these blocks do nothing. An ignored signal
stays ignored (``nohup`` and ``&`` ignore some), and a handler that is not Python's stays in place.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

_ALL = [getattr(signal, name, None) for name in ("SIGINT", "SIGHUP", "SIGTERM")]
_INT, _HUP, _TERM = _ALL  # there is no SIGHUP on Windows


@contextlib.contextmanager
def catch_stop() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C or SIGTERM in the ``with`` block into an event; a second acts as usual.

    So a program can finish its step, save it, and then stop.
    """
    event, before = threading.Event(), _handlers(_INT, _TERM)

    def stop(number: int, frame: object) -> None:
        _restore(before)
        event.set()  # at last: within its lock, a second call would wait for ever

    with _handled(before, stop):
        yield event


@contextlib.contextmanager
def interrupt_on_term() -> Iterator[None]:
    """Make SIGTERM and SIGHUP raise KeyboardInterrupt if they would end the process at once."""
    before = {
        number: handler
        for number, handler in _handlers(_TERM, _HUP).items()
        if handler == signal.SIG_DFL
    }

    def stop(number: int, frame: object) -> None:
        _restore(dict.fromkeys(before, signal.SIG_IGN))  # a closing terminal sends it twice
        raise KeyboardInterrupt

    with _handled(before, stop):
        yield


@contextlib.contextmanager
def hold_signals() -> Iterator[None]:
    """Delay signals until the end of the block, in which a process may be started.

    A signal during the start would lose the process, which would print a traceback. The new process
    inherits the mask (which Windows does not have), so it never gets Ctrl-C or SIGHUP.
    """
    mask = getattr(signal, "pthread_sigmask", None)
    blocked = mask(signal.SIG_BLOCK, ()) if mask else None
    before = {n: handler for n, handler in _handlers(*_ALL).items() if callable(handler)}
    came: list[int] = []
    try:
        if mask:
            mask(signal.SIG_BLOCK, [number for number in (_INT, _HUP) if number])
        with _handled(before, lambda number, frame: came.append(number)):
            try:
                yield
            finally:
                if mask:
                    mask(signal.SIG_SETMASK, blocked)
    finally:
        if came:
            signal.raise_signal(came[0])


def _handlers(*numbers: Any) -> dict[int, Any]:
    """Return the handlers of these signals, except ignored ones."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    handlers = {number: signal.getsignal(number) for number in numbers if number}
    return {n: handler for n, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}


@contextlib.contextmanager
def _handled(before: dict[int, Any], handler: Callable[[int, Any], object]) -> Iterator[None]:
    """Install a handler for these signals; restore their own at the end."""
    try:
        _restore(dict.fromkeys(before, handler))
        yield
    finally:
        _restore(before)


def _restore(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
