"""The release id: what makes a new release, and what doesn't."""

from __future__ import annotations

import dataclasses

import pytest

from containerdeploy.release import fingerprint, release_of
from containerdeploy.stack import Health, Limits, Route, Secret, Service, Volume

BASE = Service(name="web", port=8000, env=(("A", "1"), ("B", "2")))


def id_of(service: Service, image: str = "sha256:a", secrets: dict | None = None) -> str:
    """The id of a service's release."""
    return release_of("shop", service, image, secrets or {}).id


@pytest.mark.parametrize(
    "change",
    [
        {"routes": (Route(host="a.localhost"),)},
        {"replicas": 5},
        {"health": Health(path="/up")},
        {"drain": 1.0},
        {"keep": 9},
        {"before_switch": ("x",)},
        {"file": "elsewhere.toml", "line": 9},
        {"env": (("B", "2"), ("A", "1"))},
        {"hold": 3.0},
    ],
)
def test_no_new_release(change):
    """Routes, replicas, health, drain, and the order of env make no new release."""
    assert id_of(dataclasses.replace(BASE, **change)) == id_of(BASE)


@pytest.mark.parametrize(
    "change",
    [
        {"env": (("A", "1"),)},
        {"env": (("A", "1"), ("B", "3"))},
        {"command": ("x",)},
        {"entrypoint": ()},
        {"user": "1"},
        {"workdir": "/x"},
        {"port": 9000},
        {"read_only": True},
        {"capabilities": ("CHOWN",)},
        {"limits": Limits(memory=1)},
        {"volumes": (Volume("data", "/data"),)},
        {"tmpfs": ("/scratch",)},
        {"uses": ("db",)},
        {"stop_signal": "SIGINT"},
        {"stop_timeout": 3.0},
        {"restart": "no"},
        {"labels": (("a", "b"),)},
    ],
)
def test_new_release(change):
    """Whatever shapes the container makes a new release."""
    assert id_of(dataclasses.replace(BASE, **change)) != id_of(BASE)


def test_image_makes_a_release():
    """Another image id is another release."""
    assert id_of(BASE, "sha256:b") != id_of(BASE)


def test_secret_value_makes_a_release():
    """A changed secret is a new release; the id is made of its fingerprint only."""
    service = dataclasses.replace(BASE, secrets=(Secret("KEY", env="KEY"),))
    one = fingerprint("shop", "web", "KEY", b"one")
    two = fingerprint("shop", "web", "KEY", b"two")
    assert id_of(service, secrets={"KEY": one}) != id_of(service, secrets={"KEY": two})
    assert "one" not in one


def test_same_on_every_machine():
    """The id depends on what the user wrote, not on where the stack file lies."""
    here = dataclasses.replace(
        BASE, volumes=(Volume("/home/a/conf", "/conf", bind=True, written="./conf"),)
    )
    there = dataclasses.replace(
        BASE, volumes=(Volume("/srv/b/conf", "/conf", bind=True, written="./conf"),)
    )
    assert id_of(here) == id_of(there)
    assert len(id_of(here)) == 12
