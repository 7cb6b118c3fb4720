"""The server: routes, problems, and what one peer may cost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from opendepin.core.errors import Broken, PeerFault, Rejected
from opendepin.runtime.http import (
    ASGI,
    Direct,
    Limits,
    Problem,
    Reply,
    Request,
    Response,
    Router,
    client,
    json_response,
    serve,
)
from opendepin.runtime.service import Stop


@asynccontextmanager
async def running(
    app: ASGI, limits: Limits | None = None, direct: Direct | None = None
) -> AsyncIterator[int]:
    stop, port = Stop(), asyncio.get_running_loop().create_future()
    task = asyncio.ensure_future(
        serve(app, stop=stop, limits=limits, direct=direct, on_ready=port.set_result)
    )
    try:
        yield await asyncio.wait_for(port, 10)
    finally:
        stop.set()
        await task


def router(seen: list[str] | None = None) -> Router:
    app = Router(
        lambda where, error: (seen if seen is not None else []).append(f"{where} {error!r}")
    )

    async def item(request: Request) -> Response:
        limit = request.query_int("limit", 5, 10)
        return json_response({"id": request.params["id"], "limit": limit})

    async def echo(request: Request) -> Response:
        return Response(200, await request.body(100), b"application/octet-stream")

    def failing(error: Exception) -> object:
        async def handler(_request: Request) -> Response:
            raise error

        return handler

    app.route("GET", "/v1/items/{id}", item)
    app.route("POST", "/v1/echo", echo)
    for path, error in {
        "/rejected": Rejected("no", code="odd"),
        "/peer": PeerFault("away", code="store-away"),
        "/broken": Broken("rot", code="rot"),
        "/bug": KeyError("secret"),
        "/busy": Problem(429, "rate-device", "slow down", retry_after_s=1.5),
    }.items():
        app.route("GET", path, failing(error))  # pyright: ignore[reportArgumentType]
    return app


async def test_routes_queries_and_problems() -> None:
    seen: list[str] = []
    async with running(router(seen)) as port, client(f"http://127.0.0.1:{port}") as http:
        answer = await http.get("/v1/items/a%20b?limit=7")
        assert answer.json() == {"id": "a b", "limit": 7}
        for query in ("limit=11", "limit=x", "limit=-1", "limit=%D9%A3"):
            refused = await http.get(f"/v1/items/a?{query}")
            assert (refused.status_code, refused.json()["code"]) == (400, "query")
        for path, status, code in (
            ("/nowhere", 404, "not-found"),
            ("/v1/items/", 404, "not-found"),
            ("/v1/echo", 405, "method"),
            ("/rejected", 400, "odd"),
            ("/peer", 503, "store-away"),
            ("/broken", 500, "rot"),
            ("/bug", 500, "internal"),
        ):
            answer = await http.get(path)
            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == code
            assert "secret" not in answer.text
        busy = await http.get("/busy")
        assert (busy.headers["retry-after"], busy.json()["retry_after_s"]) == ("2", 1.5)
    assert [row.split()[0] for row in seen] == ["/broken", "/bug"]


async def test_bodies_are_bounded_declared_or_not() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 10

    async with running(router()) as port, client(f"http://127.0.0.1:{port}") as http:
        assert (await http.post("/v1/echo", content=b"y" * 100)).content == b"y" * 100
        for body in (b"y" * 101, pieces()):
            answer = await http.post("/v1/echo", content=body)
            assert (answer.status_code, answer.json()["code"]) == (413, "body-size")


async def raw(port: int, data: bytes, wait_s: float = 5) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        return await asyncio.wait_for(reader.read(), wait_s)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_slow_and_endless_heads_are_cut_off() -> None:
    limits = Limits(max_head_bytes=1000, read_timeout_s=0.3, idle_timeout_s=1)
    async with running(router(), limits) as port:
        assert await raw(port, b"") == b""
        assert await raw(port, b"GET /v1/items/a HTTP/1.1\r\nhost: x\r\nslow") == b""
        assert await raw(port, b"GET / HTTP/1.1\r\nx: " + b"y" * 2000 + b"\r\n\r\n") == b""
        body = b"POST /v1/echo HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\nhalf"
        assert await raw(port, body) == b""
        whole = await raw(port, b"GET /v1/items/a HTTP/1.1\r\nhost: x\r\n\r\n")
        assert whole.startswith(b"HTTP/1.1 200")


async def test_connections_above_the_limit_are_told_to_come_later() -> None:
    async with running(router(), Limits(max_connections=2)) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        answer = await raw(port, b"")
        assert answer.startswith(b"HTTP/1.1 503")
        assert b'"code":"connections"' in answer
        head, _, body = answer.partition(b"\r\n\r\n")
        assert int(head.split(b"content-length: ")[1].split()[0]) == len(body)
        for _, writer in held:
            writer.close()
            await writer.wait_closed()
        await asyncio.sleep(0.05)
        again = await raw(port, b"GET /rejected HTTP/1.0\r\n\r\n")
        assert again.startswith(b"HTTP/1.1 400")


async def test_nonsense_is_answered_400_and_closed() -> None:
    async with running(router()) as port:
        assert (await raw(port, b"\x16\x03\x01 not http\r\n\r\n")).startswith(b"HTTP/1.1 400")


class Echo:
    """A direct face that answers what it got, later when asked to."""

    prefix = b"/direct/"
    max_body_bytes = 64

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, reply: Reply, path: bytes, kind: bytes, body: bytes) -> None:
        self.calls += 1
        response = Response(202, path + b" " + kind + b" " + body, b"text/plain", ((b"x-d", b"1"),))
        if path.endswith(b"later"):
            asyncio.get_running_loop().call_later(0.05, reply.respond, response)
        else:
            reply.respond(response)


async def direct_app(scope: object, receive: object, send: object) -> None:
    app = Router()

    async def handler(request: Request) -> Response:
        kind = request.header(b"content-type")
        body = request.path.encode() + b" " + kind + b" " + await request.body(1000)
        return Response(202, body, b"text/plain", ((b"x-d", b"0"),))

    for name in ("now", "later"):
        app.route("POST", f"/direct/{name}", handler)
    await app(scope, receive, send)  # pyright: ignore[reportArgumentType]


async def test_the_direct_face_and_the_app_answer_alike() -> None:
    echo = Echo()
    async with (
        running(direct_app, direct=echo) as port,
        client(f"http://127.0.0.1:{port}") as http,
    ):
        kind = {"content-type": "text/odd"}
        for path in ("/direct/now", "/direct/later", "/direct/now"):
            answer = await http.post(path, content=b"abc", headers=kind)
            assert (answer.status_code, answer.headers["x-d"]) == (202, "1")
            assert answer.content == path.encode() + b" text/odd abc"
        assert echo.calls == 3
        for body in (b"z" * 65, pieces_of(b"abc")):  # too long, and without a length
            answer = await http.post("/direct/now", content=body, headers=kind)
            assert (answer.status_code, answer.headers["x-d"]) == (202, "0")
        assert echo.calls == 3


async def pieces_of(data: bytes) -> AsyncIterator[bytes]:
    yield data


@pytest.mark.parametrize("paths", [("later", "now", "later"), ("now", "later", "now")])
async def test_pipelined_requests_are_answered_in_order(paths: tuple[str, ...]) -> None:
    request = (
        "POST /direct/{} HTTP/1.1\r\nhost: x\r\ncontent-type: t\r\ncontent-length: 1\r\n\r\n{}"
    )
    data = "".join(request.format(path, i) for i, path in enumerate(paths))
    async with running(direct_app, direct=Echo()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data.encode())
        for i, path in enumerate(paths):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            length = int(head.split(b"content-length: ")[1].split()[0])
            assert await reader.readexactly(length) == f"/direct/{path} t {i}".encode()
        writer.close()


async def test_a_stop_answers_what_is_in_work() -> None:
    stop, port = Stop(), asyncio.get_running_loop().create_future()
    task = asyncio.ensure_future(
        serve(direct_app, stop=stop, direct=Echo(), on_ready=port.set_result)
    )
    async with client(f"http://127.0.0.1:{await port}") as http:
        asking = asyncio.ensure_future(http.post("/direct/later", content=b"x"))
        await asyncio.sleep(0.02)
        stop.set()
        assert (await asking).status_code == 202
        await task
        with pytest.raises(httpx.HTTPError):
            await http.post("/direct/now", content=b"x")
