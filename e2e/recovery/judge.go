package recovery

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Verdict compares what the clients of a scenario received with what they had to receive.
type Verdict struct {
	Clients   int // a client counts in each of its namespaces
	Perfect   int // clients without any fault
	Owed      int // events that had to arrive, once for each client
	Delivered int // events of Owed that arrived
	Twice     int // events that arrived more than once
	Disorder  int // events that arrived after a later event of the same server
	Forbidden int // events that arrived at a client that must not get them
	Returns   int // connects after the first one of a client
	Recovered int // returns that continued the session
	// Asked counts the events that asked for an acknowledgement, and Answered those that got
	// one. An acknowledgement on a connection that breaks is lost.
	Asked, Answered int
	// Faults counts everything else that is wrong: another session id or other rooms after
	// a recovery, wrong answers, wrong arguments. Words describes the first ones.
	Faults int
	Words  []string
}

// Good reports whether recovery did what it promises.
func (v Verdict) Good() bool {
	return v.Delivered == v.Owed && v.Twice+v.Disorder+v.Forbidden+v.Faults == 0 && v.Recovered == v.Returns
}

func (v Verdict) String() string {
	s := fmt.Sprintf("%d of %d delivered, %d twice, %d out of order, %d forbidden, %d of %d returns recovered, %d of %d clients perfect, %d faults",
		v.Delivered, v.Owed, v.Twice, v.Disorder, v.Forbidden, v.Recovered, v.Returns, v.Perfect, v.Clients, v.Faults)
	if v.Asked > 0 {
		s += fmt.Sprintf(", %d of %d questions answered", v.Answered, v.Asked)
	}
	return strings.Join(append([]string{s}, v.Words...), "\n  ")
}

func (v *Verdict) fault(format string, args ...any) {
	v.Faults++
	v.word(format, args...)
}

func (v *Verdict) word(format string, args ...any) {
	if len(v.Words) < 20 {
		v.Words = append(v.Words, fmt.Sprintf(format, args...))
	}
}

// journals are the lines that the servers and the clients of a scenario printed.
type journals struct {
	servers map[string][]line // by the server's name, in its order
	clients []line
	// killed has, for each server that was killed, a time in microseconds. What the server
	// emitted before it must have been on its way when the server was killed.
	killed map[string]int64
}

// seat is a client in a namespace.
type seat struct{ client, ns string }

// event identifies one event.
type event struct {
	server string
	n      int
}

// debt says whether a client must receive an event.
type debt int8

const (
	never debt = iota // it must not
	maybe             // it may
	owed              // it must
)

// judge compares what the clients received with what they had to receive:
//
//   - A client must get what is emitted to everyone, to the rooms that it is in at that
//     time, and to itself, whether it is connected or away, from its first connect on.
//   - If the connection broke before the client knew its session id, the session does not
//     count. The client may get what was emitted to it.
//   - It may get volatile events, and what a server emitted just before it was killed.
//
// It must get each event once, in the order in which each server emitted.
func judge(j journals) Verdict {
	var v Verdict
	first := make(map[seat]string) // the first session id of each client
	last := make(map[seat]string)
	received := make(map[seat][]span)
	for _, l := range j.clients {
		s := seat{l.Client, l.NS}
		switch l.Kind {
		case lineConnected:
			if first[s] == "" {
				first[s] = l.SID
			} else {
				v.Returns++
				if l.Recovered {
					v.Recovered++
					if l.SID != last[s] {
						v.fault("%s %s is recovered as %s, it was %s", l.Client, l.NS, l.SID, last[s])
					}
				} else {
					v.word("%s %s is not recovered, over %s", l.Client, l.NS, l.Reason)
				}
			}
			last[s] = l.SID
		case lineReceived:
			received[s] = l.History
		case lineProblem:
			v.fault("a client says: %s", l.Reason)
		}
	}
	debts := owe(&v, j, first)
	seats := make([]seat, 0, len(received))
	for s := range received {
		seats = append(seats, s)
	}
	slices.SortFunc(seats, func(a, b seat) int { return cmp.Or(cmp.Compare(a.client, b.client), cmp.Compare(a.ns, b.ns)) })
	for _, s := range seats {
		v.compare(s, received[s], debts[s])
	}
	return v
}

// record is a line of a server's journal.
type record struct {
	server string
	line
}

