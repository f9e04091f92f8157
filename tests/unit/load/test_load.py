"""The load generator notices what it is there for. One that can't see a loss is worthless."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.load import Answer, Failure, Profile, Result, load
from tests.unit.load.servers import app_process, faulty

GENTLE = {"think": 0.005, "distance": 0.0, "slow_seconds": 0.2, "socket_seconds": 0.3}
ONLY_KEPT_ALIVE = {"slow_posters": 0, "sockets": 0, "newcomers": 0, "getters": 2, "posters": 2}


def _to_the_end(profile):
    """The result of a load that ends by its own count."""
    with load(profile) as running:
        running.wait(30)
        return running.stop()


def test_a_good_server_loses_nothing_and_every_kind_of_client_is_answered():
    """Against a server that does everything right no loss is reported, and all kinds count."""
    with app_process("r1") as (_, port), load(Profile(port=port, **GENTLE)) as running:
        result = running.stop()

    assert result.failures == ()
    assert set(result.kinds) == {"get", "post", "slow post", "websocket", "new connection"}
    assert set(result.releases) == {"r1"}
    assert result.stopped == "asked"


@pytest.mark.parametrize(
    ("fault", "reasons"),
    [
        ("closes", {"closed"}),
        # Whether the reset is met by the write or by the read, it is one.
        ("resets", {"reset", "closed"}),
        ("errs", {"status 500"}),
        ("refuses", {"status 404"}),
        ("hangs", {"timed out"}),
        ("cuts", {"cut"}),
        ("mixes", {"another's answer: b'/of-somebody-else'"}),
        ("babbles", {"no HTTP: '220 mail.example ESMTP'"}),
    ],
)
@pytest.mark.parametrize("clients", ["kept alive", "new"])
def test_every_request_that_a_faulty_server_loses_is_noticed(fault, reasons, clients):
    """As many losses are reported as the server made, each with what was seen of it."""
    kinds = {"getters": 0, "posters": 0, "newcomers": 2, "slow_posters": 0, "sockets": 0}
    if clients == "kept alive":
        kinds = ONLY_KEPT_ALIVE
    profile = {**GENTLE, **kinds, "timeout": 0.5 if fault == "hangs" else 10.0}
    with faulty(fault) as server:
        result = _to_the_end(Profile(port=server.server_address[1], max_requests=60, **profile))
        faults = server.faults

    assert len(result.failures) == faults > 0
    assert {failure.reason for failure in result.failures} <= reasons


def test_a_connection_closed_while_idle_is_no_loss_when_the_client_knew():
    """A client that sees the close before it sends reopens, and that is counted apart."""
    with faulty("closes_idle") as server:
        profile = Profile(
            port=server.server_address[1],
            max_requests=100,
            **{**GENTLE, "think": 0.02},
            **{**ONLY_KEPT_ALIVE, "getters": 1, "posters": 0},
        )
        result = _to_the_end(profile)

    assert result.reopened > 0


def test_a_far_client_loses_the_request_that_a_near_one_would_not_have_sent():
    """With a distance, a connection that is closed under a decided client costs its request."""
    with faulty("closes_idle") as server:
        profile = Profile(
            port=server.server_address[1],
            max_requests=100,
            **{**GENTLE, "think": 0.0, "distance": 0.02},
            **ONLY_KEPT_ALIVE,
        )
        result = _to_the_end(profile)

    assert result.failures
    assert {failure.reason for failure in result.failures} <= {"closed", "reset"}


def test_a_server_that_says_connection_close_costs_nothing():
    """After `Connection: close` the client opens a new connection, and no request is lost."""
    with faulty("says_close") as server:
        profile = Profile(
            port=server.server_address[1], max_requests=100, **GENTLE, **ONLY_KEPT_ALIVE
        )
        result = _to_the_end(profile)

    assert result.failures == ()
    assert result.reopened > 0


def test_nobody_there_is_refused():
    """Requests to a port where nobody listens are losses, not an empty result."""
    with faulty("errs") as server:
        port = server.server_address[1]
    result = _to_the_end(Profile(port=port, max_requests=50, **GENTLE))

    assert not result.answers
    assert set(result.reasons) == {
        f"{kind}: refused" for kind in ("get", "post", "slow post", "websocket", "new connection")
    }


def test_a_killed_server_is_noticed_by_slow_posts_and_sockets():
    """A body under way and an open WebSocket end as losses when their server dies."""
    with app_process("r1") as (process, port):
        profile = {**GENTLE, "slow_seconds": 1.0, "socket_seconds": 60.0}
        with load(Profile(port=port, **profile)) as running:
            process.kill()
            process.wait()
            result = running.stop()

    lost = {failure.kind: failure.reason for failure in reversed(result.failures)}
    assert lost["slow post"] in ("closed", "reset")
    assert lost["websocket"].removeprefix("close: ") in ("cut", "reset")


def test_the_load_ends_by_itself_at_its_bounds():
    """A load whose parent forgets it stops after its time and says so."""
    with app_process("r1") as (_, port):
        with load(Profile(port=port, max_seconds=0.5, **GENTLE)) as running:
            running.wait(10)
            assert running.stop().stopped == "time"
        with load(Profile(port=port, max_requests=30, **GENTLE)) as running:
            running.wait(10)
            assert running.stop().stopped == "count"


def test_load_on_other_machines_is_refused():
    """An address that is neither this machine nor a container is no target."""
    with pytest.raises(ValueError, match="this machine"):
        Profile(port=80, address="1.1.1.1")


def test_a_load_without_clients_is_refused():
    """A load that would see nothing must not look like a success."""
    kinds = ("getters", "posters", "slow_posters", "sockets", "newcomers")
    with pytest.raises(ValueError, match="without a client"):
        Profile(port=80, **dict.fromkeys(kinds, 0))


def test_stale_answers_are_those_of_a_release_whose_successor_had_returned():
    """Sent before `up` returned: not stale. Sent after it and answered by the old: stale."""
    early = Answer("get", 1.0, 1.1, "old")
    late = Answer("get", 2.0, 2.1, "old")
    right = Answer("get", 2.0, 2.1, "new")
    unknown = Answer("get", 2.0, 2.1, "")
    result = Result((early, late, right, unknown))

    assert result.stale([("old", 0.0), ("new", 1.5)]) == (late, unknown)
    assert result.stale([("old", 0.0), ("new", 9.0)]) == (unknown,)


def test_outlasted_counts_what_the_old_release_ended_beside_the_new_one():
    """A slow POST that the old release answered after the new one served was drained."""
    result = Result(
        (
            Answer("slow post", 0.0, 1.0, "old"),
            Answer("get", 1.5, 1.6, "new"),
            Answer("slow post", 0.5, 2.5, "old"),
            Answer("get", 1.5, 2.6, "old"),
        )
    )

    assert result.outlasted("old", "new", "slow post") == 1
    assert result.outlasted("old", "none", "slow post") == 0


@given(
    answers=st.lists(
        st.builds(
            Answer,
            st.sampled_from(["get", "post"]),
            st.floats(0, 1e6),
            st.floats(0, 1e6),
            st.text(max_size=5),
        )
    ),
    failures=st.lists(
        st.builds(Failure, st.just("get"), st.floats(0, 1e6), st.floats(0, 1e6), st.text())
    ),
)
def test_a_result_survives_the_way_from_its_process(answers, failures):
    """What is written as JSON is read as the same value."""
    result = Result(tuple(answers), tuple(failures), 3, "time")

    assert Result.from_json(result.to_json()) == result


def test_a_result_in_words_names_every_reason():
    """What an assertion prints is enough to see what was lost."""
    result = Result((Answer("get", 0, 1, "r1"),), (Failure("post", 1, 2, "reset"),), 1)

    assert str(result).splitlines() == [
        "1 answered: 1 get",
        "by release: 1 r1",
        "1 lost: 1 post: reset",
        "lost within 1.000 s",
        "1 connections reopened; stopped: asked",
    ]
