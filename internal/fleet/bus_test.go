package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// testPartSize is small, because the race detector makes JSON slow.
const testPartSize = 1 << 10

// bus is the channel of a test's fleets, and its broker.
type bus struct {
	t       *testing.T
	copies  int            // how often a message arrives
	running sync.WaitGroup // goroutines of servers
	mu      sync.Mutex
	servers []*server
}

// server is one fleet on the bus. Two goroutines are its: one delivers what it publishes, as an
// outbox does, and the other what it receives.
type server struct {
	*Fleet
	bus    *bus
	host   string
	stop   context.CancelFunc
	answer func(content string) Answer
	later  func(answer func()) // nil: answers are given at once

	mu       sync.Mutex
	inbox    [][]byte
	outbox   [][]byte
	size     int                 // bytes in outbox
	limit    int                 // bytes that outbox takes, unless it is empty; 0: any
	received bool                // whether it is subscribed
	lose     func(*message) bool // what it publishes and nobody gets
	during   func()              // called once, while a message is handed over
	slow     time.Duration       // how long each message is under way
	asked    []string            // the questions it was asked
	lost     []string            // what Options.Lost was called with
	sent     int                 // messages
	biggest  int                 // bytes of a message
	wake     [2]chan struct{}    // for outbox and inbox
	moody    bool                // publishing fails
}

func inBus(t *testing.T, n int, test func(t *testing.T, b *bus)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bus{t: t, copies: 1}
		defer func() {
			for _, s := range b.servers {
				s.Close()
				s.stop()
			}
			b.running.Wait()
		}()
		for range n {
			b.add()
		}
		if n > 0 {
			time.Sleep(settle)
		}
		test(t, b)
	})
}

// add starts a server that is subscribed.
func (b *bus) add() *server {
	s := b.start(Options{})
	s.subscribe()
	synctest.Wait()
	return s
}

func (b *bus) start(o Options) *server {
	ctx, stop := context.WithCancel(b.t.Context())
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &server{bus: b, host: fmt.Sprintf("h%d", len(b.servers)), stop: stop}
	s.answer = func(string) Answer { return Answer{Names: []string{s.host}, Count: 1} }
	s.wake = [2]chan struct{}{make(chan struct{}, 1), make(chan struct{}, 1)}
	o.Host, o.Name = s.host, "name of "+s.host
	o.Publish, o.Answer = s.publish, s.answerQuestion
	o.Lost = func(host string, err error) {
		_ = s.Reachable("") // no lock is held
		s.mu.Lock()
		defer s.mu.Unlock()
		s.lost = append(s.lost, fmt.Sprintf("%s: %v", host, err))
	}
	s.Fleet = New(o)
	s.replies.partSize = testPartSize
	b.servers = append(b.servers, s)
	b.running.Go(func() { s.run(ctx, 0, &s.outbox, b.deliver) })
	b.running.Go(func() { s.run(ctx, 1, &s.inbox, func(_ *server, data []byte) { _ = s.Receive(data) }) })
	return s
}

func (s *server) subscribe() {
	s.mu.Lock()
	s.received = true
	s.mu.Unlock()
	s.Connected(false)
}

// cut makes the server lose its subscription.
func (s *server) cut() {
	s.mu.Lock()
	s.received, s.inbox = false, nil
	s.mu.Unlock()
	s.Disconnected()
}

// vanish makes the server end without a goodbye, for the others.
func (s *server) vanish() { s.losing(func(*message) bool { return true }) }

func (s *server) losing(lose func(*message) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lose = lose
}

func (s *server) answerQuestion(_ string, content []byte, give func(Answer)) {
	_ = s.Reachable("") // no lock is held
	var text string
	if err := json.Unmarshal(content, &text); err != nil {
		give(Answer{Err: err.Error()})
		return
	}
	s.mu.Lock()
	s.asked = append(s.asked, text)
	answer, later := s.answer, s.later
	s.mu.Unlock()
	if later != nil {
		later(func() { give(answer(text)) })
		return
	}
	give(answer(text))
}

