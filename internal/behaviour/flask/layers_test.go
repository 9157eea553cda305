package flask_test

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/behaviour"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

const noQueue = "this package has no message queue"

// pythonBehaviours are those of python-socketio's server that its tests check.
var pythonBehaviours = []behaviour.Row{
	{"P01", "the CONNECT packet carries the sid", "TestConnectWithAuth", "the manager that is initialized once is python-socketio's"},
	{"P02", "connect handlers with and without the auth argument", "TestConnectPayloads TestRegistrationPanics", "the shape is known when registered, nothing is tried out"},
	{"P03", "a second CONNECT for a namespace", "TestConnectTwice", "it closes the connection, as the reference server does"},
	{"P04", "accepted namespaces: / alone, a list, all", "TestUnknownNamespace TestAnyNamespace TestDefectT08_NamespacesAreNotSubstrings", ""},
	{"P05", "what a refused client reads, with always_connect too", "TestConnectRefusals TestAlwaysConnect", ""},
	{"P06", "a refused client's connection and request stay", "TestFlaskPython/P06", ""},
	{"P07", "disconnect: the engine's reason, and other namespaces stay", "TestDisconnectReasons TestNamespacesLeaveTogether TestReconnectInNamespace", ""},
	{"P08", "the precedence of catch-all handlers", "TestDispatchPrecedence", ""},
	{"P09", "events in namespaces the client is not in", "TestProtocolViolations TestReconnectInNamespace", "a namespace never joined is a violation, one just left is ignored"},
	{"P10", "binary events and acknowledgements, attachments by number", "TestHandlerShapes TestAckFromReturnValue TestOnAck TestProtocolViolations", ""},
	{"P11", "return values as acknowledgements, none for unknown events", "TestAckFromReturnValue TestUnknownEvent", ""},
	{"P12", "packet types that clients do not send", "TestProtocolViolations", ""},
	{"P13", "sessions", "TestSession", "the namespaces of a connection share one, as with Flask-SocketIO"},
	{"P14", "disconnecting twice; a partial packet is dropped", "TestDisconnectReasons TestFlaskPython/P14", ""},
	{"P15", "class-based namespaces, one object for all, also for *", "TestRegister TestRegisterPanics TestDispatchPrecedence", ""},
	{"P16", "the handshake request of a sid", "TestContextCarriesRequest TestRoomErrors", ""},
	{"P17", "call: timeout, several clients, inside handlers", "TestCall TestCallErrors TestCallSeveral", "the timeout is that of a context"},
	{"P18", "a custom JSON module", "TestCustomJSON TestFlaskPython/P18", "it is the server's, not the process's"},
	{"P19", "msgpack", "msgpack.TestServer msgpack.TestEncodesAsPythonSocketIO socketiotest.TestParser", ""},
	{"P20", "the list of those who are about to leave", "TestDisconnectReasons", "it is the state of a Socket"},
	{"P21", "empty namespaces and rooms vanish", "TestRooms TestConnectRefusals TestDisconnectReasons", ""},
	{"P22", "callbacks are forgotten with the client", "TestOnAck", ""},
	{"P23", "unknown acknowledgements are ignored", "TestOnAck", ""},
	{"P24", "rooms and namespaces that do not exist", "TestRooms TestRoomErrors", ""},
	{"P25", "several rooms: each client once", "TestRecipients", "the order of recipients is nobody's business"},
	{"P26", "one packet for all recipients", "TestFlaskPython/P26", ""},
	{"P27", "one and several skipped clients", "TestRecipients", ""},
	{"P28", "how data becomes arguments", "TestEmitData", "several arguments are Args; Go has no tuples to confuse with lists"},
	{"P29", "messages of the queue", "", noQueue},
	{"P30", "callbacks without a server or a room", "TestOnAck", "a broadcast may have one"},
	{"P31", "ignore_queue publishes nothing", "TestRecipients", noQueue + ", so that Local changes nothing"},
	{"P32", "the queue and clients of others", "", noQueue},
	{"P33", "old messages of the queue", "", noQueue},
	{"P34", "callbacks through the queue", "", noQueue},
	{"P35", "callbacks of other hosts", "", noQueue},
	{"P36", "the listener of the queue", "", noQueue},
	{"P37", "the queue's JSON module", "", noQueue},
	{"P38", "URLs of queues", "", noQueue},
	{"P39", "odd packets: dashes, ids, attachment counts, queries", "parser.TestDecode parser.TestDecodeRefuses parser.TestLimits TestConnectQuery TestFlaskPython/P39", ""},
	{"P40", "the admin namespace", "", "this package has none"},
}

