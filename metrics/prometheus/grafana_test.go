package prometheus_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

// idle lists the series of the dashboard that stay at zero in the test, by the metric and the
// labels in the query. All others must be greater than zero.
var idle = map[string]bool{
	`socketio_connections_closed_total reason="slow client"`: true,
	"socketio_volatile_events_dropped_total":                 true,
	"socketio_requests_handed_over_total":                    true,
	"socketio_connections_paused":                            true,
	"socketio_send_queue_bytes":                              true,
	"socketio_broker_outages_total":                          true,
	"socketio_broker_gaps_total":                             true,
	"socketio_broker_messages_replayed_total":                true,
	"socketio_broker_messages_dropped_total":                 true,
	"socketio_recovery_moved_total":                          true,
	"socketio_broker_queue_messages":                         true,
	"socketio_broker_queue_bytes":                            true,
}

// TestDashboardInPrometheus lets a Prometheus scrape a server under load, and sends it the queries
// of the dashboard.
func TestDashboardInPrometheus(t *testing.T) {
	if os.Getenv("CI") == "" && os.Getenv("E2E") == "" {
		t.Skip("end-to-end tests are off: install prometheus, then E2E=1 go test in metrics/prometheus")
	}
	text, err := os.ReadFile("../grafana/dashboard.json")
	require.NoError(t, err)
	var dashboard struct {
		Panels     []panel
		Templating struct {
			List []struct{ Name, Type, Definition string }
		}
	}
	require.NoError(t, json.Unmarshal(text, &dashboard))

	target, stop := underLoad(t)
	defer stop()
	prom := startPrometheus(t, target)
	variables := []string{"$__rate_interval", "3s"} // Grafana takes four times the interval of the scrapes, or more
	values := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
	for _, v := range dashboard.Templating.List {
		if v.Type != "query" {
			continue
		}
		m := values.FindStringSubmatch(v.Definition)
		require.NotNil(t, m, v.Definition)
		want := map[string]string{"job": "app", "instance": target}[v.Name]
		ask := "/api/v1/label/" + m[2] + "/values?match[]=" + url.QueryEscape(strings.NewReplacer(variables...).Replace(m[1]))
		eventually(t, func() error {
			var got []string
			if err := prom.get(ask, &got); err != nil {
				return err
			}
			if len(got) != 1 || got[0] != want {
				return fmt.Errorf("variable %s: %q, want %q", v.Name, got, want)
			}
			return nil
		})
		variables = append(variables, "$"+v.Name, want) // the user has chosen one
	}
	asked := 0
	for _, all := range []bool{false, true} {
		if all { // the user has chosen "All"
			variables = []string{"$__rate_interval", "3s", "$job", ".*", "$instance", ".*"}
		}
		for _, p := range dashboard.Panels {
			for _, q := range p.Targets {
				asked++
				quiet := false
				for series := range idle {
					name, matcher, _ := strings.Cut(series, " ")
					quiet = quiet || strings.Contains(q.Expr, name+"{") && strings.Contains(q.Expr, matcher)
				}
				expr := strings.NewReplacer(variables...).Replace(q.Expr)
				eventually(t, func() error {
					most, err := prom.query(expr)
					switch {
					case err != nil:
						return fmt.Errorf("%s: %s: %w", p.Title, expr, err)
					case quiet && most != 0:
						return fmt.Errorf("%s: %s is %v: it is not idle", p.Title, expr, most)
					case !quiet && !(most > 0):
						return fmt.Errorf("%s: %s is %v", p.Title, expr, most)
					}
					return nil
				})
			}
		}
	}
	assert.Greater(t, asked, 70)
}

// eventually waits until f returns nil.
func eventually(t *testing.T, f func() error) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			require.NoError(t, err)
		}
	}
}

