"""Serve until SIGTERM; then finish what is in flight and go."""

import uvicorn

uvicorn.run(
    "shop.web:app",
    host="0.0.0.0",
    port=8000,
    access_log=False,
    # Longer than the edge keeps an idle connection to us, so it is never we who
    # close one at the moment the edge writes on it.
    timeout_keep_alive=75,
    timeout_graceful_shutdown=20,
)
