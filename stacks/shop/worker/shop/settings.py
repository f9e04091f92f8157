"""Where this function finds the others, and with which password."""

import os
import socket
from pathlib import Path

HOSTNAME = socket.gethostname()


def database() -> str:
    """The connection string; `db` is a name that cdeploy gives to what `uses` names."""
    password = Path("/run/secrets/DB_PASSWORD").read_text(encoding="utf-8").strip()
    quoted = password.replace("\\", "\\\\").replace("'", "\\'")
    host = os.environ.get("DB_HOST", "db")
    return (
        f"host={host} port=5432 dbname=shop user=shop password='{quoted}'"
        " connect_timeout=5 application_name=shop-worker"
    )


def cache() -> str:
    """The cache's address."""
    return f"redis://{os.environ.get('CACHE_HOST', 'cache')}:6379/0"
