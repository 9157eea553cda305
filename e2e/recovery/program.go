package recovery

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/seed-d124fa34/socketio"
)

// programEnv is the environment variable with the configuration of the server, as JSON. A
// process that has it calls [Program].
const programEnv = "RECOVERY_CONFIG"

// programConfig is the configuration of a server, ours or the reference server. Times are in
// milliseconds.
type programConfig struct {
	Name         string   `json:"name"`              // that of its events
	Broker       string   `json:"broker,omitempty"`  // its URL
	History      bool     `json:"history,omitempty"` // the broker keeps messages
	Window       int      `json:"window"`
	PingInterval int      `json:"pingInterval"`
	PingTimeout  int      `json:"pingTimeout"`
	Namespaces   []string `json:"namespaces"`
}

// IsProgram reports whether this process must run our server. The runner starts our servers by
// starting itself.
func IsProgram() bool { return os.Getenv(programEnv) != "" }

// Program runs our server. It obeys commands and prints the journal. It returns at the end of
// its standard input, or when the server has shut down after SIGTERM.
func Program() error {
	var config programConfig
	if err := json.Unmarshal([]byte(os.Getenv(programEnv)), &config); err != nil {
		return err
	}
	opts := socketio.Options{
		PingInterval: time.Duration(config.PingInterval) * time.Millisecond,
		PingTimeout:  time.Duration(config.PingTimeout) * time.Millisecond,
		Logger:       slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	setRecovery(&opts, config)
	if config.Broker != "" {
		broker, err := newBroker(config)
		if err != nil {
			return err
		}
		defer broker.Close()
		opts.Cluster.Broker = broker
	}
	p := &program{config: config, srv: socketio.NewServer(&opts), members: make(map[memberKey]*member)}
	for _, ns := range config.Namespaces {
		p.register(p.srv.Namespace(ns))
	}
	p.srv.AddHooks(socketio.Hooks{SocketConnected: p.joined})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	web := &http.Server{Handler: p.srv, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = web.Serve(listener) }()
	defer web.Close()
	terminated, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		p.obey()
	}()
	note(line{Kind: lineListening, To: listener.Addr().String(), Reason: "this repository"})
	select {
	case <-closed:
		return p.srv.Close()
	case <-terminated.Done():
		p.stopTraffic()
		ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
		defer cancel()
		return p.srv.Shutdown(ctx)
	}
}

// program is the server, and the state of its clients.
//
// It has a goroutine for each plan of the traffic, which ends with stopTraffic.
type program struct {
	config programConfig
	srv    *socketio.Server

	mu      sync.Mutex // held while something is emitted, or a membership changes, and the line about it is printed
	members map[memberKey]*member
	number  int // of the last event

	traffic sync.WaitGroup
	halt    context.CancelFunc // ends the traffic; nil without
}

type memberKey struct{ ns, client string }

// member is a client's socket, connected or away.
type member struct {
	sid   string
	rooms []string // those that the application has chosen
}

// note prints a line with one write, so that SIGKILL does not lose it.
func note(l line) {
	l.At = time.Now().UnixMicro()
	b, err := json.Marshal(l)
	if err == nil {
		_, err = os.Stdout.Write(append(b, '\n'))
	}
	if err != nil {
		panic(err)
	}
}

// auth is what clients connect with.
type auth struct {
	Client string
	Rooms  []string
}

func (p *program) register(ns *socketio.Namespace) {
	ns.On("connect", func(c *socketio.Context, a auth) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		key := memberKey{ns.Name(), a.Client}
		rooms := slices.DeleteFunc(c.Rooms(), func(room string) bool { return room == c.ID() })
		note(line{Kind: lineArrived, NS: ns.Name(), Client: a.Client, SID: c.ID(), Recovered: recovered(c), Rooms: rooms})
		m := p.members[key]
		if m == nil {
			m = &member{rooms: slices.Clone(a.Rooms)}
			p.members[key] = m
		}
		c.Session().Set("client", a.Client)
		if recovered(c) {
			return nil
		}
		for _, room := range m.rooms {
			if err := c.Join(room); err != nil {
				return err
			}
		}
		return nil
	})
	ns.On("disconnect", func(c *socketio.Context, reason socketio.Reason) {
		client, _ := socketio.SessionValue[string](c.Session(), "client")
		note(line{Kind: lineLeft, NS: ns.Name(), Client: client, SID: c.ID(), Reason: string(reason)})
	})
}

