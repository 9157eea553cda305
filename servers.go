package socketio

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// beat is the longest time between two signs of life of a server, and
	// forgetAfter when one that gives none is taken for dead: when three are missing.
	beat        = 5 * time.Second
	forgetAfter = 3 * beat
	// settle is how long a server that has said hello waits for the others.
	settle = 2 * time.Second
	// maxServers bounds how many others are known.
	maxServers = 10_000
)

// servers is what a server knows about the other Go servers on its broker. One
// goroutine is its, run, which close ends. What arrives comes from
// cluster.listen.
type servers struct {
	c       *cluster
	channel string
	name    string
	url     string        // where this server's endpoint is for the others, if it is
	greeted chan struct{} // has an element when somebody wants to hear of us
	cancel  context.CancelFunc
	done    chan struct{} // closed when run has ended

	mu         sync.Mutex
	known      map[string]*otherServer // by host
	full       bool                    // there are more than known has
	subscribed bool
	hello      bool      // is to be said
	since      time.Time // when it was; zero if not since subscribing
	closed     bool
	lastID     uint64
	peerWait   peerWait
	surveys    map[uint64]*survey

	recent []carriedOut // only receive has to do with it
}

// otherServer is another server.
type otherServer struct {
	name     string
	version  int
	heard    time.Time
	endpoint *url.URL // nil without Options.Cluster.PeerURL
}

// serverName names this process for people.
func serverName(host string) string {
	machine, _ := os.Hostname() // may be unknown
	name := fmt.Sprintf("%.100s/%d", machine, os.Getpid())
	if host != "" {
		name += "/" + host[:8]
	}
	return name
}

func newServers(c *cluster) *servers {
	ctx, cancel := context.WithCancel(context.Background())
	s := &servers{
		c: c, channel: c.channel + serversSuffix, name: serverName(c.host),
		greeted: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{}),
		known: make(map[string]*otherServer), surveys: make(map[uint64]*survey),
		peerWait: peerWait{since: time.Now()},
	}
	if o := &c.srv.opts; o.Cluster.PeerURL != "" {
		s.url = strings.TrimSuffix(o.Cluster.PeerURL, "/") + o.Path
	}
	go s.run(ctx)
	return s
}

// run tells the others that this server is there.
func (s *servers) run(ctx context.Context) {
	defer close(s.done)
	timer := time.NewTimer(beat)
	defer timer.Stop()
	for soon := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-s.greeted:
			if !soon { // many may come at once, when the broker is back
				soon = true
				timer.Reset(50*time.Millisecond + rand.N(100*time.Millisecond))
			}
		case <-timer.C:
			soon = s.tell()
			s.forgetSilent()
			if soon {
				timer.Reset(200 * time.Millisecond)
			} else {
				timer.Reset(beat - rand.N(beat/5))
			}
		}
	}
}

// tell says hello, if that is due, or here. It reports whether hello is still
// due.
func (s *servers) tell() (again bool) {
	s.mu.Lock()
	subscribed, hello := s.subscribed, s.hello
	s.mu.Unlock()
	if !subscribed {
		return false
	}
	if !hello {
		_ = s.put(&serversMessage{Is: "here", URL: s.url}) // the next one may get through
		return false
	}
	if s.put(&serversMessage{Is: "hello", URL: s.url}) != nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hello, s.since = false, time.Now()
	s.signalAll()
	s.peerWait.signal()
	return false
}

// put publishes a message.
func (s *servers) put(m *serversMessage) error {
	m.Version, m.Host, m.Name = serversVersion, s.c.host, s.name
	if !s.c.out.PutTransient(s.channel, m.encode()) {
		return ErrBrokerUnavailable
	}
	return nil
}

// nudge makes run tell something soon.
func (s *servers) nudge() {
	select {
	case s.greeted <- struct{}{}:
	default:
	}
}

// connected: the subscription is in force. Those that were known before an outage
// have their time to be heard of again.
func (s *servers) connected() {
	s.mu.Lock()
	for _, o := range s.known {
		o.heard = time.Now()
	}
	s.subscribed, s.hello, s.since = true, true, time.Time{}
	s.peerWait.since = time.Now()
	s.mu.Unlock()
	if s.tell() {
		s.nudge()
	}
}

// lost: the subscription is lost, and with it the answers that were under way.
func (s *servers) lost() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscribed, s.since = false, time.Time{}
	for _, q := range s.surveys {
		q.end(ErrBrokerUnavailable)
	}
}

// forgetSilent forgets servers that have not been heard of.
func (s *servers) forgetSilent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.subscribed {
		return // there is nothing to be heard
	}
	for host, o := range s.known {
		if time.Since(o.heard) > forgetAfter {
			s.forget(host)
			for _, q := range s.surveys {
				q.fail(host, o.name, errSilentServer)
			}
		}
	}
}

// forget removes a server, with s.mu held.
func (s *servers) forget(host string) {
	delete(s.known, host)
	s.full = false
}

// close says goodbye and ends what waits for answers.
func (s *servers) close() {
	s.cancel()
	<-s.done
	s.mu.Lock()
	subscribed := s.subscribed && !s.closed
	s.closed, s.subscribed = true, false
	s.peerWait.signal()
	for _, q := range s.surveys {
		q.end(errShutsDown)
	}
	s.mu.Unlock()
	if subscribed {
		_ = s.put(&serversMessage{Is: "bye"}) // otherwise they will notice
	}
}

// receive takes a message of another server.
func (s *servers) receive(data []byte) error {
	m, err := readServersMessage(data)
	if m == nil {
		return err
	}
	if m.Host == s.c.host {
		return nil
	}
	s.note(m)
	switch {
	case err != nil:
		return err
	case m.Is == "hello":
		s.nudge()
	case m.Is == "ask" && (len(m.To) == 0 || slices.Contains(m.To, s.c.host)):
		s.reply(m)
	case m.Is == "answer" && m.To[0] == s.c.host:
		s.mu.Lock()
		defer s.mu.Unlock()
		if q := s.surveys[m.ID]; q != nil {
			q.take(m)
		}
	}
	return nil
}

// note notes that a server lives, or leaves.
func (s *servers) note(m *serversMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.known[m.Host]
	switch {
	case m.Is == "bye":
		if o != nil {
			s.forget(m.Host)
		}
		for _, q := range s.surveys {
			q.dismiss(m.Host)
		}
		return
	case o == nil && len(s.known) >= maxServers:
		s.full = true
		return
	case o == nil:
		o = new(otherServer)
		s.known[m.Host] = o
	}
	o.name, o.version, o.heard = m.Name, m.Version, time.Now()
	if o.name == "" {
		o.name = m.Host
	}
	if m.Is == "hello" || m.Is == "here" {
		s.noteEndpoint(o, m.URL)
	}
	for _, q := range s.surveys {
		if q.expect(m.Host, m.Version) && m.Is == "hello" { // it has not heard the question
			ask := *q.ask
			ask.To = []string{m.Host}
			_ = s.put(&ask) // it is asked again, anyway
		}
	}
}

// signalAll wakes whoever waits for answers, with s.mu held.
func (s *servers) signalAll() {
	for _, q := range s.surveys {
		q.signal()
	}
}

// names returns the names of the other servers.
func (s *servers) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, host := range slices.Sorted(maps.Keys(s.known)) {
		names = append(names, s.known[host].name)
	}
	return names
}
