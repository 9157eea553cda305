package standby

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/brokertest"
)

// newStore returns a broker in memory, and the records that a server keeps with it.
func newStore(t *testing.T) (*brokertest.Memory, broker.RecordStore) {
	m := &brokertest.Memory{Keep: 1}
	b := m.Connect()
	t.Cleanup(func() { assert.NoError(t, b.Close()) })
	return m, b.(broker.RecordStore)
}

// valueOf returns the value of a record, "" if there is none.
func valueOf(m *brokertest.Memory, key string) string {
	synctest.Wait()
	for _, r := range m.RecordValues() {
		if k, v, _ := strings.Cut(r, "="); k == key {
			return v
		}
	}
	return ""
}

// Sessions are written when they begin and change, and again as long as they last. After an outage
// everything that has changed is written.
func TestWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, records := newStore(t)
		w := NewWriter(records, time.Minute, func(int64) {}, slog.New(slog.DiscardHandler))
		defer w.Close(t.Context())
		value := func(key string) string { return valueOf(m, key) }
		one, two := &source{form: "one"}, &source{form: "two"}
		first, second := w.Add("1", "", one), w.Add("2", "", two)
		require.Equal(t, "one", value("1"))
		one.set("one more")
		w.Changed(first)
		require.Equal(t, "one more", value("1"))
		time.Sleep(10 * time.Minute)
		require.Equal(t, "one more", value("1"))
		one.set("values")
		one.mu.Lock()
		one.version++
		one.mu.Unlock()
		time.Sleep(lookEvery + time.Millisecond)
		require.Equal(t, "values", value("1"))

		m.Stop()
		two.set("during an outage")
		w.Changed(second)
		time.Sleep(10 * time.Second)
		m.Start()
		time.Sleep(10 * time.Second)
		require.Equal(t, "during an outage", value("2"))
		two.set("") // it cannot be written any more
		w.Changed(second)
		require.Empty(t, value("2"))
		w.Remove(second)
		w.Remove(first)
	})
}

// Records are deleted when their sessions end. A session whose record another server has taken is given up.
func TestWriterDeletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, store := newStore(t)
		w := NewWriter(store, time.Minute, func(int64) {}, slog.New(slog.DiscardHandler))
		value := func(key string) string { return valueOf(m, key) }
		one := &source{form: "one"}
		first := w.Add("1", "", one)
		require.Equal(t, "one", value("1"))

		_, owner, err := store.TakeRecord(t.Context(), "1", time.Minute)
		require.NoError(t, err)
		w.Changed(first)
		synctest.Wait()
		require.Equal(t, 1, one.taken)
		three := &source{form: "three"}
		third := w.Add("1", owner, three)
		require.Equal(t, "three", value("1"))
		w.Remove(third)
		w.Remove(third)
		w.Changed(third)
		w.Changed(nil)
		w.Remove(nil)
		require.Empty(t, value("1"))
		moved := w.Add("3", "", &source{form: "x"})
		require.Equal(t, "x", value("3"))
		elsewhere := &broker.Record{Key: "3", Value: []byte("y")}
		require.NoError(t, store.PutRecords(t.Context(), []*broker.Record{elsewhere}, time.Minute))
		w.Remove(moved)
		require.Equal(t, "y", value("3"))
		last := w.Add("4", "", &source{form: "x"})
		synctest.Wait()
		w.Remove(last)
		w.Close(t.Context())
		require.Empty(t, value("4"))
		m.Stop()
		w = NewWriter(store, time.Minute, func(int64) {}, slog.New(slog.DiscardHandler))
		w.Add("5", "", &source{form: "x"})
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		w.Close(ctx) // does not wait for the store
	})
}

