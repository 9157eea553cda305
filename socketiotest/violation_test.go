package socketiotest_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"

	"github.com/seed-d124fa34/socketio/socketiotest"
)

// engine is a server that answers the CONNECT packet of "/", over WebSocket, with
// these messages, and then says nothing.
func engine(messages ...string) http.Handler { return script(messages, nil) }

// script is engine with answers to other messages. Attachments begin with a 'b'.
func script(messages []string, answers map[string][]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer ws.CloseNow()
		open := `0{"sid":"e","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`
		for next := []string{open}; ; {
			for _, m := range next {
				kind := websocket.MessageText
				if m[0] == 'b' {
					kind = websocket.MessageBinary
				}
				if ws.Write(context.Background(), kind, []byte(m)) != nil {
					return
				}
			}
			_, in, err := ws.Read(context.Background())
			if err != nil {
				return
			}
			if next = answers[string(in)]; string(in) == "40" {
				next = messages
			}
		}
	})
}

// A server that breaks the protocol fails the test, whatever it looks at.
func TestViolations(t *testing.T) {
	const connect = `40{"sid":"s"}`
	tests := map[string]struct {
		messages []string
		want     string
	}{
		"no packet":               {[]string{connect, "4x"}, "malformed"},
		"event first":             {[]string{`42["x"]`}, "has not let the client into yet"},
		"connected twice":         {[]string{connect, connect}, "in already"},
		"event of other":          {[]string{connect, `42/b,["x"]`}, "has not joined"},
		"ack of nothing":          {[]string{connect, `431[]`}, "ACK 1 of namespace / answers nothing"},
		"kicked first":            {[]string{`41`}, "has not let the client into yet"},
		"connected without sid":   {[]string{`40{}`}, "without a sid"},
		"connected without body":  {[]string{`40`}, "CONNECT"},
		"refused without message": {[]string{`44{"data":1}`}, "without a message"},
		"stray attachment":        {[]string{connect, "b123"}, "out of turn"},
		"engine":                  {[]string{connect, "9"}, "unknown packet type"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := failing(t, func(tb testing.TB) {
					c := socketiotest.Connect(tb, engine(tt.messages...), nil)
					synctest.Wait()
					if c.Connected() {
						t.Error("still connected")
					}
				})
				wantFailure(t, got, tt.want)
			})
		})
	}
}

func TestViolationAfterTheEnd(t *testing.T) {
	for name, answers := range map[string][]string{
		"removed": {`40/b,{"sid":"t"}`, `41/b,`, `42/b,["x"]`},
		"refused": {`44/b,{"message":"no"}`, `42/b,["x"]`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := failing(t, func(tb testing.TB) {
					c := socketiotest.Connect(tb, script([]string{`40{"sid":"s"}`}, map[string][]string{"40/b,": answers}), nil)
					c.TryJoin("/b", nil)
					synctest.Wait()
				})
				wantFailure(t, got, "EVENT for namespace /b, which", name)
			})
		})
	}
}

// What the server sends to a namespace before it learns that the client has
// left is ignored, also when the client joins again meanwhile.
func TestPacketsUnderWayAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := script([]string{`40{"sid":"s"}`}, map[string][]string{
			"40/b,": {`40/b,{"sid":"t"}`},
			"41/b,": {`42/b,["late"]`, `43/b,1[]`, `451-/b,["late",{"_placeholder":true,"num":0}]`, "bx", `41/b,`},
		})
		c := socketiotest.Connect(t, h, nil)
		b := c.Join("/b", nil)
		b.Emit("x", func(socketiotest.Args) { t.Error("answered") })
		b.Disconnect()
		again := c.Join("/b", nil)
		again.ExpectNothing()
		again.Disconnect()
		again.ExpectNothing()
		if !c.Connected() {
			t.Errorf("disconnected: %s", c.DisconnectReason())
		}
	})
}

func TestViolationBySecondAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answered := 0
		got := failing(t, func(tb testing.TB) {
			h := script([]string{`40{"sid":"s"}`}, map[string][]string{`421["x"]`: {"431[]", "431[]"}})
			c := socketiotest.Connect(tb, h, nil)
			c.Emit("x", func(socketiotest.Args) { answered++ })
			c.WaitDisconnect()
		})
		wantFailure(t, got, "ACK 1 of namespace / answers nothing")
		if answered != 1 {
			t.Errorf("answered %d times", answered)
		}
	})
}

func TestViolationReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := failing(t, func(tb testing.TB) {
			c := socketiotest.Connect(tb, engine(`40{"sid":"s"}`, "4x"), nil)
			if r := c.WaitDisconnect(); r != "parse error" {
				t.Errorf("reason %q", r)
			}
			c.Next()
		})
		wantFailure(t, got, "Next: no event: the client was disconnected: parse error: ", "malformed",
			"the server violated the protocol: ", "malformed")
	})
}
