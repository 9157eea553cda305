package migration

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/internal/cluster"
	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/grace"
	"github.com/seed-d124fa34/socketio/internal/recovery"
)

const (
	fetchTimeout = 30 * time.Second // how long a session may take to come
	maxFetches   = 256              // that run at once; more wait
	maxWaiting   = 100_000          // fetches that run or wait
	maxHops      = 4                // servers that are asked one after the other
	broadPause   = time.Millisecond // between questions to all servers
	batchSize    = 8 << 20          // bytes, about, that Shutdown hands over at once
	batchLen     = 1000             // sessions that it hands over at once
	batchWait    = 10 * time.Second // how long a batch waits for disconnect handlers
)

// Host is a server whose sessions move. Its methods do not wait.
type Host interface {
	Restorer
	// Give takes the session with a key from this server, for another one: from now on nothing is
	// kept for it here. give is called once, when its handlers have returned. ok is false if there
	// is no such session. The goroutine that receives calls it, or one that has fetched the session.
	Give(key recovery.Key, to string, give func(*Session)) (ok bool)
	// GiveWaiting is Give for a session whose client is away, whichever. size is about how many
	// bytes it has.
	GiveWaiting(to string, give func(*Session)) (key recovery.Key, size int64, ok bool)
	// Has reports whether there is a session with a key on this server, which is not under way.
	Has(key recovery.Key) bool
	// Waiting returns how many sessions there are whose clients are away.
	Waiting() int
	// Count counts bytes that sessions take while they are restored, or takes them off if it is negative.
	Count(bytes int64)
	// Take makes sessions of another server this server's, with what the Capture has for them. What
	// this server has published before has not come back from the broker yet.
	Take(sessions []*Session, from string, c *cluster.Capture) Arrivals
}

// Arrivals are sessions that Host.Take has taken. Their clients wait for one of the methods. Neither waits.
type Arrivals interface {
	// Settle is called when all that this server published before Take has come back from the
	// broker, by the goroutine that receives. If it returns true, it is called once more when all
	// that this server published before now has come back.
	Settle() (again bool)
	// End is called when Settle cannot be called any more. After Settle it ends nothing. It returns the keys of sessions of
	// Restorer.Restore that this server does not have, and that can be restored once more, here or on another server.
	End() (again []recovery.Key)
}

// Servers are the servers on a broker. A cluster.Cluster is one.
type Servers interface {
	Ask(ctx context.Context, q fleet.Question) ([]fleet.Reply, error)
	NewCapture() *cluster.Capture
}

// Mover moves sessions between servers: it asks for those whose clients have come to this one, and
// answers the questions of others. It has a goroutine for each session that is under way, and Close
// ends them.
type Mover struct {
	// Emits has the emits that are under way, from before the event is sent to any client until it is published for other
	// servers. An event that a session has, and that is published only after the session has been handed over, would
	// reach its client twice. So the Host waits, when a session has left, for the emits that were under way then: they
	// are published before the session, and the Capture of the other server has them.
	Emits grace.Tracker

	marks
	host    Host
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	slots   chan struct{} // one for each fetch that runs
	broad   chan struct{} // holds who may ask all servers

	restores *restores

	giving  sync.Mutex // held while sessions are given to a server that takes all; before the locks of the Host and the others here
	leavers leavers

	mu       sync.Mutex
	leaving  bool // nothing is taken any more
	waiting  int  // fetches that run or wait
	arrivals map[recovery.Key]*arrival
	batches  map[*arrival]struct{}   // sessions that other servers hand over to this one
	handed   map[recovery.Key]string // to which server HandOver has given a session
	ended    condition               // something that was under way has ended
}

// NewMover returns a Mover for a server that is called self by the others. What it restores at once takes a quarter of
// budget at most, which is a number of bytes, or 0 for no limit.
func NewMover(host Host, servers Servers, self string, budget int64) *Mover {
	ctx, cancel := context.WithCancel(context.Background())
	m := &Mover{
		marks: marks{servers, self}, host: host, ctx: ctx, cancel: cancel,
		slots: make(chan struct{}, maxFetches), broad: make(chan struct{}, 1),
		arrivals: make(map[recovery.Key]*arrival), batches: make(map[*arrival]struct{}), handed: make(map[recovery.Key]string),
	}
	m.restores = newRestores(ctx, m.marks, host, &m.running, budget)
	return m
}

