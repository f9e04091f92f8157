"""host.toml: the settings of this host, read and written."""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from containerdeploy.errors import HostNotReady
from containerdeploy.host import Host
from containerdeploy.stackfile import values
from containerdeploy.stackfile.problems import Problems, Wrong
from containerdeploy.stackfile.table import Kind, Table, key, keys_of, read_table
from containerdeploy.stackfile.toml import read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping

_INSTANCE = re.compile(r"[a-z][a-z0-9-]{0,20}")
_SMALLEST, _LARGEST = 22, 8
_DEFAULT = Host(file=Path(), state=Path())


def _instance(value: Any) -> str:
    if not isinstance(value, str) or not _INSTANCE.fullmatch(value):
        raise Wrong(
            "should be a name of small letters, digits and hyphens that starts with a letter, "
            "of at most 21 characters"
        )
    return value


def _folder(value: Any) -> Path:
    found = values.text(value)
    if not found.startswith("/") or "\0" in found:
        raise Wrong('should be an absolute path, such as "/var/lib/cdeploy"')
    return Path(os.path.normpath(found))


def _address(value: Any) -> str:
    import ipaddress

    try:
        return str(ipaddress.ip_address(values.text(value)))
    except ValueError as error:
        raise Wrong('should be an IP address of this host, such as "127.0.0.1"') from error


def _ports(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise Wrong("should be a list of ports such as [5432]")
    found = values.each(value, values.port)
    for index, port in enumerate(found):
        if port in found[:index]:
            raise Wrong("is named twice", at=(index,))
    return found


def _pool(value: Any) -> str:
    import ipaddress

    wrong = Wrong(
        'should be a private IPv4 network from /8 to /22, such as "10.213.0.0/16"',
        hint="the private ones are 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16 (RFC 1918)",
    )
    try:
        network = ipaddress.IPv4Network(values.text(value))
    except ValueError as error:
        raise wrong from error
    own = [ipaddress.IPv4Network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
    if not any(network.subnet_of(private) for private in own):
        raise wrong
    if not _LARGEST <= network.prefixlen <= _SMALLEST:
        raise wrong
    return str(network)


def _string(pattern: str = "") -> dict[str, Any]:
    return {"type": "string", **({"pattern": pattern} if pattern else {})}


_PORT_SCHEMA = {"type": "integer", "minimum": 1, "maximum": 65535}


@dataclass(frozen=True, kw_only=True)
class HostTable(Table):
    """The settings of a host."""

    instance: str = key(
        Kind(_instance, _string("^[a-z][a-z0-9-]{0,20}$")),
        _DEFAULT.instance,
        "The name of this cdeploy on the engine: it prefixes the networks, and labels all that "
        "cdeploy makes. Two instances don't see each other.",
        written=_DEFAULT.instance,
    )
    state: Path | None = key(
        Kind(_folder, _string("^/")),
        None,
        "The folder of the ledger, the locks, the secrets and the edge's files.",
        example="/var/lib/cdeploy",
    )
    bind: str = key(
        Kind(_address, _string()),
        _DEFAULT.bind,
        "The address on which the edge is reached; 0.0.0.0 is every address of this host.",
        written=_DEFAULT.bind,
    )
    http: int = key(
        Kind(values.port, _PORT_SCHEMA),
        _DEFAULT.http,
        "The port for HTTP.",
        written=_DEFAULT.http,
    )
    tcp: tuple[int, ...] = key(
        Kind(_ports, {"type": "array", "items": _PORT_SCHEMA}),
        (),
        "Further ports of the edge, for routes such as { tcp = 5432 }.",
        example=[5432],
        written=[],
    )
    pool: str = key(
        Kind(_pool, _string()),
        _DEFAULT.pool,
        "The private IPv4 network from which stacks get their own, /8 to /22.",
        written=_DEFAULT.pool,
    )
    environment: str = key(
        Kind(values.text, _string()),
        "",
        "The environment of the stack files that --env chooses when it is not given.",
        example="production",
        written="",
    )


def load_host(file: Path | None, env: Mapping[str, str]) -> Host:
    """The settings of this host.

    Args:
        file: the host.toml to read; it must be there. None for the default:
            ``$CDEPLOY_HOST_FILE`` (which must be there too), else
            /etc/cdeploy/host.toml for root, else cdeploy/host.toml in
            ``$XDG_CONFIG_HOME`` or ~/.config, which need not be there.
        env: the environment.

    Raises:
        BadInput: a file that was named is not there, or what is wrong in it.
    """
    root = os.geteuid() == 0
    named = file or (Path(env["CDEPLOY_HOST_FILE"]) if env.get("CDEPLOY_HOST_FILE") else None)
    path = named or _default_file(root, env)
    table = HostTable()
    if named is not None or path.exists():
        table = _read(path)
    return Host(
        file=path,
        state=table.state or _default_state(root, env),
        instance=table.instance,
        bind=table.bind,
        http=table.http,
        tcp=table.tcp,
        pool=table.pool,
        environment=table.environment,
    )


def _read(path: Path) -> HostTable:
    document = read_toml(path, missing_hint="cdeploy bootstrap --production writes one")
    problems = Problems(document.file, document.lines)
    table, wrongs, broken = read_table(HostTable, document.data)
    problems.add_all((), wrongs, document.data)
    if table is not None and table.http in table.tcp and not broken & {"http", "tcp"}:
        problems.add(("tcp",), f"names the port for HTTP ({table.http}) too")
    problems.check()
    return table or HostTable()


def _default_file(root: bool, env: Mapping[str, str]) -> Path:
    if root:
        return Path("/etc/cdeploy/host.toml")
    return _home(env, "XDG_CONFIG_HOME", ".config") / "host.toml"


def _default_state(root: bool, env: Mapping[str, str]) -> Path:
    if root:
        return Path("/var/lib/cdeploy")
    return _home(env, "XDG_STATE_HOME", ".local/state")


def _home(env: Mapping[str, str], variable: str, otherwise: str) -> Path:
    # The XDG base directory specification: a path that is not absolute is ignored.
    named = env.get(variable, "")
    if named.startswith("/"):
        return Path(named) / "cdeploy"
    return Path(env.get("HOME") or Path.home()) / otherwise / "cdeploy"


def host_text(host: Host) -> str:
    """The settings as a commented host.toml."""
    lines = ["# This host's settings for cdeploy; written by cdeploy bootstrap, yours to change."]
    for name, about in keys_of(HostTable).items():
        value = getattr(host, name)
        # No environment is the lack of the key.
        setting = f"{name} = {_toml(value)}" if value != "" else f'# {name} = "production"'
        lines += ["", f"# {about.meaning}", setting]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return json.dumps(list(value))
    if isinstance(value, int):
        return str(value)
    return json.dumps(str(value)).replace("\x7f", "\\u007f")


def write_host(host: Host) -> None:
    """Write host.toml to ``host.file``, whole or not at all, with mode 0644.

    Raises:
        HostNotReady: the file can't be written.
    """
    import tempfile

    text = host_text(host)
    folder = host.file.parent
    temporary = ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".host.toml.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(temporary).replace(host.file)
        _sync(folder)
    except OSError as error:
        if temporary:
            with contextlib.suppress(OSError):  # the first error is the one to tell
                Path(temporary).unlink(missing_ok=True)
        raise HostNotReady(
            f"{host.file} can't be written: {error.strerror or error}",
            hint="run it as root, or name another file with CDEPLOY_HOST_FILE",
        ) from error


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
