"""Times on the command line: a span such as ``5m``, or a moment."""

from __future__ import annotations

from containerdeploy.errors import BadInput


def seconds(text: str, option: str) -> float:
    """The seconds of ``30s``, ``5m``, ``1m30s`` or a plain number; 0.0 for an empty text.

    Raises BadInput, naming the option.
    """
    if not text:
        return 0.0
    from containerdeploy.stackfile import values
    from containerdeploy.stackfile.problems import Wrong

    try:
        return values.seconds(float(text) if text.isdigit() else text)
    except Wrong as wrong:
        raise BadInput(f"{option}: {wrong.message}, not {text!r}") from wrong


def moment(text: str, option: str, now: float) -> float:
    """The moment (epoch seconds) of ``10m`` (ago) or ``2026-01-31T14:05``, 0.0 for none.

    A moment without a time zone is one of this host's. Raises BadInput, naming the option.
    """
    if not text:
        return 0.0
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        pass  # no moment: then it is a span
    try:
        return now - seconds(text, option)
    except BadInput as error:
        raise BadInput(
            f'{option}: should be a time such as "10m" or "2026-01-31T14:05", not {text!r}'
        ) from error
