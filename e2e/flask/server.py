"""The app of the side-by-side check, on Flask-SocketIO. flask_app_test.go is the same app in Go.

It prints the URLs of its two servers, the main one and one with
always_connect, then the version of Flask-SocketIO, and ends with its input.
MESSAGE_QUEUE connects the main one with the servers of a message queue.
"""
import os
import sys
import threading
from importlib.metadata import version

try:
    import simple_websocket  # noqa: F401
except ImportError:
    import wsproto_websocket
    wsproto_websocket.install()

from flask import Flask, jsonify, request, session
from flask_socketio import (ConnectionRefusedError, Namespace, SocketIO, call, close_room,
                            disconnect, emit, join_room, leave_room, rooms, send)
from werkzeug.serving import WSGIRequestHandler, make_server


class Journal:
    """What the server's side saw, kept apart for each scenario: the handshake's query names it."""

    def __init__(self):
        self.entries = {}

    def add(self, *entry):
        self.entries.setdefault(request.args.get('scenario'), []).append(entry)


class Gates:
    """Where handlers wait until the client opens the gate of the scenario."""

    def __init__(self):
        self.lock = threading.Lock()
        self.events = {}
        self.waiting = set()  # threads

    def event(self):
        with self.lock:
            return self.events.setdefault(request.args.get('scenario'), threading.Event())

    def wait(self):
        gate, thread = self.event(), threading.current_thread()
        self.waiting.add(thread)
        gate.wait()
        self.waiting.discard(thread)

    def others_end(self):
        """Waits for the handlers that have started, except those at a gate."""
        for thread in threading.enumerate():
            if '_handle_event_internal' not in thread.name:
                continue
            while thread.is_alive() and thread not in self.waiting:
                thread.join(0.01)


journal, gates = Journal(), Gates()


def new_app(always_connect, message_queue=None):
    app = Flask(__name__)
    app.secret_key = 'side by side'
    socketio = SocketIO(app, async_mode='threading', always_connect=always_connect,
                        namespaces=['/', '/any'], message_queue=message_queue)
    for namespace in '/', '/chat', '/other':
        lifecycle(socketio, namespace)
        messages(socketio, namespace)
        membership(socketio, namespace)
        questions(socketio, namespace)
        values(socketio, namespace)
    for namespace in '/auth', '/handled':
        admission(socketio, namespace)
        values(socketio, namespace)
    error_handlers(socketio, with_default=always_connect)
    catch_alls(socketio)
    socketio.on_namespace(Class('/class'))
    socketio.on_namespace(Mixed('/mixed'))
    socketio.on_event('function', lambda *args: ('function', *args), namespace='/mixed')
    routes(app, socketio)
    return app


def lifecycle(socketio, namespace):
    @socketio.on('disconnect', namespace=namespace)
    def on_disconnect(reason=None):
        others = sorted(r for r in rooms() if r != request.sid)
        journal.add('disconnect', namespace, request.sid, others)
        if 'reasons' in request.args:
            journal.add('reason', reason)
        emit('left', request.sid, to='watchers of ' + request.args['scenario'])

    @socketio.on('sync', namespace=namespace)
    def sync(*args):
        pass

    @socketio.on('kick', namespace=namespace)
    def kick(sid=None):
        emit('last words', to=sid)
        disconnect(sid)
        return 'kicked'

    @socketio.on('where', namespace=namespace)
    def where():
        return request.namespace, request.sid, request.args.getlist('q'), request.headers.get('X-Test', '')


def spec_of(spec):
    """The arguments of a call of emit, as the client wrote them."""
    return spec['event'], tuple(spec.get('args', ()))


def options_of(spec, *names):
    return {name: spec[name] for name in names if name in spec}


