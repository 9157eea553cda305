"""The client of python-socketio goes through what node/old-list.js has other clients do: URL, sync or asyncio, transport."""
import asyncio
import logging
import sys
import threading

import socketio
from engineio.payload import Payload

logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # the client leaves its HTTP sessions open at the end, which asyncio reports
Payload.max_decode_packets = 1000  # over polling the client gives up at the seventeenth packet of an answer
url, kind, transport = sys.argv[1:]
transports = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": ["polling", "websocket"]}[transport]
TEXT = "é€😀 \n \u2028"


def same(got, want, what):
    assert got == want, f"{what}: {got!r:.200}, not {want!r:.200}"


class Received:
    """What came for each event, for a test that waits in either way."""

    def __init__(self, event):
        self.new, self.all = event, {}

    def note(self, name):
        def handler(*args):
            self.all.setdefault(name, []).append(args)
            self.new.set()
        return handler


def script(client):
    """The steps, in order: what is yielded is called, and waited for; what it returns is sent back."""
    yield client.connect(url + "/?token=abc", auth={"test": "123"}, transports=transports, namespaces=["/", "/chat"])
    same((yield ("welcome", 1))[0][1], "abc", "the query of the connection")
    same((yield ("chat welcome", 1))[0][1], {"test": "123"}, "auth")
    same((yield client.call("echo", (TEXT, 1, None, {"a": [True]}))), (TEXT, 1, None, {"a": [True]}), "an echo")
    same((yield client.call("echo", {"data": b"\x00\xff\x04" * 100})), {"data": b"\x00\xff\x04" * 100}, "binary data")
    same((yield client.call("echo", 7, namespace="/chat")), 7, "an echo in a namespace")
    yield client.emit("ask", TEXT)
    same((yield ("answered", 1))[0], (TEXT + "!", b"\x01\x02\x03\x04"), "an answer to the server")
    for i in range(200):
        yield client.emit("number", i)
    numbers = yield ("number", 200)
    if kind == "sync":  # each event has a thread of its own there
        numbers = sorted(numbers)
    same(numbers, [(i,) for i in range(200)], "the order of events")
    same((yield client.call("size", "y" * 400000)), 400000, "a large message")
    same((yield client.call("size", bytes(100000))), 100000, "large binary data")
    same((yield client.call("make", 600000)), "z" * 600000, "a large answer")
    same((yield client.call("make binary", 300000)), bytes(300000), "a large binary answer")
    yield client.call("join and shout")
    same((yield ("news", 1))[0], ("näws", b"\x01\x02\x03"), "a broadcast")
    yield client.sleep(1.5)  # several heartbeats
    same((yield client.call("echo", "alive")), "alive", "an echo after some heartbeats")
    yield client.emit("go", namespace="/chat")
    yield ("chat disconnect", 1)
    same(client.connected, True, "the rest of the connection")
    yield client.disconnect()


def listen(client, received, question):
    for name in ("welcome", "answered", "number", "news"):
        client.on(name, received.note(name))
    for name in ("welcome", "disconnect"):
        client.on(name, received.note("chat " + name), namespace="/chat")
    client.on("question", question)


REFUSALS = (("/deny", "denied"), ("/data", {"message": "denied", "data": {"code": 7}}), ("/nowhere", "Invalid namespace"))


def refusal(got, want, namespace):
    got = got[0][0]
    if isinstance(got, dict) and isinstance(want, str):
        got = got["message"]
    same(got, want, "the refusal by " + namespace)


def run_sync():
    client = socketio.Client(reconnection=False)
    received = Received(threading.Event())
    listen(client, received, lambda q, data: (q + "!", data))

    class Calls:
        """client, with its calls put off until the script has yielded them."""
        connected = property(lambda self: client.connected)

        def __getattr__(self, name):
            return lambda *args, **kwargs: lambda: getattr(client, name)(*args, **kwargs)

    steps, answer = script(Calls()), None
    try:
        while True:
            step = steps.send(answer)
            if callable(step):
                answer = step()
                continue
            while len(received.all.get(step[0], [])) < step[1]:
                received.new.clear()
                if len(received.all.get(step[0], [])) < step[1]:
                    assert received.new.wait(20), step
            answer = received.all[step[0]]
    except StopIteration:
        pass
    for namespace, want in REFUSALS:
        refused = Received(threading.Event())
        other = socketio.Client(reconnection=False)
        other.on("connect_error", refused.note("error"), namespace=namespace)
        try:
            other.connect(url, transports=transports, namespaces=[namespace])
            raise AssertionError("not refused")
        except socketio.exceptions.ConnectionError:
            refusal(refused.all["error"], want, namespace)


async def run_asyncio():
    client = socketio.AsyncClient(reconnection=False)
    received = Received(asyncio.Event())

    async def question(q, data):
        return q + "!", data

    listen(client, received, question)
    steps, answer = script(client), None
    try:
        while True:
            step = steps.send(answer)
            if asyncio.iscoroutine(step):
                answer = await step
                continue
            while len(received.all.get(step[0], [])) < step[1]:
                received.new.clear()
                await asyncio.wait_for(received.new.wait(), 20)
            answer = received.all[step[0]]
    except StopIteration:
        pass
    for namespace, want in REFUSALS:
        refused = Received(asyncio.Event())
        other = socketio.AsyncClient(reconnection=False)
        other.on("connect_error", refused.note("error"), namespace=namespace)
        try:
            await other.connect(url, transports=transports, namespaces=[namespace])
            raise AssertionError("not refused")
        except socketio.exceptions.ConnectionError:
            refusal(refused.all["error"], want, namespace)


run_sync() if kind == "sync" else asyncio.run(run_asyncio())
