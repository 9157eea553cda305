package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/seed-d124fa34/socketio"
)

// work does jobs until ctx is done.
func work(ctx context.Context, name string, broker socketio.Broker, list *jobList, log *slog.Logger) error {
	emitter := socketio.NewEmitter(broker, &socketio.EmitterOptions{
		ReplayLimit: 1 << 20, // Redis may be restarted while a job runs
	})
	defer func() {
		end, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := emitter.Close(end); err != nil {
			log.Warn("some users do not know how far their jobs are", "error", err)
		}
	}()
	log.Info("waiting for jobs", "worker", name)
	for ctx.Err() == nil {
		if err := workUntilTrouble(ctx, name, emitter, list, log); err != nil && ctx.Err() == nil {
			log.Warn("trying again in a second", "error", err)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	}
	return nil
}

func workUntilTrouble(ctx context.Context, name string, emitter *socketio.Emitter, list *jobList, log *slog.Logger) error {
	if err := list.takeUp(ctx, name); err != nil {
		return err
	}
	for {
		j, finished, err := list.take(ctx, name)
		if finished == nil {
			return err
		}
		if err != nil { // it will not become a job
			log.Warn("something else than a job", "error", err)
		} else {
			log.Info("working", "job", j.ID, "user", j.User, "n", j.N)
			if err := do(ctx, j, emitter); err != nil {
				return err
			}
		}
		if err := finished(ctx); err != nil {
			return err
		}
	}
}

// progress is what users are told.
type progress struct {
	ID      string `json:"id"`
	Percent int    `json:"percent"`
	Primes  int    `json:"primes"` // so far
}

// do does a job, and tells the user who asked for it.
func do(ctx context.Context, j job, emitter *socketio.Emitter) error {
	primes := 0
	for percent := range 100 {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		primes += countPrimes(j.N*percent/100, j.N*(percent+1)/100)
		// Emit does not wait for the network. That the broker has been away for
		// so long that nothing more is kept is no reason to stop working.
		err := emitter.Emit("progress", progress{j.ID, percent + 1, primes}, socketio.To(room(j.User)))
		if err != nil && !errors.Is(err, socketio.ErrBrokerUnavailable) {
			return err
		}
	}
	return nil
}

// countPrimes counts the primes p with from <= p < to.
func countPrimes(from, to int) (n int) {
	for p := max(from, 2); p < to; p++ {
		if isPrime(p) {
			n++
		}
	}
	return n
}

func isPrime(n int) bool {
	for d := 2; d*d <= n; d++ {
		if n%d == 0 {
			return false
		}
	}
	return true
}
