package recovery

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/internal/faulty"
)

// Stage is where a scenario plays: servers, clients, and between them a proxy
// for each client. When a step fails, or the context ends, the steps that
// follow do nothing, and the scenario's end reports the first failure.
//
// Goroutines: those of its processes and proxies, and one for each step that a
// client's connection sets off (OnConnect, OnUpgrade). End waits for all.
type Stage struct {
	ctx      context.Context
	config   Config
	scenario Scenario

	redis   string // its URL, for two servers
	servers []*process
	addrs   []string
	version string // what the servers are
	clients *process
	seats   []*Seat
	byName  map[string]*Seat
	later   sync.WaitGroup

	mu        sync.Mutex    // guards the following
	changed   chan struct{} // closed and replaced when something has changed
	err       error
	told      journals
	connected map[seat]bool
	connects  map[seat]int
	received  int
	onConnect func(s *Seat, time int) // with the first namespace
	onUpgrade func(s *Seat)
}

// Seat is a client and the proxy that it connects through.
type Seat struct {
	*faulty.Proxy
	Name  string
	Index int
	Rooms []string // that it is in at first
}

func (st *Stage) fail(err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.err == nil && err != nil {
		st.err = err
		st.change()
	}
}

// change wakes who waits. The caller holds mu.
func (st *Stage) change() {
	close(st.changed)
	st.changed = make(chan struct{})
}

func (st *Stage) failed() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.err != nil
}

// traced hands on what a process tells, and writes it to the trace.
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

// hearServer keeps what a server tells.
func (st *Stage) hearServer(name string) func(line) {
	return func(l line) {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.told.servers[name] = append(st.told.servers[name], l)
	}
}

// hearClients keeps what the clients tell, and sets off what the scenario wants
// to happen then.
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
	}
	st.told.clients = append(st.told.clients, l)
	st.change()
}

// OnConnect has f called, in a goroutine of its own, whenever a client has
// connected, for the time n.
func (st *Stage) OnConnect(f func(s *Seat, n int)) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.onConnect = f
}

// OnUpgrade has f called whenever a client's upgrade begins.
func (st *Stage) OnUpgrade(f func(s *Seat)) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.onUpgrade = f
}

