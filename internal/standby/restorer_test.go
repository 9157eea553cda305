package standby

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/brokertest"
	"github.com/seed-d124fa34/socketio/internal/migration"
	"github.com/seed-d124fa34/socketio/internal/recovery"
	"github.com/seed-d124fa34/socketio/internal/wire"
)

// A server that was killed has left a record. One other server gets the session, with what was emitted since.
func TestRestorer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		m := &brokertest.Memory{Keep: 1}
		b, other := m.Connect(), m.Connect()
		defer b.Close()
		defer other.Close()
		srv := newServer()
		snap := srv.snapshot("room")
		snap.Asks = 7
		key := recovery.Key{1}
		snap.Session.Key = key[:]
		srv.receive(srv.publish(host, channel, named("missed", srv.id())))
		store := b.(broker.RecordStore)
		put := func(key recovery.Key, form []byte) {
			require.NoError(t, store.PutRecords(ctx, []*broker.Record{{Key: RecordKey(key), Value: form}}, time.Minute))
		}
		form, err := snap.Encode()
		require.NoError(t, err)
		put(key, form)
		put(recovery.Key{2}, form)
		put(recovery.Key{3}, []byte("{"))

		var asks uint64
		lost := 0
		r := &Restorer{
			Store: other.(broker.RecordStore), Taken: time.Minute, History: srv.reads(""),
			Claimed: func(s *Snapshot) { asks = s.Asks },
			Lost:    func(context.Context, error) { lost++ },
		}
		require.True(t, r.CanRestore())
		claims := func(key recovery.Key) migration.Claim {
			claim, err := r.Claim(ctx, key)
			require.NoError(t, err)
			return claim
		}
		claim := claims(key)
		require.NotNil(t, claim)
		require.EqualValues(t, 7, asks)
		require.EqualValues(t, len(form), claim.Size())
		require.Nil(t, claims(key), "it has been taken")
		require.Nil(t, claims(recovery.Key{9}), "there is no record")
		require.Zero(t, lost)
		require.Nil(t, claims(recovery.Key{2}), "the record has another key")
		require.Equal(t, 1, lost)
		require.Nil(t, claims(recovery.Key{3}), "the record cannot be read")
		require.Equal(t, 2, lost)

		sessions, at, later, err := r.Restore(ctx, []migration.Claim{claim})
		require.NoError(t, err)
		require.Empty(t, later)
		require.Equal(t, broker.Position("p001"), at)
		require.Len(t, sessions, 1)
		require.Equal(t, []string{"room"}, sessions[0].Rooms)
		require.Len(t, sessions[0].Packets, 1)
		require.NotNil(t, sessions[0].Restored.(Restored).Order)

		ended := srv.snapshot()
		srv.put(channel, mustMarshal(t, map[string]any{"method": "disconnect", "sid": sid, "namespace": "/", "host_id": host}))
		gone := []migration.Claim{NewRebuild(ended, "")}
		for range 2 {
			sessions, _, _, err = r.Restore(ctx, gone)
			require.NoError(t, err)
			require.Empty(t, sessions)
		}
		require.Equal(t, 3, lost, "another server has disconnected it")
	})
}

// A session that could not be restored can be claimed by another server, as it was. One that cannot be given back is lost, which
// is said. While the store is away it is not known whether there is a record.
func TestRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		m, store := newStore(t)
		srv := newServer()
		snap := srv.snapshot("room")
		key := recovery.Key{1}
		snap.Session.Key = key[:]
		form, err := snap.Encode()
		require.NoError(t, err)
		require.NoError(t, store.PutRecords(ctx, []*broker.Record{{Key: RecordKey(key), Value: form}}, time.Minute))
		srv.receive(srv.publish("other", channel, named("missed", srv.id())))

		var lost []error
		r := &Restorer{
			Store: store, Taken: time.Minute, History: srv.reads(""), Claimed: func(*Snapshot) {},
			Lost: func(_ context.Context, why error) { lost = append(lost, why) },
		}
		m.Stop()
		claim, err := r.Claim(ctx, key)
		require.Error(t, err)
		require.Nil(t, claim)
		m.Start()
		for range 3 {
			claim, err = r.Claim(ctx, key)
			require.NoError(t, err)
			require.NotNil(t, claim)
			sessions, _, _, err := r.Restore(ctx, []migration.Claim{claim})
			require.NoError(t, err)
			require.Len(t, sessions[0].Packets, 1)
			r.Release(ctx, []migration.Claim{claim}, errNotRead)
			require.Equal(t, []string{RecordKey(key) + "=" + string(form)}, m.RecordValues())
		}
		claim, err = r.Claim(ctx, key)
		require.NoError(t, err)
		r.Release(ctx, nil, errNotRead)
		require.Empty(t, lost)
		m.Stop()
		r.Release(ctx, []migration.Claim{claim}, errNotRead)
		require.Len(t, lost, 1)
		require.ErrorIs(t, lost[0], errNotRead)
	})
}

func mustMarshal(t *testing.T, v any) []byte {
	form, err := json.Marshal(v)
	require.NoError(t, err)
	return form
}

func TestNilRestorer(t *testing.T) {
	var r *Restorer
	require.False(t, r.CanRestore())
}

// A snapshot begins where its client may lack events, and has the joins and leaves since then.
func TestRecorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, records := newStore(t)
		w := NewWriter(records, time.Minute, func(int64) {}, slog.New(slog.DiscardHandler))
		defer w.Close(t.Context())
		srv := newServer()
		q := srv.Sequence
		var none, r Recorder
		none.Changed("room", false)
		none.Stop()

		begin := q.Now()
		r.Start(w, q, recovery.Key{1}, "", &source{form: "one"})
		r.Changed("before", false)
		_ = srv.id()
		step := q.Now().Step()
		require.True(t, r.IsInBase(begin.Step()))
		require.False(t, r.IsInBase(step))
		r.Changed("after", false)
		r.Changed("before", true)

		var snap Snapshot
		r.Complete(&snap, step) // the client may lack the event
		require.Equal(t, begin.Place, snap.Base.Place)
		require.Len(t, snap.Changes, 2)
		r.Complete(&snap, 0) // it has all
		require.Equal(t, snap.Now, snap.Base.Place)
		require.Empty(t, snap.Changes)

		_ = srv.id()
		step = q.Now().Step()
		require.False(t, r.IsInBase(step))
		r.Rebase(1) // the history does not have it
		require.True(t, r.IsInBase(step))
		_ = srv.id()
		r.Rebase(1)
		require.False(t, r.IsInBase(q.Now().Step()))
		none.Rebase(1)
		none.Hold()
		none.Keep(nil)
		require.False(t, none.IsWritten())

		srv.receive(srv.publish("other", channel, &wire.Event{Everyone: true}))
		for range maxChanges {
			r.Changed("room", false)
		}
		require.True(t, r.IsWritten())
		r.Changed("room", true)
		require.True(t, r.entry.removed, "too many changes to write")
		require.False(t, r.IsWritten())
		r.Hold()
		r.Keep([]byte("x"))
		r.Stop()
	})
}
