"""What images are called.

    cdeploy/<stack>-<service>:<release>         a release's image
    cdeploy/<stack>-<service>:src-<digest>      a built image, by what it was built from

The second name is how a build is found again, and what keeps an image that is not
released yet from being pruned as dangling. The digest is in the name and not in a
label, since a label would change the image's id, and so make a new release, when
something changed that does not reach the image (a README in the context).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from containerdeploy.engines.base import Engine
    from containerdeploy.host import Host

BUILDER = "cdeploy.builder"
"""Label of a built image: the instance that built it."""
SOURCE = "src-"
DIGITS = 32


def repository(host: Host, stack: str, service: str) -> str:
    """The name before the colon; other instances than the default have their own."""
    prefix = "cdeploy" if host.instance == "cdeploy" else host.instance
    return f"{prefix}/{stack}-{service}"


def image_name(host: Host, stack: str, service: str, release: str) -> str:
    """The name of a release's image."""
    return f"{repository(host, stack, service)}:{release}"


def source_tag(digest: str) -> str:
    """The tag of what was built from sources with this digest."""
    return SOURCE + digest[:DIGITS]


def source_name(host: Host, stack: str, service: str, digest: str) -> str:
    """The name of a service's image that was built from sources with this digest."""
    return f"{repository(host, stack, service)}:{source_tag(digest)}"


def tag_release(
    engine: Engine, host: Host, stack: str, service: str, release: str, image: str
) -> str:
    """Name an image (an id) after a release; returns the name. Harmless when it has it."""
    name = image_name(host, stack, service, release)
    engine.tag(image, name)
    return name
