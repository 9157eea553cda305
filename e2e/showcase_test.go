package e2e

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/faulty"
)

// TestDrawing has three people draw on examples/board.
func TestDrawing(t *testing.T) { showcase(t, "board", "draw") }

// TestGame has four people play examples/game.
func TestGame(t *testing.T) { showcase(t, "game", "play", "-window", "2m") }

// TestTeam has two people log in on examples/team.
func TestTeam(t *testing.T) { showcase(t, "team", "team") }

// TestDashboard has three people look at examples/dashboard, whose worker is started
// again.
func TestDashboard(t *testing.T) {
	enableAtNight(t)
	t.Parallel()
	browser := chromium(t)
	_, redis := startRedis(t)
	binary := buildExample(t, "dashboard")
	var worker *exec.Cmd
	start := func() {
		worker = exec.Command(binary, "-redis", redis, "-every", "200ms", "worker")
		require.NoError(t, worker.Start())
	}
	start()
	stop := func() {
		assert.NoError(t, worker.Process.Signal(os.Interrupt))
		assert.NoError(t, worker.Wait())
	}
	defer func() { stop() }()
	restart := func() {
		stop()
		start()
	}
	web := startExample(t, exec.Command(binary, "-redis", redis, "-addr", "127.0.0.1:0", "web"))
	useDropped(t, startProxy(t, web), map[string]func(){"restart": restart}, "dashboard",
		"PAGE_URL="+web.url, "CHROMIUM="+browser, "IMAGES="+images(t, "dashboard"))
}

// showcase runs a script with an example, and a proxy in front of it for one of the users.
// When the script says "drop", the proxy cuts this user off, until the script says "return".
func showcase(t *testing.T, example, script string, flags ...string) {
	enableAtNight(t)
	t.Parallel()
	browser := chromium(t)
	program := startExample(t, exec.Command(buildExample(t, example), append(flags, "-addr", "127.0.0.1:0")...))
	useDropped(t, startProxy(t, program), nil, script, "PAGE_URL="+program.url, "CHROMIUM="+browser, "IMAGES="+images(t, example))
}

// startProxy starts a proxy in front of an example.
func startProxy(t *testing.T, program *demo) *faulty.Proxy {
	t.Helper()
	proxy, err := faulty.NewProxy(program.addr(), 1)
	require.NoError(t, err)
	t.Cleanup(proxy.Close)
	return proxy
}

// useDropped runs a script that has the proxy's address in FLAKY_URL, until it says that all is
// done. also handles the script's other messages.
func useDropped(t *testing.T, proxy *faulty.Proxy, also map[string]func(), name string, env ...string) {
	t.Helper()
	script := startScript(t, name, append(env, "FLAKY_URL=http://"+proxy.Addr())...)
	for {
		switch word := script.next("all done"); word {
		case "drop":
			proxy.Refuse(true)
			proxy.Reset()
		case "return":
			proxy.Refuse(false)
		case "all done":
			script.wait()
			return
		default:
			require.Contains(t, also, word)
			also[word]()
		}
	}
}
