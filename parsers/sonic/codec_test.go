package sonic_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/seed-d124fa34/socketio/internal/codectest"
	"github.com/seed-d124fa34/socketio/parsers/sonic"
)

// subject is the codec with the differences from encoding/json that the package documentation
// names.
var subject = codectest.Subject{Codec: sonic.New(), Depth: 1000, Differs: func(text string, t reflect.Type) bool {
	if !sonic.Native {
		return false
	}
	switch {
	case text == "":
		return t == reflect.TypeFor[map[bool]int]()
	case t.Kind() == reflect.Map && strings.HasSuffix(t.Elem().Name(), "methods"):
		return strings.Count(text, ":") > 1 // perhaps a key twice
	}
	return strings.ContainsAny(text, "\u017f\u212a") // they are k and s in another case
}}

// The codec reads and writes what encoding/json does.
func TestCodec(t *testing.T) { codectest.Run(t, subject) }

func FuzzCodec(f *testing.F) { codectest.Fuzz(f, subject) }