// A session that another server has given to this one is written when that server has deleted the record that
// it had taken; it ends if that does not happen.
func TestWriterAfterAHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, store := newStore(t)
		w := NewWriter(store, time.Minute, func(int64) {}, slog.New(slog.DiscardHandler))
		defer w.Close(t.Context())
		for _, key := range []string{"1", "2"} {
			require.NoError(t, store.PutRecords(t.Context(), []*broker.Record{{Key: key, Value: []byte("old")}}, time.Minute))
		}
		_, owner, err := store.TakeRecord(t.Context(), "1", time.Minute)
		require.NoError(t, err)
		_, _, err = store.TakeRecord(t.Context(), "2", time.Minute)
		require.NoError(t, err)
		one, two := &source{form: "one"}, &source{form: "two"}
		w.Add("1", "", one)
		w.Add("2", "", two)
		taken := func(s *source) int {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.taken
		}
		time.Sleep(5*time.Second + lookEvery/2) // never when the Writer does something
		require.Empty(t, m.RecordValues())
		require.NoError(t, store.DeleteRecords(t.Context(), []*broker.Record{{Key: "1", Owner: owner}}))
		time.Sleep(2 * time.Second)
		require.Equal(t, []string{"1=one"}, m.RecordValues())
		require.Zero(t, taken(two))
		time.Sleep(10 * time.Second)
		require.Equal(t, 1, taken(two))
		require.Zero(t, taken(one))
	})
}

// The last form of a session that another server has given to this one a moment ago is written when that server has
// deleted the record that it had taken, also if this server ends now. Close does not wait for that for ever.
func TestLastFormAfterAHandOver(t *testing.T) {
	for _, deleted := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			m, store := newStore(t)
			w := NewWriter(store, time.Minute, func(int64) {}, slog.New(slog.DiscardHandler))
			require.NoError(t, store.PutRecords(t.Context(), []*broker.Record{{Key: "1", Value: []byte("old")}}, time.Minute))
			_, owner, err := store.TakeRecord(t.Context(), "1", time.Minute)
			require.NoError(t, err)
			one := &source{form: "one"}
			e := w.Add("1", "", one)
			synctest.Wait()
			w.Hold(e)
			one.set("") // it has left
			w.Keep(e, []byte("last"))
			synctest.Wait()
			if deleted {
				time.AfterFunc(2*time.Second, func() {
					require.NoError(t, store.DeleteRecords(t.Context(), []*broker.Record{{Key: "1", Owner: owner}}))
				})
			}
			begin := time.Now()
			w.Close(t.Context())
			require.LessOrEqual(t, time.Since(begin), handOverTime)
			require.Equal(t, map[bool]string{true: "last"}[deleted], valueOf(m, "1"))
		})
	}
}

// counter is what a Writer counts.
type counter struct {
	mu        sync.Mutex
	now, most int64
}

func (c *counter) count(bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now += bytes
	c.most = max(c.most, c.now)
}

func (c *counter) sum() (now, most int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now, c.most
}

// slowStore is a store that takes its time, and notes how many bytes it got at once.
type slowStore struct {
	broker.RecordStore
	mu   sync.Mutex
	most int
}

func (s *slowStore) PutRecords(ctx context.Context, all []*broker.Record, ttl time.Duration) error {
	time.Sleep(time.Second)
	size := 0
	for _, r := range all {
		size += len(r.Value)
	}
	s.mu.Lock()
	s.most = max(s.most, size)
	s.mu.Unlock()
	return s.RecordStore.PutRecords(ctx, all, ttl)
}

// Snapshots are made a few at a time, however large they are and however many wait, and count while they are being written. While
// the store is away none is kept.
func TestSnapshotsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many, size = 100, 200 << 10
		m, records := newStore(t)
		store := &slowStore{RecordStore: records}
		var bytes counter
		w := NewWriter(store, time.Hour, bytes.count, slog.New(slog.DiscardHandler))
		defer w.Close(t.Context())
		var entries []*Entry
		for i := range many {
			entries = append(entries, w.Add(strconv.Itoa(i), "", &source{form: strings.Repeat("x", size)}))
		}
		time.Sleep(time.Second / 2)
		now, _ := bytes.sum()
		require.Positive(t, now, "they are being written")
		time.Sleep(time.Minute)
		require.Len(t, m.RecordValues(), many)
		now, most := bytes.sum()
		require.Zero(t, now)
		require.LessOrEqual(t, most, int64(writeBytes+size))
		store.mu.Lock()
		require.LessOrEqual(t, store.most, writeBytes+size)
		store.mu.Unlock()

		m.Stop()
		for _, e := range entries {
			w.Changed(e)
		}
		time.Sleep(time.Second + time.Millisecond)
		now, _ = bytes.sum()
		require.Zero(t, now)
		m.Start()
		time.Sleep(2 * time.Minute)
		now, most = bytes.sum()
		require.Zero(t, now)
		require.LessOrEqual(t, most, int64(writeBytes+size))
	})
}

