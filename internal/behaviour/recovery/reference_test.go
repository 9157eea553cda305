package recovery_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/behaviour"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// What the tests of the reference server check (R), and what connection state recovery promises besides (P).
var promises = []behaviour.Row{
	{"R01", "should restore session and missed packets", "TestMissedEventsInOrder", ""},
	{"R02", "should restore rooms and data attributes", "TestMissedEventsInOrder", ""},
	{"R03", "should restore session even if the client did not receive any event", "TestBeforeTheFirstEventAndAtOnce TestClosedWithoutLeaving", ""},
	{"R04", "should replay missed packets even if the client did not receive any event before disconnection", "TestBeforeTheFirstEventAndAtOnce", ""},
	{"R05", "should not restore session if the provided offset is not a string", "TestOffsetThatIsNoString", ""},
	{"R06", "should not run middlewares upon recovery by default", "TestMiddlewareRunsForEachReturn", "they run: each return is checked"},
	{"R07", "should run middlewares even upon recovery", "TestMiddlewareRunsForEachReturn", ""},
	{"R08", "should fail to restore an unknown session", "TestForgedAndForeign TestPIDOfTheApplication", ""},
	{"R09", "should be disabled by default", "TestOffByDefault", ""},
	{"R10", "should not call adapter#persistSession or adapter#restoreSession if disabled", "TestOffByDefault", "there is no such adapter"},

	{"P01", "exact: each event once and in order, by membership at the moment of emission", "TestModel TestMissedEventsInOrder TestRoomsWhileAway", ""},
	{"P02", "exact: binary, over each transport, across several drops", "TestMissedEventsInOrder TestCutDuringTheReplay TestModel", ""},
	{"P03", "exact: whether or not it had received an event, however soon or late within the window", "TestBeforeTheFirstEventAndAtOnce TestQuietClient TestWindow", ""},
	{"P04", "exact: half-open connections are taken over, closed, and their disconnect handler has run before the connect handler", "TestHalfOpenConnection TestHandlersOfBothConnectionsInOrder", ""},
	{"P05", "while away: joins, leaves, Disconnect and emits work", "TestRoomsWhileAway TestIntendedEnds TestMissedEventsInOrder", ""},
	{"P06", "while away: an event that asks for an acknowledgement is sent again after the return, or fails at its deadline", "TestQuestions", ""},
	{"P07", "while away: not counted as connected, unless a query includes them", "TestAwayIsNotConnected", ""},
	{"P08", "handlers: disconnect with its reason at the drop, connect with Recovered at the return; refusing ends the session", "TestHandlersOfBothConnectionsInOrder TestRefusedReturn TestLostWhileTheConnectHandlerRuns TestConnectAgainWhileItIsDecided", ""},
	{"P09", "handlers: OnExpired and the hook hear once of a session that has ended", "TestWindow TestTheEndIsSaidOnceIfHandlersAreLate TestShutdown", ""},
	{"P10", "handlers: Session keeps its values, for all namespaces of a connection", "TestMissedEventsInOrder TestNamespacesOfOneConnection", ""},
	{"P11", "intentional ends end the session at once", "TestIntendedEnds TestSecondConnectOnOneConnection TestSlowClientsDoNotComeBack", ""},
	{"P12", "bounded: the window", "TestWindow recovery.TestWindows", ""},
	{"P13", "bounded: bytes of a session, never a gap that is called recovered", "TestSessionLimit TestModel", ""},
	{"P14", "bounded: bytes of the server; a packet for many counts once", "TestBudget recovery.TestBudgetOfLogs recovery.TestOverBudget", ""},
	{"P15", "bounded: what the client surely has is not kept", "TestPongsConfirm", ""},
	{"P16", "private: forged and foreign ids and offsets begin new sessions; the id is in no log", "TestForgedAndForeign TestOffsetThatIsNoString", ""},
	{"P17", "private: the connect handler gets auth without what the client added to it", "TestAuthWithoutPID", ""},
	{"P18", "old clients: For decides who gets offsets", "TestClientsThatDoNotTakePart TestOldClientsTakeNoPart", ""},
	{"P19", "volatile events are not kept, and never taken for an offset", "TestVolatileEvents", ""},
	{"P20", "other packet formats and AsyncHandlers", "TestOwnParser TestAsyncHandlers", ""},
	{"P21", "while away: Call waits for the return, Disconnect ends the wait", "TestQuestions TestIntendedEnds", ""},
	{"P22", "private: of two connections with one id the last one has the session, on one server or several", "TestConnectAgainWhileItIsDecided TestHalfOpenConnection behaviour/moves.TestTwoArrivals behaviour/survival.TestTwoArrivals", ""},
	{"P23", "never a gap that is called recovered: a client that does not keep up, and is back before that is noticed", "TestBackBeforeItsFullQueueIsNoticed", ""},
	{"P24", "cost: nothing with the option off; with it, a broadcast is encoded once", "TestOffByDefault TestBroadcastIsEncodedOnce", "how much time it takes: BenchmarkRecovery, in docs/performance.md"},

	{"P25", "across servers: id, rooms, values and missed events move to where the client is", "TestMove TestHalfOpen TestAcknowledgements TestModel", ""},
	{"P26", "across servers: what arrives on both meanwhile comes once, in order", "TestEventsAndRoomsDuringTheMove TestOwnEventsComeLate TestConfirmedEventsComeLate TestEmitWhileTheSessionArrives", ""},
	{"P27", "across servers: with any broker, no store needed; servers without recovery do not disturb", "TestMove TestServerWithoutRecovery TestFlaskServersDuringTheMove", ""},
	{"P28", "across servers: ids that are forged or of another namespace", "TestForgedOnFleet", ""},
	{"P29", "across restarts: Shutdown hands all sessions over, those with late handlers and those that are on their way, too", "TestShutdownHandsOver TestRollingRestart TestShutdownWithLateHandlers TestShutdownDuringTheMove TestShutdownDuringTheRestore migration.TestTwoServersHandOver", ""},
	{"P30", "across restarts: or leaves them in the store", "TestOrderlyRestart", ""},
	{"P31", "across crashes: everything that was published, each once, in the order of the killed server", "TestKill TestModel TestManyComeBack TestEventsWithoutID", ""},
	{"P32", "across crashes: what only the killed server knew is lost, and nothing else", "TestNotPublished TestEventsThatWereNotPublishedAreWrittenDown", ""},
	{"P33", "across crashes: without a history, or with a gap in it, the client is told", "TestWithoutHistory TestGap TestBrokerStaysAwayDuringTheRestore", ""},
	{"P34", "across crashes: one server has the session, whichever is dead", "TestOldServerLives TestSessionOfALivingServerIsNotRestored", ""},
	{"P35", "an outage of the broker loses no session that is restored", "TestBrokerIsLostDuringTheRestore migration.TestRestoreDuringAnOutage cluster.TestCaptureDuringAnOutage", ""},
	{"P36", "bounded: what is written down and restored counts in the budget", "standby.TestSnapshotsAreBounded migration.TestClaimsAreBounded recovery.TestCount", ""},
}

