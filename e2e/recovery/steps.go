package recovery

import (
	"time"
)

// The steps of scenarios.

// Open makes all clients connect, and waits until they have.
func (st *Stage) Open() {
	if st.start(); st.failed() {
		return
	}
	st.await("all clients are connected", st.allConnected(nil))
}

// start makes all clients begin to connect.
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
	st.do(st.clients, command{Do: "open", Open: plans})
}

// allConnected returns the condition that all clients are connected, and have connected more often
// than had says.
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

// Returning calls f, which makes all clients lose their connection, and waits until all of them are
// back.
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

// Sleep waits. A short scenario waits a third of the time.
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

// Traffic makes servers emit until Quiet is called: those that are named, or all.
func (st *Stage) Traffic(plans []Plan, servers ...int) {
	for i := range st.servers {
		if len(servers) == 0 || i == servers[0] {
			st.do(st.servers[i], command{Do: "traffic", Plans: plans})
		}
	}
}

// Quiet ends the traffic.
func (st *Stage) Quiet() {
	for i := range st.servers {
		st.do(st.servers[i], command{Do: "stop"})
	}
}

// Burst makes a server emit the plans count times.
func (st *Stage) Burst(server, count int, plans ...Plan) {
	st.do(st.servers[server], command{Do: "burst", Plans: plans, Count: count})
}

// Move makes the first server move a client to another room.
func (st *Stage) Move(s *Seat, from, to string) {
	st.do(st.servers[0], command{Do: "move", NS: st.scenario.Namespaces[0], Client: s.Name, From: from, Room: to})
}

// Each calls f for each client.
func (st *Stage) Each(f func(s *Seat)) {
	for _, s := range st.seats {
		f(s)
	}
}

// Cut ends a client's connections, and refuses new ones.
func (s *Seat) Cut() {
	s.Refuse(true)
	s.Reset()
}

// Drop cuts all clients for some time. If to is not nil, it returns the server to which a client
// comes back.
func (st *Stage) Drop(away time.Duration, to func(s *Seat) int) {
	st.Returning(func() {
		st.Each((*Seat).Cut)
		st.Sleep(away)
		st.AwaitGone(st.seats...)
		st.Admit(to)
	})
}

// DropInTraffic is Drop on one server, while it emits to everybody.
func (st *Stage) DropInTraffic(away time.Duration) {
	st.Returning(func() {
		st.Each((*Seat).Cut)
		st.Traffic(st.Feed(1))
		st.Sleep(away)
		st.AwaitGone(st.seats...)
		st.Admit(nil)
	})
	st.Sleep(time.Second)
}

// Abandon makes all clients lose their connection without the servers noticing. They come back at
// once, to the server that to returns if to is not nil.
func (st *Stage) Abandon(to func(s *Seat) int) {
	st.Returning(func() {
		st.Each(func(s *Seat) {
			s.Refuse(true)
			s.Proxy.Abandon()
		})
		st.AwaitGone(st.seats...)
		st.Admit(to)
	})
}

// AwaitGone waits until clients that have been cut have noticed it. A client that polls repeats a
// request whose connection was reset, so it would miss nothing if it were let in before.
func (st *Stage) AwaitGone(seats ...*Seat) {
	st.await("clients that have been cut have noticed", func() bool {
		for _, s := range seats {
			for _, ns := range st.scenario.Namespaces {
				if st.connected[seat{s.Name, ns}] {
					return false
				}
			}
		}
		return true
	})
}

// Admit lets all clients connect, to the server that to returns if to is not nil.
func (st *Stage) Admit(to func(s *Seat) int) {
	st.Each(func(s *Seat) {
		if to != nil {
			s.SetTarget(st.addrs[to(s)])
		}
		s.Refuse(false)
	})
}

// Kill kills a server. What it emitted just before need not have been sent.
func (st *Stage) Kill(server int) {
	const moment = 100 * time.Millisecond
	if st.failed() {
		return
	}
	at := time.Now()
	st.servers[server].kill()
	st.mu.Lock()
	defer st.mu.Unlock()
	st.journals.killed[serverName(server)] = at.Add(-moment).UnixMicro()
}

// Terminate makes a server shut down, and waits until it has.
func (st *Stage) Terminate(server int) {
	if !st.failed() {
		st.fail(st.servers[server].terminate())
	}
}