// Close gives up what is under way, and waits for its goroutines. It returns how many sessions have left this server
// and have not been handed over.
func (m *Mover) Close() (lost int) {
	m.mu.Lock()
	m.leaving = true
	m.mu.Unlock()
	m.cancel()
	m.running.Wait()
	return m.leavers.len()
}

func (m *Mover) isLeaving() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.leaving
}

// Fetch fetches a session that another server may have: home if it has not moved. done is called
// when that has happened, or cannot, by a goroutine of the Mover. ok is false if nothing is tried: then
// done is not called.
func (m *Mover) Fetch(key recovery.Key, home string, done func()) (ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leaving || m.waiting >= maxWaiting {
		return false
	}
	if a := m.arrivals[key]; a != nil {
		a.then = append(a.then, waiting{proceed: done})
		return true
	}
	a := &arrival{then: []waiting{{proceed: done}}}
	m.arrivals[key] = a
	m.waiting++
	m.running.Go(func() {
		m.bring(key, home, a)
		for m.hasEnded(key, a) {
			m.mu.Lock()
			then := a.then
			a.then = nil
			m.mu.Unlock()
			for _, w := range then {
				w.proceed()
			}
		}
	})
	return true
}

// bring brings a session to this server, if there is one: from the server that has it or, if no server has it,
// from what its server has written down. While it is not known whether a server has it, because the connection
// with the broker is lost, bring tries again: a session must not go on in two places.
func (m *Mover) bring(key recovery.Key, home string, a *arrival) {
	for until := time.Now().Add(restoreTime); ; {
		found, err := m.fetch(key, home, a)
		if found || !m.host.CanRestore() || m.isLeaving() {
			return
		}
		if err == nil {
			m.mu.Lock()
			a.passed = true // from now on this server asks no other one
			m.mu.Unlock()
			err = m.restores.restore(key)
		}
		if err == nil || time.Now().After(until) || !pause(m.ctx, retryPause) {
			return
		}
	}
}

// fetch fetches a session from the server that has it. If there is none, or none that answers, found is
// false: nobody has the session. An error means that this is not known.
func (m *Mover) fetch(key recovery.Key, home string, a *arrival) (found bool, err error) {
	ctx, cancel := context.WithTimeout(m.ctx, fetchTimeout)
	defer cancel()
	held := hold(ctx, m.slots)
	release := func() {
		if held {
			<-m.slots
			held = false
		}
	}
	defer release()
	if !held {
		return false, ctx.Err()
	}
	q := question{Do: doMove, Key: hex.EncodeToString(key[:])}
	asked := map[string]bool{m.self: true}
	next := home
	for range maxHops {
		if m.isLeaving() { // it is better off where it is
			return false, nil
		}
		if asked[next] {
			next = "" // all
		}
		if asked[next] {
			break
		}
		if next == "" && !m.mayAskAll(ctx) {
			return false, ctx.Err()
		}
		asked[next] = true
		found, next, err = m.ask(ctx, &q, next, a, key)
		if found {
			return true, nil
		}
		if next == m.self { // the other server has handed it over, in a batch that is under way
			release() // others are fetched meanwhile
			if m.hasAfterBatches(ctx, key) {
				return true, nil
			}
			if held = hold(ctx, m.slots); !held {
				return false, ctx.Err()
			}
		}
	}
	release()
	return m.hasAfterBatches(ctx, key), err // the server that has handed it over may have gone
}

// mayAskAll waits until the next question to all servers may be asked: any client that connects can
// cause one.
func (m *Mover) mayAskAll(ctx context.Context) bool {
	if !hold(ctx, m.broad) {
		return false
	}
	time.AfterFunc(broadPause, func() { <-m.broad })
	return true
}

// ask asks a server for a session, or, if to is empty, all of them. If it has come, found is set; if not,
// next is the server that is said to have it, or empty. For the error see fetch.
func (m *Mover) ask(ctx context.Context, q *question, to string, a *arrival, key recovery.Key) (found bool, next string, err error) {
	replies, err := m.take(ctx, q, to, a, func(s *Session) bool { return string(s.Key) == string(key[:]) })
	for _, r := range replies {
		if r.Found {
			return true, "", nil
		}
		if r.Count == elsewhere && len(r.Names) == 1 {
			next = r.Names[0]
		}
	}
	return false, next, err
}