// A session whose values change is written soon, also when others wait to be written all the time.
func TestWriterLooksWhileItIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, records := newStore(t)
		w := NewWriter(&slowStore{RecordStore: records}, time.Hour, func(int64) {}, slog.New(slog.DiscardHandler))
		defer w.Close(t.Context())
		quiet, busy := &source{form: "before"}, w.Add("busy", "", &source{form: "x"})
		w.Add("quiet", "", quiet)
		time.Sleep(5 * time.Second)
		quiet.set("after")
		quiet.mu.Lock()
		quiet.version++
		quiet.mu.Unlock()
		for range 50 {
			w.Changed(busy)
			time.Sleep(time.Second / 5)
		}
		require.Contains(t, m.RecordValues(), "quiet=after")
	})
}

// A record that is held stays as it is, whatever happens to its session, and is written once more if there is a last form.
func TestHeldRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, records := newStore(t)
		w := NewWriter(records, time.Minute, func(int64) {}, slog.New(slog.DiscardHandler))
		var entries []*Entry
		for i := range 4 {
			entries = append(entries, w.Add(strconv.Itoa(i), "", &source{form: "x"}))
		}
		synctest.Wait()
		gone := entries[0]
		w.Remove(gone)
		w.Hold(gone)
		w.Keep(gone, []byte("too late"))
		w.Keep(entries[3], []byte("it is not held"))
		for _, e := range entries[1:3] {
			w.Hold(e)
			e.source.(*source).set("") // it has left
			w.Changed(e)
		}
		time.Sleep(10 * time.Second)
		require.Equal(t, []string{"1=x", "2=x", "3=x"}, m.RecordValues())
		w.Keep(entries[1], []byte("last"))
		w.Keep(entries[2], nil)
		for _, e := range entries[1:] {
			w.Remove(e)
		}
		w.Close(t.Context())
		require.Equal(t, []string{"1=last", "2=x"}, m.RecordValues())
	})
}

// awayStore is a store whose writes take a second, and fail while it is away.
type awayStore struct {
	broker.RecordStore
	away atomic.Bool
}

func (s *awayStore) PutRecords(ctx context.Context, all []*broker.Record, ttl time.Duration) error {
	time.Sleep(time.Second)
	if s.away.Load() {
		return errors.New("away")
	}
	return s.RecordStore.PutRecords(ctx, all, ttl)
}

// A write that began before Close and fails after it is tried again, and what waits is written and deleted, too. When the store
// stays away, Close ends with its context, or after a while, and the log says how many records are not as they should be.
func TestCloseDuringAFailure(t *testing.T) {
	const most = 3 * time.Second
	for name, c := range map[string]struct {
		away     time.Duration // after Close
		timeout  time.Duration // of Close; 0: none
		from, to time.Duration // how long Close takes
		logged   bool
	}{
		"the store is back":         {away: 2 * time.Second, to: 6 * time.Second},
		"the context of Close ends": {away: time.Hour, timeout: most, from: most, to: most + time.Second, logged: true},
		"there is no such end":      {away: time.Hour, from: writeTimeout / 3, to: writeTimeout + time.Second, logged: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, records := newStore(t)
				store := &awayStore{RecordStore: records}
				var logs bytes.Buffer
				w := NewWriter(store, time.Hour, func(int64) {}, slog.New(slog.NewTextHandler(&logs, nil)))
				var entries []*Entry
				for i := range 4 {
					entries = append(entries, w.Add(strconv.Itoa(i), "", &source{form: "x"}))
				}
				time.Sleep(5 * time.Second)
				store.away.Store(true)
				w.Changed(entries[0])
				time.Sleep(time.Second / 2)
				w.Hold(entries[1])
				w.Keep(entries[1], []byte("last"))
				w.Remove(entries[2])
				w.Add("4", "", &source{form: "new"})
				time.AfterFunc(c.away, func() { store.away.Store(false) })
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				if c.timeout > 0 {
					time.AfterFunc(c.timeout, cancel)
				}
				begin := time.Now()
				w.Close(ctx)
				took := time.Since(begin)
				require.GreaterOrEqual(t, took, c.from)
				require.LessOrEqual(t, took, c.to)
				if c.logged {
					require.Contains(t, logs.String(), "records=4")
					return
				}
				require.NotContains(t, logs.String(), "records=")
				require.Equal(t, []string{"0=x", "1=last", "3=x", "4=new"}, m.RecordValues())
			})
		})
	}
}
