package eiotest

import (
	"slices"
	"testing"
	"testing/synctest"
)

// Modes are all the ways to connect.
var Modes = []Mode{Polling, WebSocket, Upgrade}

// Run runs a subtest for each way to connect, or for those given.
func Run(t *testing.T, f func(t *testing.T, mode Mode), modes ...Mode) {
	t.Helper()
	if len(modes) == 0 {
		modes = Modes
	}
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) { f(t, mode) })
	}
}

// RunSync is Run with each subtest in a synctest bubble of its own.
func RunSync(t *testing.T, f func(t *testing.T, mode Mode), modes ...Mode) {
	t.Helper()
	Run(t, func(t *testing.T, mode Mode) {
		synctest.Test(t, func(t *testing.T) { f(t, mode) })
	}, modes...)
}

// RunSyncAll is RunSync for clients of both revisions: with a mode, those of OldModes that correspond to it are run.
func RunSyncAll(t *testing.T, f func(t *testing.T, mode Mode), modes ...Mode) {
	t.Helper()
	if len(modes) == 0 {
		modes = Modes
	}
	all := slices.Clone(modes)
	for _, m := range OldModes {
		if slices.Contains(modes, m.Current()) {
			all = append(all, m)
		}
	}
	RunSync(t, f, all...)
}

// RunSyncNamed is RunSync within a subtest of its own.
func RunSyncNamed(t *testing.T, name string, f func(t *testing.T, mode Mode)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { RunSync(t, f) })
}
