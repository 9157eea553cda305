// Package defects_test checks that ours has none of the defects of Flask-SocketIO.
package defects_test

// Flask-SocketIO and the two packages below it have defects that are known: of security (S), of loss, hangs and leaks
// (L), of order (O), of speed (P), and traps in the API (T). This table says which test shows that ours does not have
// them, or why it cannot. TestDefectTable keeps it true.

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/behaviour"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/parser"
)

const noQueue = "this package has no message queue"

var defects = []behaviour.Row{
	{"S1", "a client is in before its connect handler has decided", "TestNobodyIsInBeforeAccepted", ""},
	{"S2", "clients call the connect and disconnect handlers with forged arguments", "TestProtocolViolations TestReservedEventFromParser parser.TestDecodeRefuses", ""},
	{"S3", "a room named as someone's sid gets the private messages", "TestPrivateRoomCannotBeJoined", ""},
	{"S4", "an empty target is a broadcast", "TestDefectS4_EmptyTargetReachesNobody TestRecipients", ""},
	{"S5", "clients reach any attribute of a class that is called on_*", "TestRegister", ""},
	{"S6", "endless attachments are announced, and their size is not bounded", "TestDefectS6_AttachmentsAreBounded parser.TestLimits parser.TestAttachmentsAreNotPreallocated", ""},
	{"S7", "X-Forwarded-* headers are always trusted", "engineio.TestOrigins", ""},
	{"S8", "no limits of namespaces, of time without one, and of connections", "TestConnectTimeout TestMaxNamespaces engineio.TestMaxConnections engineio.TestMaxConnectionsPerIP", ""},
	{"S9", "the admin's password is compared in variable time", "", "there is no admin namespace"},

	{"L1", "a payload of more than 16 packets is lost", "engineio.TestDefectL1_PayloadOfManyPackets", ""},
	{"L2", "a faulty packet takes its neighbours along; chunked requests are ignored", "engineio.TestPostWithAFaultyPacket engineio.TestPostChunked", ""},
	{"L3", "a POST that is too large, or with a wrong type, hangs", "engineio.TestDefectL3_RefusedPostIsAnsweredAtOnce engineio.TestMaxPayload", ""},
	{"L4", "binary broadcasts to mixed transports lose packets", "TestDefectL4_BinaryBroadcastToMixedTransports engineio.TestFramesAreShared", ""},
	{"L5", "an exception in a disconnect handler leaks the client and skips its other namespaces", "TestDisconnectReasons TestNamespacesLeaveTogether", ""},
	{"L6", "an exception in a connect handler leaves the client without an answer, and its sid behind", "TestDefectL6_FailedConnectHandlerIsAnswered TestConnectPanicIsAnswered TestConnectRefusals", ""},
	{"L7", "disconnect in a connect handler is followed by a CONNECT", "TestDisconnectInConnectHandler TestAlwaysConnectDisconnectInHandler", ""},
	{"L8", "a bad placeholder jams the connection; partial packets leak", "TestDefectL8_BadPlaceholderDoesNotJam TestDefectL8_PartialPacketIsForgotten", ""},
	{"L9", "binary packets of several threads mix", "TestEmitOrderAndAtomicity engineio.TestFramesAreSentAsAUnit", ""},
	{"L10", "no write timeout, no bound of what waits", "TestDefectL10_StalledClientCostsOthersNothing TestOneStalledAmongAThousand TestSlowClient engineio.TestStalledWebSocket engineio.TestStalledPoll engineio.TestSendQueueLimit", ""},
	{"L11", "ping timeouts are noticed late, by a loop that also runs handlers", "TestDefectL11_PingTimeoutIsExact engineio.TestPingTimeout engineio.TestPingTimeoutWithoutAnyRequest", ""},
	{"L12", "disconnect handlers run inside a broadcast", "TestDefectL12_EmitRunsNoDisconnectHandler", ""},
	{"L13", "no close packet after a ping timeout", "engineio.TestHeartbeatOverPolling engineio.TestPingTimeout", ""},
	{"L14", "a stalled upgrade makes polls spin, for ever and without pings", "engineio.TestStalledUpgradeDoesNotSpin engineio.TestUpgradeTimeout engineio.TestPingTimeoutDuringTheProbe", ""},
	{"L15", "garbage is noticed by the ping timeout only; late POSTs and second upgrades get a 500", "TestDefectL15_GarbageDisconnectsAtOnce engineio.TestFaultyFrames engineio.TestRequestsAfterTheEnd engineio.TestSecondWebSocket", ""},
	{"L16", "callbacks: dropped with the emitter, spoilt by id 0, never freed, the first of a room only", "TestDefectL16_CallbackOutlivesItsEmitter TestDefectL16_ForgedAckIDs TestOnAck TestCallSeveral", ""},
	{"L17", "call waits in vain: in connect handlers and callbacks, for clients that left", "TestCall TestCallErrors TestCallEndsWhenClientLeaves", ""},
	{"L18", "Redis: messages are lost, the listener starts late", "", noQueue},
	{"L19", "a long handler disconnects its client; emits leave when it returns", "TestDefectL19_EmitsDoNotWaitForTheHandler TestEventsRunInOrder", ""},
	{"L20", "a client that reconnects is a stranger", "TestReconnectInNamespace", "so it is here: recovery is a feature this package does not have"},
	{"L21", "several workers need sticky sessions", "", "one Go process uses all cores"},
	{"L22", "handlers are called again, or never, when their arguments do not fit", "TestDefectL22_HandlersRunOnce TestRegistrationPanics", ""},
	{"L23", "the channel carries everything to everyone", "", noQueue},
	{"L24", "a refusal with always_connect breaks the protocol", "TestAlwaysConnect", ""},
	{"L25", "NaN is sent, which clients take for an error of the protocol", "TestDefectL25_NotANumberIsNeverSent TestEmitErrors", ""},

	{"O1", "the events of a client overtake each other", "TestEventsRunInOrder TestAsyncHandlers", ""},
	{"O2", "connect and disconnect handlers and callbacks hold up the client's packets", "TestDefectO2_SlowHandlersHoldUpNothing TestOnAckOrder", ""},
	{"O3", "the session has no lock", "session.TestConcurrentChanges", ""},
	{"O4", "rooms have no lock", "TestStorm TestRoomChangesDuringEmit", ""},

	{"P1", "three threads for an idle client, one for an event", "TestDefectP1_IdleClientsHaveOneGoroutine", ""},
	{"P2", "a disconnect costs as much as there are rooms", "rooms.TestLeavingLooksIntoNoOtherRoom", ""},
	{"P3", "each emit copies the members", "TestRoomChangesDuringEmit", "what is handed out is shared; BenchmarkBroadcast measures it"},
	{"P4", "with a callback each recipient is encoded for", "TestFlaskPython/P26", ""},
	{"P5", "one core", "", "goroutines use all"},
	{"P6", "Redis: everyone parses everything", "", noQueue},
	{"P7", "no batches, no compression of WebSocket messages", "engineio.TestPerMessageDeflate engineio.TestManyMessagesAtOnce", ""},

	{"T01", "include_self and skip_sid differ between emit and send", "TestDefectT01_SendIsEmit TestRecipients", ""},
	{"T02", "tuples and lists mean different things", "TestEmitData", "Args are several arguments, variadic options several rooms and sids"},
	{"T03", "an emit to another namespace reaches nobody", "TestRecipients TestEmitErrors", ""},
	{"T04", "the method emits to all, the function to the sender, the class to its namespace", "TestRecipients TestFlaskClasses/37", "the receiver says it: a Server has everyone, a Context the sender, in classes as well"},
	{"T05", "the order of rooms()", "TestRooms", ""},
	{"T06", "* for event and namespace together, and as the namespace of a class", "TestDispatchPrecedence", ""},
	{"T07", "unknown options are ignored", "TestNewServerPanics", "unknown fields do not compile"},
	{"T08", "namespaces is matched as a substring; a list with * is none", "TestDefectT08_NamespacesAreNotSubstrings TestAnyNamespace", ""},
	{"T09", "cookies and headers are those of the handshake", "engineio.TestRequestAndContext", "they are here, too; Socket.Request says so"},
	{"T10", "session semantics", "TestSession TestFlaskSessions/22", ""},
	{"T11", "an unknown event is acknowledged if the namespace has a class", "TestRegister TestUnknownEvent", ""},
	{"T12", "a list of origins excludes the server's own", "engineio.TestOrigins", ""},
	{"T13", "transports=['polling'] announces websocket", "engineio.TestHandshakeUpgrades", ""},
	{"T14", "fractions of a ping interval are cut off", "engineio.TestHandshakeValues", ""},
	{"T15", "the limit of a WebSocket message counts characters", "engineio.TestMaxPayload", ""},
	{"T16", "JSONP is escaped wrongly", "engineio.TestRefusals", "there is none"},
	{"T17", "a refused request has no code", "engineio.TestRefusals", ""},
}

