package engineio_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// oldSession is a session of revision 3 whose client does what nobody would, one step at a time, and both ends of what
// it was sent and has sent. Messages have a number: the text "ID.c1!" comes from the client, "s1!" from the server.
type oldSession struct {
	t      *testing.T
	kind   byte // how it polls: see oldKinds
	raw    eiotest.Raw
	peer   *peer
	posted int // number of the last message posted
	sent   int // number of the last message sent by the server

	mu       sync.Mutex // protects the following
	got      []int      // numbers of the messages that the client received
	statuses []int
	cancel   context.CancelFunc // of the poll that waits
	ws       *websocket.Conn
	all      sync.WaitGroup // of the requests and the reading of ws
}

var oldKinds = [...]url.Values{
	{"EIO": {"3"}}, {"EIO": {"3"}, "b64": {"1"}}, {"EIO": {"3"}, "j": {"4"}, "b64": {"1"}}, {},
}

const oldScript = 2 // of oldKinds

var (
	serverMessage = regexp.MustCompile(`s([0-9]+)!|b4(cz[A-Za-z0-9+/]{2}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)|cz[A-Za-z0-9+/]{2})`)
	clientMessage = regexp.MustCompile(`\.c([0-9]+)!$`)
)

// received notes the messages of the server in what the client received, which is checked for nothing else.
func (s *oldSession) received(data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range serverMessage.FindAllSubmatch(data, -1) {
		if m[1] == nil {
			decoded, _ := base64.StdEncoding.DecodeString(string(m[2])) // it may be a part of a session id
			m = serverMessage.FindSubmatch(decoded)
		}
		if m != nil {
			n, _ := strconv.Atoi(string(m[1]))
			s.got = append(s.got, n)
		}
	}
}

// do sends a request and waits until nothing more happens, not for the answer.
func (s *oldSession) do(ctx context.Context, method string, query url.Values, body []byte, contentType string) (answer <-chan int) {
	raw, done := s.raw, make(chan int, 1)
	raw.Query = query
	address := raw.Address("polling")
	if !query.Has("EIO") {
		address = strings.Replace(address, "EIO=4&", "", 1)
	}
	s.all.Go(func() {
		resp, err := raw.Do(ctx, method, address, bytes.NewReader(body), http.Header{"Content-Type": {contentType}})
		if err != nil { // aborted
			done <- 0
			return
		}
		if resp.Status == http.StatusOK && method == http.MethodGet {
			s.received([]byte(resp.Body))
		}
		s.mu.Lock()
		s.statuses = append(s.statuses, resp.Status)
		s.mu.Unlock()
		done <- resp.Status
	})
	synctest.Wait()
	return done
}

func (s *oldSession) poll() {
	ctx, cancel := context.WithCancel(context.Background())
	s.mu.Lock()
	s.cancel = cancel
	s.mu.Unlock()
	s.do(ctx, http.MethodGet, oldKinds[s.kind], nil, "")
}

// post sends n messages, binary ones if that is set. If they are accepted, the server has them, or the session has ended.
func (s *oldSession) post(n int, binary bool) {
	var body []byte
	framed := binary && s.kind != 1 && s.kind != oldScript
	for range n {
		s.posted++
		text := fmt.Sprintf("%s.c%d!", s.peer.ID(), s.posted)
		switch {
		case framed:
			text = "\x04" + text
			body = append(body, 1)
			for _, digit := range strconv.Itoa(len(text)) {
				body = append(body, byte(digit-'0'))
			}
			body = append(append(body, 255), text...)
			continue
		case binary:
			text = "b4" + base64.StdEncoding.EncodeToString([]byte(text))
		default:
			text = "4" + text
		}
		body = fmt.Appendf(body, "%d:%s", len(text), text)
	}
	contentType := "text/plain;charset=UTF-8"
	switch {
	case framed:
		contentType = "application/octet-stream"
	case s.kind == oldScript:
		body, contentType = []byte("d="+url.QueryEscape(string(body))), "application/x-www-form-urlencoded"
	}
	before := len(s.peer.msgs)
	answer := s.do(s.t.Context(), http.MethodPost, oldKinds[s.kind], body, contentType)
	select {
	case status := <-answer: // which is there, but behind a refusal
		synctest.Wait()
		if got := len(s.peer.msgs) - before; status == http.StatusOK && got != n && !s.hasEnded() {
			s.t.Errorf("a POST of %d messages was accepted, and %d have arrived", n, got)
		}
	case <-time.After(time.Minute):
		s.t.Error("a POST was not answered")
	}
}

func (s *oldSession) hasEnded() bool {
	select {
	case <-s.peer.ended:
		return true
	default:
		return false
	}
}

func (s *oldSession) dial() {
	if s.ws != nil {
		return
	}
	raw := s.raw
	raw.Query = oldKinds[s.kind]
	ws, _, err := raw.DialWS(s.t.Context(), nil)
	synctest.Wait()
	if err != nil {
		return
	}
	s.ws = ws
	s.all.Go(func() {
		for {
			_, data, err := ws.Read(context.Background())
			if err != nil {
				return
			}
			s.received(data)
		}
	})
}

