package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/seed-d124fa34/socketio"
)

// keep is how many figures of each series are kept for pages that come later.
const keep = 120

// sample is one figure of a series.
type sample struct {
	Name  string  `json:"name"`
	N     int64   `json:"n"` // increases, and goes on when the worker is started again
	Value float64 `json:"value"`
}

// store keeps the last figures of each series.
type store interface {
	next(ctx context.Context) (n int64, err error) // a number that was not there before
	add(ctx context.Context, s sample) error
	last(ctx context.Context, name string) ([]sample, error)
}

// work measures until ctx is done.
func work(ctx context.Context, every time.Duration, broker socketio.Broker, kept store) error {
	emitter := socketio.NewEmitter(broker, nil)
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	values := map[string]float64{}
	for ctx.Err() == nil {
		select {
		case <-ticks.C:
			// What is begun is done, so that no figure has a number and is not there.
			if err := measure(context.WithoutCancel(ctx), values, emitter, kept); err != nil {
				slog.Warn("dashboard: a measurement is lost", "error", err) // Redis is away: it goes on when that is back
			}
		case <-ctx.Done():
		}
	}
	end, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return emitter.Close(end)
}

// measure keeps a figure of each series first, and then emits it to those who watch.
func measure(ctx context.Context, values map[string]float64, emitter *socketio.Emitter, kept store) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	n, err := kept.next(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		values[name] = max(0, min(100, values[name]+20*rand.Float64()-9)) // made up
		s := sample{Name: name, N: n, Value: values[name]}
		if err := errors.Join(kept.add(ctx, s), emitter.Emit("sample", s, socketio.To(name))); err != nil {
			return err
		}
	}
	return nil
}

// redisStore is a list for each series, the last figure at its end.
type redisStore struct{ client *goredis.Client }

func key(name string) string { return "dashboard:" + name }

func (r redisStore) next(ctx context.Context) (int64, error) {
	return r.client.Incr(ctx, "dashboard").Result()
}

func (r redisStore) add(ctx context.Context, s sample) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = r.client.TxPipelined(ctx, func(p goredis.Pipeliner) error {
		p.RPush(ctx, key(s.Name), text)
		p.LTrim(ctx, key(s.Name), -keep, -1)
		return nil
	})
	return err
}

func (r redisStore) last(ctx context.Context, name string) ([]sample, error) {
	texts, err := r.client.LRange(ctx, key(name), 0, -1).Result()
	all := make([]sample, len(texts))
	for i, text := range texts {
		err = errors.Join(err, json.Unmarshal([]byte(text), &all[i]))
	}
	return all, err
}