// underLoad starts a server, and does everything to it that the dashboard shows, until stop is
// called. It returns the address of the server.
func underLoad(t *testing.T) (addr string, stop func()) {
	service := new(brokertest.Memory)
	r := newRig(t, &socketio.Options{
		Cluster:  socketio.ClusterOptions{Broker: service.Connect()},
		Limits:   socketio.Limits{EventRate: 1000, EventBurst: 20},
		Recovery: &socketio.Recovery{Window: time.Second},
	})
	r.srv.On("join", func(c *socketio.Context, room string) error { return c.Join(room) })
	r.srv.On("say", func(c *socketio.Context) error { return c.Emit("said", nil, socketio.Broadcast()) })
	r.srv.On("fail", func(*socketio.Context) error { return errors.New("no") })
	r.srv.On("panic", func(*socketio.Context) { panic("on purpose") })
	r.srv.On("ask", func(c *socketio.Context) error {
		return c.Emit("asked", nil, socketio.OnAck(func(*socketio.Context) {}))
	})
	r.srv.Namespace("/closed").On("connect", func(*socketio.Context) error { return &socketio.Error{Message: "no"} })

	mux := http.NewServeMux()
	mux.Handle("/socket.io/", r.srv)
	mux.Handle("/metrics", promhttp.HandlerFor(r.registry, promhttp.HandlerOpts{}))
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)

	answer := func(socketiotest.Event) []any { return []any{} }
	stay := socketiotest.Connect(t, r.srv, &socketiotest.Options{Answer: answer})
	poll := socketiotest.Connect(t, r.srv, &socketiotest.Options{Transport: socketiotest.Polling})
	stay.Call("join", "den")
	poll.Call("join", "den")

	stranger := service.Connect()
	other := socketio.NewEmitter(service.Connect(), nil)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var lost *socketiotest.Client
		var stranded []*socketiotest.Client
		turn := 0
		for tick := time.Tick(20 * time.Millisecond); ctx.Err() == nil; <-tick {
			for _, event := range []string{"say", "fail", "panic", "ask"} {
				stay.Emit(event)
			}
			_ = other.Emit("news", nil)
			_ = stranger.Publish(ctx, "flask-socketio", []byte("no message"))
			guest, err := socketiotest.TryConnect(t, r.srv, &socketiotest.Options{Transport: socketiotest.Upgrade})
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = guest.TryJoin("/closed", nil)
			guest.Emit("ask") // the server asks a question, which the client does not answer
			for range 30 {    // more at once than a limit allows
				guest.Emit("say")
			}
			guest.Disconnect()
			if lost != nil { // this client comes back in time or too late
				lost, err = lost.TryReconnect()
				if err != nil {
					t.Error(err)
					return
				}
				lost.Drop()
			}
			if turn++; turn%50 == 0 {
				lost = nil // this client does not come back
			}
			if lost == nil {
				lost, err = socketiotest.TryConnect(t, r.srv, nil)
				if err != nil {
					t.Error(err)
					return
				}
				lost.Drop()
				stranded = append(stranded, lost)
			}
			if len(stranded) > 2 { // the session of this client has ended long ago
				if late, err := stranded[0].TryReconnect(); err == nil {
					late.Disconnect()
				}
				stranded = stranded[1:]
			}
			r.srv.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/socket.io/?EIO=3", nil))
		}
	}()
	return web.Listener.Addr().String(), func() {
		cancel()
		<-ended
		assert.NoError(t, other.Close(context.Background()))
	}
}

// server is a Prometheus.
type server struct{ url string }

// startPrometheus starts a Prometheus that scrapes target four times a second, as job "app".
func startPrometheus(t *testing.T, target string) server {
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
global: {scrape_interval: 250ms, scrape_timeout: 250ms}
scrape_configs: [{job_name: app, static_configs: [{targets: ["%s"]}]}]
`, target), 0o600))
	port, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := port.Addr().String()
	port.Close()
	var output bytes.Buffer
	cmd := exec.Command("prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+addr, "--log.level=warn")
	cmd.Stdout, cmd.Stderr = &output, &output
	require.NoError(t, cmd.Start(), "install prometheus")
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("Prometheus:\n%s", &output)
		}
	})
	prom := server{"http://" + addr}
	eventually(t, func() error {
		answer, err := http.Get(prom.url + "/-/ready")
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return errors.New(answer.Status)
		}
		return nil
	})
	return prom
}

// get sends a request to the API, and decodes the data of the answer.
func (s server) get(path string, data any) error {
	answer, err := http.Get(s.url + path)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var body struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		return err
	}
	if body.Status != "success" {
		return errors.New(body.Error)
	}
	return json.Unmarshal(body.Data, data)
}

// query returns the greatest present value of a query.
func (s server) query(expr string) (float64, error) {
	var data struct {
		Result []struct{ Value [2]any }
	}
	if err := s.get("/api/v1/query?query="+url.QueryEscape(expr), &data); err != nil {
		return 0, err
	}
	if len(data.Result) == 0 {
		return 0, errors.New("no result")
	}
	most := math.NaN()
	for _, r := range data.Result {
		value, err := strconv.ParseFloat(fmt.Sprint(r.Value[1]), 64)
		if err != nil {
			return 0, err
		}
		if !(most >= value) && !math.IsNaN(value) {
			most = value
		}
	}
	return most, nil
}
