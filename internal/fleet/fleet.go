package fleet

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	heartbeat       = 5 * time.Second           // the longest time between two signs of life of a server
	silentAfter     = 3 * heartbeat             // a server that gave none for so long is silent
	replacedAfter   = heartbeat + 2*time.Second // one whose endpoint another server has is forgotten after so long without a sign of life
	missingFor      = 5 * time.Minute           // a silent server is named as missing for so long, and then forgotten
	urgentSilent    = 2 * time.Second           // the same, if the server has been asked an urgent question
	urgentHeartbeat = urgentSilent / 4          // the longest time between two signs of life of a server that has not answered an urgent question
	settle          = 2 * time.Second           // a server that has said hello knows the others after this time
	retryHello      = heartbeat / 25            // a hello that could not be published is tried again after this time
	helloReplyDelay = heartbeat / 50            // hello is answered after this time, or up to twice as much
	maxMembers      = 10_000                    // other servers that are known
	maxBytes        = 256 << 20                 // of the answers to one question, and of those being sent
	partSize        = 128 << 10                 // bytes, roughly, of one part of an answer
	askAgain        = 2 * time.Second           // an answer that made no progress for so long is requested again
	idleFor         = 10 * time.Second          // an answer whose rest is not requested for so long is dropped
)

// Errors that say why servers did not answer, or could not be asked.
var (
	// ErrUnavailable: there is no subscription, or nothing can be published.
	ErrUnavailable = errors.New("the servers cannot be asked: there is no connection with the broker")
	// ErrClosed: this fleet is closed.
	ErrClosed = errors.New("this server shuts down")
	// ErrSilent: a server gave no sign of life for a while. Its clients may still be connected.
	ErrSilent = errors.New("a server has given no sign of life for a while")
	// ErrInterrupted: the subscription of a server was interrupted, and what was sent to it may be lost.
	ErrInterrupted = errors.New("a server had lost its connection with the broker")
	// ErrLeft: a server has shut down.
	ErrLeft = errors.New("a server has shut down")

	errTooManyServers = errors.New("there are more servers than can be asked")
	errTooLong        = errors.New("the answer is too big")
	errOtherVersion   = errors.New("a server does not understand the question: all servers must run the same version")
)

// Options are what a Fleet needs. Host, Publish and Answer are required.
type Options struct {
	Host string // the id of this server, at most 200 bytes
	Name string // the same for people, at most 200 bytes

	// Endpoint is the URL at which the other servers find this one, empty if they need not; see
	// [ParseEndpoint] and [Fleet.Endpoint].
	Endpoint string

	// Publish sends a message to all servers on the channel, and does not wait for it. An error means
	// that it will not arrive. It is called from several goroutines, and no lock is held meanwhile.
	// The messages that were published by one goroutine must arrive in their order.
	Publish func(data []byte) error

	// Answer answers a question of another server, host. The goroutine of Receive calls it, and no
	// lock is held meanwhile. It calls answer once, at once or later, in any goroutine; the fleet
	// owns the answer from then on.
	Answer func(host string, question []byte, answer func(Answer))

	// Lost, if set, is called when answers of a server to questions outside the fleet may be lost:
	// the server has left (ErrLeft), it has fallen silent (ErrSilent), or its
	// subscription was interrupted (ErrInterrupted). No lock is held meanwhile.
	Lost func(host string, err error)
}

// Fleet is what a server knows about the other servers on its channel. Its methods may be called
// from any goroutine, except Receive. It has one goroutine, which Close ends.
type Fleet struct {
	opts   Options
	wake   chan struct{} // has an element when a sign of life is due soon
	cancel context.CancelFunc
	done   chan struct{} // closed when run has ended

	mu          sync.Mutex
	members     map[string]*member // the other servers, by id
	full        bool               // there are more servers than members has
	subscribed  bool
	helloDue    bool
	helloSentAt time.Time // when hello was published; zero if it was not since subscribing
	closed      bool
	lastID      uint64             // of a question
	surveys     map[uint64]*survey // questions that wait for answers
	replies     replies
	lookups     lookups
}

// New returns a fleet that has no subscription yet.
func New(o Options) *Fleet {
	ctx, cancel := context.WithCancel(context.Background())
	f := &Fleet{
		opts: o, wake: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{}),
		members: make(map[string]*member), surveys: make(map[uint64]*survey),
		replies: replies{pending: make(map[replyKey]bool), transfers: make(map[replyKey]*transfer), partSize: partSize},
		lookups: lookups{since: time.Now()},
	}
	go f.run(ctx)
	return f
}

// run gives signs of life, and notices when the other servers give none.
func (f *Fleet) run(ctx context.Context) {
	defer close(f.done)
	timer := time.NewTimer(heartbeat)
	defer timer.Stop()
	for soon := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
			if !soon { // many may ask for it at once when the broker is back
				soon = true
				timer.Reset(helloReplyDelay + rand.N(helloReplyDelay))
			}
		case <-timer.C:
			soon = f.announce()
			f.tidy()
			switch {
			case soon:
				timer.Reset(retryHello)
			case f.isUrgent():
				timer.Reset(urgentHeartbeat)
			default:
				timer.Reset(heartbeat - rand.N(heartbeat/5))
			}
		}
	}
}

