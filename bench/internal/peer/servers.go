package peer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Server is a kind of server that can be started.
type Server struct {
	Name  string
	Title string // its column head in tables
	// Profiles is set if it can write a CPU profile.
	Profiles bool
	// Optional servers are not in the empty list of Choose.
	Optional bool
	// Fleet is set if several of them can share a Redis.
	Fleet bool
	// TLS is set if it can serve with TLS.
	TLS bool

	prepare func(ctx context.Context, s *Server, bench, bin string) error
	command func(event string) []string
	env     []string
	dir     string

	fleetEnv []string // added to the environment of a server that shares a Redis
}

// Names of the servers that others are compared with.
const (
	Ours         = "ours"
	OursRecovery = "ours-recovery" // with connection state recovery
	Bare         = "bare"
)

// Servers returns all kinds of servers. The bare ones, which are the cheapest, are first.
func Servers() []*Server {
	one := []string{"GOMAXPROCS=1"}
	return []*Server{
		{Name: Bare, Title: "bare coder/websocket", prepare: buildBare, env: one, Profiles: true, TLS: true},
		{Name: "bare-queue", Title: "the same, own queue, one write", prepare: buildBare, env: one, Profiles: true},
		{Name: Ours, Title: "ours", prepare: buildOurs, env: one, Profiles: true, Fleet: true, TLS: true},
		{Name: OursRecovery, Title: "ours, recovery on", prepare: buildOurs, env: one, Profiles: true, Optional: true},
		{Name: "ours-jsonv2", Title: "ours, GOEXPERIMENT=jsonv2", prepare: buildOurs, env: one, Profiles: true, Optional: true},
		{Name: "ours-sonic", Title: "ours, sonic", prepare: buildCodec, env: one, Profiles: true, Optional: true},
		{Name: "ours-go-json", Title: "ours, go-json", prepare: buildCodec, env: one, Profiles: true, Optional: true},
		{Name: "npm", Title: "npm socket.io", prepare: findNode, Fleet: true, TLS: true},
		{Name: "zishang", Title: "zishang520 v3", prepare: buildZishang, env: one, Profiles: true},
		{Name: "flask", Title: "Flask-SocketIO", prepare: findFlask, Fleet: true},
	}
}

// Choose returns the servers in a list of names that is separated by commas, in the order of Servers.
// The empty list stands for all that are not optional.
func Choose(names string) ([]*Server, error) {
	all := Servers()
	if names == "" {
		return slices.DeleteFunc(all, func(s *Server) bool { return s.Optional }), nil
	}
	want := map[string]bool{}
	for name := range strings.SplitSeq(names, ",") {
		want[name] = true
	}
	var chosen []*Server
	var known []string
	for _, s := range all {
		known = append(known, s.Name)
		if want[s.Name] {
			chosen = append(chosen, s)
			delete(want, s.Name)
		}
	}
	for name := range want {
		return nil, fmt.Errorf("no server %q, there are: %s", name, strings.Join(known, ", "))
	}
	return chosen, nil
}

// Prepare builds the server into the folder bin, or checks that what the server needs is installed.
// The error says what is missing.
func (s *Server) Prepare(ctx context.Context, bin string) error {
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", "github.com/seed-d124fa34/socketio/bench").Output()
	if err != nil {
		return fmt.Errorf("run this within the module bench: %w", err)
	}
	return s.prepare(ctx, s, strings.TrimSpace(string(out)), bin)
}

func buildOurs(ctx context.Context, s *Server, bench, bin string) error {
	path := filepath.Join(bin, s.Name)
	s.command = func(string) []string { return []string{path} }
	var env []string
	if s.Name == OursRecovery {
		s.command = func(string) []string { return []string{path, "-recovery"} }
	} else if experiment, ok := strings.CutPrefix(s.Name, Ours+"-"); ok {
		env = append(env, "GOEXPERIMENT="+experiment)
	}
	return build(ctx, bench, path, "./servers/ours", nil, env...)
}

func buildCodec(ctx context.Context, s *Server, bench, bin string) error {
	path := filepath.Join(bin, s.Name)
	s.command = func(string) []string { return []string{path, strings.TrimPrefix(s.Name, Ours+"-")} }
	return build(ctx, filepath.Join(bench, "servers", "codec"), path, ".", nil, "GOWORK=off")
}

func buildBare(ctx context.Context, s *Server, bench, bin string) error {
	path := filepath.Join(bin, s.Name)
	s.command = func(event string) []string {
		argv := []string{path, "-answer", event}
		if s.Name != Bare {
			argv = append(argv, "-queue")
		}
		return argv
	}
	return build(ctx, bench, path, "./servers/bare", nil)
}

func buildZishang(ctx context.Context, s *Server, bench, bin string) error {
	path := filepath.Join(bin, s.Name)
	s.command = func(string) []string { return []string{path} }
	return build(ctx, filepath.Join(bench, "servers", "zishang"), path, ".", nil, "GOWORK=off")
}

func build(ctx context.Context, dir, path, pkg string, flags []string, env ...string) error {
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build", "-o", path}, flags...), pkg)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, out)
	}
	return nil
}

func findNode(_ context.Context, s *Server, bench, _ string) error {
	node, err := exec.LookPath("node")
	if err != nil {
		return errors.New("node is not installed")
	}
	s.dir = filepath.Join(bench, "servers", "node")
	if _, err := os.Stat(filepath.Join(s.dir, "node_modules", "socket.io")); err != nil {
		return errors.New("run npm ci in servers/node")
	}
	s.command = func(string) []string { return []string{node, "--expose-gc", "server.mjs"} }
	return nil
}

func findFlask(ctx context.Context, s *Server, bench, _ string) error {
	s.dir = filepath.Join(bench, "servers", "flask")
	// .ci/tools has installed a newer version for the end-to-end tests, which publishes
	// JSON.
	s.fleetEnv = []string{"PYTHONPATH=" + filepath.Join(bench, "..", "e2e", "flask", "packages")}
	// Debian's packages are for Debian's Python, which may not be the first in the path.
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		if exec.CommandContext(ctx, python, "-c", "import flask_socketio").Run() == nil {
			s.command = func(string) []string { return []string{python, "server.py"} }
			return nil
		}
	}
	return errors.New("no Python has flask_socketio: install python3-flask-socketio and python3-eventlet")
}

// Soak returns the server of the soak. It uses all cores. built is a file that has been built before.
// If it is "", Prepare builds one.
func Soak(built string, race bool, args ...string) *Server {
	return &Server{Name: "soak", Title: "soak", prepare: func(ctx context.Context, s *Server, bench, bin string) error {
		path := cmp.Or(built, filepath.Join(bin, s.Name))
		s.command = func(string) []string { return append([]string{path}, args...) }
		if built != "" {
			return nil
		}
		var flags []string
		if race {
			flags = []string{"-race"}
		}
		return build(ctx, bench, path, "./servers/soak", flags)
	}}
}
