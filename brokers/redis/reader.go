package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/seed-d124fa34/socketio/broker"
)

// How many entries are read at once depends on their size, so that batches have a moderate
// size. A stream that has dropped something has at least maxCount entries.
const (
	firstCount = minCount // until the reader knows how big they are
	maxCount   = 1000
	minCount   = 8

	smallBatch = 1 << 20 // bytes; smaller batches may have more entries
	bigBatch   = 4 << 20
)

// reader is one call of SubscribeAfter.
type reader struct {
	h        *History
	client   *goredis.Client
	to       broker.Subscriber
	channels map[string]bool

	last   entryID   // the entry that was read last
	behind bool      // there may be so many entries that Redis has dropped some after last
	asked  time.Time // when the stream was last read
	count  int64     // of entries to be read at once

	ready  bool
	target entryID       // the last entry of the past
	clock  time.Duration // how far Redis's clock is ahead of ours
}

func (r *reader) read(ctx context.Context, after broker.Position) error {
	if err := r.begin(ctx, after); err != nil {
		return err
	}
	for end := false; ; {
		if end || !r.behind && !r.last.before(r.target) {
			r.beReady()
		}
		entries, err := r.next(ctx)
		if err != nil {
			return err
		}
		end = len(entries) == 0 && !r.behind
		for _, entry := range entries {
			if err := r.hand(ctx, entry); err != nil {
				return err
			}
		}
	}
}

// begin finds out where the stream ends, and at which entry the reader begins.
func (r *reader) begin(ctx context.Context, after broker.Position) error {
	now, err := r.client.Time(ctx).Result()
	if err != nil {
		return err
	}
	r.clock, r.asked = time.Until(now), time.Now()
	r.target, err = r.newest(ctx, r.client)
	if errors.Is(err, errNoStream) {
		r.target, err = r.create(ctx)
	}
	if err != nil {
		return err
	}
	r.last = r.target
	if after == "" {
		return nil
	}
	if last, ok := readPosition(after); ok {
		r.last, r.behind = last, true
	} else {
		r.to.Gap(r.h.gap())
	}
	return nil
}

// newest returns the id of the newest entry that has ever been in the stream.
func (r *reader) newest(ctx context.Context, client goredis.Cmdable) (entryID, error) {
	return newest(client.XInfoStream(ctx, r.h.opts.Stream).Result())
}

func newest(info *goredis.XInfoStream, err error) (entryID, error) {
	if err != nil {
		if strings.Contains(err.Error(), "no such key") {
			err = errNoStream
		}
		return entryID{}, err
	}
	id, ok := parseID(info.LastGeneratedID)
	if !ok {
		return id, fmt.Errorf("the id of an entry is %q", info.LastGeneratedID)
	}
	return id, nil
}

// create creates the stream, so that there is a position. The first entry has two fields,
// so that it is no message.
func (r *reader) create(ctx context.Context) (entryID, error) {
	text, err := r.client.XAdd(ctx, &goredis.XAddArgs{Stream: r.h.opts.Stream, Values: []any{"socketio", "stream", "version", "1"}}).Result()
	if err != nil {
		return entryID{}, err
	}
	id, _ := parseID(text)
	return id, nil
}

// next returns entries after last, or none if none have come for a while.
func (r *reader) next(ctx context.Context) (entries []goredis.XMessage, err error) {
	slow := time.Since(r.asked) > r.h.opts.MaxAge/2 // Redis may have dropped entries that have become too old
	if r.behind || slow {
		entries, err = r.catchUp(ctx)
	} else {
		entries, err = r.wait(ctx)
	}
	r.asked = time.Now()
	return entries, err
}

// wait waits for entries. If many have come, the stream may have dropped some of them: then it
// returns none, and catchUp reads them.
func (r *reader) wait(ctx context.Context) ([]goredis.XMessage, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.h.b.ping+r.h.b.patience, errSilent)
	defer cancel()
	streams, err := r.client.XRead(ctx, &goredis.XReadArgs{
		Streams: []string{r.h.opts.Stream, r.last.String()}, Count: r.count, Block: r.h.b.ping,
	}).Result()
	switch {
	case errors.Is(err, goredis.Nil):
		return nil, nil
	case err != nil:
		if errors.Is(context.Cause(ctx), errSilent) || isTimeout(err) {
			err = errSilent
		}
		return nil, err
	case len(streams) != 1:
		return nil, fmt.Errorf("%d streams were read", len(streams))
	}
	entries := streams[0].Messages
	if int64(len(entries)) >= r.count {
		r.behind = true
		return nil, nil
	}
	return entries, nil
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

