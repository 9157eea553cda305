package recovery

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/internal/faulty"
)

// Stage is the set-up of a scenario: servers, clients, and a proxy for each client. When a step
// fails, or the context ends, the steps after it do nothing, and end returns the first failure.
//
// It has the goroutines of its processes and proxies, and one for each call of the functions
// given to OnConnect and OnUpgrade. end waits for all of them.
type Stage struct {
	ctx      context.Context
	config   Config
	scenario Scenario

	broker  string // its URL, for two servers
	servers []*process
	addrs   []string
	version string // of the servers
	clients *process
	seats   []*Seat
	byName  map[string]*Seat
	later   sync.WaitGroup

	mu        sync.Mutex    // guards the following
	changed   chan struct{} // closed and replaced when something has changed
	err       error
	journals  journals
	connected map[seat]bool
	connects  map[seat]int
	received  int
	report    []line                  // what the clients report as received
	onConnect func(s *Seat, time int) // with the first namespace
	onUpgrade func(s *Seat)
}

// Seat is a client and the proxy that it connects through.
type Seat struct {
	*faulty.Proxy
	Name  string
	Index int
	Rooms []string // those that it joins first
}

func (st *Stage) fail(err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.err == nil && err != nil {
		st.err = err
		st.change()
	}
}

// change wakes the calls of await. The caller holds mu.
func (st *Stage) change() {
	close(st.changed)
	st.changed = make(chan struct{})
}

func (st *Stage) failed() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.err != nil
}

// traced returns a function that writes the lines of a process to the trace, and passes them on.
func (st *Stage) traced(name string, hear func(line)) func(line) {
	if st.config.Trace == nil {
		return hear
	}
	return func(l line) {
		st.mu.Lock()
		b, _ := json.Marshal(l)
		fmt.Fprintf(st.config.Trace, "%d %s %s\n", time.Now().UnixMicro(), name, b)
		st.mu.Unlock()
		hear(l)
	}
}

// hearServer returns a function that keeps the lines of a server.
func (st *Stage) hearServer(name string) func(line) {
	return func(l line) {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.journals.servers[name] = append(st.journals.servers[name], l)
	}
}

// hearClients keeps a line of the clients, and calls what the scenario has given to OnConnect and
// OnUpgrade.
func (st *Stage) hearClients(l line) {
	st.mu.Lock()
	defer st.mu.Unlock()
	s := seat{l.Client, l.NS}
	who := st.byName[l.Client]
	switch l.Kind {
	case lineConnected:
		st.connected[s] = true
		st.connects[s]++
		if f, n := st.onConnect, st.connects[s]; f != nil && l.NS == st.scenario.Namespaces[0] {
			st.later.Go(func() { f(who, n) })
		}
	case lineDisconnected:
		st.connected[s] = false
	case lineUpgrading:
		if f := st.onUpgrade; f != nil {
			st.later.Go(func() { f(who) })
		}
		return
	case lineCount:
		st.received = l.N
		return
	case lineReceived, lineProblem:
		st.report = append(st.report, l)
		return
	}
	st.journals.clients = append(st.journals.clients, l)
	st.change()
}

// OnConnect sets a function that is called in a goroutine of its own whenever a client has
// connected for the nth time.
func (st *Stage) OnConnect(f func(s *Seat, n int)) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.onConnect = f
}

// OnUpgrade sets a function that is called whenever a client begins to upgrade.
func (st *Stage) OnUpgrade(f func(s *Seat)) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.onUpgrade = f
}

// await waits until the condition holds, which is called with mu held.
func (st *Stage) await(what string, condition func() bool) {
	const patience = time.Minute
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		st.mu.Lock()
		changed, err, good := st.changed, st.err, condition()
		st.mu.Unlock()
		if err != nil || good {
			return
		}
		select {
		case <-changed:
		case <-st.ctx.Done():
			st.fail(st.ctx.Err())
		case <-late.C:
			st.fail(fmt.Errorf("%s: not after %v", what, patience))
		}
	}
}

// settle waits until the clients receive nothing more. If a client may notice only by its
// heartbeat that it has lost its connection, settle waits that long, unless all clients have
// everything.
func (st *Stage) settle() {
	quiet := 1500 * time.Millisecond
	if st.config.Short {
		quiet = 500 * time.Millisecond
	}
	patient := quiet
	if st.scenario.PingInterval > 0 {
		patient += st.scenario.PingInterval + st.scenario.PingTimeout
	}
	last, since := -1, time.Now()
	for begin := time.Now(); time.Since(begin) < 30*time.Second; time.Sleep(100 * time.Millisecond) {
		st.do(st.clients, command{Do: "count"})
		if st.failed() {
			return
		}
		st.mu.Lock()
		now := st.received
		st.mu.Unlock()
		if now != last {
			last, since = now, time.Now()
		}
		switch still := time.Since(since); {
		case still > patient, still > quiet && (patient == quiet || st.verdict().Good()):
			return
		}
	}
}

// verdict judges what has been received until now.
func (st *Stage) verdict() Verdict {
	st.mu.Lock()
	st.report = nil
	st.mu.Unlock()
	st.do(st.clients, command{Do: "report"})
	st.mu.Lock()
	defer st.mu.Unlock()
	now := st.journals
	now.clients = slices.Concat(now.clients, st.report)
	return judge(now)
}

// do sends a command to a process, if there is one.
func (st *Stage) do(p *process, c command) {
	if !st.failed() && p.alive() {
		st.fail(p.do(c))
	}
}

// end waits until nothing more happens, stops everything, and judges.
func (st *Stage) end() (Verdict, error) {
	var v Verdict
	st.OnConnect(nil)
	st.OnUpgrade(nil)
	st.later.Wait()
	if st.clients != nil {
		st.Quiet()
		st.Each(func(s *Seat) {
			s.Set(faulty.Conditions{})
			s.Resume()
			s.Refuse(false)
		})
		st.await("all clients are connected in the end", st.allConnected(nil))
		st.settle()
		v = st.verdict()
	}
	st.close()
	return v, st.err
}

func (st *Stage) close() {
	if st.clients != nil {
		st.clients.kill()
	}
	for _, p := range st.servers {
		p.stop()
	}
	for _, s := range st.seats {
		s.Close()
	}
}
