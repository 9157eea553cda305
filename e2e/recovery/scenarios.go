package recovery

import (
	"math/rand/v2"
	"time"

	"github.com/seed-d124fa34/socketio/internal/faulty"
)

// Feed returns the traffic of most scenarios: to everyone, to the rooms, and to each client by
// its session id. rate multiplies how much it is.
func (st *Stage) Feed(rate int) []Plan {
	plans := []Plan{
		{Event: "plain", Every: 200 / rate},
		{Event: "plain", Every: 200 / rate, Rooms: st.Rooms()},
	}
	if st.scenario.Servers == 1 {
		plans = append(plans, Plan{Event: "plain", Every: 500 / rate, Each: true})
	} else {
		var users []string
		for _, s := range st.seats {
			users = append(users, s.Rooms[1])
		}
		plans = append(plans, Plan{Event: "plain", Every: 4000 / rate, Rooms: users})
	}
	return in(st.scenario.Namespaces, plans...)
}

// in repeats plans for each namespace.
func in(namespaces []string, plans ...Plan) (all []Plan) {
	for _, ns := range namespaces {
		for _, p := range plans {
			p.NS = ns
			all = append(all, p)
		}
	}
	return all
}

// drops returns a scenario with Feed: a second of it, the loss, another second.
func drops(loss func(st *Stage)) func(st *Stage) {
	return func(st *Stage) {
		st.Open()
		st.Traffic(st.Feed(1))
		st.Sleep(time.Second)
		loss(st)
		st.Sleep(time.Second)
	}
}

var (
	overWebSocket = [][]string{{"websocket"}}
	overPolling   = [][]string{{"polling"}}
	withUpgrade   = [][]string{{"polling", "websocket"}}
	// EveryTransport has all transports, for Config.Transports.
	EveryTransport = [][]string{{"websocket"}, {"polling", "websocket"}, {"polling"}}
	// LikeReports has the transport that public reports about the reference server are about.
	LikeReports = overWebSocket
)

// Scenarios returns all scenarios, those with one server first.
func Scenarios() []Scenario {
	return append(oneServer(), twoServers()...)
}

// soon is a heartbeat for scenarios that cut connections in the middle of an upgrade. A client
// that has just paused its polls then does nothing until it misses a ping.
const soon = 2 * time.Second

func oneServer() []Scenario {
	return []Scenario{
		{Name: "2 s drop", Play: drops(func(st *Stage) { st.Drop(2*time.Second, nil) })},
		{Name: "long-polling, 2 s drop", Transports: overPolling, Play: drops(func(st *Stage) { st.Drop(2*time.Second, nil) })},
		{Name: "before the first event", Play: func(st *Stage) {
			st.Open()
			st.DropInTraffic(2 * time.Second)
		}},
		{Name: "within 50 ms of connecting", PingInterval: soon, PingTimeout: soon, Play: cutOnConnect},
		{Name: "1 s drop long after the last event, window 5 s", Window: 5 * time.Second, Play: longQuiet},
		{Name: "cut three times during the replay", PingInterval: soon, PingTimeout: 2 * soon, Play: cutReplay},
		{Name: "half-open, back by another path", Play: drops(func(st *Stage) { st.Abandon(nil) })},
		{Name: "half-open three times", PingInterval: soon, PingTimeout: soon, Play: drops(abandonThrice)},
		{Name: "cut as the upgrade begins", PingInterval: soon, PingTimeout: soon, Transports: withUpgrade, Play: cutUpgrade},
		{Name: "server moves it to other rooms while away", Play: drops(moves)},
		{Name: "events with acknowledgement", Play: questions},
		{Name: "last event volatile, with a string argument", Play: volatileLast},
		{Name: "binary events", Play: binaryEvents},
		{Name: "three namespaces on a connection", Namespaces: []string{"/", "/news", "/chat"}, Play: drops(func(st *Stage) { st.Drop(time.Second, nil) })},
		{Name: "cut in the middle of a large event", Play: cutLarge},
		{Name: "refused again and again", Play: drops(refused)},
		{Name: "stalled until both sides give up", PingInterval: 300 * time.Millisecond, PingTimeout: 700 * time.Millisecond, Play: drops(stalled)},
		{Name: "stalled at the return", Play: drops(stalledReturn)},
		{Name: "dropped ten times at any moment", PingInterval: soon, PingTimeout: soon, Play: anyMoment},
	}
}

