"""Flask-SocketIO, every option at its default but the logs.

The server is eventlet if that is installed, which is what Flask-SocketIO itself
prefers, and Werkzeug's with threads if not, which has WebSocket only together
with the package simple-websocket. BENCH_REDIS is the URL of a Redis, if there are
several servers.
"""

import ctypes
import gc
import os
import platform
import sys
from importlib.metadata import version

try:
    import eventlet
    import eventlet.wsgi
except ImportError:
    eventlet = None

fleet = os.environ.get("BENCH_REDIS")
if eventlet:
    threading = eventlet.patcher.original("threading")  # for commands, which block
    if fleet:
        eventlet.monkey_patch()  # as Redis needs
else:
    import threading

from flask import Flask
from flask_socketio import SocketIO, emit, join_room

app = Flask(__name__)
sio = SocketIO(app, async_mode="eventlet" if eventlet else "threading", message_queue=fleet)


@sio.on("echo")
def echo(s):
    return s


@sio.on("json")
def echo_json(order):
    return order


@sio.on("binary")
def binary(b):
    return b


@sio.on("join")
def join(room):
    join_room(room)


@sio.on("broadcast")
def broadcast(s):
    emit("msg", s, broadcast=True)


@sio.on("room")
def room(name, s):
    emit("msg", s, to=name)


def obey():
    """Obeys commands until the end of the input; runs in a thread of its own."""
    for line in sys.stdin:
        if line.strip() == "gc":
            gc.collect()
            ctypes.CDLL(None).malloc_trim(0)
            print("ok", flush=True)
        else:
            print("error unknown command", line.strip(), flush=True)
    os._exit(0)


def announce(port):
    packages = ["flask-socketio", "python-socketio", "python-engineio"]
    packages.append("eventlet" if eventlet else "werkzeug")
    if fleet:
        packages.append("redis")
    versions = ", ".join(f"{p} {version(p)}" for p in packages)
    print(f"version {versions}, Python {platform.python_version()}")
    print(f"listening 127.0.0.1:{port}", flush=True)
    threading.Thread(target=obey, daemon=True).start()


if eventlet:
    listener = eventlet.listen(("127.0.0.1", 0), backlog=4096)
    announce(listener.getsockname()[1])
    eventlet.wsgi.server(listener, app, max_size=30000, log_output=False)
else:
    from logging import getLogger

    from werkzeug.serving import make_server

    getLogger("werkzeug").disabled = True
    server = make_server("127.0.0.1", 0, app, threaded=True)
    announce(server.server_port)
    server.serve_forever()
