package docs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// What troubleshooting.md says that clients see when an event fails.

// levels are those of the records about failures.
type levels struct {
	slog.Handler
	mu  sync.Mutex
	all []string
}

func (l *levels) Enabled(context.Context, slog.Level) bool { return true }

func (l *levels) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !strings.Contains(r.Message, "connected") && !strings.HasPrefix(r.Message, "engineio:") {
		l.all = append(l.all, strings.ToLower(r.Level.String()))
	}
	return nil
}

// take returns the level of the one record since the last call.
func (l *levels) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := strings.Join(l.all, ", ")
	l.all = nil
	if all == "" {
		return "nothing"
	}
	return all
}

// Every row of the table is what happens.
func TestFailureTable(t *testing.T) {
	doc, err := os.ReadFile("troubleshooting.md")
	require.NoError(t, err)
	for _, row := range []struct {
		what, event string
		arg         any
		log         string // what the document adds to the level
	}{
		{"the handler returns an `*socketio.Error`, wrapped or not", "wire", 1, ""},
		{"it returns another error", "plain", 1, ""},
		{"an argument does not fit its parameter", "plain", "x", ", at most once a minute for each handler"},
		{"the handler panics", "panic", 1, ", with the stack"},
		{"what it returns cannot be encoded", "chan", 1, ""},
		{"the event has no handler", "typo", 1, " the first time, then debug"},
		{"`Options.Limits.EventRate` is exceeded", "fast", 1, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			log, seen := new(levels), []string(nil)
			opts := &socketio.Options{Logger: slog.New(log)}
			if row.event == "fast" {
				opts.Limits.EventRate, opts.Limits.EventBurst = 1, 2 // the first is to connect
			}
			srv := socketio.NewServer(opts)
			srv.On("wire", func(c *socketio.Context, _ int) error {
				return fmt.Errorf("wrapped: %w", &socketio.Error{Message: "no", Data: 1})
			})
			srv.On("plain", func(c *socketio.Context, _ int) error { return errors.New("for the log") })
			srv.On("panic", func(c *socketio.Context, _ int) error { panic("ouch") })
			srv.On("chan", func(c *socketio.Context, _ int) any { return make(chan int) })
			srv.On("fast", func(c *socketio.Context, _ int) {})
			ask := func() (answer string) {
				ann := socketiotest.Connect(t, srv, nil)
				defer ann.Disconnect()
				answer = "nothing"
				if row.event == "fast" {
					ann.Emit("fast", 1)
				}
				ann.Emit(row.event, row.arg, func(a socketiotest.Args) {
					answer = "`" + strings.TrimSuffix(strings.TrimPrefix(a.String(), "["), "]") + "`"
				})
				ann.ExpectNothing()
				return answer
			}
			answer := ask()
			level := log.take()

			srv.OnError(func(c *socketio.Context, err error) any {
				var arg *socketio.ArgError
				var limit *socketio.LimitError
				var panicked *socketio.PanicError
				var wire *socketio.Error
				switch {
				case errors.As(err, &arg):
					seen = append(seen, "an `*socketio.ArgError`")
				case errors.As(err, &limit):
					seen = append(seen, "an `*socketio.LimitError`")
				case errors.As(err, &panicked):
					seen = append(seen, "a `*socketio.PanicError`")
				case errors.Is(err, socketio.ErrNoHandler):
					seen = append(seen, "`socketio.ErrNoHandler`")
				case errors.As(err, &wire) || row.event == "plain":
					seen = append(seen, "the error")
				default:
					seen = append(seen, "the encoder's error")
				}
				return "sorry"
			})
			sent := "`\"sorry\"`"
			if row.event == "typo" { // whatever the error handler returns
				sent = "nothing"
			}
			assert.Equal(t, sent, ask())
			assert.Contains(t, string(doc), fmt.Sprintf("\n| %s | %s | %s%s | %s |\n", row.what, answer, level, row.log, strings.Join(seen, ", ")))
			srv.Shutdown(t.Context())
		})
	}
}

func answerErrors(srv *socketio.Server) {
	srv.OnError(func(c *socketio.Context, err error) any {
		if wrong, ok := errors.AsType[*socketio.ArgError](err); ok {
			return &socketio.Error{Message: fmt.Sprintf("argument %d of %s does not fit", wrong.Index, wrong.Event)}
		}
		return err // as if there were no error handler
	})
}

func TestAnswerErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(levels)
		srv := socketio.NewServer(&socketio.Options{Logger: slog.New(log)})
		answerErrors(srv)
		srv.On("wire", func(c *socketio.Context) error { return fmt.Errorf("wrapped: %w", &socketio.Error{Message: "no"}) })
		srv.On("plain", func(c *socketio.Context, _ int) error { return errors.New("for the log") })
		ann := socketiotest.Connect(t, srv, nil)
		assert.Equal(t, `[{"error":{"message":"argument 0 of plain does not fit"}}]`, ann.Call("plain", "x").String())
		assert.Equal(t, `[{"error":{"message":"no"}}]`, ann.Call("wire").String())
		assert.Equal(t, "nothing", log.take())
		ann.Emit("plain", 1, func(socketiotest.Args) { t.Error("answered") })
		ann.ExpectNothing()
		assert.Equal(t, "warn", log.take())
		srv.Shutdown(t.Context())
	})
}

// exactly is the codec of the entry about tags.
type exactly struct{}

func (exactly) Marshal(v any) ([]byte, error) { return json.Marshal(v) }

func (exactly) Unmarshal(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

func TestUnknownFields(t *testing.T) {
	for _, codec := range []interface {
		Marshal(any) ([]byte, error)
		Unmarshal([]byte, any) error
	}{nil, exactly{}} {
		srv := socketio.NewServer(&socketio.Options{JSON: codec})
		srv.On("say", func(c *socketio.Context, m struct{ Room string }) string { return "to " + m.Room })
		srv.OnError(func(c *socketio.Context, err error) any { return socketio.Error{Message: err.Error()} })
		answer := socketiotest.Connect(t, srv, nil).Call("say", map[string]string{"rooom": "den"}).String()
		if codec == nil {
			assert.Equal(t, `["to "]`, answer)
		} else {
			assert.Contains(t, answer, `argument 0 of event \"say\" does not fit struct { Room string }: `)
			assert.Contains(t, answer, `unknown field \"rooom\"`)
		}
	}
}
