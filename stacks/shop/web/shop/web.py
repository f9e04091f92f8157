"""The pages and the API of the shop."""

import asyncio
import contextlib
import json
import os
import time
import uuid
from collections.abc import Awaitable, Callable
from html import escape
from typing import Any

import psycopg
import redis.asyncio as redis
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from shop import VERSION, settings

QUEUE = "orders-to-pack"
RELEASE = os.environ.get("CDEPLOY_RELEASE", "")
PATIENCE = 20.0  # seconds that a request waits for a database that is being replaced


@contextlib.asynccontextmanager
async def lifespan(app: Starlette):
    """Opened lazily: a database that is being replaced must not stop us from starting."""
    pool = AsyncConnectionPool(
        settings.database(),
        min_size=1,
        max_size=8,
        timeout=20,
        open=False,
        # The database is one writer, replaced while callers wait: connections from
        # before are dead, and found out here instead of in a customer's order.
        check=AsyncConnectionPool.check_connection,
    )
    await pool.open(wait=False)
    app.state.pool = pool
    app.state.cache = redis.from_url(
        settings.cache(), decode_responses=True, socket_timeout=5, socket_connect_timeout=2
    )
    try:
        yield
    finally:
        await app.state.cache.aclose()
        await pool.close()


async def in_database(
    request: Request, work: Callable[[psycopg.AsyncConnection], Awaitable[Any]]
) -> Any:
    """Do `work` in one transaction, again when the connection was cut in the middle.

    The database is one writer and is replaced while callers wait at the edge; only
    those whose transaction was running at that moment notice. `work` must bear being
    done twice, because a cut can hide that the commit had gone through.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            async with (
                request.app.state.pool.connection() as connection,
                connection.transaction(),
            ):
                return await work(connection)
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)


async def visit(request: Request) -> int | None:
    """Count a visit; a shop without its cache is still a shop."""
    try:
        return int(await request.app.state.cache.incr("visits"))
    except (redis.RedisError, OSError):
        return None


async def home(request: Request) -> Response:
    async def read(connection: psycopg.AsyncConnection) -> list[tuple[int, str, int]]:
        rows = await connection.execute("SELECT id, name, cents FROM products ORDER BY id")
        return await rows.fetchall()

    products = [
        {"id": number, "name": name, "price": f"{cents / 100:.2f}"}
        for number, name, cents in await in_database(request, read)
    ]
    answer = {
        "shop": "Tea and cups",
        "version": VERSION,
        "release": RELEASE,
        "container": settings.HOSTNAME,
        "visits": await visit(request),
        "products": products,
    }
    if "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse(json.dumps(answer, indent=2) + "\n", media_type="application/json")
    items = "".join(f"<li>{escape(p['name'])}: {p['price']} €</li>" for p in products)
    return HTMLResponse(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Tea and cups</title>"
        "<style>body{font:1.1rem/1.6 sans-serif;max-width:36rem;margin:3rem auto}</style>"
        f"<h1>Tea and cups</h1><ul>{items}</ul>"
        f"<p>Visits: {answer['visits']}. Version {VERSION}, container {settings.HOSTNAME}.</p>"
    )


async def healthz(request: Request) -> Response:
    """Ready when the database answers."""
    try:
        async with request.app.state.pool.connection(timeout=2) as connection:
            await connection.execute("SELECT 1")
    except (psycopg.Error, PoolTimeout) as error:
        return PlainTextResponse(f"no database: {error}\n", status_code=503)
    return PlainTextResponse("ok\n")


async def place_order(request: Request) -> Response:
    """One order: written in one transaction, then announced to the worker."""
    try:
        order = await request.json()
        product, quantity = int(order["product"]), int(order.get("quantity", 1))
    except (ValueError, KeyError, TypeError, AttributeError):
        return JSONResponse({"error": 'send {"product": 1, "quantity": 2}'}, status_code=400)
    attempt = uuid.uuid4()

    async def write(connection: psycopg.AsyncConnection) -> int:
        # `attempt` is the same in each try, so an order is written once.
        row = await connection.execute(
            "INSERT INTO orders (product, quantity, attempt) VALUES (%s, %s, %s)"
            " ON CONFLICT (attempt) DO UPDATE SET attempt = excluded.attempt RETURNING id",
            (product, quantity, attempt),
        )
        return (await row.fetchone())[0]

    try:
        number = await in_database(request, write)
    except psycopg.errors.IntegrityError as error:
        words = error.diag.message_primary or "not possible"
        return JSONResponse({"error": words}, status_code=422)
    # The order is safe in the database. If the cache is away, the worker finds it anyway.
    with contextlib.suppress(redis.RedisError, OSError):
        await request.app.state.cache.lpush(QUEUE, number)
    return JSONResponse({"order": number, "container": settings.HOSTNAME}, status_code=201)


async def show_order(request: Request) -> Response:
    async def read(connection: psycopg.AsyncConnection) -> tuple[Any, ...] | None:
        row = await connection.execute(
            "SELECT id, product, quantity, packed_at, packed_by FROM orders WHERE id = %s",
            (request.path_params["number"],),
        )
        return await row.fetchone()

    found = await in_database(request, read)
    if found is None:
        return JSONResponse({"error": "no such order"}, status_code=404)
    return JSONResponse(
        {
            "order": found[0],
            "product": found[1],
            "quantity": found[2],
            "packed_at": found[3].isoformat() if found[3] else None,
            "packed_by": found[4],
        }
    )


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await socket.send_text(f"{settings.HOSTNAME}: {await socket.receive_text()}")


app = Starlette(
    routes=[
        Route("/", home),
        Route("/healthz", healthz),
        Route("/orders", place_order, methods=["POST"]),
        Route("/orders/{number:int}", show_order),
        WebSocketRoute("/ws", echo),
    ],
    lifespan=lifespan,
)
