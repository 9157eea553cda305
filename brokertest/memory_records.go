package brokertest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
)

// records holds the records of a Memory. Memory.mu guards it.
type records struct {
	all  map[string]storedRecord
	last uint64 // the newest owner
}

type storedRecord struct {
	value []byte // nil if the record has been taken
	owner string
	until time.Time
}

// get returns a record. It reports false if there is none, or none any more.
func (rs *records) get(key string) (r storedRecord, ok bool) {
	r, ok = rs.all[key]
	if ok && !time.Now().Before(r.until) {
		delete(rs.all, key)
		return r, false
	}
	return r, ok
}

// set writes a record and returns its owner. If owner is empty, it makes a new one.
func (rs *records) set(key, owner string, value []byte, ttl time.Duration) string {
	if rs.all == nil {
		rs.all = make(map[string]storedRecord)
	}
	if owner == "" {
		rs.last++
		owner = strconv.FormatUint(rs.last, 10)
	}
	rs.all[key] = storedRecord{value, owner, time.Now().Add(ttl)}
	return owner
}

var _ broker.RecordStore = memoryHistory{}

// onRecords calls f with the records, unless the service cannot be reached.
func (b memoryHistory) onRecords(ctx context.Context, f func(rs *records) error) error {
	return b.calls.Do(ctx, func(context.Context) error {
		b.service.mu.Lock()
		defer b.service.mu.Unlock()
		if err := b.reachable(); err != nil {
			return err
		}
		return f(&b.service.records)
	})
}

func (b memoryHistory) PutRecords(ctx context.Context, all []*broker.Record, ttl time.Duration) error {
	return b.onRecords(ctx, func(rs *records) error {
		for _, r := range all {
			now, there := rs.get(r.Key)
			r.Taken = there && (r.Owner != "" && now.owner != r.Owner || r.Owner == "" && now.value == nil)
			if !r.Taken {
				r.Owner = rs.set(r.Key, r.Owner, bytes.Clone(r.Value), ttl)
			}
		}
		return nil
	})
}

func (b memoryHistory) TakeRecord(ctx context.Context, key string, ttl time.Duration) (value []byte, owner string, err error) {
	err = b.onRecords(ctx, func(rs *records) error {
		now, there := rs.get(key)
		switch {
		case !there:
			return nil
		case now.value == nil:
			return fmt.Errorf("brokertest: %w", broker.ErrTaken)
		}
		value, owner = now.value, rs.set(key, "", nil, ttl)
		return nil
	})
	return value, owner, err
}

func (b memoryHistory) DeleteRecords(ctx context.Context, all []*broker.Record) error {
	return b.onRecords(ctx, func(rs *records) error {
		for _, r := range all {
			if now, there := rs.get(r.Key); there && now.owner == r.Owner {
				delete(rs.all, r.Key)
			}
		}
		return nil
	})
}

// RecordValues returns the present records, each as "key=value", sorted.
func (m *Memory) RecordValues() (all []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key := range m.records.all {
		if r, ok := m.records.get(key); ok && r.value != nil {
			all = append(all, key+"="+string(r.value))
		}
	}
	slices.Sort(all)
	return all
}