// merge returns the journals of all servers as one, in the order of time.
func (j journals) merge() (records []record) {
	for server, lines := range j.servers {
		var at int64
		for _, l := range lines {
			at = max(at, l.At) // the order within a server is that of its journal, also if its clock goes back
			l.At = at
			records = append(records, record{server, l})
		}
	}
	slices.SortStableFunc(records, func(a, b record) int { return cmp.Compare(a.At, b.At) })
	return records
}

// ledger keeps what the clients must receive, while the journals of the servers are replayed.
type ledger struct {
	verdict *Verdict
	first   map[seat]string  // the first session id of each client
	killed  map[string]int64 // see journals
	members map[seat]*membership
	debts   map[seat]map[event]debt
	answers map[event]int
}

// membership is the state of a client in a namespace.
type membership struct {
	in    bool
	rooms []string
}

// owe replays the journals of the servers, and returns what each client must receive.
func owe(v *Verdict, j journals, first map[seat]string) map[seat]map[event]debt {
	g := &ledger{
		verdict: v, first: first, killed: j.killed,
		members: make(map[seat]*membership), debts: make(map[seat]map[event]debt), answers: make(map[event]int),
	}
	for _, r := range j.merge() {
		g.replay(r)
	}
	return g.debts
}

func (g *ledger) replay(r record) {
	s := seat{r.Client, r.NS}
	m := g.members[s]
	switch r.Kind {
	case lineArrived:
		switch {
		case m == nil:
			g.members[s] = &membership{}
			g.debts[s] = make(map[event]debt)
		case r.Recovered && !sameSet(r.Rooms, m.rooms):
			g.verdict.fault("%s %s is back in %v, not in %v", r.Client, r.NS, r.Rooms, m.rooms)
		}
	case lineJoined:
		if !m.in && r.SID == g.first[s] {
			m.in, m.rooms = true, slices.Clone(r.Rooms)
		}
	case lineMoved:
		m.rooms = append(slices.DeleteFunc(m.rooms, func(room string) bool { return room == r.From }), r.Room)
	case lineEmitted:
		g.emitted(r)
	case lineAnswered:
		g.answered(r)
	}
}

// emitted notes which clients must receive an event.
func (g *ledger) emitted(r record) {
	e := event{r.server, r.N}
	if r.Question {
		g.verdict.Asked++
	}
	for s, m := range g.members {
		if s.ns != r.NS {
			continue
		}
		switch killed, ok := g.killed[r.server]; {
		case r.Client != "" && r.Client != s.client,
			r.To != "" && m.in && !slices.Contains(m.rooms, r.To):
		case !m.in, r.Volatile, ok && r.At > killed:
			g.debts[s][e] = maybe
		default:
			g.debts[s][e] = owed
		}
	}
}

// answered counts the answer to a question, and finds a second one.
func (g *ledger) answered(r record) {
	e := event{r.server, r.N}
	g.answers[e]++
	switch {
	case g.answers[e] > 1:
		g.verdict.fault("question %d to %s %s has %d answers", r.N, r.Client, r.NS, g.answers[e])
	case r.Reason != "":
		g.verdict.word("question %d to %s %s: %s", r.N, r.Client, r.NS, r.Reason)
	default:
		g.verdict.Answered++
	}
}

// compare judges one client.
func (v *Verdict) compare(s seat, received []span, debts map[event]debt) {
	v.Clients++
	perfect := true
	wrong := func(count *int, format string, args ...any) {
		*count++
		perfect = false
		v.word(format, args...)
	}
	seen := make(map[event]bool)
	highest := make(map[string]int)
	for _, span := range received {
		server := span.server()
		begin, end := span.numbers()
		for n := begin; n <= end; n++ {
			e := event{server, n}
			switch {
			case seen[e]:
				wrong(&v.Twice, "%s %s got %d of %s twice", s.client, s.ns, n, server)
				continue
			case debts[e] == never:
				wrong(&v.Forbidden, "%s %s must not get %d of %s", s.client, s.ns, n, server)
			case n < highest[server]:
				wrong(&v.Disorder, "%s %s got %d of %s after %d", s.client, s.ns, n, server, highest[server])
			}
			seen[e] = true
			highest[server] = max(highest[server], n)
		}
	}
	missing := 0
	for e, d := range debts {
		if d != owed {
			continue
		}
		v.Owed++
		if seen[e] {
			v.Delivered++
		} else {
			missing++
		}
	}
	if missing > 0 {
		perfect = false
		v.word("%s %s lacks %d events", s.client, s.ns, missing)
	}
	if perfect {
		v.Perfect++
	}
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}
