package eiotest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// both runs a test with real time and in a synctest bubble.
func both(t *testing.T, f func(t *testing.T)) {
	t.Run("real", f)
	t.Run("synctest", func(t *testing.T) { synctest.Test(t, f) })
}

func serve(t *testing.T, h http.HandlerFunc) *eiotest.Transport {
	t.Helper()
	return eiotest.Serve(t, h, nil)
}

// request sends a request and returns the response, whose body the test closes.
func request(ctx context.Context, tr *eiotest.Transport, body io.Reader) (*http.Response, error) {
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://some.test/path?q=1", body)
	if err != nil {
		return nil, err
	}
	return tr.RoundTrip(req)
}

func TestTransportRequest(t *testing.T) {
	both(t, func(t *testing.T) {
		tr := serve(t, func(w http.ResponseWriter, r *http.Request) {
			host, _, err := net.SplitHostPort(r.RemoteAddr)
			b, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Header", "value")
			w.WriteHeader(http.StatusTeapot)
			fmt.Fprint(w, r.Method, " ", r.Host, r.URL, " ", host, err, " ", string(b))
		})
		for range 3 {
			resp, err := request(t.Context(), tr, strings.NewReader("body"))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if want := "POST some.test/path?q=1 192.0.2.1<nil> body"; string(b) != want || err != nil {
				t.Errorf("body %q, %v; want %q", b, err, want)
			}
			if resp.StatusCode != http.StatusTeapot || resp.Header.Get("X-Header") != "value" {
				t.Errorf("status %d, header %v", resp.StatusCode, resp.Header)
			}
		}
		tr.Wait()
	})
}

func TestTransportStreams(t *testing.T) {
	both(t, func(t *testing.T) {
		tr := serve(t, func(w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			rc.EnableFullDuplex()
			rc.Flush()
			for s := bufio.NewScanner(r.Body); s.Scan(); rc.Flush() {
				fmt.Fprintln(w, "echo", s.Text())
			}
		})
		body, input := io.Pipe()
		resp, err := request(t.Context(), tr, body)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		output := bufio.NewScanner(resp.Body)
		for i := range 3 {
			fmt.Fprintln(input, i)
			if !output.Scan() || output.Text() != fmt.Sprint("echo ", i) {
				t.Fatalf("line %d: %q, %v", i, output.Text(), output.Err())
			}
		}
		input.Close()
		if output.Scan() || output.Err() != nil {
			t.Errorf("after the end: %q, %v", output.Text(), output.Err())
		}
	})
}

func TestTransportRequestContext(t *testing.T) {
	both(t, func(t *testing.T) {
		var atReturn context.Context
		began, left := make(chan bool), make(chan error)
		tr := serve(t, func(w http.ResponseWriter, r *http.Request) {
			atReturn = r.Context()
			if err := atReturn.Err(); err != nil {
				t.Errorf("at the begin: %v", err)
			}
			if r.Method == http.MethodGet {
				began <- true
				<-r.Context().Done()
				left <- r.Context().Err()
			}
		})
		resp, err := request(t.Context(), tr, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		tr.Wait()
		<-atReturn.Done() // the handler has returned

		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-began
			cancel()
		}()
		if _, err := request(ctx, tr, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("the cancelled request: %v", err)
		}
		if err := <-left; err != context.Canceled {
			t.Errorf("the handler's context: %v", err)
		}
	})
}

func TestTransportAbortedUpload(t *testing.T) {
	both(t, func(t *testing.T) {
		failed := make(chan error, 1)
		tr := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			failed <- err
		})
		body, input := io.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			input.Write([]byte("some"))
			cancel()
			input.CloseWithError(context.Canceled) // http.Transport waits for the body
		}()
		if _, err := request(ctx, tr, body); !errors.Is(err, context.Canceled) {
			t.Errorf("the cancelled request: %v", err)
		}
		if err := <-failed; err == nil {
			t.Error("the handler read a whole body")
		}
	})
}

func TestTransportAbortingHandler(t *testing.T) {
	both(t, func(t *testing.T) {
		tr := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				http.NewResponseController(w).Flush()
			}
			panic(http.ErrAbortHandler)
		})
		if resp, err := request(t.Context(), tr, nil); err == nil {
			t.Errorf("got a response: %v", resp)
		}
		resp, err := request(t.Context(), tr, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = io.ReadAll(resp.Body); err == nil {
			t.Error("got a whole body")
		}
		resp.Body.Close()
	})
}

func TestTransportLogsPanics(t *testing.T) {
	tr := eiotest.NewTransport(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("ouch") }), nil)
	if _, err := request(t.Context(), tr, nil); err == nil {
		t.Error("got a response")
	}
	tr.Close()
	if s := tr.Log(); !strings.Contains(s, "ouch") {
		t.Errorf("logged: %q", s)
	}
}

func TestTransportDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		errs := make(chan error, 2)
		tr := serve(t, func(w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			rc.SetReadDeadline(time.Now().Add(time.Second))
			_, err := io.ReadAll(r.Body)
			errs <- err
			rc.SetWriteDeadline(time.Now().Add(2 * time.Second))
			for err = nil; err == nil; {
				_, err = w.Write(make([]byte, 1000))
			}
			errs <- err
		})
		body, input := io.Pipe()
		defer input.Close()
		resp, err := request(t.Context(), tr, body)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		for i, want := range []time.Duration{time.Second, 3 * time.Second} {
			if err := <-errs; !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) != want {
				t.Errorf("deadline %d: %v after %v, want %v", i, err, time.Since(begin), want)
			}
		}
	})
}

// A handler may hijack and write the response itself, together with the first bytes of the new protocol, or let net/http
// write it, or refuse.
func TestTransportHijack(t *testing.T) {
	const raw = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\nfirst"
	for name, write := range map[string]func(w http.ResponseWriter) string{
		"raw": func(http.ResponseWriter) string { return raw },
		"WriteHeader": func(w http.ResponseWriter) string {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "test")
			w.WriteHeader(http.StatusSwitchingProtocols)
			return "first"
		},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T) {
				tr := serve(t, func(w http.ResponseWriter, r *http.Request) {
					begin := write(w)
					c, rw, err := http.NewResponseController(w).Hijack()
					if err != nil {
						t.Error(err)
						return
					}
					defer c.Close()
					io.WriteString(c, begin)
					io.Copy(c, rw) // the client knows of the switch since WriteHeader: net/http may have read from it
				})
				resp, err := request(t.Context(), tr, nil)
				if err != nil {
					t.Fatal(err)
				}
				rw := resp.Body.(io.ReadWriteCloser)
				if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Upgrade") != "test" {
					t.Errorf("status %d, header %v", resp.StatusCode, resp.Header)
				}
				got := make([]byte, len("firstsecond"))
				io.WriteString(rw, "second")
				if _, err := io.ReadFull(rw, got); string(got) != "firstsecond" || err != nil {
					t.Errorf("read %q, %v", got, err)
				}
				if n := tr.Conns(); n != 1 {
					t.Errorf("%d connections are open", n)
				}
				rw.Close()
				tr.Wait()
			})
		})
	}
}

func TestTransportWebSocket(t *testing.T) {
	both(t, func(t *testing.T) {
		tr := serve(t, func(w http.ResponseWriter, r *http.Request) {
			ws, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			defer ws.CloseNow()
			for {
				kind, b, err := ws.Read(context.Background())
				if err != nil || ws.Write(context.Background(), kind, b) != nil {
					return
				}
			}
		})
		raw := eiotest.Raw{Transport: tr}
		ws, _, err := raw.DialWS(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer ws.CloseNow()
		for range 3 {
			ws.Write(t.Context(), websocket.MessageBinary, []byte("ping"))
			if kind, b, err := ws.Read(t.Context()); kind != websocket.MessageBinary || string(b) != "ping" || err != nil {
				t.Errorf("read %v %q, %v", kind, b, err)
			}
		}
		if err := ws.Close(websocket.StatusNormalClosure, "done"); err != nil {
			t.Errorf("Close: %v", err)
		}
		tr.Wait()
	})
}

// What a WebSocket's reader leaves unread blocks the writer when the buffer is full, and no sooner.
func TestTransportSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 1 << 10
		n, blockedAt := 0, time.Time{}
		tr := eiotest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ws, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			defer ws.CloseNow()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			for ws.Write(ctx, websocket.MessageBinary, make([]byte, size)) == nil {
				n++
			}
			blockedAt = time.Now()
		}), &eiotest.TransportOptions{ToClient: 100 * size})
		begin := time.Now()
		raw := eiotest.Raw{Transport: tr}
		ws, _, err := raw.DialWS(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer ws.CloseNow()
		tr.Wait()
		if blockedAt.Sub(begin) != time.Minute || n < 95 || n > 110 {
			t.Errorf("wrote %d messages in %v", n, blockedAt.Sub(begin))
		}
	})
}

func TestTransportDialConn(t *testing.T) {
	both(t, func(t *testing.T) {
		tr := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "answer") })
		c, err := tr.DialConn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
		if b, err := io.ReadAll(c); !strings.HasSuffix(string(b), "\r\n\r\nanswer") || err != nil {
			t.Errorf("read %q, %v", b, err)
		}
	})
}

// A handler finds out about a client that refuses to read its answer only by a deadline, and a 413 reaches a client that
// is still sending.
func TestTransportRefusedUpload(t *testing.T) {
	both(t, func(t *testing.T) {
		tr := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1000)); err != nil {
				w.WriteHeader(http.StatusRequestEntityTooLarge)
			}
		})
		raw := eiotest.Raw{Transport: tr}
		resp, err := raw.Post(t.Context(), strings.Repeat("x", 50_000))
		if err != nil || resp.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("%+v, %v", resp, err)
		}
	})
}