// take asks a question and takes the sessions that come, if they are wanted. An error means that servers
// could not be asked, or have not answered although they are there.
func (m *Mover) take(ctx context.Context, q *question, to string, a *arrival, wanted func(*Session) bool) ([]fleet.Reply, error) {
	capture := m.servers.NewCapture()
	defer capture.End()
	m.letPass(a)
	replies, err := m.servers.Ask(ctx, fleet.Question{
		Content: q.encode(), Order: true, UntilFound: true, Urgent: true, To: to,
		Passed: func() {
			capture.Begin()
			m.mu.Lock()
			defer m.mu.Unlock()
			a.passed = true
		},
	})
	err = uncertain(replies, err)
	for i := range replies {
		r := &replies[i]
		if !r.Found {
			continue
		}
		sessions, bad := Read(r.Names)
		for _, s := range sessions {
			r.Found = r.Found && bad == nil && len(s.Key) == len(recovery.Key{}) && wanted(s)
		}
		if r.Found && len(sessions) > 0 {
			m.settle(ctx, capture, m.host.Take(sessions, r.Host, capture))
			break // the Capture is used up, and one server has it at most
		}
	}
	return replies, err
}

// uncertain returns an error if a server may have what was asked for although it has not answered so. That is not
// so for servers that are gone.
func uncertain(replies []fleet.Reply, err error) error {
	for _, r := range replies {
		if r.Err == fleet.Busy {
			return errors.New(r.Err)
		}
	}
	if errors.Is(err, fleet.ErrUnavailable) || errors.Is(err, fleet.ErrInterrupted) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// question is the content of a fleet.Question about sessions that move.
type question struct {
	Do  string `json:"do"`
	Key string `json:"key,omitempty"` // of doMove, in hexadecimal
}

// What a question asks.
const (
	doMove    = "moveSession"  // an order: the session with Key goes to the server that asks. Found: it does; Names: its form
	doHost    = "hostSessions" // Found: the server takes sessions; Count: how many it has whose clients are away
	doTake    = "takeSessions" // an order: the server fetches all sessions of the one that asks, whose clients are away; Found: it has
	doMark    = "mark"         // nothing: it is for the server itself
	doMoveAll = "moveSessions" // an order: some of the sessions whose clients are away go to the server that asks; Found: some do; Names: their form
)

// elsewhere in Count says that a session is on the server in Names.
const elsewhere = -1

func (q *question) encode() json.RawMessage {
	content, _ := json.Marshal(q) // strings have no errors
	return content
}

// Answer answers a question of another server, if it is about sessions that move; otherwise it reports
// false. The goroutine that receives calls it.
func (m *Mover) Answer(from string, content []byte, answer func(fleet.Answer)) (answers bool) {
	var q question
	if json.Unmarshal(content, &q) != nil {
		return false
	}
	switch q.Do {
	case doMove:
		var key recovery.Key
		if b, err := hex.DecodeString(q.Key); err == nil && len(b) == len(key) {
			copy(key[:], b)
		}
		m.move(key, from, answer)
	case doMoveAll:
		m.moveAll(from, answer)
	case doHost:
		m.mu.Lock()
		accepts := !m.leaving
		m.mu.Unlock()
		answer(fleet.Answer{Found: accepts, Count: m.host.Waiting()})
	case doTake:
		m.takeAll(from, answer)
	default:
		return false
	}
	return true
}

// move answers doMove. If the session is on its way to this server, and this server has asked for it
// before the other one did, it goes on from here when it has come; if the other one was first, it does
// not wait, so that two servers never wait for each other.
func (m *Mover) move(key recovery.Key, to string, answer func(fleet.Answer)) {
	again := func() { m.move(key, to, answer) }
	m.mu.Lock()
	if a := m.arrivals[key]; a != nil && a.passed {
		a.then = append(a.then, waiting{again, true})
		m.mu.Unlock()
		return
	}
	m.mu.Unlock()
	give := func(s *Session) { answer(formed(s)) }
	if m.host.Give(key, to, give) {
		return
	}
	if ok, host := m.giveLeaver(key, to, give); ok {
		return
	} else if host != "" {
		answer(fleet.Answer{Names: []string{host}, Count: elsewhere})
		return
	}
	m.mu.Lock()
	for b := range m.batches {
		if b.passed {
			b.then = append(b.then, waiting{again, true})
			m.mu.Unlock()
			return
		}
	}
	m.mu.Unlock()
	answer(fleet.Answer{})
}

// formed returns the answer with sessions.
func formed(sessions ...*Session) (a fleet.Answer) {
	a.Found = true
	for _, s := range sessions {
		var err error
		if a.Names, err = Append(a.Names, s); err != nil { // values were encoded before
			return fleet.Answer{Err: err.Error()}
		}
	}
	return a
}
