package nats

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/seed-d124fa34/socketio/broker"
)

// A record in the bucket is one byte that says whether it is taken, its owner, and the value.
const (
	written = 'w'
	taken   = 't'

	ownerLen   = 26 // the length of rand.Text
	recordHead = 1 + ownerLen

	recordsAtOnce = 16 // how many records are written in parallel
	recordTries   = 20 // how often a write is repeated because others write the same record
)

// bucket holds the records of a History. It has a connection of its own, so that messages do not wait
// for records.
type bucket struct {
	b *Broker

	// Only the call that has the turn of b uses the following.
	link *link // the connection of kv
	kv   jetstream.KeyValue
	ttl  time.Duration // of the bucket
}

// bucketName returns the name of the bucket that belongs to the stream.
func (h *History) bucketName() string { return h.opts.Stream + "-sessions" }

// on calls f with the bucket. The bucket keeps records for at least ttl.
func (k *bucket) on(ctx context.Context, h *History, ttl time.Duration, f func(ctx context.Context, kv jetstream.KeyValue) error) error {
	return k.b.onLink(ctx, func(l *link) error {
		if k.link != l || k.ttl < ttl {
			if err := k.open(ctx, h, l, ttl); err != nil {
				return err
			}
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(l.ctx, func() { cancel(context.Cause(l.ctx)) })()
		err := f(ctx, k.kv)
		if cause := context.Cause(l.ctx); err != nil && cause != nil {
			err = cause
		}
		return err
	})
}

// open finds the bucket, or creates it. A bucket keeps all records for the same time.
func (k *bucket) open(ctx context.Context, h *History, l *link, ttl time.Duration) error {
	js, err := jetstream.New(l.conn, jetstream.WithDefaultTimeout(askTimeout))
	if err != nil {
		return err
	}
	c := jetstream.KeyValueConfig{
		Bucket: h.bucketName(), Description: "sessions of socketio servers", History: 1, TTL: ttl,
		Replicas: h.opts.Replicas, Storage: h.config().Storage,
	}
	for range 2 { // another server may create it at the same time
		kv, err := js.KeyValue(ctx, c.Bucket)
		if errors.Is(err, jetstream.ErrBucketNotFound) {
			kv, err = js.CreateKeyValue(ctx, c)
		}
		if errors.Is(err, jetstream.ErrBucketExists) {
			continue
		}
		if err != nil {
			return err
		}
		status, err := kv.Status(ctx)
		if err != nil {
			return err
		}
		if has := status.TTL(); has > 0 && has < ttl {
			if kv, err = js.UpdateKeyValue(ctx, c); err != nil {
				return err
			}
		}
		k.link, k.kv, k.ttl = l, kv, ttl
		return nil
	}
	return jetstream.ErrBucketExists
}

// stored is a record in the bucket.
type stored struct {
	value    []byte // nil if there is none
	revision uint64 // 0 if there has never been one
}

func (s stored) owner() string {
	if len(s.value) < recordHead {
		return ""
	}
	return string(s.value[1:recordHead])
}

func (s stored) taken() bool { return len(s.value) > 0 && s.value[0] == taken }

func get(ctx context.Context, kv jetstream.KeyValue, key string) (stored, error) {
	entry, err := kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrKeyDeleted) {
		return stored{}, nil
	}
	if err != nil {
		return stored{}, err
	}
	return stored{entry.Value(), entry.Revision()}, nil
}

// set writes a record unless somebody else has written it since it was read.
func (s stored) set(ctx context.Context, kv jetstream.KeyValue, key string, value []byte) (ok bool, err error) {
	if s.revision == 0 {
		_, err = kv.Create(ctx, key, value)
	} else {
		_, err = kv.Update(ctx, key, value, s.revision)
	}
	if overtaken(err) {
		return false, nil
	}
	return err == nil, err
}

// overtaken reports whether an error means that somebody else has written the record.
func overtaken(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, jetstream.ErrKeyExists) || errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
}

var errContended = errors.New("a record is written by others all the time")

