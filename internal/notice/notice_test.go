package notice

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func newLog(level slog.Level) (*Log, *bytes.Buffer) {
	var out bytes.Buffer
	return &Log{Logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level}))}, &out
}

func TestFirstOfAKindThenACount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, out := newLog(slog.LevelWarn)
		for range 1000 {
			l.Warn(t.Context(), "origin", "refused", "who", "a")
		}
		l.Warn(t.Context(), "path", "no such path")
		require.Equal(t, 2, strings.Count(out.String(), "\n"), "one line for each kind: %s", out)
		require.NotContains(t, out.String(), "omitted")

		time.Sleep(Every)
		l.Warn(t.Context(), "origin", "refused", "who", "b")
		require.Contains(t, out.String(), "who=b omitted=999")

		time.Sleep(Every)
		l.Warn(t.Context(), "origin", "refused", "who", "c")
		require.Regexp(t, `who=c\n$`, out.String(), "nothing was left out since")
	})
}

func TestOmittedLinesAreAtDebug(t *testing.T) {
	l, out := newLog(slog.LevelDebug)
	l.Warn(t.Context(), "k", "first")
	l.Warn(t.Context(), "k", "second")
	require.Contains(t, out.String(), "level=DEBUG msg=second")
}

func TestEnabledCountsWhatIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, out := newLog(slog.LevelWarn)
		l.Every = time.Second
		for range 5 {
			if l.Enabled(t.Context(), "k") {
				l.Warn(t.Context(), "k", "event")
			}
		}
		time.Sleep(time.Second)
		require.True(t, l.Enabled(t.Context(), "k"))
		l.Warn(t.Context(), "k", "event")
		require.Contains(t, out.String(), "omitted=4")
	})
}

func TestNothingIsEnabledAboveWarn(t *testing.T) {
	l, out := newLog(slog.LevelError)
	require.False(t, l.Enabled(t.Context(), "k"))
	l.Warn(t.Context(), "k", "event")
	require.Empty(t, out.String())
}
