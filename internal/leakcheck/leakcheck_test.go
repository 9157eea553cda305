package leakcheck

import (
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

func parked(started chan<- struct{}, stop <-chan struct{}) {
	close(started)
	<-stop
}

func has(stacks []string, name string) bool {
	for _, s := range stacks {
		if strings.Contains(s, name) {
			return true
		}
	}
	return false
}

func TestLeftover(t *testing.T) {
	started, stop := make(chan struct{}), make(chan struct{})
	go parked(started, stop)
	<-started
	if left := leftover(20 * time.Millisecond); !has(left, "leakcheck.parked") {
		t.Errorf("the running goroutine is not reported: %q", left)
	}
	close(stop)
	if left := leftover(grace); has(left, "leakcheck.parked") {
		t.Errorf("a goroutine that ended is reported: %q", left)
	}
}

func TestLeftoverWaits(t *testing.T) {
	started, stop := make(chan struct{}), make(chan struct{})
	go parked(started, stop)
	<-started
	time.AfterFunc(50*time.Millisecond, func() { close(stop) })
	begin := time.Now()
	if left := leftover(grace); len(left) > 0 {
		t.Errorf("still reported: %q", left)
	}
	if waited := time.Since(begin); waited > grace {
		t.Errorf("waited %v although the goroutine had ended", waited)
	}
}

func TestIsHarmless(t *testing.T) {
	tests := []struct {
		stack string
		want  bool
	}{
		{"goroutine 1 [chan receive]:\ntesting.(*T).Run(0xc0)\n\t/x.go:1\ncreated by main.main in goroutine 1", true},
		{"goroutine 9 [select]:\nexample.com/x.loop()\n\t/x.go:1\ncreated by testing.(*T).Run in goroutine 1", false},
		{"goroutine 5 [syscall]:\nos/signal.signal_recv()\n\t/x.go:1", true},
	}
	for _, tt := range tests {
		if got := isHarmless(tt.stack); got != tt.want {
			t.Errorf("isHarmless(%q) = %v, want %v", tt.stack, got, tt.want)
		}
	}
}
