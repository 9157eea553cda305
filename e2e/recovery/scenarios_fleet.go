package recovery

import "time"

// other is for Drop and Abandon: the server where the client was not at first.
func other(s *Seat) int { return 1 - s.Index%2 }

func home(s *Seat) int { return s.Index % 2 }

// atFirstHome says whether a client was on the first server at first.
func atFirstHome(s *Seat) bool { return home(s) == 0 }

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
		{Name: "quiet client while others get 15,000 messages", Servers: 2, Play: quietClient},
		{Name: "half-open, back on the other server", Servers: 2, Play: drops(func(st *Stage) { st.Abandon(other) })},
		{Name: "SIGTERM of its server", Servers: 2, Play: drops(func(st *Stage) {
			st.someReturning(atFirstHome, func() {
				st.Each(func(s *Seat) { s.SetTarget(st.addrs[1]) })
				st.Terminate(0)
			})
		})},
		{Name: "kill -9 of its server", Servers: 2, Play: drops(func(st *Stage) {
			st.someReturning(atFirstHome, func() {
				st.Each(func(s *Seat) { s.SetTarget(st.addrs[1]) })
				st.Kill(0)
			})
		})},
	}
}

// quietClient has everyone drop but one room, which gets much.
func quietClient(st *Stage) {
	rooms := st.Rooms()
	busy, quiet := rooms[:1], rooms[1:]
	st.Open()
	st.Burst(0, 1, in(st.scenario.Namespaces, Plan{Event: "plain", Rooms: rooms})...)
	st.settle()
	isQuiet := func(s *Seat) bool { return s.Index >= roomSize }
	st.someReturning(isQuiet, func() {
		st.Each(func(s *Seat) {
			if isQuiet(s) {
				s.Cut()
			}
		})
		st.Burst(0, 15_000, in(st.scenario.Namespaces, Plan{Event: "plain", Rooms: busy})...)
		st.Burst(0, 5, in(st.scenario.Namespaces, Plan{Event: "plain", Rooms: quiet})...)
		st.Admit(other)
	})
	st.Traffic(st.Feed(1))
	st.Sleep(500 * time.Millisecond)
}