// engineBehaviours are those of python-engineio's server that its tests check.
var engineBehaviours = []behaviour.Row{
	{"E01", "ids are unique", "TestFlaskEngine/E01", ""},
	{"E02", "the handshake's content", "engineio.TestHandshakeDefaults engineio.TestHandshakeValues engineio.TestHandshakeAnswer", ""},
	{"E03", "other versions are refused", "engineio.TestRefusals", ""},
	{"E04", "a handshake whose answer cannot be made", "engineio.TestOnConnectPanics engineio.TestOnConnectCloses", ""},
	{"E05", "WebSocket without Upgrade, in any case; no session is left", "engineio.TestRefusals TestFlaskEngine/E05 engineio.TestClientVanishes", ""},
	{"E06", "origins", "engineio.TestOrigins engineio.TestPreflight engineio.TestDisableCredentials", ""},
	{"E07", "a connect handler that refuses", "engineio.TestOnConnectRefuses TestSessionSeedPanics", ""},
	{"E08", "other methods", "engineio.TestRefusals engineio.TestRefusalAllow", ""},
	{"E09", "unknown sessions, and the wrong transport", "engineio.TestRefusals", ""},
	{"E10", "faulty requests end the session, with an answer", "engineio.TestPostWithAFaultyPacket engineio.TestRequestsAfterTheEnd", ""},
	{"E11", "HTTP compression", "engineio.TestHTTPCompression", ""},
	{"E12", "cookies", "engineio.TestCookie", "attributes are those of http.Cookie"},
	{"E13", "unknown transports", "engineio.TestNewServerRefusesBadOptions TestNewServerPanics", ""},
	{"E14", "shutdown", "engineio.TestShutdown TestShutdown", ""},
	{"E15", "a poll takes all that waits; the end comes with the next", "engineio.TestPollPayload engineio.TestServerClosesWithoutAPoll", ""},
	{"E16", "one ping at a time, none after the end", "engineio.TestHeartbeatOverPolling engineio.TestHeartbeatOverWebSocket", ""},
	{"E17", "ping timeout", "engineio.TestPingTimeout engineio.TestPongAtTheLastMoment", ""},
	{"E18", "too much in one request", "engineio.TestMaxPayload engineio.TestPostChunked", ""},
	{"E19", "upgrades out of turn", "engineio.TestSecondWebSocket engineio.TestProbeErrors engineio.TestHarmlessFrames", ""},
	{"E20", "what waits during an upgrade", "engineio.TestUpgradeStepByStep engineio.TestNothingIsLostInAnUpgrade", ""},
	{"E21", "unknown packets and read errors on a WebSocket", "engineio.TestFaultyFrames engineio.TestHarmlessFrames engineio.TestNetworkFails", "unknown types close the connection"},
	{"E22", "sending after the end; closing twice", "engineio.TestServerCloses engineio.TestCloseFromEverywhere", ""},
	{"E23", "payloads", "engineio.TestPollPayload engineio.TestPostPayload engineio.TestDefectL1_PayloadOfManyPackets engineio.TestRefusals", "JSONP is refused"},
	{"E24", "packets: numeric text stays text, huge integers, empty ones", "engineio.TestMessagesToTheServer engineio.TestFaultyFrames TestFlaskPython/P39", ""},
	{"E25", "paths and static files", "engineio.TestPath TestHandlerAroundApp", "static files are http.FileServer's"},
}

// counted counts how often it is encoded.
type counted struct{ n *atomic.Int64 }

func (c counted) MarshalJSON() ([]byte, error) {
	c.n.Add(1)
	return []byte(`"x"`), nil
}