def messages(socketio, namespace):
    @socketio.on('emit', namespace=namespace)
    def on_emit(spec):
        emit(*spec_of(spec), **options_of(spec, 'to', 'broadcast', 'include_self', 'skip_sid', 'namespace'))

    @socketio.on('server emit', namespace=namespace)
    def on_server_emit(spec):
        socketio.emit(*spec_of(spec), **options_of({'namespace': namespace, **spec}, 'to', 'skip_sid', 'namespace'))

    @socketio.on('send', namespace=namespace)
    def on_send(spec):
        send(spec['data'], **options_of(spec, 'json', 'to', 'broadcast', 'include_self', 'skip_sid'))

    @socketio.on('message', namespace=namespace)
    def on_message(data):
        send(data, broadcast=True)

    @socketio.on('json', namespace=namespace)
    def on_json(data):
        send(data, json=True, broadcast=True)

    @socketio.on('echo', namespace=namespace)
    def echo(*args):
        emit('echo', args)

    @socketio.on('burst', namespace=namespace)
    def burst(n):
        for i in range(n):
            emit('burst', i)

    @socketio.on('large', namespace=namespace)
    def large(data, n):
        emit('large', ('y' * n, b'\xcd' * n))
        return len(data)

    @socketio.on('task', namespace=namespace)
    def task(spec):
        def work():
            socketio.emit(*spec_of(spec), namespace=namespace)
        socketio.start_background_task(work)


def membership(socketio, namespace):
    @socketio.on('join', namespace=namespace)
    def join(room, sid=None):
        join_room(room, sid=sid)

    @socketio.on('leave', namespace=namespace)
    def leave(room, sid=None):
        leave_room(room, sid=sid)

    @socketio.on('close', namespace=namespace)
    def close(room):
        close_room(room)

    @socketio.on('rooms', namespace=namespace)
    def on_rooms(sid=None):
        return rooms(sid)


def questions(socketio, namespace):
    @socketio.on('ask', namespace=namespace)
    def ask(spec):
        def answered(*args):
            emit('answered', args)
        emit(*spec_of(spec), callback=answered, **options_of(spec, 'to', 'broadcast'))

    @socketio.on('call', namespace=namespace)
    def on_call(spec):
        try:
            answer = call(*spec_of(spec), **options_of(spec, 'to', 'timeout'))
        except Exception:
            return 'no answer'
        if answer is None:
            answer = ()
        elif not isinstance(answer, tuple):
            answer = answer,
        return 'answer', list(answer)

    @socketio.on('slow', namespace=namespace)
    def slow():
        journal.add('slow')
        gates.wait()
        return any(e[0] == 'fast' for e in journal.entries[request.args['scenario']])

    @socketio.on('fast', namespace=namespace)
    def fast():
        journal.add('fast')


RESULTS = {
    'nothing': None,
    'one': 'one',
    'several': (1, 'two', True, None, 2.5),
    'empty tuple': (),
    'list': [1, [2, []]],
    'dict': {'a': {'b': [None]}},
    'zero': 0,
    'false': False,
    'empty': '',
    'bytes': b'\x00\x01\xff',
    'nested bytes': ({'a': [b'one', {'b': b'two'}], 'c': 'three'}, b''),
    'unicode': 'é ␞ \0 😀 \u2028 "\\',
    'nulls': (None, None),
}


def values(socketio, namespace):
    @socketio.on('return', namespace=namespace)
    def on_return(kind):
        return RESULTS[kind]

    @socketio.on('same', namespace=namespace)
    def same(*args):
        return args

    @socketio.on('raise', namespace=namespace)
    def on_raise(message, *args):
        raise ValueError(message)

    @socketio.on('panic', namespace=namespace)
    def panic():
        return [][1]

    @socketio.on('set', namespace=namespace)
    def on_set(key, value):
        session[key] = value

    @socketio.on('get', namespace=namespace)
    def get(key):
        return session.get(key)


def admission(socketio, namespace):
    @socketio.on('connect', namespace=namespace)
    def connect(auth):
        journal.add('connect', auth)
        how = auth.get('how') if isinstance(auth, dict) else None
        if auth and 'join' in auth:
            join_room(auth['join'])
        if auth and 'emit' in auth:
            emit(*spec_of(auth['emit']), **options_of(auth['emit'], 'to', 'broadcast'))
        if auth and 'wait' in auth:
            gates.wait()
        if how == 'false':
            return False
        if how == 'refuse':
            raise ConnectionRefusedError(*auth['with'])
        if how == 'raise':
            raise ValueError('a detail')
        if how == 'disconnect':
            disconnect()

    @socketio.on('disconnect', namespace=namespace)
    def on_disconnect(reason=None):
        journal.add('disconnect', namespace)
        if 'raise' in request.args:
            raise ValueError('in the disconnect handler')

    @socketio.on('sync', namespace=namespace)
    def sync(*args):
        pass

    @socketio.on('raise twice', namespace=namespace)
    def raise_twice():
        raise ValueError('twice')


