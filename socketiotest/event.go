package socketiotest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed-d124fa34/socketio/parser"
)

// Event is an event that the server sent.
type Event struct {
	Name      string
	Namespace string
	Args
	ack *ack // nil if the server does not ask for one
}

// ack is the means to acknowledge an event.
type ack struct {
	client *Client
	id     uint64
	sent   atomic.Bool
}

// WantsAck reports whether the server asks for an acknowledgement.
func (e Event) WantsAck() bool { return e.ack != nil }

// Ack sends the acknowledgement that the server asks for. It fails the test if
// the server does not, or has got it already.
func (e Event) Ack(args ...any) {
	e.mustHaveTest()
	e.tb.Helper()
	if e.ack == nil {
		e.tb.Fatalf("socketiotest: Ack of event %s: the server does not ask for an acknowledgement", e)
	}
	if e.ack.sent.Swap(true) {
		e.tb.Fatalf("socketiotest: Ack of event %s: it was acknowledged before", e)
	}
	h := parser.Header{Type: parser.Ack, Namespace: e.Namespace, ID: e.ack.id, HasID: true}
	if err := e.ack.client.send(h, args); err != nil {
		e.tb.Fatalf("socketiotest: Ack of event %s: %v", e, err)
	}
}

// String returns the name and the arguments: said["hello",{"n":1}]
func (e Event) String() string { return e.Name + e.Args.String() }

// Args are the arguments of an event or of an acknowledgement.
type Args struct {
	tb  testing.TB
	raw parser.Args
}

// Len returns how many arguments there are.
func (a Args) Len() int {
	if a.raw == nil {
		return 0
	}
	return a.raw.Len()
}

// Bind decodes the arguments, in order, into what the pointers point to:
// anything JSON decodes into, with binary data in []byte at any depth. A nil
// pointer skips an argument. It fails the test if an argument does not fit, or
// if there are not exactly as many of them.
func (a Args) Bind(pointers ...any) {
	a.mustHaveTest()
	a.tb.Helper()
	if a.Len() != len(pointers) {
		a.tb.Fatalf("socketiotest: Bind: %d arguments, want %d: %s", a.Len(), len(pointers), a)
	}
	for i, p := range pointers {
		if p == nil {
			continue
		}
		if err := a.raw.Bind(i, p); err != nil {
			a.tb.Fatalf("socketiotest: Bind: %v: %s", err, a)
		}
	}
}

func (a Args) mustHaveTest() {
	if a.tb == nil {
		panic("socketiotest: an Event or Args that no client received")
	}
}

// Values returns the arguments as encoding/json decodes them into an interface
// value, with binary data as []byte. It is never nil.
func (a Args) Values() []any {
	values := make([]any, a.Len())
	for i := range values {
		if err := a.raw.Bind(i, &values[i]); err != nil { // the parser took it
			panic(fmt.Sprintf("socketiotest: argument %d: %v", i, err))
		}
	}
	return values
}

// maxText is how much String shows of an argument, in bytes.
const maxText = 500

// String returns the arguments as a JSON array, in which binary data is base64;
// long ones are cut.
func (a Args) String() string {
	var b strings.Builder
	for i := range a.Len() {
		sep := ","
		if i == 0 {
			sep = ""
		}
		var raw json.RawMessage
		if err := a.raw.Bind(i, &raw); err != nil {
			raw = []byte("?")
		}
		if len(raw) > maxText {
			fmt.Fprintf(&b, "%s%s... (%d bytes)", sep, raw[:maxText], len(raw))
			continue
		}
		b.WriteString(sep)
		b.Write(raw)
	}
	return "[" + b.String() + "]"
}

// equal compares arguments as JSON values: the order of an object's members and
// the spelling of strings and numbers do not count.
func (a Args) equal(b Args) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		// The values tell binary data from its base64, the text large numbers
		// from their neighbours.
		var av, bv any
		if a.raw.Bind(i, &av) != nil || b.raw.Bind(i, &bv) != nil || !reflect.DeepEqual(av, bv) {
			return false
		}
		var at, bt json.RawMessage
		if a.raw.Bind(i, &at) != nil || b.raw.Bind(i, &bt) != nil || !reflect.DeepEqual(exact(at), exact(bt)) {
			return false
		}
	}
	return true
}

// exact decodes JSON without loss of integers.
func exact(text []byte) any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return string(text)
	}
	return exactNumbers(v)
}

func exactNumbers(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = exactNumbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = exactNumbers(v[k])
		}
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n
		}
		if n, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return n
		}
		f, _ := v.Float64()
		if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return int64(f) // 1.0 and 1e3
		}
		return f
	}
	return v
}
