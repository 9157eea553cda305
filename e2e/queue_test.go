package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
)

// TestQueue connects clients to two servers that share a Redis or NATS, and kills and restarts
// the queue. The servers are two of ours, each in a process, or one of ours and
// Flask-SocketIO. Workers in Go and in Python, which have no clients, emit, too.
//
// Flask-SocketIO must write JSON to the queue (python-socketio 5.15). The test uses the packages
// that .ci/tools puts into flask/packages, or those of the Python named in FLASK_PYTHON.
func TestQueue(t *testing.T) {
	enable(t)
	t.Parallel()
	for _, c := range []struct {
		name, kind string
		start      func(*testing.T) messageQueue
	}{
		{"go", "go", redisQueue},
		{"flask", "flask", redisQueue},
		{"nats", "go", natsQueue},
	} {
		for _, transport := range []string{"polling", "websocket"} {
			t.Run(c.name+"/"+transport, func(t *testing.T) {
				t.Parallel()
				testQueue(t, c.start(t), c.kind, transport)
			})
		}
	}
}

// testQueue has one of our servers and one of a kind, "go" or "flask", on a queue.
func testQueue(t *testing.T, queue messageQueue, kind, transport string) {
	url := queue.url
	ours := startQueueServer(t, url)
	other := ours
	var flask sideBySide
	if kind == "flask" {
		packages, err := filepath.Abs(filepath.Join("flask", "packages"))
		require.NoError(t, err)
		flask = startFlask(t, "MESSAGE_QUEUE="+url, "PYTHONPATH="+packages)
		other = flask.main
	} else {
		other = startQueueServer(t, url)
	}
	sniffer := startSniffer(t, url)
	script := startScript(t, "queue", "FIRST_URL="+ours, "SECOND_URL="+other, "FIRST=go", "SECOND="+kind,
		"WORKERS_URL="+startWorkers(t, kind, url), "TRANSPORT="+transport)

	script.expect("running")
	sniffer.check(t, kind)
	before := queueStatus(t, ours)
	assert.True(t, before.Connected)
	assert.Empty(t, complaints(t, flask.log))

	queue.kill()
	waitConnected(t, ours, false)
	if kind == "go" {
		waitConnected(t, other, false)
	}
	_, err := io.WriteString(script.stdin, "down\n")
	require.NoError(t, err)
	script.expect("local")
	queue.start()
	_, err = io.WriteString(script.stdin, "up\n")
	require.NoError(t, err)
	script.expect("back")
	script.wait()

	after := queueStatus(t, ours)
	assert.True(t, after.Connected)
	assert.EqualValues(t, 1, after.Outages)
	assert.Positive(t, after.Dropped, "what was emitted while the queue was away")
	assert.Greater(t, after.Received, before.Received)
	assert.Zero(t, after.Ignored, "messages of the queue that are refused")
	for _, line := range complaints(t, flask.log) {
		assert.Regexp(t, "^Cannot (publish to|receive from) redis", line, "more than that Redis was away")
	}
}

// complaints returns what Flask-SocketIO has logged, except for polls of clients
// that it has disconnected.
func complaints(t *testing.T, file string) (lines []string) {
	t.Helper()
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "'Session is disconnected'") {
			lines = append(lines, line)
		}
	}
	return lines
}

// queueProgram is the Go side of the app on a queue, in a process of its own.
func queueProgram() {
	var url string
	programConfig(&url)
	broker, err := newBroker(url)
	if err != nil {
		panic(err)
	}
	app := newFlaskApp(socketio.Options{Cluster: socketio.ClusterOptions{Broker: broker}, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))})
	mux := http.NewServeMux()
	mux.Handle("/", app.handler())
	mux.HandleFunc("GET /broker", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(app.srv.BrokerStatus())
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	programPrint("http://" + listener.Addr().String())
	panic(http.Serve(listener, mux))
}

// startQueueServer starts the program and returns its URL.
func startQueueServer(t *testing.T, queueURL string) (url string) {
	t.Helper()
	listens := make(chan string, 1)
	p := startProcess(t, "queue", queueURL, func(line []byte) {
		if json.Unmarshal(line, &url) == nil {
			listens <- url
		}
	})
	select {
	case url := <-listens:
		waitConnected(t, url, true)
		return url
	case <-p.ended:
		require.FailNow(t, "the server ended")
		return ""
	}
}

// brokerStatus is broker.Status as the server reports it.
type brokerStatus struct {
	Connected                           bool
	Outages, Received, Dropped, Ignored uint64
}

func queueStatus(t assert.TestingT, server string) (s brokerStatus) {
	answer, err := http.Get(server + "/broker")
	if assert.NoError(t, err) {
		defer answer.Body.Close()
		assert.NoError(t, json.NewDecoder(answer.Body).Decode(&s))
	}
	return s
}

func waitConnected(t *testing.T, server string, want bool) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Equal(c, want, queueStatus(c, server).Connected)
	}, 30*time.Second, 20*time.Millisecond)
}

