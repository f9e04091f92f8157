"""The client of the proxy's command line, on replies as HAProxy 3.0 writes them."""

from __future__ import annotations

import socket
import threading

import pytest

from containerdeploy.check import Ran
from containerdeploy.edge.haproxy.preview import ask_http
from containerdeploy.edge.haproxy.runtime import CHUNK, Runtime
from containerdeploy.edge.haproxy.ways import ExecWay, SocketWay
from containerdeploy.errors import BadInput, EdgeError

MAP = "/etc/cdeploy-edge/table.map"


class Replies:
    """A way that answers each command from a table, as interactive mode does."""

    def __init__(self, **replies):
        self.replies = replies
        self.sent = []

    def exchange(self, name, data, *, timeout, until=b""):
        text = data.decode()
        self.sent.append((name, text))
        if name == "master":
            return self.replies["master"](text).encode()
        body = text.removeprefix("prompt\n").removesuffix("quit\n")
        answered, payload = "\n> ", None
        for line in body.splitlines():
            if payload is not None:
                if line:
                    payload += 1
                    continue
                answered += "+ " * (payload + 1)
                payload = None
            elif line.endswith("<<"):
                payload = 0
                continue
            else:
                answered += next(
                    (v for k, v in self.replies.items() if line.replace(" ", "_").startswith(k)), ""
                )
            answered += "\n\n> "
        return answered.encode()


def runtime(**replies):
    way = Replies(**replies)
    return Runtime(way, MAP), way


def test_blank_is_done():
    """A blank reply, and what a change of address says of itself, mean done."""
    one, _ = runtime(set="IP changed from '127.0.0.1' to '10.9.1.9' by 'stats socket command'")
    one.tell(["set server a/s1 addr 10.9.1.9 port 1", "commit map @1 x"])


def test_words_are_an_error():
    """Any other text is a refusal: the command and the proxy's words are in the error."""
    one, _ = runtime(set="No such server.")
    with pytest.raises(EdgeError, match=r"set server a/s9 state ready.*No such server"):
        one.tell(["set server a/s9 state ready"])


def test_missing_replies():
    """Fewer replies than commands are an error, never taken for done."""

    class Silent:
        def exchange(self, name, data, *, timeout, until=b""):
            return b"\n> one\n\n> "

    with pytest.raises(EdgeError, match="1 of 2"):
        Runtime(Silent(), MAP).tell(["a", "b"])


def test_map_goes_in_payloads_that_fit():
    """A large map goes in several payloads, none larger than the proxy's buffer, and is
    committed once, last."""
    one, way = runtime(prepare_map="New version created: 7")
    one.replace_map({f"r:host{n}.localhost/": f"shop/service{n}" for n in range(2000)})
    texts = [text for _, text in way.sent]
    assert max(map(len, texts)) < 16_000
    lines = [line for text in texts for line in text.splitlines()]
    assert sum(line.startswith("r:host") for line in lines) == 2000
    assert sum(line.startswith(f"add map @7 {MAP} <<") for line in lines) > 1
    assert [line for line in lines if line.startswith("commit")] == [f"commit map @7 {MAP}"]
    assert "commit" in texts[-1]
    assert CHUNK < 16_000


def test_map_version_refused():
    """Without a new version nothing is added or committed."""
    one, way = runtime(prepare_map="Unknown map identifier.")
    with pytest.raises(EdgeError, match="Unknown map"):
        one.replace_map({"a": "b"})
    assert len(way.sent) == 1


def test_map_entries():
    """Entries are read with values as they are; an unknown map is an error."""
    one, _ = runtime(show_map="0x7f01 r:a/ shop/web\n0x7f02 s:shop/web shop.web.blue")
    assert one.entries() == {"r:a/": "shop/web", "s:shop/web": "shop.web.blue"}
    other, _ = runtime(show_map="Unknown map identifier. Please use #<id> or <name>.")
    with pytest.raises(EdgeError, match="Unknown map"):
        other.entries()


def test_slots_by_header():
    """Servers are read by the header's names; only forced maintenance is maintenance now."""
    one, _ = runtime(
        show_servers=(
            "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_port\n"
            "8 shop.web.blue 1 s1 10.9.1.16 2 4 8000\n8 shop.web.blue 2 s2 127.0.0.1 0 5 8000"
        )
    )
    slots = one.slots()
    assert not slots["shop.web.blue", "s1"].maint
    assert slots["shop.web.blue", "s1"].address == "10.9.1.16"
    assert slots["shop.web.blue", "s2"].maint


def test_stat_by_header():
    """`show stat` is read by its header, whose columns differ by version."""
    one, _ = runtime(show_stat="# pxname,svname,scur\nshop.web.blue,BACKEND,3")
    assert one.stat() == [{"pxname": "shop.web.blue", "svname": "BACKEND", "scur": "3"}]
    other, _ = runtime(show_stat="Permission denied")
    with pytest.raises(EdgeError, match="header"):
        other.stat()


PROC = """#<PID>          <type>          <reloads>       <uptime>        <version>
1               master          2 [failed: 0]   0d00h11m29s     3.0.11
# workers
15              worker          0               0d00h00m00s     3.0.11
# old workers
11              worker          1               0d00h00m00s     3.0.11
12              worker          2               0d00h00m00s     3.0.11
# programs

"""


