package parser

import (
	"errors"
	"reflect"
	"strconv"
	"testing"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// message is one message of a connection.
type message struct {
	data   string
	binary bool
}

func text(s string) message { return message{data: s} }
func bin(s string) message  { return message{data: s, binary: true} }

// decodeAll decodes messages that make exactly one packet. The buffer is
// overwritten after each call: the decoder must not keep it.
func decodeAll(d Decoder, msgs ...message) (Packet, error) {
	for i, m := range msgs {
		buf := []byte(m.data)
		p, ok, err := d.Decode(buf, m.binary)
		for j := range buf {
			buf[j] = 'x'
		}
		if err != nil {
			return Packet{}, err
		}
		if last := i == len(msgs)-1; ok != last {
			return Packet{}, errors.New("packet complete at the wrong message")
		} else if ok {
			return p, nil
		}
	}
	return Packet{}, errors.New("no messages")
}

// mustDecode is decodeAll on a new decoder.
func mustDecode(t testing.TB, msgs ...message) Packet {
	t.Helper()
	p, err := decodeAll(New(nil).NewDecoder(Limits{}), msgs...)
	if err != nil {
		t.Fatalf("%v: %v", msgs, err)
	}
	return p
}

// values binds every argument to an any.
func values(t testing.TB, a Args) []any {
	t.Helper()
	out := make([]any, a.Len())
	for i := range out {
		if err := a.Bind(i, &out[i]); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\n got %#v\nwant %#v", what, got, want)
	}
}

func (m message) String() string {
	if m.binary {
		return "binary " + strconv.Quote(m.data)
	}
	return strconv.Quote(m.data)
}
