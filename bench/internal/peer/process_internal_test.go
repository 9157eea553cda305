package peer

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A server's last words are in the error, also if its standard output ends before it has said them.
func TestLastWords(t *testing.T) {
	for name, script := range map[string]string{
		"start":   "exec >&-; sleep 0.2; echo why >&2; exit 1",
		"command": "echo listening here; exec >&- <&-; sleep 0.2; echo why >&2; exit 1",
	} {
		t.Run(name, func(t *testing.T) {
			s := &Server{Name: "x", command: func(string) []string { return []string{"sh", "-c", script} }}
			p, err := s.Start(t.Context(), -1, "", "")
			if name == "command" {
				require.NoError(t, err)
				defer p.Stop()
				_, err = p.Ask("gc")
			}
			require.ErrorContains(t, err, "why")
		})
	}
}
