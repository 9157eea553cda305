package fleet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// foreign is a sign of life of a server that does not exist.
func foreign(t *testing.T, i int) []byte {
	t.Helper()
	data, err := json.Marshal(message{Version: version, Kind: kindAlive, Host: fmt.Sprint("foreign", i)})
	require.NoError(t, err)
	return data
}

// What is no message is refused, and servers of another version are named.
func TestForeignMessages(t *testing.T) {
	inBus(t, 2, func(t *testing.T, b *bus) {
		a := b.servers[0]
		for _, m := range []string{
			"", "x", "[]", "null", `{"v":1}`, `{"v":1,"is":"alive"}`, `{"v":1,"is":"what","host":"h"}`, `{"v":1,"is":"answer","host":"h"}`,
			`{"v":1,"is":"answer","host":"h","to":["h0"],"part":-1}`, `{"v":1,"is":"next","host":"h","to":["h0","h1"]}`, `{"v":1,"is":"ask","host":"h"}`,
			`{"v":1,"is":"ask","host":"h","id":-1,"question":1}`, `{"v":1,"is":"ask","host":"h","part":-1,"question":1}`, `{"v":"1","is":"alive","host":"h"}`,
			`{"v":1,"is":"alive","host":"` + strings.Repeat("h", 300) + `"}`, `{"v":1,"is":"alive","host":"h","url":"file:///etc"}`,
		} {
			require.Error(t, a.Receive([]byte(m)), m)
		}
		require.Len(t, a.Names(), 2)
		for _, m := range []string{ // of no use, but nothing is wrong with them
			`{"v":1,"is":"alive","host":"h0"}`, `{"v":1,"is":"answer","host":"h1","to":["other"],"count":-1}`, `{"v":1,"is":"next","host":"h1","to":["h0"],"id":7,"part":1}`,
		} {
			require.NoError(t, a.Receive([]byte(m)), m)
		}
		require.ErrorContains(t, a.Receive([]byte(`{"v":2,"is":"alive","host":"new","name":"newer","part":"x"}`)), "version 2")
		_, err := a.ask("q")
		require.ErrorIs(t, err, errOtherVersion)
		require.ErrorContains(t, err, "newer")
		_, err = a.Ask(t.Context(), Question{Content: []byte("{")})
		require.ErrorContains(t, err, "not JSON")
	})
}

// What servers say to each other is read or refused, whatever it is: what is read means the same
// when it is written again, and after a while nobody is missing who does not exist.
func FuzzReceive(f *testing.F) {
	for _, m := range []string{
		`{"v":1,"is":"hello","host":"a","name":"n"}`, `{"v":1,"is":"alive","host":"a","url":"http://h:1/"}`, `{"v":1,"is":"bye","host":"a"}`,
		`{"v":1,"is":"ask","host":"a","id":1,"question":"many"}`, `{"v":1,"is":"ask","host":"a","id":2,"question":{"x":[1]},"order":true}`,
		`{"v":1,"is":"ask","host":"a","id":1,"question":"many","to":["h0"],"part":3,"attempt":1}`, `{"v":1,"is":"next","host":"a","id":1,"to":["h0"],"part":1,"attempt":1}`,
		`{"v":1,"is":"answer","host":"a","to":["h0"],"id":1,"part":1,"last":true,"names":["x"],"count":3,"found":true,"error":"e"}`,
		`{"v":2,"is":"alive","host":"b","do":7}`, `{"v":1,"is":"ask","host":"a","id":18446744073709551616}`, `{"v":1}`, `[]`, `null`, ``,
	} {
		f.Add([]byte(m), []byte(m))
	}
	f.Fuzz(func(t *testing.T, one, two []byte) {
		if m, err := readMessage(one, "h0"); err == nil && m.Kind != kindAnswer {
			again := m.encode()
			m, err := readMessage(again, "h0")
			if err != nil || !bytes.Equal(m.encode(), again) {
				t.Errorf("%s is read as %+v: %v", again, m, err)
			}
		}
		inBus(t, 1, func(t *testing.T, b *bus) {
			a := b.servers[0]
			a.answers(func(string) Answer { return Answer{Names: []string{strings.Repeat("x", testPartSize), "y"}} })
			_ = a.Receive(one)
			_ = a.Receive(two)
			time.Sleep(silentAfter + missingFor + 2*heartbeat)
			synctest.Wait()
			names, err := a.ask("q")
			if err != nil || len(names) > 0 || len(a.Names()) != 1 {
				t.Errorf("%v, %v, %v", names, err, a.Names())
			}
			a.forgotten()
		})
	})
}