// Await waits until the condition, which is called with mu held, holds.
func (st *Stage) await(what string, condition func() bool) {
	const patience = 30 * time.Second
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

// Open has all clients connect and waits until all of them have.
func (st *Stage) Open() {
	if st.start(); st.failed() {
		return
	}
	st.await("all clients are connected", st.allConnected(nil))
}

// start has all clients begin to connect.
func (st *Stage) start() {
	if st.failed() {
		return
	}
	var err error
	st.clients, _, err = startProcess(st.ctx, "clients", st.config.NodeDir, []string{"node", "recovery-clients.mjs"}, nil, st.traced("clients", st.hearClients))
	if err != nil {
		st.fail(err)
		return
	}
	transports := st.scenario.Transports
	if transports == nil {
		transports = st.config.Transports
	}
	var plans []clientPlan
	for i, s := range st.seats {
		plans = append(plans, clientPlan{
			Name: s.Name, URL: "http://" + s.Addr(), Lib: libs[i/len(transports)%len(libs)], Transports: transports[i%len(transports)],
			Namespaces: st.scenario.Namespaces, Rooms: s.Rooms,
		})
	}
	st.fail(st.clients.do(command{Do: "open", Open: plans}))
}

// allConnected is a condition: all clients are connected, and have been so more
// often than they had.
func (st *Stage) allConnected(had map[seat]int) func() bool {
	return func() bool {
		for _, s := range st.seats {
			for _, ns := range st.scenario.Namespaces {
				if key := (seat{s.Name, ns}); !st.connected[key] || st.connects[key] <= had[key] {
					return false
				}
			}
		}
		return true
	}
}

// Returning has all clients lose their connection by what f does, and waits until all of
// them are back.
func (st *Stage) Returning(f func()) { st.someReturning(func(*Seat) bool { return true }, f) }

// someReturning is Returning for those clients that which says.
func (st *Stage) someReturning(which func(s *Seat) bool, f func()) {
	had := make(map[seat]int)
	st.mu.Lock()
	for key, n := range st.connects {
		if which(st.byName[key.client]) {
			had[key] = n
		}
	}
	st.mu.Unlock()
	if f(); !st.failed() {
		st.await("all clients are back", st.allConnected(had))
	}
}

// Sleep lets time pass. In a short scenario a third is enough.
func (st *Stage) Sleep(d time.Duration) {
	if st.failed() {
		return
	}
	if st.config.Short {
		d /= 3
	}
	select {
	case <-time.After(d):
	case <-st.ctx.Done():
		st.fail(st.ctx.Err())
	}
}

// do has a server do something.
func (st *Stage) do(server int, c command) {
	if st.failed() {
		return
	}
	if p := st.servers[server]; p.alive() {
		st.fail(p.do(c))
	}
}

// Traffic has servers, all if none is named, emit until Quiet.
func (st *Stage) Traffic(plans []Plan, servers ...int) {
	for i := range st.servers {
		if len(servers) == 0 || i == servers[0] {
			st.do(i, command{Do: "traffic", Plans: plans})
		}
	}
}

// Quiet ends the traffic.
func (st *Stage) Quiet() {
	for i := range st.servers {
		st.do(i, command{Do: "stop"})
	}
}

// Burst has a server emit plans count times.
func (st *Stage) Burst(server, count int, plans ...Plan) {
	st.do(server, command{Do: "burst", Plans: plans, Count: count})
}

// Move has the first server move a client to another room.
func (st *Stage) Move(s *Seat, from, to string) {
	st.do(0, command{Do: "move", NS: st.scenario.Namespaces[0], Client: s.Name, From: from, Room: to})
}

// Each calls f for each client.
func (st *Stage) Each(f func(s *Seat)) {
	for _, s := range st.seats {
		f(s)
	}
}

// Cut ends a client's connections and keeps it away.
func (s *Seat) Cut() {
	s.Refuse(true)
	s.Reset()
}

// Drop cuts all clients for some time. If to is not nil, it says on which server each
// comes back.
func (st *Stage) Drop(away time.Duration, to func(s *Seat) int) {
	st.Returning(func() {
		st.Each((*Seat).Cut)
		st.Sleep(away)
		st.Admit(to)
	})
}

// Abandon has all clients lose their connection of which the servers hear
// nothing, and come back at once, on another server if to is not nil.
func (st *Stage) Abandon(to func(s *Seat) int) {
	st.Returning(func() {
		st.Each(func(s *Seat) {
			s.Refuse(true) // or a client that polls might not miss anything
			s.Proxy.Abandon()
		})
		st.Sleep(300 * time.Millisecond)
		st.Admit(to)
	})
}

// Admit lets all clients connect, to the server that to says if it is not nil.
func (st *Stage) Admit(to func(s *Seat) int) {
	st.Each(func(s *Seat) {
		if to != nil {
			s.SetTarget(st.addrs[to(s)])
		}
		s.Refuse(false)
	})
}

// Kill ends a server without warning. What it emitted in the moment before need
// not have been sent.
func (st *Stage) Kill(server int) {
	const moment = 100 * time.Millisecond
	if st.failed() {
		return
	}
	at := time.Now()
	st.servers[server].kill()
	st.mu.Lock()
	defer st.mu.Unlock()
	st.told.killed[serverName(server)] = at.Add(-moment).UnixMicro()
}

// Terminate has a server shut down and waits until it has.
func (st *Stage) Terminate(server int) {
	if !st.failed() {
		st.fail(st.servers[server].terminate())
	}
}

// settle waits until nothing more comes.
func (st *Stage) settle() {
	quiet := 1500 * time.Millisecond
	if st.config.Short {
		quiet = 500 * time.Millisecond
	}
	last, since := -1, time.Now()
	for begin := time.Now(); time.Since(since) < quiet && time.Since(begin) < 30*time.Second; {
		if st.failed() {
			return
		}
		st.fail(st.clients.do(command{Do: "count"}))
		st.mu.Lock()
		now := st.received
		st.mu.Unlock()
		if now != last {
			last, since = now, time.Now()
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// end lets all come to rest, stops everything, and returns what was told.
func (st *Stage) end() (journals, error) {
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
		if !st.failed() {
			st.fail(st.clients.do(command{Do: "report"}))
		}
	}
	st.close()
	return st.told, st.err
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
