"""A process without clients that emits to those of all servers of MESSAGE_QUEUE.

Each line of its input is an operation, as JSON; it answers with a line, which is
empty, or the error.
"""
import json
import os
import sys

from flask_socketio import SocketIO

socketio = SocketIO(message_queue=os.environ['MESSAGE_QUEUE'])


def carry_out(op, namespace, sid=None, room=None, event=None, args=(), data=None, **options):
    if op == 'emit':
        socketio.emit(event, tuple(args), namespace=namespace, **options)
    elif op == 'send':
        socketio.send(data, namespace=namespace, **options)
    elif op == 'close':
        socketio.close_room(room, namespace)
    elif op == 'join':
        socketio.server.enter_room(sid, room, namespace)
    elif op == 'leave':
        socketio.server.leave_room(sid, room, namespace)
    elif op == 'disconnect':
        socketio.server.disconnect(sid, namespace)
    else:
        raise ValueError(op)


def binary(value):
    """Bytes are written as {"base16": "00ff"}."""
    return bytes.fromhex(value['base16']) if list(value) == ['base16'] else value


for line in sys.stdin:
    try:
        carry_out(**json.loads(line, object_hook=binary))
        print(flush=True)
    except Exception as e:
        print(repr(e), flush=True)