// sniffer is an additional subscriber of the channel.
type sniffer struct {
	mu    sync.Mutex
	seen  map[string]map[string]bool // by method: its senders
	wrong []string
}

// startSniffer records the messages on the channel until the broker goes away.
func startSniffer(t *testing.T, url string) *sniffer {
	t.Helper()
	s := &sniffer{seen: make(map[string]map[string]bool)}
	broker, err := newBroker(url)
	require.NoError(t, err)
	ready, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		_ = broker.Subscribe(context.Background(), []string{"flask-socketio"}, func() { close(ready) }, s.note)
	}()
	t.Cleanup(func() {
		assert.NoError(t, broker.Close())
		<-ended
	})
	<-ready
	return s
}

func (s *sniffer) note(_ string, data []byte) {
	if string(data) == "{}" {
		return // our servers publish it to find out whether the broker is back
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var m struct {
		Method, Namespace string
		Host              string `json:"host_id"`
	}
	if err := json.Unmarshal(data, &m); err != nil || m.Host == "" || m.Namespace == "" {
		s.wrong = append(s.wrong, string(data[:min(len(data), 300)]))
		return
	}
	if s.seen[m.Method] == nil {
		s.seen[m.Method] = make(map[string]bool)
	}
	s.seen[m.Method][m.Host] = true
}

// check makes sure that every server and worker has sent every kind of message that it can send.
func (s *sniffer) check(t *testing.T, kind string) {
	t.Helper()
	workers := 1
	if kind == "flask" {
		workers = 2
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	assert.Empty(t, s.wrong)
	for _, method := range []string{"emit", "disconnect", "enter_room", "leave_room", "close_room"} {
		assert.Len(t, s.seen[method], 2+workers, method)
	}
	assert.Len(t, s.seen["callback"], 2, "each server was answered")
}

// workerOrder is an order to a worker.
type workerOrder struct {
	Op        string        `json:"op"`
	Namespace string        `json:"namespace"`
	Event     string        `json:"event"`
	Args      socketio.Args `json:"args"`
	Data      any           `json:"data"`
	JSON      bool          `json:"json"`
	To        flaskNames    `json:"to"`
	SkipSID   flaskNames    `json:"skip_sid"`
	SID       string        `json:"sid"`
	Room      string        `json:"room"`
}

// startWorkers starts workers in Go and, beside Flask-SocketIO, in Python, and
// returns the URL that takes orders for them.
func startWorkers(t *testing.T, kind, url string) string {
	t.Helper()
	mux := http.NewServeMux()
	handle := func(path string, do func([]byte) error) {
		var one sync.Mutex
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			one.Lock()
			defer one.Unlock()
			body, err := io.ReadAll(r.Body)
			if err == nil {
				err = do(body)
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	handle("/go", goWorker(t, url))
	if kind == "flask" {
		handle("/flask", flaskWorker(t, url))
	}
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)
	return web.URL
}

func goWorker(t *testing.T, url string) func([]byte) error {
	t.Helper()
	broker, err := newBroker(url)
	require.NoError(t, err)
	emitter := socketio.NewEmitter(broker, &socketio.EmitterOptions{Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		assert.NoError(t, emitter.Close(ctx))
		assert.NoError(t, broker.Close())
	})
	return func(body []byte) error {
		var o workerOrder
		if err := json.Unmarshal(body, &o); err != nil {
			return err
		}
		m := emitter.Namespace(o.Namespace)
		options := []socketio.EmitOption{socketio.Skip(o.SkipSID...)}
		if o.To != nil {
			options = append(options, socketio.To(o.To...))
		}
		switch o.Op {
		case "emit":
			return m.Emit(o.Event, o.Args, options...)
		case "send":
			if o.JSON {
				return m.Emit("json", o.Data, options...)
			}
			return m.Send(o.Data, options...)
		case "join":
			return m.JoinRoom(o.SID, o.Room)
		case "leave":
			return m.LeaveRoom(o.SID, o.Room)
		case "close":
			return m.CloseRoom(o.Room)
		case "disconnect":
			return m.Disconnect(o.SID)
		}
		return fmt.Errorf("op %q", o.Op)
	}
}

// flaskWorker starts flask/worker.py.
func flaskWorker(t *testing.T, url string) func([]byte) error {
	t.Helper()
	packages, err := filepath.Abs(filepath.Join("flask", "packages"))
	require.NoError(t, err)
	cmd := flaskCommand("worker.py", "MESSAGE_QUEUE="+url, "PYTHONPATH="+packages)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		stdin.Close() // this ends it
		assert.NoError(t, cmd.Wait())
	})
	lines := bufio.NewReader(stdout)
	return func(body []byte) error {
		if _, err := stdin.Write(append(body, '\n')); err != nil {
			return err
		}
		line, err := lines.ReadString('\n')
		if err == nil && line != "\n" {
			err = fmt.Errorf("worker.py: %s", line)
		}
		return err
	}
}