// change replaces a record by what f returns for it. It repeats this if somebody else writes the record
// at the same time. The record stays as it is if f returns nil.
func change(ctx context.Context, kv jetstream.KeyValue, key string, f func(now stored) []byte) error {
	for range recordTries {
		now, err := get(ctx, kv, key)
		if err != nil {
			return err
		}
		value := f(now)
		if value == nil {
			return nil
		}
		if ok, err := now.set(ctx, kv, key, value); ok || err != nil {
			return err
		}
	}
	return errContended
}

// PutRecords writes records, see [broker.RecordStore].
func (h *History) PutRecords(ctx context.Context, records []*broker.Record, ttl time.Duration) error {
	if len(records) == 0 {
		return nil
	}
	return h.b.calls.Do(ctx, func(ctx context.Context) error {
		return h.records.on(ctx, h, ttl, func(ctx context.Context, kv jetstream.KeyValue) error {
			return each(ctx, records, func(ctx context.Context, r *broker.Record) error { return putRecord(ctx, kv, r) })
		})
	})
}

// each calls f for all records, several at once. It returns the first error.
func each(ctx context.Context, records []*broker.Record, f func(ctx context.Context, r *broker.Record) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan *broker.Record)
	var workers sync.WaitGroup
	for range min(recordsAtOnce, len(records)) {
		workers.Go(func() {
			for r := range work {
				if err := f(ctx, r); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, r := range records {
		work <- r
	}
	close(work)
	workers.Wait()
	return context.Cause(ctx)
}

func putRecord(ctx context.Context, kv jetstream.KeyValue, r *broker.Record) error {
	owner := r.Owner
	if owner == "" {
		owner = rand.Text()
	}
	taken := false
	err := change(ctx, kv, r.Key, func(now stored) []byte {
		taken = now.value != nil && (r.Owner != "" && now.owner() != r.Owner || r.Owner == "" && now.taken())
		if taken {
			return nil
		}
		return record(written, owner, r.Value)
	})
	if err != nil {
		return err
	}
	if r.Taken = taken; !taken {
		r.Owner = owner
	}
	return nil
}

func record(mark byte, owner string, value []byte) []byte {
	b := append(make([]byte, 0, recordHead+len(value)), mark)
	return append(append(b, owner...), value...)
}

// TakeRecord takes a record, see [broker.RecordStore].
func (h *History) TakeRecord(ctx context.Context, key string, ttl time.Duration) (value []byte, owner string, err error) {
	err = h.b.calls.Do(ctx, func(ctx context.Context) error {
		var was stored
		err := h.records.on(ctx, h, ttl, func(ctx context.Context, kv jetstream.KeyValue) error {
			return change(ctx, kv, key, func(now stored) []byte {
				if was = now; now.value == nil || now.taken() {
					return nil
				}
				owner = rand.Text()
				return record(taken, owner, nil)
			})
		})
		switch {
		case err != nil || was.value == nil:
			return err
		case was.taken() || len(was.value) <= recordHead:
			return broker.ErrTaken
		}
		value = was.value[recordHead:]
		return nil
	})
	if err != nil || value == nil {
		return nil, "", err
	}
	return value, owner, nil
}

// DeleteRecords deletes records, see [broker.RecordStore].
func (h *History) DeleteRecords(ctx context.Context, records []*broker.Record) error {
	if len(records) == 0 {
		return nil
	}
	return h.b.calls.Do(ctx, func(ctx context.Context) error {
		return h.records.on(ctx, h, 0, func(ctx context.Context, kv jetstream.KeyValue) error {
			return each(ctx, records, func(ctx context.Context, r *broker.Record) error { return deleteRecord(ctx, kv, r) })
		})
	})
}

func deleteRecord(ctx context.Context, kv jetstream.KeyValue, r *broker.Record) error {
	now, err := get(ctx, kv, r.Key)
	if err != nil || now.value == nil || now.owner() != r.Owner {
		return err
	}
	if err = kv.Purge(ctx, r.Key, jetstream.LastRevision(now.revision)); overtaken(err) {
		return nil
	}
	return err
}