// catchUp reads entries from last on. If last is still in the stream, Redis has dropped
// nothing after it.
func (r *reader) catchUp(ctx context.Context) ([]goredis.XMessage, error) {
	entries, err := r.client.XRangeN(ctx, r.h.opts.Stream, r.last.String(), "+", r.count+1).Result()
	if err != nil {
		return nil, err
	}
	switch {
	case len(entries) > 0 && entries[0].ID == r.last.String():
		entries = entries[1:]
	case r.last == entryID{}: // the stream is new
	default:
		if entries, err = r.afterMissing(ctx); err != nil {
			return nil, err
		}
	}
	r.behind = int64(len(entries)) >= r.count
	r.adapt(entries)
	return entries, nil
}

// adapt chooses how many entries are read next time, from the size of these.
func (r *reader) adapt(entries []goredis.XMessage) {
	size := 0
	for _, entry := range entries {
		for _, data := range entry.Values {
			text, _ := data.(string)
			size += len(text)
		}
	}
	switch {
	case size > bigBatch:
		r.count = max(minCount, r.count/4)
	case size < smallBatch && r.behind:
		r.count = min(maxCount, 2*r.count)
	}
}

// afterMissing reads entries after last, which is no longer in the stream. It reports a gap
// unless last was the newest entry of all.
func (r *reader) afterMissing(ctx context.Context) ([]goredis.XMessage, error) {
	var info *goredis.XInfoStreamCmd
	var rest *goredis.XMessageSliceCmd
	_, err := r.client.TxPipelined(ctx, func(p goredis.Pipeliner) error {
		rest = p.XRangeN(ctx, r.h.opts.Stream, r.last.String(), "+", r.count)
		info = p.XInfoStream(ctx, r.h.opts.Stream)
		return nil
	})
	last, infoErr := newest(info.Result())
	switch {
	case errors.Is(infoErr, errNoStream):
		last, r.target = entryID{}, entryID{}
	case err != nil:
		return nil, err
	}
	if last != r.last {
		r.to.Gap(r.h.gap())
	}
	if last.before(r.last) { // Redis has lost messages
		r.last = last
		return nil, nil
	}
	return rest.Val(), nil
}

// hand passes one entry to the subscriber.
func (r *reader) hand(ctx context.Context, entry goredis.XMessage) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	id, ok := parseID(entry.ID)
	if !ok {
		return fmt.Errorf("the id of an entry is %q", entry.ID)
	}
	if r.target.before(id) {
		r.beReady()
	}
	if len(entry.Values) == 1 {
		for channel, data := range entry.Values {
			if text, ok := data.(string); ok && r.channels[channel] {
				m := broker.Message{Channel: channel, Data: bytesOf(text), Position: id.position()}
				if !r.ready {
					m.Age = max(0, time.Since(time.UnixMilli(int64(id.ms)))+r.clock)
				}
				r.to.Handle(m)
			}
		}
	}
	r.last = id
	return nil
}

// beReady calls Ready, once: the subscriber has all entries of the past.
func (r *reader) beReady() {
	if !r.ready {
		r.ready = true
		r.to.Ready(r.last.position())
	}
}

// entryID is the id of an entry of a stream.
type entryID struct{ ms, seq uint64 }

func parseID(text string) (id entryID, ok bool) {
	ms, seq, ok := strings.Cut(text, "-")
	if !ok {
		return id, false
	}
	var errs [2]error
	id.ms, errs[0] = strconv.ParseUint(ms, 10, 64)
	id.seq, errs[1] = strconv.ParseUint(seq, 10, 64)
	return id, errs == [2]error{}
}

// String returns the id as Redis has it.
func (id entryID) String() string {
	b := make([]byte, 0, 41)
	b = strconv.AppendUint(b, id.ms, 10)
	return string(strconv.AppendUint(append(b, '-'), id.seq, 10))
}

func (id entryID) before(other entryID) bool {
	return id.ms < other.ms || id.ms == other.ms && id.seq < other.seq
}

// position returns the id as a fixed number of hexadecimal digits, so that later positions
// are greater strings.
func (id entryID) position() broker.Position {
	var b [2 * digits]byte
	putHex(b[:digits], id.ms)
	putHex(b[digits:], id.seq)
	return broker.Position(b[:])
}

const digits = 16

func putHex(b []byte, n uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = "0123456789abcdef"[n&15]
		n >>= 4
	}
}

func readPosition(p broker.Position) (id entryID, ok bool) {
	if len(p) != 2*digits {
		return id, false
	}
	var errs [2]error
	id.ms, errs[0] = strconv.ParseUint(string(p[:digits]), 16, 64)
	id.seq, errs[1] = strconv.ParseUint(string(p[digits:]), 16, 64)
	return id, errs == [2]error{}
}
