package packets_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/goargs"
	"github.com/seed-d124fa34/socketio/internal/packets"
	"github.com/seed-d124fa34/socketio/internal/recovery"
	"github.com/seed-d124fa34/socketio/parser"
)

// What a client says of its session is its credentials; all else is the application's.
func TestCredentials(t *testing.T) {
	const pid = "AAAAAAAAAAAAAAAAAAAAAA"
	for _, test := range []struct {
		name, text string
		want       packets.Credentials
		rest       any // what the application gets
	}{
		{"nothing", `0`, packets.Credentials{}, nil},
		{"auth alone", `0{"token":"t"}`, packets.Credentials{}, nil},
		{"a pid of the application", `0{"pid":"p","offset":"o"}`, packets.Credentials{}, nil},
		{"a pid", `0{"pid":"` + pid + `"}`, packets.Credentials{PID: pid}, goargs.Args(nil)},
		{"with a server, an offset and auth", `0{"pid":"` + pid + `.host","offset":"o","token":"t"}`,
			packets.Credentials{PID: pid + ".host", Home: "host", Offset: offset("o")}, map[string]any{"token": "t"}},
		{"an empty offset", `0{"pid":"` + pid + `","offset":""}`, packets.Credentials{PID: pid}, goargs.Args(nil)},
		{"an offset that is none", `0{"pid":"` + pid + `","offset":1}`, packets.Credentials{PID: pid, UnknownOffset: true}, goargs.Args(nil)},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := parser.DecodeAll(parser.New(nil), parser.Limits{}, []byte(test.text), nil)
			require.NoError(t, err)
			c := packets.CredentialsIn(p)
			test.want.ID, _ = recovery.ParsePID(pid)
			if test.want.PID == "" {
				test.want.ID = recovery.PID{}
			}
			require.Equal(t, test.want, c)
			if c.PID == "" {
				return
			}
			for _, own := range []bool{false, true} {
				e := encoder()
				e.OwnParser = own
				args, err := e.WithoutCredentials(p, parser.Limits{})
				require.NoError(t, err)
				if args.Len() == 0 {
					require.Equal(t, test.rest, args)
					continue
				}
				var auth any
				require.NoError(t, args.Bind(0, &auth))
				require.Equal(t, test.rest, auth)
			}
		})
	}
}

// mute is a parser that encodes nothing.
type mute struct{ parser.Parser }

func (mute) Encode([]byte, parser.Header, []any) ([]byte, [][]byte, error) {
	return nil, nil, errors.New("mute")
}

func TestCredentialsOfAFailingParser(t *testing.T) {
	p, err := parser.DecodeAll(parser.New(nil), parser.Limits{}, []byte(`0{"pid":"AAAAAAAAAAAAAAAAAAAAAA","token":"t"}`), nil)
	require.NoError(t, err)
	e := encoder()
	e.Parser = mute{e.Parser}
	args, err := e.WithoutCredentials(p, parser.Limits{})
	require.ErrorContains(t, err, "cannot be encoded again: mute")
	require.Equal(t, p.Args, args, "the application gets all of it")
}