func TestDefectTable(t *testing.T) {
	ids := behaviour.Numbers("S%d", 9)
	ids = append(ids, behaviour.Numbers("L%d", 22)...)
	ids = append(ids, "L23", "L24", "L25")
	ids = append(ids, behaviour.Numbers("O%d", 4)...)
	ids = append(ids, behaviour.Numbers("P%d", 7)...)
	ids = append(ids, behaviour.Numbers("T%02d", 17)...)
	behaviour.CheckTable(t, defects, ids)
}

// An empty list of rooms, or an empty name, was everybody: socketio.emit(to=user.room) of a user without a room.
func TestDefectS4_EmptyTargetReachesNobody(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		srv.Namespace("/a").On("x", func(c *socketio.Context) {})
		p, q := siotest.Join(t, srv, mode), siotest.Join(t, srv, mode, "/", "/a")
		var none []string
		for _, to := range [][]socketio.EmitOption{
			{socketio.To()}, {socketio.To(none...)}, {socketio.To(), socketio.To()},
			{socketio.Broadcast(), socketio.To()}, {socketio.To(), socketio.Broadcast()}, {socketio.To(), socketio.Except()},
			{socketio.To(), socketio.OnAck(func(c *socketio.Context) {})}, {socketio.InNamespace("/a"), socketio.To()},
		} {
			require.NoError(t, srv.Emit("e", nil, to...))
			require.NoError(t, srv.Send("e", to...))
			require.NoError(t, srv.Namespace("/a").Emit("e", nil, to...))
			require.NoError(t, srv.Socket(p.SID).Emit("e", nil, to...))
			require.NoError(t, srv.Socket(p.SID).Send("e", to...))
		}
		replies, err := srv.Call(t.Context(), "e", nil, socketio.To())
		require.NoError(t, err)
		require.Empty(t, replies)
		_, err = srv.Socket(p.SID).Call(t.Context(), "e", nil, socketio.To())
		require.ErrorIs(t, err, socketio.ErrUnknownSocket)
		require.NoError(t, srv.Emit("e", nil, socketio.Except(none...), socketio.Skip(none...))) // nothing left out, though
		p.Want(`2["e"]`)
		q.Want(`2["e"]`)
		p.Quiet()
		q.Quiet()
	})
}

