package eiotest_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// fake is just enough of an Engine.IO server, with one session, to test a client: it echoes, and it sends what a test
// puts into it, right or wrong.
type fake struct {
	open    string // the handshake's payload; handshake if empty
	pong    string // the answer to the probe; "3probe" if empty
	refuse  bool   // to refuse WebSockets
	silent  bool   // no echo
	hang    bool   // polls wait while an upgrade is probed
	request func(*http.Request)

	mu      sync.Mutex
	changed *sync.Cond
	out     []string // packets to send, as they stand in a payload
	got     []string // packets received but messages to echo
	posts   []string // bodies
	ended   error    // of the WebSocket
	probing bool
	ws      *websocket.Conn
}

const handshake = `0{"sid":"abc","upgrades":["websocket"],"pingInterval":1000,"pingTimeout":500,"maxPayload":20}`

func (f *fake) init() {
	f.changed = sync.NewCond(&f.mu)
	if f.open == "" {
		f.open = handshake
	}
	if f.pong == "" {
		f.pong = "3probe"
	}
}

// send sends packets to the client, over the transport it is on.
func (f *fake) send(packets ...string) {
	f.mu.Lock()
	ws := f.ws
	if ws == nil {
		f.out = append(f.out, packets...)
		f.changed.Broadcast()
	}
	f.mu.Unlock()
	if ws != nil {
		for _, p := range packets {
			if b, ok := strings.CutPrefix(p, "b"); ok {
				data, _ := base64.StdEncoding.DecodeString(b)
				ws.Write(context.Background(), websocket.MessageBinary, data)
			} else {
				ws.Write(context.Background(), websocket.MessageText, []byte(p))
			}
		}
	}
}

func (f *fake) receive(p string) {
	f.mu.Lock()
	echo := !f.silent && (p[0] == '4' || p[0] == 'b')
	if !echo {
		f.got = append(f.got, p)
	}
	f.mu.Unlock()
	if echo {
		f.send(p)
	}
}

func (f *fake) received() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.got)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.request != nil {
		f.request(r)
	}
	q := r.URL.Query()
	switch {
	case q.Get("EIO") != "4" || q.Get("sid") != "" && q.Get("sid") != "abc":
		http.Error(w, "bad request", http.StatusBadRequest)
	case q.Get("transport") == "websocket":
		f.serveWebSocket(w, r, q.Has("sid"))
	case r.Method == http.MethodPost:
		b, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		f.mu.Lock()
		f.posts = append(f.posts, string(b))
		f.mu.Unlock()
		for p := range strings.SplitSeq(string(b), eiotest.Separator) {
			f.receive(p)
		}
		io.WriteString(w, "ok")
	case !q.Has("sid"):
		io.WriteString(w, f.open)
	default:
		stop := context.AfterFunc(r.Context(), func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.changed.Broadcast()
		})
		defer stop()
		f.mu.Lock()
		defer f.mu.Unlock()
		for len(f.out) == 0 && !f.probing && r.Context().Err() == nil {
			f.changed.Wait()
		}
		if len(f.out) == 0 {
			io.WriteString(w, "6")
			return
		}
		if status, ok := strings.CutPrefix(f.first(), "status "); ok {
			http.Error(w, "as told", map[string]int{"400": 400, "500": 500}[status])
			return
		}
		io.WriteString(w, strings.Join(f.out, eiotest.Separator))
		f.out = nil
	}
}

func (f *fake) first() string {
	if len(f.out) == 0 {
		return ""
	}
	return f.out[0]
}

func (f *fake) serveWebSocket(w http.ResponseWriter, r *http.Request, upgrade bool) {
	if f.refuse {
		http.Error(w, "no WebSocket here", http.StatusForbidden)
		return
	}
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer ws.CloseNow()
	ctx := context.Background()
	if upgrade {
		if p, err := read(ws); p != "2probe" || err != nil {
			panic(fmt.Sprint("probe: ", p, err))
		}
		f.mu.Lock()
		f.probing = !f.hang // every poll is answered
		f.changed.Broadcast()
		f.mu.Unlock()
		ws.Write(ctx, websocket.MessageText, []byte(f.pong))
		p, err := read(ws)
		f.mu.Lock()
		f.probing = false
		f.ended = err
		f.mu.Unlock()
		if p != "5" || err != nil {
			return
		}
	} else {
		ws.Write(ctx, websocket.MessageText, []byte(f.open))
	}
	f.mu.Lock()
	f.ws = ws
	rest := f.out
	f.out = nil
	f.mu.Unlock()
	f.send(rest...)
	for {
		p, err := read(ws)
		if err != nil {
			f.mu.Lock()
			f.ended = err
			f.mu.Unlock()
			return
		}
		f.receive(p)
	}
}

// read reads a frame as a packet in the form of a payload.
func read(ws *websocket.Conn) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	kind, b, err := ws.Read(ctx)
	if kind == websocket.MessageBinary {
		return "b" + base64.StdEncoding.EncodeToString(b), err
	}
	return string(b), err
}