def error_handlers(socketio, with_default):
    @socketio.on_error('/handled')
    def on_error(e):
        event = request.event['message']
        journal.add('error', event)
        if event == 'connect':
            return request.args.get('verdict') != 'refuse' and 'accepted'
        if event == 'raise twice':
            raise e
        if event == 'panic':
            return {'handled': event}
        return 'handled', str(e), event, list(request.event['args'])

    if with_default:
        @socketio.on_error_default
        def on_error_default(e):
            return 'default', str(e)


def catch_alls(socketio):
    @socketio.on('known', namespace='/catch')
    def known(*args):
        emit('known', args)
        return 'known', *args

    @socketio.on('*', namespace='/catch')
    def catch_all(event, *args):
        emit('caught', (event, *args))
        return event, *args

    @socketio.on('star', namespace='*')
    def star(*args):
        emit('star', args)
        return request.namespace, *args

    @socketio.on('known', namespace='*')
    def unreachable(*args):
        return 'the handler of the namespace * was called'


class Class(Namespace):
    def on_connect(self, auth):
        journal.add('connect', auth)

    def on_disconnect(self, reason=None):
        journal.add('disconnect', request.sid)

    def on_sync(self):
        pass

    def on_my_event(self, *args):
        emit('my_event', args)
        return args

    def on_star(self, *args):
        return 'method', *args

    def on_join(self, room):
        join_room(room)

    def on_tell_all(self, text):
        self.emit('told', text)

    def on_tell_room(self, room, text):
        self.send(text, room=room)

    def on_message(self, text):
        send(text)

    def on_kick(self):
        disconnect()


class Mixed(Namespace):
    def on_function(self, *args):
        return 'method', *args

    def on_method(self, *args):
        return 'method', *args


def routes(app, socketio):
    def options():
        return request.get_json(silent=True) or {}

    @app.get('/journal')
    def get_journal():
        return jsonify(journal.entries.get(request.args['scenario'], []))

    @app.post('/idle')
    def idle():
        gates.others_end()
        return jsonify(None)

    @app.post('/open')
    def open_gate():
        gates.others_end()
        gates.event().set()
        return jsonify(None)

    @app.post('/emit')
    def http_emit():
        spec = options()
        socketio.emit(*spec_of(spec), **options_of(spec, 'to', 'skip_sid', 'namespace'))
        return jsonify(None)

    @app.post('/send')
    def http_send():
        socketio.send(options()['data'], **options_of(options(), 'json', 'to', 'namespace'))
        return jsonify(None)

    @app.post('/join')
    def http_join():
        socketio.server.enter_room(options()['sid'], options()['room'], options().get('namespace', '/'))
        return jsonify(None)

    @app.post('/close')
    def http_close():
        socketio.close_room(options()['room'], options().get('namespace', '/'))
        return jsonify(None)

    @app.post('/disconnect')
    def http_disconnect():
        socketio.server.disconnect(options()['sid'], options().get('namespace', '/'))
        return jsonify(None)

    @app.post('/members')
    def members():
        namespace, room = options().get('namespace', '/'), options().get('room')
        try:
            return jsonify(sorted(sid for sid, _ in socketio.server.manager.get_participants(namespace, room)))
        except KeyError:  # an empty namespace
            return jsonify([])

    @app.post('/sessions')
    def sessions():
        return jsonify(len(socketio.server.environ))

    @app.post('/login')
    def login():
        session['name'] = options()['name']
        return jsonify(None)

    @app.post('/whoami')
    def whoami():
        return jsonify(session.get('name'))


class QuietHandler(WSGIRequestHandler):
    def log_request(self, *args):
        pass


def main():
    for app in new_app(False, os.environ.get('MESSAGE_QUEUE')), new_app(True):
        server = make_server('127.0.0.1', 0, app, threaded=True, request_handler=QuietHandler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f'http://127.0.0.1:{server.port}', flush=True)
    print(version('flask-socketio'), flush=True)
    sys.stdin.read()


if __name__ == '__main__':
    main()
    os._exit(0)  # threads of clients that are still connected are no reason to stay