// A packet announced up to ten thousand million attachments, and nothing bounded what they came to.
func TestDefectS6_AttachmentsAreBounded(t *testing.T) {
	for _, packets := range [][]string{
		{`511-["e"]`}, {`59999999999-["e"]`}, {`561-1[]`}, // more than the limit
		{`52-["e"]`, `b:` + strings.Repeat("x", 600), `b:` + strings.Repeat("x", 600)}, // of 1000 bytes
	} {
		eiotest.RunSyncNamed(t, packets[0], func(t *testing.T, mode eiotest.Mode) {
			srv := siotest.NewServer(t, &socketio.Options{Limits: socketio.Limits{Packet: parser.Limits{AttachmentBytes: 1000}}})
			var rec siotest.Record
			srv.On("e", func(c *socketio.Context) { rec.Add("event") })
			srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
			p, other := siotest.Join(t, srv, mode), siotest.Join(t, srv, mode)
			start := time.Now()
			p.Try(packets...)
			p.Closed()
			rec.Want(t, "parse error")
			require.Zero(t, time.Since(start))
			other.Send(`510-["e"]`)
			for range 10 {
				other.Send(`b:` + strings.Repeat("x", 100))
			}
			rec.Want(t, "event")
		})
	}
}

// The first encoding was kept: pollers got raw bytes in a text payload, a 500, or WebSocket clients base64 in text.
func TestDefectL4_BinaryBroadcastToMixedTransports(t *testing.T) {
	polling, ws, upgrade := eiotest.Polling, eiotest.WebSocket, eiotest.Upgrade
	for _, order := range [][]eiotest.Mode{{polling, ws, upgrade}, {ws, upgrade, polling}, {upgrade, polling, ws}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := siotest.NewServer(t, nil)
				var peers []*siotest.Peer
				for _, mode := range append(order, order...) {
					p := siotest.Join(t, srv, mode)
					require.NoError(t, srv.JoinRoom(p.SID, "room"))
					peers = append(peers, p)
				}
				for i := range 3 {
					bytes := []byte{0, 0x1e, 0xff, byte(i)}
					require.NoError(t, srv.Emit("all", map[string]any{"d": bytes}))
					require.NoError(t, srv.Emit("room", socketio.Args{[]byte("1"), []byte("2")}, socketio.To("room")))
					for _, p := range peers {
						p.Want(`51-["all",{"d":{"_placeholder":true,"num":0}}]`, "b:"+string(bytes),
							`52-["room",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`, "b:1", "b:2")
					}
				}
				for _, p := range peers {
					p.Quiet()
				}
			})
		})
	}
}

