package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/seed-d124fa34/socketio/bench/internal/stats"
	"github.com/seed-d124fa34/socketio/bench/internal/wire"
	"github.com/seed-d124fa34/socketio/bench/workload"
)

// Server is the process under test: bench/servers/soak.
type Server interface {
	Addr() string
	CPU() (time.Duration, error)
	RSS() (int64, error)
	Ask(command string) (string, error)
}

// Config is how to soak. Zero fields have the default named with each.
type Config struct {
	Server  Server
	Clients int           // default 10,000
	Rooms   int           // in each namespace with rooms; the server's -rooms. Default: RoomsFor(Clients)
	For     time.Duration // how long, once all clients are there. Default 30 minutes
	Rate    float64       // events a second that the clients send, all together. Default a tenth of Clients
	Seed    uint64        // of the schedule
	Cycle   time.Duration // between two audits. Default one minute
	// Haste multiplies the time that clients stay and the time between broadcasts. It is
	// less than 1 for a short run. Default 1.
	Haste float64
	// Recovery makes the clients lose their connections and come back in the same
	// session. The server must have connection state recovery.
	Recovery bool
	// Window is how long the server keeps the session of a client that has lost its
	// connection. Default 20 seconds.
	Window time.Duration
	// Silence is how long a client may be silent until the server closes it: the ping
	// interval and timeout. Default 45 seconds.
	Silence time.Duration
	Settle  time.Duration                    // how long the server waits before it reports a socket, its -settle. Default 5 seconds
	Logf    func(format string, args ...any) // gets a line every Progress
	// Progress is the time between two lines. Default ten seconds.
	Progress time.Duration
}

// RoomsFor returns how many rooms so many clients share by default: about
// twenty sockets are in each.
func RoomsFor(clients int) int { return max(2, clients*roomsEach/20) }

// patience is how long the server may take for anything before that is a fault. It is long
// because the server may be busy.
const patience = 30 * time.Second

// run is a soak under way. All of it runs in one goroutine.
type run struct {
	*wire.Loop
	cfg     Config
	addr    string
	begun   time.Time // the loop's clock
	asker   *asker
	waiting bool // for the ended sockets

	clients    []*client
	connecting int
	closing    int
	dropping   int  // clients that are about to lose their connection, or have lost it
	frozen     bool // no client comes, goes or moves
	quiet      bool // no client begins anything new
	over       bool // no client comes back
	material   []byte

	channels map[string]*channel // by namespace and room
	voices   map[int64]*voice
	lastID   int64
	sids     map[string]*socket // the sockets that are connected
	tellable []*socket          // the same, and some that have left
	limbo    map[string]*socket // sockets that have left, until the server has reported their end
	nameless map[nameless][]*socket
	retired  []retired
	early    []early

	counts   [kinds]struct{ sent, acked, heard int64 }
	hists    [kinds]stats.Histogram
	leaves   [endings]int
	abandons int // upgrades given up by clients that stayed
	returns  int // clients that came back in their session
	ended    int // sockets that the server has reported
	faults   []*fault
	found    map[string]int
	samples  []sample
	base     sample
	final    sample
	warm     time.Duration // when all clients were there
	stall    time.Duration // the longest time in which this process did nothing
	audits   int
	cpu      struct{ server, clients time.Duration }
	activeAt time.Duration
}

// nameless identifies a socket whose client has not received its session id.
type nameless struct {
	workload.SoakAuth
	ns string
}

// retired is a voice that its socket does not use any more.
type retired struct {
	s *socket
	v *voice
}

// Run runs the soak. The report has what it found. The error says why it could not run.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	cfg.complete()
	l, err := wire.NewLoop(cfg.Server.Addr())
	if err != nil {
		return nil, err
	}
	defer l.Close()
	stop := context.AfterFunc(ctx, l.Interrupt)
	defer stop()
	r := &run{
		Loop: l, cfg: cfg, addr: cfg.Server.Addr(), begun: time.Now().Add(-time.Duration(l.Clock())),
		channels: map[string]*channel{}, voices: map[int64]*voice{}, lastID: workload.SoakFeedVoice,
		sids: map[string]*socket{}, limbo: map[string]*socket{}, nameless: map[nameless][]*socket{}, found: map[string]int{},
	}
	r.asker = newAsker(cfg.Server)
	defer r.asker.stop()
	if err := r.soak(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		if errors.Is(err, context.Canceled) { // report what was found before
			r.faultNow(faultServer, "interrupted after %v", r.elapsed())
			return r.report(), nil
		}
		return nil, err
	}
	return r.report(), nil
}

func (c *Config) complete() {
	c.Clients = orDefault(c.Clients, 10_000)
	c.Rooms = orDefault(c.Rooms, RoomsFor(c.Clients))
	c.For = orDefault(c.For, 30*time.Minute)
	c.Rate = orDefault(c.Rate, float64(c.Clients)/10)
	c.Cycle = orDefault(c.Cycle, time.Minute)
	c.Haste = orDefault(c.Haste, 1)
	c.Silence = orDefault(c.Silence, 45*time.Second)
	c.Settle = orDefault(c.Settle, 5*time.Second)
	if c.Recovery {
		c.Window = orDefault(c.Window, 20*time.Second)
	} else {
		c.Window = 0
	}
	c.Progress = orDefault(c.Progress, 10*time.Second)
	if c.Logf == nil {
		c.Logf = func(string, ...any) {}
	}
}

