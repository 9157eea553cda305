package parser_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/parser"
)

// The parts of a packet's text make the same text again.
func TestSplitAndAppendText(t *testing.T) {
	p := parser.New(nil)
	for _, ns := range []string{"/", "/a", "/[9-"} {
		for _, args := range [][]any{{}, {nil}, {1, "two", []int{3}}, {`"],[`}, {[]byte("x"), map[string]any{"b": []byte("y")}}} {
			for _, h := range []parser.Header{
				{Type: parser.Event, Namespace: ns},
				{Type: parser.Event, Namespace: ns, ID: 17, HasID: true},
				{Type: parser.Ack, Namespace: ns, ID: 0, HasID: true},
			} {
				all := args
				if h.Type == parser.Event {
					all = append([]any{`na"me,`}, args...)
				}
				text, attachments, err := p.Encode(nil, h, all)
				require.NoError(t, err)
				var name, list []byte
				if h.Type == parser.Event {
					name, list = parser.SplitEvent(text)
					require.Equal(t, `"na\"me,"`, string(name))
				} else {
					list = parser.SplitAck(text)
				}
				require.Equal(t, string(text), string(parser.AppendText(nil, h, len(attachments), name, list)))
				decoded, err := parser.DecodeAll(p, parser.Limits{}, text, attachments)
				require.NoError(t, err)
				require.Equal(t, h, decoded.Header)
				require.Equal(t, len(args), decoded.Args.Len())
				again, binary, err := p.Encode(nil, h, append(all[:len(all)-len(args):len(all)-len(args)], parser.RawArgs(decoded.Args)...))
				require.NoError(t, err)
				require.Equal(t, string(text), string(again))
				require.Equal(t, attachments, binary)
			}
		}
	}
}

func TestDecodeAllErrors(t *testing.T) {
	p := parser.New(nil)
	_, err := parser.DecodeAll(p, parser.Limits{}, []byte(`51-["e",{"_placeholder":true,"num":0}]`), nil)
	require.ErrorIs(t, err, parser.ErrOutOfTurn)
	_, err = parser.DecodeAll(p, parser.Limits{}, []byte(`2["e"]`), [][]byte{{1}})
	require.ErrorIs(t, err, parser.ErrOutOfTurn)
	_, err = parser.DecodeAll(p, parser.Limits{}, []byte(`2[`), nil)
	require.ErrorIs(t, err, parser.ErrMalformed)
}
