package engineio

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What polling needs in memory goes with the upgrade or, if a request of before is still
// being served, with that. A session that begins as WebSocket never has it, and takes no
// polling request.
func TestUpgradeFreesPolling(t *testing.T) {
	conns, got := make(chan *Conn, 2), make(chan string, 1)
	s, err := NewServer(&Options{OnConnect: func(c *Conn) (Receiver, error) {
		conns <- c
		return echoing{got: got}, nil
	}})
	require.NoError(t, err)
	web := httptest.NewServer(s)
	defer web.Close()
	defer s.Close()
	url := web.URL + "/engine.io/?EIO=4&transport="
	polls := func(c *Conn) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.poll != nil
	}
	send := func(ws *websocket.Conn, packet string) {
		require.NoError(t, ws.Write(t.Context(), websocket.MessageText, []byte(packet)))
	}
	for name, posting := range map[string]bool{"quiet": false, "while a POST is being read": true} {
		t.Run(name, func(t *testing.T) {
			answer, err := http.Get(url + "polling")
			require.NoError(t, err)
			body, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			sid := regexp.MustCompile(`"sid":"([^"]*)"`).FindStringSubmatch(string(body))[1]
			c := <-conns
			require.True(t, polls(c))

			r, w := io.Pipe()
			posted := make(chan *http.Response, 1)
			if posting {
				go func() {
					answer, err := http.Post(url+"polling&sid="+sid, "text/plain", r)
					assert.NoError(t, err)
					posted <- answer
				}()
				_, err := io.WriteString(w, "4") // the server reads: the body is being sent
				require.NoError(t, err)
				for begun := false; !begun; {
					c.mu.Lock()
					begun = c.poll.posting
					c.mu.Unlock()
				}
			}
			ws, _, err := websocket.Dial(t.Context(), url+"websocket&sid="+sid, nil)
			require.NoError(t, err)
			defer ws.CloseNow()
			send(ws, "2probe")
			_, _, err = ws.Read(t.Context())
			require.NoError(t, err)
			send(ws, "5")
			send(ws, "4by WebSocket")
			require.Equal(t, "by WebSocket", <-got)
			require.Equal(t, posting, polls(c))
			if posting {
				_, err := io.WriteString(w, "by POST")
				require.NoError(t, err)
				require.NoError(t, w.Close())
				require.Equal(t, "by POST", <-got)
				answer := <-posted
				assert.Equal(t, 200, answer.StatusCode)
				require.NoError(t, answer.Body.Close())
				require.False(t, polls(c))
			}
		})
	}

	ws, _, err := websocket.Dial(t.Context(), url+"websocket", nil)
	require.NoError(t, err)
	defer ws.CloseNow()
	c := <-conns
	assert.False(t, polls(c))
	for _, method := range []string{"GET", "POST"} {
		r, err := http.NewRequest(method, url+"polling&sid="+c.ID(), strings.NewReader("4no"))
		require.NoError(t, err)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		assert.Equal(t, 400, answer.StatusCode)
	}
	second, _, err := websocket.Dial(t.Context(), url+"websocket&sid="+c.ID(), nil)
	require.NoError(t, err)
	defer second.CloseNow()
	_, _, err = second.Read(t.Context())
	assert.Equal(t, websocket.StatusNoStatusRcvd, websocket.CloseStatus(err), "the session goes on")
	send(ws, "4still")
	assert.Equal(t, "still", <-got)
}

// slowAnswer is an answer whose writing takes long.
type slowAnswer struct {
	*httptest.ResponseRecorder
	wrote *bool
}

func (a slowAnswer) Write(p []byte) (int, error) {
	time.Sleep(2 * settleTime)
	*a.wrote = true
	return a.ResponseRecorder.Write(p)
}

// A poll that comes while Shutdown waits for the last answer to arrive gets CLOSE, and Shutdown waits for that, too.
func TestShutdownDuringTheClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := budgetServer(t, Options{})
		c := openWith(t, s, "EIO=4")
		query := "EIO=4&sid=" + c.ID()
		require.NoError(t, c.SendText("last"))
		pollWith(s, httptest.NewRecorder(), query)
		down := make(chan error, 1)
		go func() { down <- s.Shutdown(t.Context()) }()
		time.Sleep(settleTime * 9 / 10)
		wrote := false
		go pollWith(s, slowAnswer{httptest.NewRecorder(), &wrote}, query)
		require.NoError(t, <-down)
		synctest.Wait()
		require.True(t, wrote)
	})
}
