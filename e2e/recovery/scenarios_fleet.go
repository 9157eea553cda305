package recovery

import "time"

// other returns the server to which a client did not connect first, for Drop and Abandon.
func other(s *Seat) int { return 1 - s.Index%2 }

func home(s *Seat) int { return s.Index % 2 }

// atFirstHome reports whether a client connected to the first server first.
func atFirstHome(s *Seat) bool { return home(s) == 0 }

// without calls f, which ends the first server, and lets its clients connect to the other one a
// second later.
func (st *Stage) without(f func()) {
	st.someReturning(atFirstHome, func() {
		st.Each(func(s *Seat) { s.Refuse(atFirstHome(s)) })
		f()
		st.Sleep(time.Second)
		for _, s := range st.seats {
			if atFirstHome(s) {
				st.AwaitGone(s)
			}
		}
		st.Admit(func(*Seat) int { return 1 })
	})
}

func twoServers() []Scenario {
	return []Scenario{
		{Name: "2 s drop, back on the other server", Servers: 2, Play: drops(func(st *Stage) { st.Drop(2*time.Second, other) })},
		{Name: "five drops to and fro, four times the rate", Servers: 2, Play: func(st *Stage) {
			st.Open()
			st.Traffic(st.Feed(4))
			st.Sleep(time.Second)
			for i := range 5 {
				to := other
				if i%2 == 1 {
					to = home
				}
				st.Drop(300*time.Millisecond, to)
				st.Sleep(600 * time.Millisecond)
			}
			st.Sleep(time.Second)
		}},
		{Name: "away while others get 15,000 messages", Servers: 2, Play: quietClient},
		{Name: "half-open, back on the other server", Servers: 2, Play: drops(func(st *Stage) { st.Abandon(other) })},
		{Name: "SIGTERM of its server", Servers: 2, Play: drops(func(st *Stage) {
			st.without(func() { st.Terminate(0) })
		})},
		{Name: "kill -9 of its server", Servers: 2, NeedsHistory: true, Play: drops(func(st *Stage) {
			st.without(func() { st.Kill(0) })
		})},
	}
}

// quietClient drops all clients while much is emitted to rooms without them, and little to them.
func quietClient(st *Stage) {
	feed := in(st.scenario.Namespaces, Plan{Event: "plain", Rooms: st.Rooms()}, Plan{Event: "plain"})
	st.Open()
	st.Burst(0, 5, feed...)
	st.settle()
	st.Returning(func() {
		st.Each((*Seat).Cut)
		st.Burst(0, 15_000, in(st.scenario.Namespaces, Plan{Event: "plain", Rooms: []string{"a room of others"}})...)
		st.Burst(0, 5, feed...)
		st.AwaitGone(st.seats...)
		st.Admit(other)
	})
	st.Burst(0, 1, feed...)
}
