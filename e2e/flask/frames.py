"""Python's websockets says frame by frame what it likes to an Engine.IO server that echoes messages.

Arguments: the URL, and "deflate" or "plain"."""

import asyncio
import ssl
import sys

import websockets

URL, MODE = sys.argv[1:]


async def connect():
    context = None
    if URL.startswith("wss"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    ws = await websockets.connect(URL, ssl=context, max_size=None, compression="deflate" if MODE == "deflate" else None)
    assert (await ws.recv()).startswith("0{")
    assert bool(ws.extensions) == (MODE == "deflate"), ws.extensions
    return ws


async def echo(ws, parts):
    await ws.send(parts)
    got = await ws.recv()
    want = parts if isinstance(parts, (str, bytes)) else parts[0][:0].join(parts)
    assert got == want, (got[:50], want[:50], len(got), len(want))


async def closes(ws, code, reason=""):
    try:
        while True:
            await ws.recv()
    except websockets.ConnectionClosed:
        pass
    assert (ws.close_code, ws.close_reason) == (code, reason) or (ws.close_code == code == 1002), (ws.close_code, ws.close_reason, code)


async def slowly(parts):
    for part in parts:
        await asyncio.sleep(0.001)
        yield part


async def main():
    ws = await connect()
    await echo(ws, "4hello")
    await echo(ws, ["4he", "", "llo"])
    await echo(ws, list("4größer €\U0001f600 κόσμε"))
    await echo(ws, [b"\xff", b"", b"\x80" * 70_000])
    await echo(ws, ["4"] + ["x" * 4096] * 100)
    await echo(ws, ["4", "x" * 900_000])
    await ws.send(slowly(list("4one byte after the other")))
    for _ in range(10):  # between its fragments
        await (await ws.ping(b"p" * 125))
    assert await ws.recv() == "4one byte after the other"
    for size in (125, 126, 127, 4090, 65_535, 65_536, 999_999):
        await echo(ws, "4" + "x" * (size - 1))
        await echo(ws, b"\xfe" * size)
    await ws.close(4321, "größer")
    assert (ws.close_code, ws.close_reason) == (4321, "größer"), (ws.close_code, ws.close_reason)

    for message, code in (("4close", 1005), ("4shutdown", 1001)):
        ws = await connect()
        await ws.send(message)
        await closes(ws, code)
    for size in (1_000_001, 5_000_000):
        ws = await connect()
        try:
            await ws.send(b"x" * size)
        except websockets.ConnectionClosed:
            pass
        await closes(ws, 1009)
    for code, frames in (
        (1007, [(True, 1, b"4\xc0\xaf")]),
        (1007, [(False, 1, b"4\xf0\x9f"), (True, 9, b"ping"), (True, 0, b"\x98")]),
        (1002, [(True, 0, b"4")]),
        (1002, [(False, 1, b"4"), (True, 1, b"4")]),
        (1002, [(True, 8, b"\x03\xed")]),
        (1007, [(True, 8, b"\x03\xe8\xff")]),
    ):
        # The server's library does not check reasons, and this one cannot compress a continuation of nothing.
        if MODE == "deflate" and frames[0] in ((True, 8, b"\x03\xe8\xff"), (True, 0, b"4")):
            continue
        ws = await connect()
        for fin, op, data in frames:
            await ws.write_frame(fin, op, data)
        await closes(ws, code)


asyncio.run(main())
