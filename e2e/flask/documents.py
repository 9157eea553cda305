"""The Python of the documents, executed as it stands there: {"talk": [...], "app": [...], "queue": [...]} on standard input."""
import json
import os
import sys

import flask
import flask_socketio
import redis
from threading import Lock

blocks = json.load(sys.stdin)
names = {'Lock': Lock, '__name__': __name__}
names.update((name, getattr(flask, name)) for name in 'Flask session request copy_current_request_context'.split())
names.update((name, getattr(flask_socketio, name)) for name in
             'SocketIO emit join_room leave_room close_room rooms disconnect'.split())
for block in blocks['app']:
    exec(block, names)
app, socketio = names['app'], names['socketio']
app.secret_key = 'secret'

started = []
socketio.start_background_task = started.append  # it never ends


def expect(client, *want):
    got = [(e['name'], e['args']) for e in client.get_received()]
    assert got == list(want), got


def response(data, count):
    return 'my_response', [{'data': data, 'count': count}]


ann = socketio.test_client(app)
bob = socketio.test_client(app)
assert started == [names['background']]
for client in ann, bob:
    expect(client, response('Connected', 0))
ann.emit('my_event', {'data': 'hello'})
expect(ann, response('hello', 1))
ann.emit('my_broadcast_event', {'data': 'all'})
for client in ann, bob:
    expect(client, response('all', 2))
for client in ann, bob:
    client.emit('join', {'room': 'den'})
    [(name, [message])] = [(e['name'], e['args']) for e in client.get_received()]
    assert name == 'my_response' and message['data'].startswith('In rooms: ') and 'den' in message['data']
ann.emit('my_room_event', {'room': 'den', 'data': 'hi'})
for client in ann, bob:
    expect(client, response('hi', 4))
bob.emit('leave', {'room': 'den'})
[left] = bob.get_received()
assert 'den' not in left['args'][0]['data']
ann.emit('close_room', {'room': 'den'})
expect(ann, response('Room den is closing.', 5))
ann.emit('my_room_event', {'room': 'den', 'data': 'hi'})
expect(ann)
ann.emit('another', {'data': 1})
expect(ann, response(['another', {'data': 1}], 7))
ann.emit('my_ping')
expect(ann, ('my_pong', []))
ann.emit('disconnect_request')
expect(ann, response('Disconnected!', 8))
bob.disconnect()

# The small app.
talk = {'__name__': 'talk', 'print': lambda *words: None}
exec(blocks['talk'][0], talk)


def visit(**auth):
    return talk['socketio'].test_client(talk['app'], auth=auth)


assert not visit().is_connected()
ann, bob = visit(name='ann'), visit(name='bob')
for client in ann, bob:
    client.emit('join', 'den')
expect(ann, ('joined', ['ann']), ('joined', ['bob']))
expect(bob, ('joined', ['bob']))
ann.emit('say', 'den', 'hello')
for client in ann, bob:
    expect(client, ('said', [{'name': 'ann', 'text': 'hello'}]))
assert ann.emit('add', 1, 2, callback=True) == 3
ann.disconnect()

# Its background task, for one round.
rounds = []


class Enough(Exception):
    pass


def sleep(seconds):
    if rounds:
        raise Enough
    rounds.append(seconds)


eve = socketio.test_client(app)
eve.get_received()
socketio.sleep = sleep
try:
    names['background']()
except Enough:
    pass
assert rounds == [10]
expect(eve, response('Server generated event', 1))

# What is emitted goes to the default channel.
url = os.environ['MESSAGE_QUEUE']
listener = redis.Redis.from_url(url).pubsub()
listener.subscribe('flask-socketio')
assert listener.get_message(timeout=10)['type'] == 'subscribe'
for block in blocks['queue']:
    assert 'redis://localhost:6379' in block
    exec(block.replace('redis://localhost:6379', url), names)
names['socketio'].emit('news', 'hello')
message = listener.get_message(timeout=10)
assert json.loads(message['data'])['event'] == 'news', message
os._exit(0)  # the listener of the queue is not a daemon