// abandonThrice has the clients come back by another path, three times in a row.
func abandonThrice(st *Stage) {
	for range 3 {
		st.Abandon(nil)
		st.Sleep(300 * time.Millisecond)
	}
}

// questions has a drop among events that ask for an acknowledgement.
func questions(st *Stage) {
	st.Open()
	st.Traffic(in(st.scenario.Namespaces, Plan{Event: "question", Every: 300, Each: true}, Plan{Event: "plain", Every: 500}))
	st.Sleep(time.Second)
	st.Drop(2*time.Second, nil)
	st.Sleep(time.Second)
}

// volatileLast has each client drop when the last event it got is one that is not kept.
func volatileLast(st *Stage) {
	st.Open()
	st.Traffic(st.Feed(1))
	st.Sleep(time.Second)
	st.Quiet()
	st.settle()
	st.Burst(0, 1, in(st.scenario.Namespaces, Plan{Event: "volatile"})...)
	st.settle()
	st.DropInTraffic(time.Second)
}

// binaryEvents has two drops among events with attachments.
func binaryEvents(st *Stage) {
	st.Open()
	st.Traffic(append(st.Feed(1), in(st.scenario.Namespaces, Plan{Event: "binary", Every: 100, Size: 1000}, Plan{Event: "binary", Every: 300, Rooms: st.Rooms(), Size: 10})...))
	st.Sleep(time.Second)
	st.Drop(time.Second, nil)
	st.Sleep(time.Second)
	st.Drop(500*time.Millisecond, nil)
	st.Sleep(time.Second)
}

// refused cuts the clients several times on their way back.
func refused(st *Stage) {
	st.Returning(func() {
		for range 3 {
			st.Each((*Seat).Cut)
			st.Sleep(400 * time.Millisecond)
			st.Admit(nil)
			time.Sleep(rand.N(100 * time.Millisecond)) // some get through, to be cut again
		}
		st.Each((*Seat).Cut)
		st.AwaitGone(st.seats...)
		st.Admit(nil)
	})
}

// stalled lets nothing through until both sides have missed their heartbeats.
func stalled(st *Stage) {
	st.Returning(func() {
		st.Each(func(s *Seat) { s.Silence(faulty.Both) })
		time.Sleep(1500 * time.Millisecond)
		st.Each(func(s *Seat) { s.Resume() })
	})
}

// stalledReturn lets nothing through for the first second of the return.
func stalledReturn(st *Stage) {
	st.Returning(func() {
		st.Each((*Seat).Cut)
		st.AwaitGone(st.seats...)
		st.Each(func(s *Seat) { s.Silence(faulty.Both) })
		st.Admit(nil)
		st.Sleep(time.Second)
		st.Each(func(s *Seat) { s.Resume() })
	})
}

// cutOnConnect cuts each client up to 50 ms after its first connect.
func cutOnConnect(st *Stage) {
	st.OnConnect(func(s *Seat, n int) {
		if n == 1 {
			time.Sleep(rand.N(50 * time.Millisecond))
			s.Cut()
			st.Sleep(time.Second)
			st.AwaitGone(s)
			s.Refuse(false)
		}
	})
	st.Traffic(st.Feed(1))
	st.start()
	st.await("all clients are back", func() bool {
		for _, n := range st.connects {
			if n < 2 {
				return false
			}
		}
		return len(st.connects) == len(st.seats)*len(st.scenario.Namespaces)
	})
	st.Sleep(time.Second)
}

// longQuiet has a drop long after the last event. The reference server drops old events once a
// minute.
func longQuiet(st *Stage) {
	st.Open()
	st.Traffic(st.Feed(1))
	st.Sleep(time.Second)
	st.Quiet()
	if st.config.Short {
		time.Sleep(st.window() + time.Second)
	} else {
		st.Sleep(66 * time.Second)
	}
	st.DropInTraffic(time.Second)
}

