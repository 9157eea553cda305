package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// job is what a user has asked for: to count the primes below N.
type job struct {
	ID   string `json:"id"`
	User string `json:"user"`
	N    int    `json:"n"`
}

// jobList is the jobs in Redis: those that nobody does yet, and for each worker
// a list with the one that it does, so that a worker that dies loses nothing.
type jobList struct{ client *goredis.Client }

const waiting = "jobs"

func doing(worker string) string { return "jobs of " + worker }

// put adds a job.
func (l *jobList) put(ctx context.Context, j job) error {
	text, err := json.Marshal(j)
	if err != nil {
		return err
	}
	return l.client.RPush(ctx, waiting, text).Err()
}

// takeUp puts back what the worker had not finished when it ended.
func (l *jobList) takeUp(ctx context.Context, worker string) error {
	for {
		err := l.client.LMove(ctx, doing(worker), waiting, "RIGHT", "LEFT").Err()
		if errors.Is(err, goredis.Nil) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// take waits for a job. finished is to be called when it is done.
func (l *jobList) take(ctx context.Context, worker string) (j job, finished func(context.Context) error, err error) {
	for {
		text, err := l.client.BLMove(ctx, waiting, doing(worker), "LEFT", "RIGHT", time.Second).Result()
		if errors.Is(err, goredis.Nil) && ctx.Err() == nil {
			continue // nothing for a second
		}
		if err != nil {
			return job{}, nil, err
		}
		finished = func(ctx context.Context) error { return l.client.LRem(ctx, doing(worker), 1, text).Err() }
		return j, finished, json.Unmarshal([]byte(text), &j)
	}
}
