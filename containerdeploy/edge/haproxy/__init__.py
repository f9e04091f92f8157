"""The edge as HAProxy: `render` writes its files, `runtime` speaks to it, `driver` joins both."""

from __future__ import annotations

from pathlib import Path

DOCKERFILE_DIR = Path(__file__).parent
"""The build context of the edge's image: a folder with its Dockerfile."""
