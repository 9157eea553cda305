package eiotest

import (
	"bytes"
	"net"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Step is a step of a script: bytes on the wire of one of a few connections, as no client would send them.
type Step struct {
	Conn  int           // which connection, 0 to 3; it is opened when first used, and again after Close
	Data  []byte        // written as it stands, but for SID, which becomes the id of the newest session
	Close bool          // then closes the connection
	Half  bool          // then closes it for writing
	Pause time.Duration // what is waited then
}

// StepEnd ends a step in the text form of a script.
const StepEnd = "\x1d"

// ParseScript makes a script of anything: steps end with StepEnd and begin with a byte that says what follows. "0" to "3"
// are the connection on which the rest is written, "a" to "d" close it, "A" to "D" for writing only,
// "w" waits as many seconds as the next byte says.
func ParseScript(input []byte) []Step {
	var steps []Step
	for part := range bytes.SplitSeq(input, []byte(StepEnd)) {
		if len(part) == 0 || len(steps) == 64 {
			continue
		}
		c, rest := part[0], part[1:]
		switch {
		case c >= 'a' && c <= 'd':
			steps = append(steps, Step{Conn: int(c - 'a'), Close: true})
		case c >= 'A' && c <= 'D':
			steps = append(steps, Step{Conn: int(c - 'A'), Half: true})
		case c == 'w' && len(rest) == 1:
			steps = append(steps, Step{Pause: time.Duration(rest[0]) * time.Second})
		default:
			steps = append(steps, Step{Conn: int(c) & 3, Data: rest})
		}
	}
	return steps
}

// Played is what became of a script.
type Played struct {
	Statuses []int     // what the handler answered, but for those it hijacked
	Received [4][]byte // on each connection

	tr    *Transport
	conns [4]net.Conn
	read  sync.WaitGroup
	mu    sync.Mutex // guards Statuses and Received until Play returns
	sid   string
}

// sidPattern finds the open packet.
var sidPattern = regexp.MustCompile(`0\{"sid":"([^"]+)","upgrades"`)

// Play sends a script to a handler, in memory and in a synctest bubble, and then waits for three minutes: by then a
// server has given up on clients like this one. The caller looks at what it is left with; then, or when the test ends,
// Close ends the connections.
func Play(tb testing.TB, h http.Handler, script []Step) *Played {
	p := &Played{}
	p.tr = NewTransport(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &statusWriter{ResponseWriter: w, p: p}
		h.ServeHTTP(rec, r)
	}), nil)
	tb.Cleanup(func() { p.Close() })
	for _, s := range script {
		p.step(tb, s)
	}
	time.Sleep(3 * time.Minute)
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Statuses = slices.Clone(p.Statuses)
	return p
}

func (p *Played) step(tb testing.TB, s Step) {
	if s.Data != nil {
		if p.conns[s.Conn] == nil {
			c, err := p.tr.DialConn(tb.Context())
			if err != nil {
				tb.Fatal(err)
			}
			p.conns[s.Conn] = c
			p.read.Go(func() { p.readFrom(c, s.Conn) })
		}
		c := p.conns[s.Conn]
		_ = c.SetWriteDeadline(time.Now().Add(time.Second)) // nobody may read
		_, _ = c.Write(bytes.ReplaceAll(s.Data, []byte("SID"), []byte(p.sid)))
	}
	if c := p.conns[s.Conn]; s.Close && c != nil {
		_ = c.Close()
		p.conns[s.Conn] = nil
	}
	if c := p.conns[s.Conn]; s.Half && c != nil {
		_ = c.(*conn).CloseWrite()
	}
	time.Sleep(s.Pause)
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.Received {
		if all := sidPattern.FindAllSubmatch(b, -1); all != nil && !bytes.Contains([]byte(p.sid), all[len(all)-1][1]) {
			p.sid = string(all[len(all)-1][1])
		}
	}
}

func (p *Played) readFrom(c net.Conn, i int) {
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		p.mu.Lock()
		p.Received[i] = append(p.Received[i], buf[:n]...)
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Close ends the connections and waits for the handlers. It returns what net/http had to complain about.
func (p *Played) Close() (log string) {
	for _, c := range p.conns {
		if c != nil {
			_ = c.Close()
		}
	}
	p.tr.Close()
	p.read.Wait()
	return p.tr.Log()
}

// statusWriter records the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	p     *Played
	wrote bool
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) WriteHeader(status int) {
	w.wrote = true
	w.p.mu.Lock()
	w.p.Statuses = append(w.p.Statuses, status)
	w.p.mu.Unlock()
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}
