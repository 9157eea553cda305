package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-d124fa34/socketio/broker"
)

// A record in Redis is a string: one byte that says whether it is taken, its owner, and the value.
const (
	written = "w"
	taken   = "t"

	ownerLen   = 26 // the length of rand.Text
	recordHead = 1 + ownerLen
)

const (
	// putRecord has the arguments: the present owner; first byte, new owner and value; ttl in ms.
	putRecord = `
local now = redis.call('GETRANGE', KEYS[1], 0, 26)
if now ~= '' then
	if ARGV[1] == '' then
		if string.sub(now, 1, 1) == 't' then return 0 end
	elseif string.sub(now, 2) ~= ARGV[1] then
		return 0
	end
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`
	// takeRecord has the arguments: first byte and new owner; ttl in ms.
	takeRecord = `
local now = redis.call('GET', KEYS[1])
if now and string.sub(now, 1, 1) ~= 't' then
	redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return now`
	// deleteRecord has one argument: the owner.
	deleteRecord = `
if string.sub(redis.call('GETRANGE', KEYS[1], 0, 26), 2) == ARGV[1] then
	redis.call('DEL', KEYS[1])
end
return 1`
)

// recordBatch is how many records one round trip writes.
const recordBatch = 256

// recordKey returns the key of a record. In a Cluster the key decides on which node the record is.
func (h *History) recordKey(key string) string { return h.opts.Stream + ":session:" + key }

// PutRecords writes records, see [broker.RecordStore].
func (h *History) PutRecords(ctx context.Context, records []*broker.Record, ttl time.Duration) error {
	return h.b.calls.Do(ctx, func(ctx context.Context) error {
		for len(records) > 0 {
			n := min(len(records), recordBatch)
			if err := h.putRecords(ctx, records[:n], ttl); err != nil {
				return err
			}
			records = records[n:]
		}
		return nil
	})
}

func (h *History) putRecords(ctx context.Context, records []*broker.Record, ttl time.Duration) error {
	owners := make([]string, len(records))
	answers, err := h.runAll(ctx, putRecord, len(records), func(i int) (string, []any) {
		r := records[i]
		if owners[i] = r.Owner; r.Owner == "" {
			owners[i] = rand.Text()
		}
		value := append(append(make([]byte, 0, recordHead+len(r.Value)), written+owners[i]...), r.Value...)
		return r.Key, []any{r.Owner, value, milliseconds(ttl)}
	})
	for i, answer := range answers {
		n, failed := answer.Int()
		if failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		if records[i].Taken = n == 0; n != 0 {
			records[i].Owner = owners[i]
		}
	}
	return err
}

// runAll runs a script for several keys in one round trip.
func (h *History) runAll(ctx context.Context, script string, n int, args func(i int) (key string, args []any)) (answers []*goredis.Cmd, err error) {
	_, err = h.b.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
		for i := range n {
			key, args := args(i)
			answers = append(answers, p.Eval(ctx, script, []string{h.recordKey(key)}, args...))
		}
		return nil
	})
	return answers, err
}

func milliseconds(d time.Duration) int64 { return max(1, d.Milliseconds()) }

// TakeRecord takes a record, see [broker.RecordStore].
func (h *History) TakeRecord(ctx context.Context, key string, ttl time.Duration) (value []byte, owner string, err error) {
	err = h.b.calls.Do(ctx, func(ctx context.Context) error {
		owner = rand.Text()
		text, err := h.b.client.Eval(ctx, takeRecord, []string{h.recordKey(key)}, taken+owner, milliseconds(ttl)).Text()
		switch {
		case errors.Is(err, goredis.Nil):
			owner = ""
			return nil
		case err != nil:
			return err
		case len(text) <= recordHead || text[:1] != written:
			return broker.ErrTaken
		}
		value = []byte(text[recordHead:])
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	return value, owner, nil
}

// DeleteRecords deletes records, see [broker.RecordStore].
func (h *History) DeleteRecords(ctx context.Context, records []*broker.Record) error {
	return h.b.calls.Do(ctx, func(ctx context.Context) error {
		_, err := h.runAll(ctx, deleteRecord, len(records), func(i int) (string, []any) {
			return records[i].Key, []any{records[i].Owner}
		})
		return err
	})
}
