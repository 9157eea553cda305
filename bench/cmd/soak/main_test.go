package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/internal/race"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// build builds the server, for all tests but the one of the whole command.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "server")
	args := []string{"build", "-o", path, "../../servers/soak"}
	if race.Enabled {
		args = slices.Insert(args, 1, "-race")
	}
	out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

// short are the arguments for a soak of seconds.
func short(more ...string) []string {
	args := []string{"-haste", "0.05", "-ping-interval", "2s", "-ping-timeout", "3s", "-settle", "1s"}
	if race.Enabled {
		args = append(args, "-race")
	}
	return append(args, more...)
}

// The whole command, in small. With -race the server is built with the race
// detector too, whose findings it ends with.
func TestSoak(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := command(t.Context(), short("-clients", "200", "-rate", "400", "-for", "10s", "-cycle", "3s"), &out)
	require.NoError(t, err, out.String())
	for _, kind := range []string{"event acknowledged with its bytes", "joining a room", "bytes in a room", "volatile text in a room", "private text heard",
		"text to everyone heard", "(Call)", "(OnAck)", "question of the server", "upgrading"} {
		require.Contains(t, out.String(), kind)
	}
	for _, ending := range []string{"leaving", "closing", "dropping out", "vanishing", "kicked", "hung up on", "dropping out of an upgrade"} {
		require.Contains(t, out.String(), " "+ending+": ")
	}
}

// Clients that lose their connections everywhere miss nothing.
func TestSoakRecovery(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := command(t.Context(), short("-recovery", "-window", "12s", "-clients", "100", "-rate", "200", "-for", "8s", "-cycle", "3s"), &out)
	require.NoError(t, err, out.String())
	require.NotContains(t, out.String(), "came back in their session: 0.")
}

// Whatever promise the server breaks, it is found.
func TestSoakFinds(t *testing.T) {
	server := build(t)
	for promise, kind := range map[string]string{
		"once": "duplicate", "delivery": "lost", "order": "out of order", "rooms": "stray", "privacy": "stray", "payload": "payload",
		"leaving": "stray", "acks": "payload", "memory": "memory",
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			err := command(t.Context(), short("-server", server, "-clients", "40", "-rate", "400", "-for", "2s", "-cycle", "1s", "-sabotage", promise), &out)
			require.ErrorContains(t, err, "violations", out.String())
			require.NotContains(t, out.String(), "\n- "+kind+": 0\n")
			require.Contains(t, strings.SplitN(out.String(), "\n", 2)[0], "VIOLATIONS")
		})
	}
}

func TestCommandRefuses(t *testing.T) {
	for _, args := range [][]string{{"what"}, {"-clients", "100000000"}, {"-sabotage", "nothing"}} {
		require.Error(t, command(t.Context(), args, &bytes.Buffer{}), "%v", args)
	}
}
