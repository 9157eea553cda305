package socketio_test

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// Who gives Emit several arguments reads in the compiler's message what to write instead.
func TestSeveralArgumentsAreOneValue(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "vet", "./testdata/severalarguments").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "2 (constant of type int)")
	require.Contains(t, string(out), "severalArgumentsGoIntoOneArgs")
}