func (s *oldSession) frame(data string, binary bool) {
	if s.ws == nil {
		return
	}
	kind := websocket.MessageText
	if binary {
		kind = websocket.MessageBinary
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
	defer cancel()
	_ = s.ws.Write(ctx, kind, []byte(data))
	synctest.Wait()
}

// step does something. arg is the rest of the script: what a step takes of it, it returns less.
func (s *oldSession) step(op byte, arg []byte) (rest []byte) {
	take := func(n int) (taken []byte) {
		n = min(n, len(arg))
		taken, arg = arg[:n], arg[n:]
		return taken
	}
	switch op % 16 {
	case 0, 1:
		s.poll()
	case 2:
		if s.cancel != nil {
			s.cancel()
			synctest.Wait()
		}
	case 3, 4:
		s.post(1+int(op>>4)%5, op%16 == 4)
	case 5: // anything
		s.do(s.t.Context(), http.MethodPost, oldKinds[s.kind], take(int(op>>4)*8), []string{"", "application/octet-stream", "text/plain"}[op%3])
	case 6: // as another kind of client
		method := http.MethodGet
		if op&0x40 != 0 {
			method = http.MethodPost
		}
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
		s.do(ctx, method, oldKinds[op>>4&3], []byte("2:4x"), "")
		time.Sleep(time.Second)
		cancel()
	case 7:
		s.dial()
	case 8:
		s.dial()
		s.frame("2probe", false)
	case 9:
		s.frame("5", false)
	case 10: // anything
		s.frame(string(take(int(op>>4))), op&0x40 != 0)
	case 11, 12:
		for range 1 + op>>4 {
			if s.peer.Send(frames(fmt.Sprintf("s%d!", s.sent+1), op%16 == 12)) == nil {
				s.sent++
			}
		}
		synctest.Wait()
	case 13: // a heartbeat
		s.do(s.t.Context(), http.MethodPost, oldKinds[s.kind], []byte("1:2"), "")
		s.frame("2", false)
	case 14:
		if op>>4 == 7 {
			s.peer.Close(engineio.ReasonServerDisconnect, nil)
		}
		time.Sleep(time.Duration(op>>4) * 5 * time.Second)
	case 15:
		if s.ws != nil {
			_ = s.ws.CloseNow()
			synctest.Wait()
			s.ws = nil
		}
	}
	return arg
}

// check is called when the session has ended.
func (s *oldSession) check() {
	wantStatuses(s.t, s.statuses)
	if !slices.IsSorted(s.got) || len(slices.Compact(slices.Clone(s.got))) != len(s.got) || len(s.got) > 0 && s.got[len(s.got)-1] > s.sent {
		s.t.Errorf("the client received %v", s.got)
	}
	last := 0
	close(s.peer.msgs)
	for m := range s.peer.msgs {
		if found := clientMessage.FindStringSubmatch(m); found != nil && strings.Contains(m, s.peer.ID()) {
			n, _ := strconv.Atoi(found[1])
			if n <= last {
				s.t.Errorf("message %d of the client arrived after %d", n, last)
			}
			last = n
		}
	}
}

// Two clients of revision 3 do anything in any order: polls of every kind, POSTs good and bad, forms, upgrades half done.
// Every answer is one of the documented ones, no message arrives twice or out of order, what an open session accepts has arrived, and
// minutes later nothing is left.
func FuzzRevision3(f *testing.F) {
	f.Add([]byte("\x00\x33\x00\x2b\x00\x14\x00\x1c\x00"))                         // binary: POSTs, messages, polls
	f.Add([]byte("\x01\x00\x33\x00\x2c\x00\x00\x14\x00\x2b\x00\x02"))             // base64, and an aborted poll
	f.Add([]byte("\x02\x00\x33\x14\x1b\x00\x2c\x00\x46\x00"))                     // JSONP
	f.Add([]byte("\x00\x00\x08\x1b\x00\x09\x2b\x1c\x13\x1d\x2e"))                 // an upgrade
	f.Add([]byte("\x03\x00\x07\x08\x00\x00\x0f\x1b\x00\x33"))                     // an upgrade that fails
	f.Add([]byte("\x00\x00\x00\x1b\x00"))                                         // overlapping polls
	f.Add([]byte("\x00\x15\x002:4a1:1\x33"))                                      // CLOSE in a POST
	f.Add([]byte("\x02\x00\x15d=2%3A4a\x33\x15d=%zz\x33"))                        // forms
	f.Add([]byte("\x00\x00\x7e\x1b\x00\x00\x33\x3e\x33"))                         // closed by the server; silence
	f.Add([]byte("\x13\x00\x80\x33\x80\xab\x00\x8b\x00\x80\x06\x16\x26\x36\x56")) // two sessions; requests of other kinds
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) < 2 || len(script) > 200 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			h := newHost(t, &engineio.Options{Limits: engineio.Limits{MaxPayload: 1000}}, nil)
			var sessions [2]*oldSession
			for i := range sessions {
				kind := script[0] >> (4 * i) & 3
				s := &oldSession{t: t, kind: kind, raw: eiotest.Raw{Transport: h.tr}}
				s.do(t.Context(), http.MethodGet, oldKinds[kind], nil, "")
				s.peer = h.peer()
				s.raw.SID = s.peer.ID()
				sessions[i] = s
			}
			for rest := script[1:]; len(rest) > 0; {
				op := rest[0]
				rest = sessions[op>>7].step(op&0x7f, rest[1:])
			}
			time.Sleep(3 * time.Minute)
			require.Zero(t, h.srv.Len(), "connections after minutes of silence")
			for _, s := range sessions {
				if s.cancel != nil {
					s.cancel()
				}
				if s.ws != nil {
					_ = s.ws.CloseNow()
				}
				s.all.Wait()
				s.check()
			}
		})
	})
}
