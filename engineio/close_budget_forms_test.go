package engineio

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pollWith is a GET of a session, or of none.
func pollWith(s *Server, w http.ResponseWriter, query string) {
	s.ServeHTTP(w, httptest.NewRequest("GET", "/engine.io/?transport=polling&"+query, nil))
}

// openWith opens a polling session.
func openWith(t *testing.T, s *Server, query string) *Conn {
	t.Helper()
	before := make(map[*Conn]bool)
	for _, c := range s.all() {
		before[c] = true
	}
	w := httptest.NewRecorder()
	pollWith(s, w, query)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	for _, c := range s.all() {
		if !before[c] {
			return c
		}
	}
	t.Fatal("no session")
	return nil
}

var pollingClients = []string{"EIO=4", "EIO=3", "EIO=3&b64=1", "EIO=3&j=0"}

// The forms of a binary message are kept beside it as long as it waits for anybody, and count as long.
func TestBudgetOfForms(t *testing.T) {
	s := budgetServer(t, Options{AllowEIO3: true})
	const size = 900_000
	f := TextFrames("text", make([]byte, size))
	conns := make(map[string]*Conn)
	for _, query := range pollingClients {
		conns[query] = openWith(t, s, query)
		require.NoError(t, conns[query].Send(f))
	}
	waits := openWith(t, s, "EIO=4") // as long as the others are served
	require.NoError(t, waits.Send(f))
	assert.Equal(t, f.unit.Cost(), s.budget.Used())
	want := f.unit.Cost()
	for i, query := range pollingClients {
		w := httptest.NewRecorder()
		pollWith(s, w, query+"&sid="+conns[query].ID())
		require.Greater(t, w.Body.Len(), size)
		if i < 3 { // a script has the form of base64
			want += int64(w.Body.Len())
		}
		assert.InDelta(t, want, s.budget.Used(), size/8, query)
	}
	waits.Close(ReasonServerDisconnect, nil)
	pollWith(s, httptest.NewRecorder(), "EIO=4&sid="+waits.ID())
	assert.Zero(t, s.budget.Used())
}

// slowWriter is an answer that its client does not take until take is closed.
type slowWriter struct {
	*httptest.ResponseRecorder
	take chan struct{}
}

func (w slowWriter) Write(p []byte) (int, error) {
	<-w.take
	return w.ResponseRecorder.Write(p)
}

// What is copied for the answer to one poll counts until it is written.
func TestBudgetOfAnswers(t *testing.T) {
	text := strings.Repeat("x", 400_000)
	for _, query := range pollingClients {
		t.Run(query, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := budgetServer(t, Options{AllowEIO3: true, DisableHTTPCompression: true})
				f, second := TextFrames(text), TextFrames(text)
				const clients = 5
				take, bodies := make(chan struct{}), make(chan int, clients)
				for range clients {
					c := openWith(t, s, query)
					require.NoError(t, c.Send(f))
					require.NoError(t, c.Send(second))
					go func() {
						w := slowWriter{httptest.NewRecorder(), take}
						pollWith(s, w, query+"&sid="+c.ID())
						bodies <- w.Body.Len()
					}()
				}
				synctest.Wait()
				used := s.budget.Used() - 2*f.unit.Cost()
				assert.Greater(t, used, int64(clients*2*len(text)))
				assert.Less(t, used, int64(clients*3*len(text)), "a buffer that grows is at most half as large again")
				close(take)
				for range clients {
					assert.Greater(t, <-bodies, 2*len(text))
				}
				synctest.Wait()
				assert.Zero(t, s.budget.Used())
			})
		})
	}
}