func TestPromises(t *testing.T) {
	behaviour.CheckTable(t, promises, append(behaviour.Numbers("R%02d", 10), behaviour.Numbers("P%02d", 36)...))
}

// The client closes its connection without leaving the namespace, as the reference's tests do.
func TestClosedWithoutLeaving(t *testing.T) {
	each(t, socketio.Options{}, func(t *testing.T, srv *server, c *siotest.Returner) {
		synctest.Wait()
		c.Client().Close()
		synctest.Wait()
		lines := srv.rec.Take()
		require.Len(t, lines, 1)
		require.Contains(t, lines[0], "away true")
		srv.emit(t, "e", 1)
		c.Connect()
		require.True(t, c.Recovered)
		c.Want(`["e",1]`)
	})
}

// An offset that is no string cannot be one of ours: the session has ended, and the application does not see the
// private id.
func TestOffsetThatIsNoString(t *testing.T) {
	each(t, socketio.Options{}, func(t *testing.T, srv *server, c *siotest.Returner) {
		for _, offset := range []string{`123`, `{"a":1}`, `[]`, `true`} {
			srv.On("connect", func(c *socketio.Context) { srv.rec.Add("%v %v", c.Recovered(), c.Args()) })
			sid := c.SID
			c.Drop()
			srv.rec.Take()
			c.Auth = map[string]any{"pid": c.PID, "offset": json.RawMessage(offset)}
			c.Connect()
			c.Auth = nil
			require.False(t, c.Recovered)
			require.NotEqual(t, sid, c.SID)
			synctest.Wait() // until OnExpired has returned
			require.Contains(t, srv.rec.Take(), "false []")
			require.Nil(t, srv.Socket(sid))
		}
	})
}

