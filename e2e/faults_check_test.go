package e2e

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-d124fa34/socketio"
)

// report is what one client of numbers.mjs prints at its end.
type report struct {
	Name      string
	Transport string
	Sent      int      // it sent the numbers below
	Acked     [][2]int // ranges of them that were acknowledged
	Sessions  []struct {
		SID   string
		Downs int // the numbers below this one came from the server, in order
	}
	Reasons  []string
	Problems []string // what the client itself found wrong
}

// expectation is what a fault allows the connections to do, see judge.
type expectation struct {
	// reasons are the disconnect reasons that sessions may have. The last session may also
	// have ended because the client closed it. polled are further reasons for clients that poll,
	// or polled before they upgraded.
	reasons, polled []socketio.Reason
	// keeps are the transports whose sessions outlive the fault, ends those that must
	// have lost sessions. A transport in neither may keep or lose them.
	keeps, ends []string
	// killed: sessions may have ended without a call of their disconnect handler,
	// because their server was killed.
	killed bool
	// acknowledged: everything that was handled was acknowledged. complete: everything that was
	// sent was acknowledged and handled once, because the clients repeat what is not acknowledged.
	acknowledged, complete bool
}

// session is what the server saw of a session.
type session struct {
	sid      string
	ups      []int
	answered []int
	reasons  []socketio.Reason
}

// judge compares what server and clients saw, and returns what is wrong. The protocol
// and the server promise:
//
//   - The numbers of one connection are handled in the order in which they were
//     sent, without gap or repetition. When a connection breaks, only the last numbers
//     can be lost, and only those that were not acknowledged.
//   - The same in the other direction.
//   - No number is handled on two connections: neither client nor server sends
//     anything twice. (An application that repeats what was not acknowledged, by
//     itself or with the client's "retries" option, must expect repetition.)
//   - The disconnect handler runs once for each connection, after all other handlers.
func judge(records []record, reports []report, v expectation) (problems []string) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	sessions := make(map[string]*session) // by sid
	clients := make(map[string][]*session)
	for _, r := range records {
		s := sessions[r.SID]
		if (s == nil) != (r.Kind == recConnect) {
			wrong("%s of %s without connect, or connect twice", r.Kind, r.SID)
			continue
		}
		switch r.Kind {
		case recConnect:
			s = &session{sid: r.SID}
			sessions[r.SID] = s
			clients[r.Client] = append(clients[r.Client], s)
		case recUp:
			if len(s.reasons) > 0 {
				wrong("number %d of %s was handled after its disconnect handler", r.N, r.SID)
			}
			s.ups = append(s.ups, r.N)
		case recAnswered:
			s.answered = append(s.answered, r.N)
		case recDisconnect:
			s.reasons = append(s.reasons, r.Reason)
		default:
			wrong("%s %s %d: %s", r.Kind, r.SID, r.N, r.Reason)
		}
	}
	for _, c := range reports {
		for _, p := range c.Problems {
			wrong("%s: the client says: %s", c.Name, p)
		}
		for _, p := range judgeClient(c, clients[c.Name], v) {
			wrong("%s: %s", c.Name, p)
		}
	}
	return problems
}

// clientJudge compares what one client reports with what the server recorded.
type clientJudge struct {
	client      report
	expectation expectation
	reasons     []socketio.Reason // why its sessions may end
	handled     map[int]bool      // the numbers that the server has handled
	problems    []string
}

