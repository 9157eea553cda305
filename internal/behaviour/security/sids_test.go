package security_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

// plainLog writes what it is given as it is, as careless log handlers do, all of it on one line.
type plainLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *plainLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (l *plainLog) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l *plainLog) WithGroup(string) slog.Handler                    { return l }
func (l *plainLog) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	for a := range r.Attrs {
		if a.Key != "stack" { // of many lines, of the program's
			line += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	return nil
}

// The log tells nobody enough to take over a session or to send to a socket, whatever goes wrong, and clients do not write
// lines of their own into it. The test is long because it provokes every kind of line.
func TestLogsHoldNoSIDs(t *testing.T) {
	eiotest.RunSync(t, func(t *testing.T, mode eiotest.Mode) {
		log := &plainLog{}
		srv := siotest.NewServer(t, &socketio.Options{Logger: slog.New(log), Limits: socketio.Limits{SendQueueLimit: 1000, MaxNamespaces: 2, MaxRooms: 2, EventRate: 20}, Namespaces: []string{"*"},
			Session: func(r *http.Request) map[string]any {
				if r.Header.Get("Refuse") != "" {
					panic("no session")
				}
				return nil
			}})
		every := srv.Namespace("*")
		every.On("connect", func(c *socketio.Context, auth map[string]string) error {
			if auth["refuse"] != "" {
				return errors.New(auth["refuse"])
			}
			return nil
		})
		every.On("disconnect", func(c *socketio.Context) error { return c.Emit("too late", nil) })
		every.On("panic", func(c *socketio.Context) { panic("at will") })
		every.On("int", func(c *socketio.Context, n int) {})
		every.On("other", func(c *socketio.Context, sid string) error {
			return errors.Join(c.Namespace().JoinRoom(sid, "x"), c.Namespace().Disconnect(sid), c.Join("a"), c.Join("b"), c.Join("c"))
		})
		every.On("room", func(c *socketio.Context, sid string) error { return c.Join(sid) })
		every.On("call", func(c *socketio.Context) error {
			ctx, cancel := context.WithTimeout(c.Context(), time.Second)
			defer cancel()
			_, err := c.Namespace().Call(ctx, "x", nil)
			return err
		})
		every.On("unencodable", func(c *socketio.Context) (any, error) { return func() {}, nil })
		every.On("flood", func(c *socketio.Context) error {
			for {
				if err := c.Emit("flood", strings.Repeat("x", 200_000)); err != nil {
					return fmt.Errorf("flood: %w", err)
				}
			}
		})
		tr := eiotest.Serve(t, srv, nil)
		var sids []string
		dial := func() *siotest.Peer {
			p := siotest.DialWith(t, srv, eiotest.Options{Mode: mode, Transport: tr})
			sids = append(sids, p.Client.Handshake().SID)
			return p
		}
		joined := func() *siotest.Peer {
			p := dial()
			sids = append(sids, p.Connect("/"))
			return p
		}

		first := joined()
		for _, raw := range []eiotest.Raw{
			{Header: http.Header{"Origin": {"http://evil.test\n"}}}, {Header: http.Header{"Origin": {"http://evil.test"}}, SID: sids[0]},
			{Header: http.Header{"Refuse": {"1"}}}, {SID: sids[0][:21]},
		} {
			raw.Transport, raw.Path = tr, "/socket.io/"
			if resp, err := raw.Get(t.Context()); err == nil {
				assert.GreaterOrEqual(t, resp.Status, 400)
				for _, sid := range sids {
					assert.NotContains(t, resp.Body, sid)
				}
			}
		}
		p := joined()
		p.Send(`0/other,`)
		elsewhere := p.Connected("/other")
		sids = append(sids, elsewhere)
		p.Send(`2["panic"]`, `21["int","x"]`, `2["other","`+elsewhere+`"]`, `2["room","`+first.SID+`"]`, `2["call"]`, `2["unencodable"]`, "0/third,")
		synctest.Wait()
		for _, name := range []string{"line\ntime=now level=ERROR msg=forged", "\x1b[31mred\u2028", strings.Repeat("long", 10_000)} {
			quoted, _ := json.Marshal(name)
			every.On(name, func(c *socketio.Context, n int) {})
			p := joined()
			p.Send(fmt.Sprintf(`2[%s,"no number"]`, quoted), fmt.Sprintf(`2[%s,1.%s1]`, quoted, strings.Repeat("0", 5000)), `9`)
			synctest.Wait()
		}
		refused := dial()
		refused.Send(`0{"refuse":"no\nthanks"}`)
		for range 10 {
			p := joined()
			p.Send(`2["flood"]`)
			synctest.Wait()
			p.Client.Abort()
		}
		quick := joined()
		for range 50 {
			if quick.Client.Send(`21["int",1]`) != nil {
				break // closed already, for more events than it may send
			}
		}
		time.Sleep(2 * time.Minute) // everybody is gone: some by ping timeout, some had been closed
		joined()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.NoError(t, srv.Shutdown(ctx))

		log.mu.Lock()
		defer log.mu.Unlock()
		all := strings.Join(log.lines, "\n")
		for _, event := range []string{"Origin", "panicked", "argument 0", "no socket with this sid", "this cannot be a room's name", "did not answer", "handler failed"} {
			assert.Contains(t, all, event, "this test has to see it logged")
		}
		for _, sid := range sids {
			require.Contains(t, []int{22, 27}, len(sid))
			assert.NotContains(t, all, sid)
		}
		for _, line := range log.lines {
			if strings.ContainsAny(line, "\r\x1b\u2028") || strings.Contains(line, "\ntime=now") || len(line) > 1500 {
				t.Errorf("a client wrote into the log: %.2000q", line)
			}
		}
	})
}

// Session ids are 128 bits from a cryptographic source, and the id by which other clients know a socket says nothing
// about the one by which its client proves who it is.
func TestSIDs(t *testing.T) {
	srv := siotest.NewServer(t, nil)
	seen := map[string]bool{}
	var ones [128]int
	const n = 500
	do := func(method, query, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, httptest.NewRequest(method, "/socket.io/?EIO=4&transport=polling"+query, strings.NewReader(body)))
		return w
	}
	for range n {
		open := do("GET", "", "").Body.String()
		query := "&sid=" + open[9:31]
		require.Equal(t, http.StatusOK, do("POST", query, "40").Code)
		reply := ""
		for !strings.Contains(reply, "40{") {
			w := do("GET", query, "")
			b, _ := io.ReadAll(w.Body)
			reply = string(b)
		}
		sid := reply[strings.Index(reply, `"sid":"`)+7:][:27]
		for _, id := range []string{open[9:31], sid} {
			raw, err := base64.RawURLEncoding.DecodeString(id)
			require.NoError(t, err)
			require.Len(t, raw, map[int]int{22: 16, 27: 20}[len(id)])
			require.False(t, seen[id])
			seen[id] = true
			for bit := range ones { // behind them a socket's id has a checksum
				ones[bit] += int(raw[bit/8]>>(bit%8)) & 1
			}
		}
		require.Equal(t, http.StatusBadRequest, do("GET", "&sid="+sid, "").Code, "a socket's id opens no session")
		require.Equal(t, http.StatusOK, do("POST", query, "1").Code)
		do("GET", query, "")
	}
	for bit, k := range ones { // six standard deviations: no bit of the 128 is fixed
		assert.InDelta(t, n, k, 6*16, "bit %d is set in %d of %d ids", bit, k, 2*n)
	}
}