// The client waited for ever, and a second try of it was refused because the sid of the first was still in.
func TestDefectL6_FailedConnectHandlerIsAnswered(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error":           func() error { return fmt.Errorf("no database") },
		"panic":           func() error { panic("no database") },
		"nil dereference": func() error { var s *socketio.Server; return s.Emit("e", nil) },
		"exit":            func() error { runtime.Goexit(); return nil },
	} {
		eiotest.RunSyncNamed(t, name, func(t *testing.T, mode eiotest.Mode) {
			srv := siotest.NewServer(t, nil)
			broken := true
			var sids []string
			srv.On("connect", func(c *socketio.Context) error {
				sids = append(sids, c.ID())
				if broken {
					return fail()
				}
				return nil
			})
			srv.On("disconnect", func(c *socketio.Context) { t.Error("nobody was connected") })
			p := siotest.Dial(t, srv, mode)
			for range 2 {
				p.Send(`0`)
				p.Want(`4{"message":"Connection rejected by server"}`)
				synctest.Wait()
				for _, sid := range sids {
					require.Nil(t, srv.Socket(sid))
				}
				require.Empty(t, srv.Stats().Sockets)
				require.Zero(t, srv.Stats().Rooms)
			}
			require.Len(t, sids, 2)
			broken = false
			srv.On("disconnect", func(c *socketio.Context) {})
			p.Connect("/")
		})
	}
}

// Every later packet of the connection was swallowed as an attachment, for ever.
func TestDefectL8_BadPlaceholderDoesNotJam(t *testing.T) {
	for _, packets := range [][]string{
		{`51-["e",{"_placeholder":true,"num":1}]`, `b:x`},
		{`51-["e",{"_placeholder":true,"num":-1}]`, `b:x`}, // was the last one
		{`51-["e",{"_placeholder":true,"num":"0"}]`, `b:x`},
		{`50-["e"]`},
		{`50-["e",{"_placeholder":true,"num":0}]`},
		{`51-["e",{"_placeholder":true,"num":0}]`, `2["e"]`}, // text in place of the attachment
		{`61-7[{"_placeholder":true,"num":3}]`, `b:x`},
	} {
		eiotest.RunSyncNamed(t, fmt.Sprint(packets), func(t *testing.T, mode eiotest.Mode) {
			srv := siotest.NewServer(t, nil)
			var rec siotest.Record
			srv.On("e", func(c *socketio.Context) { rec.Add("event") })
			srv.On("disconnect", func(c *socketio.Context, why socketio.Reason) { rec.Add("%s", why) })
			p, other := siotest.Join(t, srv, mode), siotest.Join(t, srv, mode)
			p.Try(packets...)
			p.Closed()
			rec.Want(t, "parse error")
			other.Send(`2["e"]`)
			rec.Want(t, "event")
		})
	}
}

// The callback belonged to the client whose handler had emitted: when that had left, the answer was dropped.
func TestDefectL16_CallbackOutlivesItsEmitter(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		var rec siotest.Record
		srv.On("ask", func(c *socketio.Context, sid string) error {
			return c.Emit("question", nil, socketio.To(sid), socketio.OnAck(func(from *socketio.Context, answer int) error {
				rec.Add("%t %d", from.ID() == sid, answer)
				return from.Emit("thanks", nil)
			}))
		})
		asker, asked := siotest.Join(t, srv, mode), siotest.Join(t, srv, mode)
		asker.Send(`2["ask","` + asked.SID + `"]`)
		id := asked.WantAckEvent(`["question"]`)
		synctest.Wait()
		asker.Client.Abort()
		synctest.Wait()
		require.Nil(t, srv.Socket(asker.SID))
		asked.Send(`3` + id + `[42]`)
		rec.Want(t, "true 42")
		asked.Want(`2["thanks"]`)
	})
}