func TestFlaskPython(t *testing.T) {
	flask(t, "P06 a refused client may try again on its connection, with the same request", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, &socketio.Options{Namespaces: []string{"/lobby"}})
		srv.On("connect", func(c *socketio.Context, a auth) error {
			if a.Token != "good" {
				return &socketio.Error{Message: "bad token", Data: c.Request().URL.Query().Get("EIO")}
			}
			return nil
		})
		lobby := enter(t, srv, via, "/lobby")
		for range 2 {
			_, err := lobby.TryJoin("/", auth{"bad"})
			var refused *socketiotest.ConnectError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, "bad token", refused.Message)
			require.Equal(t, `"4"`, string(refused.Data))
		}
		require.True(t, lobby.Join("/", auth{"good"}).Connected())
		require.True(t, lobby.Connected())
	})
	eiotest.RunSyncNamed(t, "P14 a packet whose attachments are on their way when the client is sent away is dropped, and nothing else", func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.On("event", func(c *socketio.Context, args ...any) { rec.Add("event %v", args) })
		srv.Namespace("/other").On("event", func(c *socketio.Context, args ...any) int { return len(args) })
		p := siotest.Join(t, srv, mode, "/other", "/")
		p.Send(`52-["event",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, `b:1`)
		synctest.Wait()
		require.NoError(t, srv.Disconnect(p.SID))
		p.Want(`1`)
		p.Send(`b:2`, `51-/other,7["event",{"_placeholder":true,"num":0}]`, `b:3`)
		p.Want(`3/other,7[1]`)
		p.Connect("/")
		p.Send(`2["event"]`)
		rec.Want(t, "event []")
	})
	t.Run("P18 each server has its own JSON codec", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			loud, plain := siotest.NewServer(t, &socketio.Options{JSON: shouting{}}), siotest.NewServer(t, nil)
			for _, srv := range []*socketio.Server{loud, plain} {
				srv.On("connect", func(c *socketio.Context) error { return c.Emit("hi", map[string]string{"k": "v"}) })
			}
			enter(t, plain, socketiotest.WebSocket, "/").Expect("hi", map[string]string{"k": "v"})
			enter(t, loud, socketiotest.WebSocket, "/").Expect("hi", map[string]string{"K": "V"})
			enter(t, plain, socketiotest.WebSocket, "/").Expect("hi", map[string]string{"k": "v"})
		})
	})
	flask(t, "P26 an event is encoded once, for however many clients, rooms, transports and callbacks", func(t *testing.T, via socketiotest.Transport) {
		srv := siotest.NewServer(t, nil)
		var clients []*socketiotest.Client
		for _, via := range []socketiotest.Transport{via, via, socketiotest.Polling, socketiotest.WebSocket, socketiotest.Upgrade} {
			c := enter(t, srv, via, "/")
			require.NoError(t, srv.JoinRoom(c.ID(), "room"))
			clients = append(clients, c)
		}
		var n atomic.Int64
		for i, opts := range [][]socketio.EmitOption{
			nil, {socketio.To("room", clients[0].ID())}, {socketio.OnAck(func(c *socketio.Context) {})},
		} {
			require.NoError(t, srv.Emit("e", counted{&n}, opts...))
			for _, c := range clients {
				c.Expect("e", "x")
			}
			require.Equal(t, int64(i+1), n.Load())
		}
	})
	for _, test := range []struct{ packet, want string }{
		{`2/a-b,1["e-v","1-2"]`, `3/a-b,1["e-v","1-2"]`},
		{`51-/a-b,2["e-v",{"_placeholder":true,"num":0}]`, `61-/a-b,2["e-v",{"_placeholder":true,"num":0}]`},
		{`2/a-b,3["1-","51-[]"]`, `3/a-b,3["1-","51-[]"]`},
		{`2/a-b,4["123",123]`, `3/a-b,4["123",123]`},
		{`2/a-b,5["big",` + strings.Repeat("9", 400) + `]`, `3/a-b,5["big","socketio: argument 0"]`},
		{`2/a-b,999999999999999999["e"]`, `3/a-b,999999999999999999["e",null]`},
	} {
		eiotest.RunSyncNamed(t, "P39 odd packet "+test.packet[:min(40, len(test.packet))], func(t *testing.T, mode eiotest.Mode) {
			srv := siotest.NewServer(t, nil)
			n := srv.Namespace("/a-b")
			n.On("*", func(c *socketio.Context, event string, data any) (string, any) { return event, data })
			n.OnError(func(c *socketio.Context, err error) any {
				return socketio.Args{c.Event(), err.Error()[:len("socketio: argument 0")]}
			})
			p := siotest.Join(t, srv, mode, "/a-b")
			p.Send(test.packet)
			if test.packet[0] == '5' {
				p.Send("b:x")
				p.Want(test.want, "b:x")
			} else {
				p.Want(test.want)
			}
			p.Quiet()
		})
	}
}

func TestFlaskEngine(t *testing.T) {
	eiotest.RunSyncNamed(t, "E01 ids are unique: of connections and of sockets", func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, &socketio.Options{Namespaces: []string{"/a"}})
		seen := map[string]bool{}
		for range 20 {
			p := siotest.Join(t, srv, mode)
			root := p.SID
			other := p.Connect("/a")
			for _, id := range []string{p.Client.Handshake().SID, root, other} {
				require.False(t, seen[id], id)
				seen[id] = true
			}
		}
	})
	t.Run("E05 the Upgrade header in any case", func(t *testing.T) {
		for _, upgrade := range []string{"websocket", "WebSocket", "WEBSOCKET"} {
			synctest.Test(t, func(t *testing.T) {
				conn, err := eiotest.Serve(t, siotest.NewServer(t, nil), nil).DialConn(t.Context())
				require.NoError(t, err)
				defer conn.Close()
				_, err = fmt.Fprintf(conn, "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: server.test\r\nConnection: upgrade\r\n"+
					"Upgrade: %s\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", upgrade)
				require.NoError(t, err)
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				require.NoError(t, err)
				require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
			})
		}
	})
}