// cutReplay cuts slow links while much is replayed.
func cutReplay(st *Stage) {
	st.Open()
	st.Traffic(st.Feed(1))
	st.Sleep(time.Second)
	st.Returning(func() {
		st.Each((*Seat).Cut)
		st.Burst(0, 100, in(st.scenario.Namespaces, Plan{Event: "plain", Size: 1000}, Plan{Event: "plain", Size: 500, Rooms: st.Rooms()})...)
		st.Each(func(s *Seat) { s.Set(faulty.Conditions{Down: faulty.Link{Bandwidth: 200_000}}) })
		st.OnConnect(func(s *Seat, n int) {
			if n < 2 || n > 4 {
				return
			}
			time.Sleep(100*time.Millisecond + rand.N(200*time.Millisecond))
			s.Cut()
			time.Sleep(rand.N(200 * time.Millisecond))
			st.AwaitGone(s)
			s.Refuse(false)
		})
		st.Admit(nil)
	})
	st.await("all clients have been cut three times", func() bool {
		for _, n := range st.connects {
			if n < 5 {
				return false
			}
		}
		return true
	})
	st.Each(func(s *Seat) { s.Set(faulty.Conditions{}) })
	st.Sleep(time.Second)
}

// cutUpgrade cuts each client when it is about to upgrade for the first time.
func cutUpgrade(st *Stage) {
	upgraded := make([]bool, len(st.seats)) // by index; guarded by st.mu
	st.OnUpgrade(func(s *Seat) {
		st.mu.Lock()
		again := upgraded[s.Index]
		upgraded[s.Index] = true
		st.mu.Unlock()
		if again {
			return
		}
		s.Cut()
		st.Sleep(time.Second)
		s.Refuse(false)
	})
	st.Traffic(st.Feed(1))
	st.Open()
	st.Sleep(2 * time.Second)
	st.OnUpgrade(nil)
}

// moves has everyone change the room while away.
func moves(st *Stage) {
	st.Returning(func() {
		st.Each((*Seat).Cut)
		st.Sleep(500 * time.Millisecond)
		rooms := st.Rooms()
		st.Each(func(s *Seat) {
			st.Move(s, s.Rooms[0], rooms[(s.Index/roomSize+1)%len(rooms)])
		})
		st.Sleep(1500 * time.Millisecond)
		st.AwaitGone(st.seats...)
		st.Admit(nil)
	})
}

// cutLarge cuts while a large event is on its way.
func cutLarge(st *Stage) {
	st.Open()
	st.Traffic(st.Feed(1))
	st.Sleep(500 * time.Millisecond)
	for range 2 {
		st.Each(func(s *Seat) { s.Set(faulty.Conditions{Down: faulty.Link{Bandwidth: 100_000}}) })
		st.Burst(0, 1, in(st.scenario.Namespaces, Plan{Event: "binary", Size: 100_000}, Plan{Event: "plain", Size: 50_000})...)
		time.Sleep(300*time.Millisecond + rand.N(800*time.Millisecond))
		st.Drop(300*time.Millisecond, nil)
	}
	st.Each(func(s *Seat) { s.Set(faulty.Conditions{}) })
	st.Sleep(500 * time.Millisecond)
}

// anyMoment drops each client ten times, in any way, mostly when it is back and sometimes before.
func anyMoment(st *Stage) {
	st.Open()
	st.Traffic(append(st.Feed(2), in(st.scenario.Namespaces, Plan{Event: "binary", Every: 150, Size: 300})...))
	st.Each(func(s *Seat) {
		st.later.Go(func() {
			for range 10 {
				if rand.IntN(4) > 0 {
					st.await(s.Name+" is back", func() bool { return st.connected[seat{s.Name, st.scenario.Namespaces[0]}] })
				}
				st.Sleep(rand.N(600 * time.Millisecond))
				s.Refuse(true)
				if rand.IntN(3) == 0 {
					s.Proxy.Abandon()
				} else {
					s.Reset()
				}
				time.Sleep(rand.N(150 * time.Millisecond))
				s.Refuse(false)
			}
		})
	})
	st.later.Wait()
	st.Sleep(time.Second)
}
