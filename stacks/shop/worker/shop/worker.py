"""Packs orders until SIGTERM: `python3 -m shop.worker`.

The queue in the cache only wakes it up; what is to be done stands in the database,
so an order is packed even when the cache was replaced with the queue in it.
"""

import logging
import signal
import sys
import threading

import psycopg
import redis

from shop import settings

QUEUE = "orders-to-pack"
WAIT = 2  # seconds until it looks for itself
PAUSE = 0.5  # seconds between attempts while a neighbour is away

log = logging.getLogger("worker")
stopping = threading.Event()


def pack(connection: psycopg.Connection) -> int | None:
    """Pack the oldest order that no other worker holds; its number, or None."""
    with connection.transaction():
        row = connection.execute(
            "SELECT id FROM orders WHERE packed_at IS NULL ORDER BY id"
            " LIMIT 1 FOR UPDATE SKIP LOCKED"
        ).fetchone()
        if row is None:
            return None
        connection.execute(
            "UPDATE orders SET packed_at = now(), packed_by = %s WHERE id = %s",
            (settings.HOSTNAME, row[0]),
        )
    return int(row[0])


def work(connection: psycopg.Connection, cache: redis.Redis) -> None:
    """Pack all there is, then wait for the next; returns when it is told to stop."""
    while not stopping.is_set():
        number = pack(connection)
        if number is not None:
            log.info("packed order %d", number)
            continue
        try:
            cache.brpop(QUEUE, timeout=WAIT)
        except (redis.RedisError, OSError) as error:
            log.warning("no cache: %s", error)
            stopping.wait(WAIT)


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    cache = redis.from_url(settings.cache(), socket_timeout=WAIT + 5, socket_connect_timeout=2)
    log.info("waiting for orders")
    while not stopping.is_set():
        try:
            with psycopg.connect(settings.database(), autocommit=True) as connection:
                work(connection, cache)
        except psycopg.Error as error:
            # Being replaced, not migrated yet, or a cut connection: all of them pass.
            log.warning("database: %s", str(error).strip())
            stopping.wait(PAUSE)
    log.info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