// joined is the hook SocketConnected: from now on the client gets what is emitted.
func (p *program) joined(s *socketio.Socket) {
	client, _ := socketio.SessionValue[string](s.Session(), "client")
	p.mu.Lock()
	defer p.mu.Unlock()
	ns := s.Namespace().Name()
	m := p.members[memberKey{ns, client}]
	m.sid = s.ID()
	note(line{Kind: lineJoined, NS: ns, Client: client, SID: m.sid, Rooms: m.rooms})
}

// obey carries out commands until the end of the standard input.
func (p *program) obey() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			panic(err)
		}
		switch c.Do {
		case "traffic":
			p.startTraffic(c.Plans)
		case "stop":
			p.stopTraffic()
		case "burst":
			for i := range c.Count {
				for _, plan := range c.Plans {
					p.emitPlan(plan)
				}
				if i%50 == 49 {
					time.Sleep(10 * time.Millisecond)
				}
			}
		case "move":
			p.move(c)
		default:
			panic("no command " + c.Do)
		}
		note(line{Kind: lineDone, N: c.ID})
	}
	p.stopTraffic()
}

func (p *program) startTraffic(plans []Plan) {
	ctx, cancel := context.WithCancel(context.Background())
	p.mu.Lock()
	p.halt = cancel
	p.mu.Unlock()
	for _, plan := range plans {
		p.traffic.Go(func() {
			ticks := time.NewTicker(time.Duration(plan.Every) * time.Millisecond)
			defer ticks.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-ticks.C:
					p.emitPlan(plan)
				}
			}
		})
	}
}

func (p *program) stopTraffic() {
	p.mu.Lock()
	halt := p.halt
	p.halt = nil
	p.mu.Unlock()
	if halt != nil {
		halt()
	}
	p.traffic.Wait()
}

func (p *program) move(c command) {
	p.mu.Lock()
	defer p.mu.Unlock()
	note(line{Kind: lineMoved, NS: c.NS, Client: c.Client, Room: c.Room, From: c.From})
	m := p.members[memberKey{c.NS, c.Client}]
	ns := p.srv.Namespace(c.NS)
	// A session that has ended has left its rooms; the next one joins m.rooms.
	_ = ns.LeaveRoom(m.sid, c.From)
	_ = ns.JoinRoom(m.sid, c.Room)
	m.rooms = append(slices.DeleteFunc(slices.Clone(m.rooms), func(room string) bool { return room == c.From }), c.Room)
}

func (p *program) emitPlan(plan Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case plan.Each:
		for key, m := range p.members {
			if key.ns == plan.NS && m.sid != "" {
				p.emit(plan, m.sid, line{Client: key.client})
			}
		}
	case plan.Rooms != nil:
		for _, room := range plan.Rooms {
			p.emit(plan, room, line{To: room})
		}
	default:
		p.emit(plan, "", line{})
	}
}

// emit sends one event, to a room or everyone, with its line in the journal. The
// caller holds mu.
func (p *program) emit(plan Plan, room string, l line) {
	p.number++
	l.Kind, l.N, l.NS, l.Volatile = lineEmitted, p.number, plan.NS, plan.Event == "volatile"
	l.Question = plan.Event == "question"
	note(l)
	meta := struct {
		Server string `json:"server"`
		N      int    `json:"n"`
		Pad    string `json:"pad,omitempty"`
	}{Server: p.config.Name, N: p.number}
	var data any = meta
	var opts []socketio.EmitOption
	if room != "" {
		opts = append(opts, socketio.To(room))
	}
	switch plan.Event {
	case "plain":
		meta.Pad = strings.Repeat("x", plan.Size)
		data = meta
	case "binary":
		data = socketio.Args{meta, bytes.Repeat([]byte{byte(p.number % 251)}, plan.Size)}
	case "volatile":
		data = socketio.Args{meta, "the last argument"}
		opts = append(opts, socketio.Volatile())
	case "question":
		opts = append(opts, socketio.AckTimeout(time.Minute), socketio.OnAck(func(_ *socketio.Context, err error, answer int) {
			p.answered(l, err, answer)
		}))
	}
	err := p.srv.Namespace(plan.NS).Emit(plan.Event, data, opts...)
	switch {
	case err == nil:
	case plan.Event == "question":
		p.answered(l, err, 0)
	default:
		fmt.Fprintf(os.Stderr, "emit %d: %v\n", l.N, err)
	}
}

func (p *program) answered(question line, err error, answer int) {
	l := line{Kind: lineAnswered, N: question.N, NS: question.NS, Client: question.Client}
	switch {
	case err != nil:
		l.Reason = err.Error()
	case answer != question.N:
		l.Reason = "another answer"
	}
	note(l)
}
