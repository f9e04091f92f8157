"""Sizes in bytes, written as a number or as ``200M``."""

import re

UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


def parse_size(written: int | str) -> int:
    """Bytes of ``1048576``, ``"512K"``, ``"200M"`` or ``"1.5G"`` (powers of 1024).

    Raises:
        ValueError: it is none of these.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMG]?)(?:i?B)?", str(written).strip(), re.IGNORECASE)
    if match is None:
        raise ValueError(f'{written!r} is no size: write bytes, or "512K", "200M", "1.5G"')
    return int(float(match[1]) * UNITS[match[2].upper()])


def size_problems(key: str, written: int | str) -> list[tuple[str, str]]:
    """What is wrong with a size at `key`."""
    try:
        parse_size(written)
    except ValueError as error:
        return [(key, str(error))]
    return []


def size_words(size: int) -> str:
    """A size as people say it: ``124.0M``, ``512 bytes``."""
    for unit in ("G", "M", "K"):
        if size >= UNITS[unit]:
            return f"{size / UNITS[unit]:.1f}{unit}"
    return f"{size} bytes"