// announce publishes hello, if that is due, or else "alive". It reports whether hello is still due.
func (f *Fleet) announce() (again bool) {
	f.mu.Lock()
	subscribed, hello := f.subscribed, f.helloDue
	f.mu.Unlock()
	if !subscribed {
		return false
	}
	if !hello {
		_ = f.publish(&message{Kind: kindAlive, Endpoint: f.opts.Endpoint}) // the next one may get through
		return false
	}
	if f.publish(&message{Kind: kindHello, Endpoint: f.opts.Endpoint}) != nil {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.subscribed { // lost meanwhile
		return false
	}
	f.helloDue, f.helloSentAt = false, time.Now()
	for _, s := range f.surveys {
		s.signal()
	}
	f.lookups.signal()
	return false
}

// tidy notices silent servers, and drops answers whose rest is not requested.
func (f *Fleet) tidy() {
	silent := f.noticeSilence()
	if f.opts.Lost != nil {
		for _, host := range silent {
			f.opts.Lost(host, ErrSilent)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.replies.dropIdle()
}

// publish fills in who sends a new message, and publishes it. f.mu must not be held:
// Options.Publish may run a logger of the application.
func (f *Fleet) publish(m *message) error {
	m.Version, m.Host, m.Name = version, f.opts.Host, f.opts.Name
	return f.opts.Publish(m.encode())
}

// Connected says that the subscription is in force. The servers that were known before an outage
// have time to give a sign of life. resumed means that the subscription was in force before, and that
// no message of this server or for it has been lost since: the others need no hello. Connected
// may be called again without Disconnected if messages were lost meanwhile.
func (f *Fleet) Connected(resumed bool) {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return
	}
	for _, m := range f.members {
		if !m.silent {
			m.lastSeen = time.Now()
		}
	}
	f.subscribed, f.helloDue, f.helloSentAt = true, true, time.Time{}
	f.lookups.since = time.Now()
	if resumed {
		f.helloDue, f.helloSentAt = false, time.Now()
	}
	f.mu.Unlock()
	if f.announce() {
		f.announceSoon()
	}
}

// Disconnected says that the subscription is lost. Questions end with ErrUnavailable, because
// answers may be lost with it.
func (f *Fleet) Disconnected() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subscribed, f.helloSentAt = false, time.Time{}
	for _, s := range f.surveys {
		s.end(ErrUnavailable)
	}
}

// Close says goodbye and ends what waits for answers.
func (f *Fleet) Close() {
	f.cancel()
	<-f.done
	f.mu.Lock()
	subscribed := f.subscribed && !f.closed
	f.closed, f.subscribed = true, false
	f.lookups.signal()
	for _, s := range f.surveys {
		s.end(ErrClosed)
	}
	f.mu.Unlock()
	if subscribed {
		_ = f.publish(&message{Kind: kindBye}) // the others will notice otherwise
	}
}

// Receive takes a message that arrived on the channel. One goroutine calls it, with one message
// after another, while the subscription is in force. The error says why the message was of no use.
func (f *Fleet) Receive(data []byte) error {
	m, err := f.read(data)
	if m == nil || err != nil {
		return err
	}
	forThis := slices.Contains(m.To, f.opts.Host)
	switch {
	case m.Kind == kindHello:
		f.announceSoon()
	case m.Kind == kindAsk && (forThis || len(m.To) == 0):
		f.reply(m)
	case m.Kind == kindNext && forThis:
		f.replyNext(m)
	case m.Kind == kindAnswer && forThis:
		f.take(m)
	}
	return nil
}

// ReceiveMissed takes a message that was published while the subscription was lost. The goroutine of
// Receive calls it before Connected. The fleet learns from it which servers there are. It ignores
// questions and answers, which are out of date and are asked again.
func (f *Fleet) ReceiveMissed(data []byte) error {
	_, err := f.read(data)
	return err
}

// read reads a message and notes what it says about its server. It returns nil if there is nothing
// more to do.
func (f *Fleet) read(data []byte) (*message, error) {
	m, err := readMessage(data, f.opts.Host)
	if m == nil {
		return nil, err
	}
	switch {
	case f.isClosed():
		return nil, nil
	case m.Host == f.opts.Host:
		f.passed(m)
		return nil, nil
	}
	asks, lost := f.noteAlive(m)
	for _, ask := range asks {
		_ = f.publish(ask) // it is asked again, anyway
	}
	if lost != nil && f.opts.Lost != nil {
		f.opts.Lost(m.Host, lost)
	}
	return m, err
}

func (f *Fleet) isClosed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed
}

// announceSoon makes run give a sign of life soon.
func (f *Fleet) announceSoon() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}