func orDefault[T int | float64 | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// soak is the whole run.
func (r *run) soak() error {
	r.populate()
	var err error
	if r.base, err = r.sample(); err != nil {
		return err
	}
	r.progress()
	r.watch()
	server, clients := r.base.cpu, wire.CPUTime()
	if err := r.arrive(); err != nil {
		return err
	}
	r.warm = r.elapsed()
	r.cfg.Logf("all clients have come after %v", r.warm)
	r.beginMeter(&server, &clients)
	for k := range r.hists {
		r.hists[k].Reset() // the figures while all clients connect at once do not count
	}
	for end := r.warm + r.cfg.For; r.elapsed() < end; {
		if err := r.wait(min(r.cfg.Cycle, end-r.elapsed()), func() bool { return false }); err != nil {
			return err
		}
		if err := r.audit(); err != nil {
			return err
		}
	}
	r.endMeter(server, clients)
	return r.finish()
}

// arrivals is how many clients connect at the same time.
const arrivals = 100

// arrive makes all clients connect for the first time.
func (r *run) arrive() error {
	for _, c := range r.clients {
		if err := r.wait(patience, func() bool { return r.connecting < arrivals }); err != nil {
			return err
		}
		if err := c.connect(); err != nil {
			return err
		}
	}
	return r.wait(patience, func() bool { return r.connecting == 0 })
}

// populate decides who the clients are.
func (r *run) populate() {
	rng := rand.New(rand.NewPCG(r.cfg.Seed, 0))
	r.material = make([]byte, 256<<10)
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range r.material {
		r.material[i] = letters[rng.IntN(len(letters))]
	}
	feed := &voice{id: workload.SoakFeedVoice, ch: r.everyone(workload.SoakFeed), servers: true}
	feed.ch.voices[feed] = struct{}{}
	r.voices[feed.id] = feed
	aloud := 0
	for n := range r.cfg.Clients {
		c := &client{run: r, n: n, rng: rand.New(rand.NewPCG(r.cfg.Seed, uint64(n)+1))}
		c.kind = pick(c.rng, kindShares)
		c.spaces = []string{"/"}
		if c.rng.IntN(100) < inChat {
			c.spaces = append(c.spaces, "/chat")
		}
		if c.rng.IntN(100) < inFeed {
			c.spaces = append(c.spaces, workload.SoakFeed)
		}
		if c.kind == kindWebSocket {
			c.slow = c.rng.IntN(100) < slowReaders
			c.speaker = !c.slow && aloud < speakers
			if c.speaker {
				aloud++
			}
		}
		r.clients = append(r.clients, c)
	}
}

// wait handles events until done returns true, but not longer than limit.
func (r *run) wait(limit time.Duration, done func() bool) error {
	for end := r.elapsed() + limit; !done() && r.elapsed() < end; {
		begun := r.elapsed()
		if err := r.Step(); err != nil {
			return err
		}
		r.stall = max(r.stall, r.elapsed()-begun-wire.PollLimit)
		if err := r.hearServer(); err != nil {
			return err
		}
	}
	return nil
}

// elapsed is the time since the run began.
func (r *run) elapsed() time.Duration { return time.Duration(r.Clock()) }

// wall is the time of the day, in ns, at a time of the loop's clock.
func (r *run) wall(clock int64) int64 { return r.begun.UnixNano() + clock }

// everyone returns the channel of all in a namespace.
func (r *run) everyone(ns string) *channel { return r.room(ns, "") }

func (r *run) room(ns, name string) *channel {
	key := ns + " " + name
	ch := r.channels[key]
	if ch == nil {
		title := "room " + name
		if name == "" {
			title = "everyone"
		}
		ch = newChannel(title + " of " + ns)
		r.channels[key] = ch
	}
	return ch
}

// speak begins a voice in a channel.
func (r *run) speak(ch *channel, volatile bool, deaf *seat) *voice {
	r.lastID++
	v := ch.speak(r.lastID, volatile, deaf)
	r.voices[v.id] = v
	return v
}

// maxFaults is how many faults are kept in full.
const maxFaults = 50

func (r *run) fault(f *fault) {
	r.found[f.kind]++
	if len(r.faults) < maxFaults {
		r.faults = append(r.faults, f)
	}
	if r.found[f.kind] <= 3 {
		r.cfg.Logf("VIOLATION (%s) %s", f.kind, f.text)
	}
}

func (r *run) faultNow(kind, format string, args ...any) {
	r.fault(faultf(kind, "%v %s", r.elapsed().Round(time.Millisecond), fmt.Sprintf(format, args...)))
}

// timing counts how long something took since begun.
func (r *run) timing(k kind, begun int64) { r.hists[k].Add(r.Clock() - begun) }

// timingOf counts how long something took to reach a socket. Slow readers have their own kind.
func (r *run) timingOf(s *socket, k kind, took int64) {
	if s.c.slow {
		k = heardSlowly
	}
	r.hists[k].Add(took)
}
