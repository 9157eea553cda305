package siotest

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
)

// Channel is the default channel of servers.
const Channel = "flask-socketio"

// Tap reads and writes a fleet's channel as a foreign server does.
type Tap struct {
	t      *testing.T
	broker socketio.Broker

	mu   sync.Mutex
	got  [][]byte
	sent map[string]bool
}

// NewTap begins to record what is published.
func NewTap(f *Fleet) *Tap {
	f.T.Helper()
	p := &Tap{t: f.T, broker: f.Service.Connect(), sent: map[string]bool{"{}": true}} // empty messages are not noted
	go p.broker.Subscribe(context.Background(), []string{Channel}, func() {}, func(_ string, data []byte) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.sent[string(data)] {
			p.got = append(p.got, bytes.Clone(data))
		}
	})
	f.T.Cleanup(func() { require.NoError(f.T, p.broker.Close()) })
	synctest.Wait()
	return p
}

// Publish publishes a message.
func (p *Tap) Publish(msg string) {
	p.t.Helper()
	p.mu.Lock()
	p.sent[msg] = true
	p.mu.Unlock()
	require.NoError(p.t, p.broker.Publish(p.t.Context(), Channel, []byte(msg)))
}

// Published returns the messages since the last call, except those that p published.
func (p *Tap) Published() (all []map[string]any) {
	p.t.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, data := range p.got {
		var m map[string]any
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.UseNumber()
		require.NoError(p.t, dec.Decode(&m), "%s", data)
		all = append(all, m)
	}
	p.got = nil
	return all
}

// One returns the one message published, without the host id and the id of the event, which it checks.
func (p *Tap) One() map[string]any {
	p.t.Helper()
	all := p.Published()
	require.Len(p.t, all, 1)
	require.Regexp(p.t, "^[0-9a-f]{32}$", all[0]["host_id"])
	delete(all[0], "host_id")
	if all[0]["method"] == "emit" && all[0]["volatile"] == nil {
		require.Regexp(p.t, "^[0-9A-Za-z_-]{9,23}$", all[0]["event_id"], "the id of an event that can be kept")
		delete(all[0], "event_id")
	}
	return all[0]
}

// JSONMap parses an expected message.
func JSONMap(t testing.TB, s string) (m map[string]any) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	require.NoError(t, dec.Decode(&m), s)
	return m
}

// Raw returns the messages that Published has not returned, one after the other.
func (p *Tap) Raw() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(bytes.Join(p.got, nil))
}