def test_old_pids():
    """Only processes from before a reload are old."""
    one, _ = runtime(master=lambda text: PROC)
    assert one.old_pids() == ("11", "12")
    without, _ = runtime(master=lambda text: PROC.replace("# old workers\n", ""))
    assert without.old_pids() == ()


def test_old_process_that_is_gone():
    """A process that left in between has nothing in flight."""
    one, _ = runtime(master=lambda text: "Can't find the target PID matching the prefix '@!11'\n")
    assert one.old_streams("11") == ()


@pytest.mark.parametrize(
    ("reply", "done", "words"),
    [
        ("Success=1\n--\n[NOTICE] Loading success.\n", True, "[NOTICE] Loading success."),
        ("Success=0\n--\n[ALERT] unknown keyword\n", False, "[ALERT] unknown keyword"),
        ("", False, ""),
    ],
)
def test_reload(reply, done, words):
    """The master says whether a reload went through, and why not."""
    one, _ = runtime(master=lambda text: reply)
    assert one.reload() == (done, words)


def test_nobody_listens(tmp_path):
    """Without a socket the error says how to bring the edge up."""
    way = SocketWay(tmp_path)
    assert not way.answers()
    with pytest.raises(EdgeError) as raised:
        way.exchange("admin", b"x\n", timeout=1)
    assert "bootstrap" in raised.value.hint


@pytest.mark.parametrize("depth", [0, 3])
def test_socket_in_a_deep_folder(tmp_path, depth):
    """A path longer than a Unix socket's name can be is connected to all the same."""
    import os

    folder = tmp_path.joinpath(*["d" * 60] * depth)
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{handle}/admin.sock")
        server.listen()

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.sendall(connection.recv(100).upper())

        thread = threading.Thread(target=serve)
        thread.start()
        assert SocketWay(folder).exchange("admin", b"hello", timeout=5) == b"HELLO"
        thread.join()
    os.close(handle)


def test_silent_proxy(tmp_path):
    """A proxy that takes a command and never answers is an error after the deadline."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "admin.sock"))
        server.listen()
        with pytest.raises(EdgeError, match="did not answer"):
            SocketWay(tmp_path).exchange("admin", b"x\n", timeout=0.05)


class Ended:
    """An engine whose exec ends as it is told."""

    def __init__(self, ran):
        self.ran = ran

    def run(self, container, argv, *, timeout, stdin):
        return self.ran


def test_exec_way():
    """What the relay writes is decoded; its failure has its words; garbage is refused."""
    assert ExecWay(Ended(Ran(0, "aGk=", "")), "e").exchange("admin", b"", timeout=1) == b"hi"
    for ran in (Ran(1, "", "no such socket"), Ran(0, "", "no such socket")):
        with pytest.raises(EdgeError, match="no such socket"):
            ExecWay(Ended(ran), "e").exchange("admin", b"", timeout=1)
    with pytest.raises(EdgeError, match="relay"):
        ExecWay(Ended(Ran(0, "***", "")), "e").exchange("admin", b"", timeout=1)


class Raw:
    """A way that keeps what it was sent and answers bytes."""

    def __init__(self, raw):
        self.raw = raw
        self.sent = b""

    def exchange(self, name, data, *, timeout, until=b""):
        self.sent = data
        return self.raw


def ask(raw, *, method="GET", path="/", headers=None, body=None):
    way = Raw(raw)
    answer = ask_http(
        way, "a.b.blue", method, path, host="h", headers=headers or {}, body=body, timeout=1
    )
    return answer, way.sent


def test_preview_answer():
    """Plain and chunked answers are read whole; header names are lower case."""
    answer, sent = ask(b"HTTP/1.1 201 Created\r\nX-A: b\r\nContent-Length: 2\r\n\r\nok")
    assert (answer.status, answer.headers["x-a"], answer.body) == (201, "b", b"ok")
    assert b"X-Cdeploy-Backend: a.b.blue\r\n" in sent
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    assert ask(chunked)[0].body == b"ok"
    assert ask(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", method="HEAD")[0].body == b""


@pytest.mark.parametrize(
    "raw", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"]
)
def test_preview_without_a_whole_answer(raw):
    """No answer, another protocol, or a cut one is an error, never a short answer."""
    with pytest.raises(EdgeError, match=r"a\.b\.blue"):
        ask(raw)


@pytest.mark.parametrize(
    "wrong", [{"path": "/a\r\nX: y"}, {"headers": {"X-A": "b\r\nX-C: d"}}, {"method": "G\nT"}]
)
def test_preview_takes_no_line_breaks(wrong):
    """A line break in a path, method or header can't smuggle a header in."""
    with pytest.raises(BadInput, match="control character"):
        ask(b"", **wrong)


def test_preview_can_not_be_pointed_elsewhere():
    """Headers of the caller don't replace those that the edge needs."""
    given = {"x-cdeploy-backend": "other", "Connection": "keep-alive", "Content-Length": "99"}
    _, sent = ask(b"HTTP/1.1 204 x\r\n\r\n", headers=given, method="POST", body=b"abc")
    assert b"other" not in sent
    assert b"Content-Length: 3\r\n" in sent
    assert sent.endswith(b"\r\n\r\nabc")