func (s *server) publish(data []byte) error {
	_ = s.Reachable("") // no lock is held
	s.mu.Lock()
	during := s.during
	s.during = nil
	s.mu.Unlock()
	if during != nil {
		during()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent++
	s.biggest = max(s.biggest, len(data))
	switch {
	case s.moody, s.limit > 0 && s.size > 0 && s.size+len(data) > s.limit:
		return errors.New("moody")
	case s.lose != nil && s.lose(s.bus.read(data)):
		return nil
	}
	s.outbox = append(s.outbox, data)
	s.size += len(data)
	s.signal(0)
	return nil
}

func (b *bus) read(data []byte) *message {
	m := new(message)
	if err := json.Unmarshal(data, m); err != nil {
		b.t.Errorf("published: %s: %v", data, err)
	}
	return m
}

func (s *server) signal(box int) {
	select {
	case s.wake[box] <- struct{}{}:
	default:
	}
}

func (s *server) run(ctx context.Context, box int, queue *[][]byte, handle func(*server, []byte)) {
	for {
		s.mu.Lock()
		var data []byte
		if len(*queue) > 0 {
			data, *queue = (*queue)[0], (*queue)[1:]
		}
		slow := s.slow
		s.mu.Unlock()
		if data != nil {
			if box == 0 && slow > 0 {
				time.Sleep(slow)
			}
			handle(s, data)
			continue
		}
		select {
		case <-s.wake[box]:
		case <-ctx.Done():
			return
		}
	}
}

// deliver brings a message to everybody.
func (b *bus) deliver(from *server, data []byte) {
	b.mu.Lock()
	servers, copies := slices.Clone(b.servers), b.copies
	b.mu.Unlock()
	from.mu.Lock()
	from.size -= len(data)
	from.mu.Unlock()
	for _, s := range servers {
		s.mu.Lock()
		if s.received {
			for range copies {
				s.inbox = append(s.inbox, data)
			}
			s.signal(1)
		}
		s.mu.Unlock()
	}
}

// questions returns what the server was asked.
func (s *server) questions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *server) losses() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lost)
}

func (s *server) answers(answer func(content string) Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// ask asks a question, for an hour at most, and returns the names that the others have answered.
func (s *server) ask(question string) ([]string, error) { return s.askFor(time.Hour, question) }

func (s *server) askFor(d time.Duration, question string) ([]string, error) {
	ctx, cancel := context.WithTimeout(s.bus.t.Context(), d)
	defer cancel()
	replies, err := s.Ask(ctx, ask(question))
	var names []string
	for _, r := range replies {
		names = append(names, r.Names...)
	}
	return names, err
}

func ask(question string) Question {
	content, _ := json.Marshal(question)
	return Question{Content: content}
}

func order(question string) Question {
	q := ask(question)
	q.Order = true
	return q
}

// wantMissing expects an error that names servers.
func wantMissing(t *testing.T, err, is error, servers ...*server) {
	t.Helper()
	var incomplete *Error
	require.ErrorAs(t, err, &incomplete)
	require.ErrorIs(t, err, is)
	var names []string
	for _, s := range servers {
		names = append(names, "name of "+s.host)
	}
	require.Equal(t, names, incomplete.Missing)
}

// forgotten expects that the server remembers no question and no answer.
func (s *server) forgotten() {
	s.bus.t.Helper()
	s.Fleet.mu.Lock()
	defer s.Fleet.mu.Unlock()
	require.Empty(s.bus.t, s.surveys)
	require.Empty(s.bus.t, s.replies.transfers)
	require.Zero(s.bus.t, s.replies.bytes)
	require.Empty(s.bus.t, s.replies.pending)
	require.Zero(s.bus.t, s.replies.urgent)
}