func (c *clientJudge) wrong(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

func judgeClient(r report, sessions []*session, v expectation) (problems []string) {
	c := &clientJudge{client: r, expectation: v, reasons: v.reasons, handled: make(map[int]bool)}
	if r.Transport != "websocket" {
		c.reasons = append(slices.Clone(c.reasons), v.polled...)
	}
	c.unknown(c.sessions(sessions))
	c.acked(len(sessions))
	return c.problems
}

// sessions judges the sessions that the client has had. It returns those that the client did not know.
func (c *clientJudge) sessions(all []*session) (unknown map[string]*session) {
	unknown = make(map[string]*session)
	for _, s := range all {
		unknown[s.sid] = s
		switch {
		case len(s.reasons) == 0 && c.expectation.killed:
		case len(s.reasons) != 1:
			c.wrong("the disconnect handler of %s ran %d times: %q", s.sid, len(s.reasons), s.reasons)
		}
	}
	highest := -1
	for i, seen := range c.client.Sessions {
		s := unknown[seen.SID]
		if s == nil {
			c.wrong("the server knows nothing of session %s", seen.SID)
			continue
		}
		delete(unknown, seen.SID)
		for j, n := range s.ups {
			if n <= highest || j > 0 && n != highest+1 {
				c.wrong("session %d (%s) handled %d after %d", i, s.sid, n, highest)
			}
			highest = n
			c.handled[n] = true
		}
		slices.Sort(s.answered)
		if k := len(s.answered); k > 0 && (s.answered[k-1] >= seen.Downs || len(slices.Compact(s.answered)) != k) {
			c.wrong("session %d (%s) saw the numbers below %d, but acknowledged %v", i, s.sid, seen.Downs, s.answered)
		}
		if len(s.reasons) > 0 && !slices.Contains(c.reasons, s.reasons[0]) &&
			!(i == len(c.client.Sessions)-1 && s.reasons[0] == socketio.ReasonClientDisconnect) { // the client closed it
			c.wrong("session %d of %d ended with %q", i+1, len(c.client.Sessions), s.reasons[0])
		}
	}
	return unknown
}

// unknown judges sessions that the client did not know.
func (c *clientJudge) unknown(sessions map[string]*session) {
	for _, s := range sessions {
		if len(s.ups) > 0 {
			c.wrong("session %s handled %d numbers, but its client did not know it", s.sid, len(s.ups))
		}
		// A client that polls may repeat the request with its CONNECT: the second one replaces the first session.
		replaced := c.client.Transport != "websocket" && len(s.ups) == 0 && slices.Equal(s.reasons, []socketio.Reason{socketio.ReasonClientDisconnect})
		if len(s.reasons) > 0 && !slices.Contains(c.reasons, s.reasons[0]) && !replaced {
			c.wrong("session %s, which its client did not know, ended with %q", s.sid, s.reasons[0])
		}
	}
}

// acked judges what was acknowledged to the client, which has had some sessions.
func (c *clientJudge) acked(sessions int) {
	acked := make(map[int]bool)
	for _, r := range c.client.Acked {
		for n := r[0]; n <= r[1]; n++ {
			acked[n] = true
			if !c.handled[n] {
				c.wrong("%d was acknowledged but not handled", n)
			}
		}
	}
	for n := range c.handled {
		if c.expectation.acknowledged && !acked[n] {
			c.wrong("%d was handled but not acknowledged", n)
		}
	}
	if c.expectation.complete && len(acked) != c.client.Sent {
		c.wrong("%d numbers sent, %d acknowledged", c.client.Sent, len(acked))
	}
	switch {
	case slices.Contains(c.expectation.keeps, c.client.Transport) && (sessions != 1 || len(acked) != c.client.Sent):
		c.wrong("%d sessions, %d numbers sent, %d handled, %d acknowledged; the one session was to stay and to lose nothing; reasons: %q",
			sessions, c.client.Sent, len(c.handled), len(acked), c.client.Reasons)
	case slices.Contains(c.expectation.ends, c.client.Transport) && len(c.client.Sessions) < 2:
		c.wrong("the fault did not end its session")
	}
}

// TestJudge breaks each promise, and checks that judge notices it.
func TestJudge(t *testing.T) {
	type story struct {
		records     []record
		client      report
		expectation expectation
	}
	// good is a client with two sessions. It sent five numbers; the third and the
	// acknowledgement of the second were lost.
	good := func() story {
		return story{
			[]record{
				{Kind: recConnect, SID: "a", Client: "c"},
				{Kind: recUp, SID: "a", N: 0},
				{Kind: recUp, SID: "a", N: 1},
				{Kind: recAnswered, SID: "a", N: 0},
				{Kind: recDisconnect, SID: "a", Reason: socketio.ReasonTransportClose},
				{Kind: recConnect, SID: "b", Client: "c"},
				{Kind: recUp, SID: "b", N: 3},
				{Kind: recUp, SID: "b", N: 4},
				{Kind: recDisconnect, SID: "b", Reason: socketio.ReasonClientDisconnect},
			},
			report{Name: "c", Transport: "polling", Sent: 5, Acked: [][2]int{{0, 0}, {3, 4}}, Sessions: []struct {
				SID   string
				Downs int
			}{{"a", 1}, {"b", 2}}},
			expectation{reasons: []socketio.Reason{socketio.ReasonTransportClose}, ends: []string{"polling"}},
		}
	}
	insert := func(s *story, i int, r record) { s.records = slices.Insert(s.records, i, r) }
	assert.Empty(t, judge(good().records, []report{good().client}, good().expectation))
	replaced := func(s *story) {
		insert(s, 0, record{Kind: recDisconnect, SID: "x", Reason: socketio.ReasonClientDisconnect})
		insert(s, 0, record{Kind: recConnect, SID: "x", Client: "c"})
	}
	repeats := good()
	replaced(&repeats)
	assert.Empty(t, judge(repeats.records, []report{repeats.client}, repeats.expectation))
	for name, spoil := range map[string]func(s *story){
		"repeated":                    func(s *story) { insert(s, 3, record{Kind: recUp, SID: "a", N: 1}) },
		"repeated on the next":        func(s *story) { s.records[6].N = 1 },
		"reordered":                   func(s *story) { s.records[1].N, s.records[2].N = 1, 0 },
		"a gap":                       func(s *story) { s.records[2].N = 2 },
		"acknowledged, not handled":   func(s *story) { s.client.Acked = [][2]int{{0, 4}} },
		"two disconnects":             func(s *story) { insert(s, 5, s.records[4]) },
		"no disconnect":               func(s *story) { s.records = slices.Delete(s.records, 4, 5) },
		"handled after disconnect":    func(s *story) { insert(s, 5, record{Kind: recUp, SID: "a", N: 2}) },
		"strange reason":              func(s *story) { s.records[4].Reason = socketio.ReasonParseError },
		"strange reason of the last":  func(s *story) { s.records[8].Reason = socketio.ReasonPingTimeout },
		"two connects":                func(s *story) { insert(s, 1, s.records[0]) },
		"unknown session":             func(s *story) { s.client.Sessions[0].SID = "x" },
		"acknowledged what never was": func(s *story) { s.records[3].N = 1 },
		"acknowledged twice": func(s *story) {
			s.client.Sessions[0].Downs = 2
			insert(s, 3, s.records[3])
		},
		"the client's complaint": func(s *story) { s.client.Problems = []string{"no"} },
		"the handler's":          func(s *story) { insert(s, 3, record{Kind: recWrong, SID: "a"}) },
		"unanswered":             func(s *story) { s.expectation.acknowledged = true },
		"lost although repeated": func(s *story) { s.expectation.complete = true },
		"lost although it stays": func(s *story) { s.expectation.keeps = []string{"polling"} },
		"nothing happened":       func(s *story) { s.records, s.client.Sessions = s.records[5:], s.client.Sessions[1:] },
		"replaced over WebSocket": func(s *story) {
			replaced(s)
			s.client.Transport, s.expectation.ends = "websocket", []string{"websocket"}
		},
		"replaced after it handled something": func(s *story) {
			replaced(s)
			insert(s, 1, record{Kind: recUp, SID: "x", N: 0})
		},
		"session in secret": func(s *story) { insert(s, 0, record{Kind: recConnect, SID: "x", Client: "c"}) },
	} {
		t.Run(name, func(t *testing.T) {
			s := good()
			spoil(&s)
			assert.NotEmpty(t, judge(s.records, []report{s.client}, s.expectation))
		})
	}
}
