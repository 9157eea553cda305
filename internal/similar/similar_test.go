package similar

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestName(t *testing.T) {
	names := []string{"say", "message", "new_message", "room:join", "/chat", "*"}
	for name, want := range map[string]string{
		"Say": "say", "sya": "", "mesage": "message", "massage": "message", "newMessage": "new_message", "room-join": "room:join",
		"joinroom": "", "/Chat/": "/chat", "caht": "/chat", "": "", "x": "", "quite different": "", "say": "",
		strings.Repeat("message", 100): "", "\xff": "",
	} {
		require.Equal(t, want, Name(name, names), name)
	}
}
