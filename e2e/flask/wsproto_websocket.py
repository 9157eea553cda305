"""WebSocket connections for Engine.IO's threading mode, on wsproto.

python-engineio asks the module simple_websocket for them, which not every
release of Debian has; wsproto, on which it stands, they all have. install()
puts the two names that python-engineio needs in its place.
"""
import socket
import sys
import threading
import types

from wsproto import ConnectionType, WSConnection
from wsproto.events import (AcceptConnection, BytesMessage, CloseConnection, Message, Ping, Request,
                            TextMessage)


class ConnectionClosed(Exception):
    """The connection has ended."""


class Server:
    """One WebSocket connection of a Werkzeug server. One thread receives, any may send."""

    def __init__(self, environ):
        self.sock = environ['werkzeug.socket']
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lock = threading.Lock()  # of the protocol's state and of writing
        self.open = True
        self.received = []  # whole messages
        self.parts = []     # of the message that is arriving
        self.ws = WSConnection(ConnectionType.SERVER)
        headers = [(name[5:].replace('_', '-').encode('latin-1'), value.encode('latin-1'))
                   for name, value in environ.items() if name.startswith('HTTP_')]
        self.ws.initiate_upgrade_connection(headers, environ['PATH_INFO'])
        self._handle_events()

    def send(self, data):
        with self.lock:
            if not self.open:
                raise ConnectionClosed()
            self._write(Message(data=data if isinstance(data, bytes) else str(data)))

    def receive(self):
        while not self.received:
            try:
                data = self.sock.recv(65536) if self.open else b''
            except OSError:
                data = b''
            if not data:
                self._end()
                raise ConnectionClosed()
            self._handle_events(data)
        return self.received.pop(0)

    def close(self):
        with self.lock:
            if self.open:
                self._write(CloseConnection(code=1000))
        self._end()

    def _write(self, event):
        try:
            self.sock.sendall(self.ws.send(event))
        except OSError as e:
            self.open = False
            raise ConnectionClosed() from e

    def _end(self):
        self.open = False
        try:
            # Werkzeug would write an HTTP response after the frames otherwise.
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _handle_events(self, data=b''):
        with self.lock:
            if data:
                self.ws.receive_data(data)
            for event in self.ws.events():
                if isinstance(event, Request):
                    self._write(AcceptConnection())
                elif isinstance(event, Ping):
                    self._write(event.response())
                elif isinstance(event, CloseConnection):
                    if self.open:
                        self._write(event.response())
                    self.open = False
                elif isinstance(event, (TextMessage, BytesMessage)):
                    self.parts.append(event.data)
                    if event.message_finished:
                        empty = '' if isinstance(event, TextMessage) else b''
                        self.received.append(empty.join(self.parts))
                        self.parts = []


def install():
    """Let python-engineio find this module as simple_websocket."""
    module = types.ModuleType('simple_websocket')
    module.Server, module.ConnectionClosed = Server, ConnectionClosed
    sys.modules['simple_websocket'] = module