// What cannot be a private id of the server is the application's.
func TestPIDOfTheApplication(t *testing.T) {
	each(t, socketio.Options{}, func(t *testing.T, srv *server, c *siotest.Returner) {
		srv.On("connect", func(c *socketio.Context) { srv.rec.Add("%v %v", c.Recovered(), c.Args()) })
		for pid, want := range map[string]string{
			`"foo"`: `false [map[offset:bar pid:foo]]`,
			`5`:     `false [map[offset:bar pid:5]]`,
			`null`:  `false [map[offset:bar pid:<nil>]]`,
		} {
			c.Drop()
			srv.rec.Take()
			c.Auth = map[string]any{"pid": json.RawMessage(pid), "offset": "bar"}
			c.Connect()
			srv.rec.Want(t, want)
		}
	})
}

// Each return passes through the middleware and the connect handler: a client may not be welcome any more.
func TestMiddlewareRunsForEachReturn(t *testing.T) {
	each(t, socketio.Options{}, func(t *testing.T, srv *server, c *siotest.Returner) {
		srv.Use(func(next socketio.HandlerFunc) socketio.HandlerFunc {
			return func(c *socketio.Context) (socketio.Args, error) {
				srv.rec.Add("middleware: %s", c.Event())
				return next(c)
			}
		})
		c.Drop()
		c.Connect()
		require.True(t, c.Recovered)
		lines := srv.rec.Take()
		require.Len(t, lines, 4)
		require.Equal(t, "middleware: disconnect", lines[0])
		require.Equal(t, []string{"middleware: connect", "connect true"}, lines[2:])
	})
}

// Without Options.Recovery there is neither a private id nor an offset, and a drop is the end.
func TestOffByDefault(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		srv := siotest.NewServer(t, nil)
		c := siotest.NewReturner(t, srv, mode).Connect()
		require.Empty(t, c.PID)
		require.NoError(t, srv.Emit("e", "text"))
		c.Want(`["e","text"]`)
		sid := c.SID
		synctest.Wait()
		c.Drop()
		require.Nil(t, srv.Socket(sid))
		c.Auth = map[string]any{"pid": "foo", "offset": "bar"}
		c.Connect()
		require.NotEqual(t, sid, c.SID)
		require.Empty(t, c.PID)
		require.Zero(t, srv.Stats().Recovery)
	})
}

// Clients of Socket.IO 2 get no offset, and begin anew.
func TestOldClientsTakeNoPart(t *testing.T) {
	for _, mode := range eiotest.OldModes {
		t.Run(string(mode), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newServer(t, socketio.Options{AllowEIO3: true})
				p := siotest.Dial(t, srv, mode)
				p.Want("0")
				synctest.Wait()
				srv.emit(t, "e", "text")
				p.Want(`2["e","text"]`)
				synctest.Wait()
				p.Client.Abort()
				synctest.Wait()
				require.Zero(t, srv.Count(socketio.IncludeAway()))
				require.Nil(t, srv.Stats().Recovery.Away)
			})
		})
	}
}

// A client that takes nothing is not one that was cut: its session ends at once.
func TestSlowClientsDoNotComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, socketio.Options{Limits: socketio.Limits{SendQueueLimit: 10_000}})
		raw := &eiotest.Raw{Transport: eiotest.Serve(t, srv, nil), Path: "/socket.io/"}
		_, _, err := raw.Handshake(t.Context())
		require.NoError(t, err)
		_, err = raw.Post(t.Context(), "40")
		require.NoError(t, err)
		srv.rec.Want(t, "connect false")
		for range 20 { // and the client does not poll
			srv.emit(t, "e", strings.Repeat("x", 1000))
		}
		srv.rec.Want(t, "disconnect: slow client, away false")
		require.Zero(t, srv.Count(socketio.IncludeAway()))
	})
}
