"""Bring the schema to the newest version: `python3 -m shop.migrate`.

cdeploy runs it once before the switch, with the new image, while the old release
still serves: so each step must leave what the old release needs in place.
"""

import sys
import time

import psycopg

from shop import settings

LOCK = 7_403_127  # any number, the same in every migration run
PATIENCE = 60.0

STEPS = (
    (
        1,
        "products",
        """
        CREATE TABLE products (
            id    integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
            name  text    NOT NULL UNIQUE,
            cents integer NOT NULL CHECK (cents > 0)
        );
        INSERT INTO products (name, cents) VALUES
            ('Tea, first flush', 890), ('Cup, blue glaze', 1450), ('Kettle, cast iron', 5900);
        """,
    ),
    (
        2,
        "orders",
        """
        CREATE TABLE orders (
            id         bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
            product    integer     NOT NULL REFERENCES products,
            quantity   integer     NOT NULL CHECK (quantity BETWEEN 1 AND 100),
            attempt    uuid        NOT NULL UNIQUE,
            placed_at  timestamptz NOT NULL DEFAULT now(),
            packed_at  timestamptz,
            packed_by  text
        );
        CREATE INDEX orders_to_pack ON orders (id) WHERE packed_at IS NULL;
        """,
    ),
)


def connect() -> psycopg.Connection:
    """A connection; a database that is still starting is waited for."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return psycopg.connect(settings.database())
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def migrate(connection: psycopg.Connection) -> list[str]:
    """Run the steps that were not run yet, all in one transaction; their names."""
    done = []
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS versions (version integer PRIMARY KEY,"
            " name text NOT NULL, at timestamptz NOT NULL DEFAULT now())"
        )
        known = {row[0] for row in connection.execute("SELECT version FROM versions")}
        for version, name, statements in STEPS:
            if version in known:
                continue
            connection.execute(statements)
            connection.execute(
                "INSERT INTO versions (version, name) VALUES (%s, %s)", (version, name)
            )
            done.append(f"{version} ({name})")
    return done


def main() -> int:
    with connect() as connection:
        done = migrate(connection)
    print("schema: " + (f"migrated to {', '.join(done)}" if done else "nothing to do"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
