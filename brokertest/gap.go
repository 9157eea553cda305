package brokertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
)

// Readers that are cut off at random moments get each message of several publishers once and
// in order.
func (s *historySuite) cutAtRandom() {
	const publishers, each = 3, 600
	seed := rand.Uint64()
	s.Logf("seed %d", seed)
	start := s.read(s.connect(), "", s.name).wantReady(false)
	start.end()
	var all sync.WaitGroup
	for p := range publishers {
		b := s.connect()
		all.Go(func() {
			for i := range each {
				if err := b.Publish(context.Background(), s.name, fmt.Appendf(nil, "%d %d", p, i)); err != nil {
					s.Errorf("Publish: %v", err)
					return
				}
			}
		})
	}
	for n := range 2 {
		b := s.connect()
		random := rand.New(rand.NewPCG(seed, uint64(n)))
		all.Go(func() {
			var next [publishers]int
			at, got := start.at, 0
			for got < publishers*each && !s.Failed() {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				cut := got + random.IntN(200)
				err := b.SubscribeAfter(ctx, at, []string{s.name}, broker.Subscriber{Ready: func(p broker.Position) {
					if at = max(at, p); random.IntN(4) == 0 {
						cancel()
					}
				}, Gap: func(err error) {
					s.Errorf("there is a gap: %v", err)
				}, Handle: func(m broker.Message) {
					if ctx.Err() != nil && got > cut {
						return // the reader was cut off before it noted this message, so it gets it again
					}
					var p, i int
					if _, err := fmt.Sscanf(string(m.Data), "%d %d", &p, &i); err != nil {
						s.Error(err)
					} else if i != next[p] {
						s.Errorf("message %d of publisher %d came when %d was due", i, p, next[p])
					}
					next[p]++
					got++
					at = m.Position
					if got > cut || got == publishers*each {
						cancel()
					}
				}})
				if !errors.Is(err, context.Canceled) {
					s.Errorf("SubscribeAfter returned %v", err)
				}
				cancel()
			}
		})
	}
	all.Wait()
}

// If messages are no longer kept, the reader gets a gap, and goes on with what is kept.
func (s *historySuite) gap() {
	b := s.connect()
	start := s.read(b, "", s.name).wantReady(false)
	s.publish(b, s.name, numbers(1, 300)...)
	middle := start.want(s.name, numbers(1, 100)...)
	start.want(s.name, numbers(101, 300)...)
	s.forget()
	s.publish(b, s.name, numbers(301, 310)...)
	last := start.want(s.name, numbers(301, 310)...)
	for _, after := range []broker.Position{start.at, middle} {
		r := s.read(b, after, s.name).wantReady(true)
		r.want(s.name, numbers(301, 310)...)
		r.end()
	}
	s.publish(b, s.name, "311")
	s.read(b, last, s.name).wantReady(false).want(s.name, "311")
}

// A reader that has received everything that is no longer kept gets no gap.
func (s *historySuite) noGap() {
	b := s.connect()
	r := s.read(b, "", s.name).wantReady(false)
	s.publish(b, s.name, numbers(1, 300)...)
	last := r.want(s.name, numbers(1, 300)...)
	s.forget()
	again := s.read(b, last, s.name).wantReady(false)
	s.publish(b, s.name, "301")
	again.want(s.name, "301")
	r.want(s.name, "301")
}

// The reader gets a gap for a position of another history. It does not wait for ever.
func (s *historySuite) unknownPosition() {
	b := s.connect()
	r := s.read(b, "", s.name).wantReady(false)
	s.publish(b, s.name, "1")
	at := r.want(s.name, "1")
	for _, foreign := range []broker.Position{"x", "-", "\x00", "12345678901234567890-0", "ffffffffffffffff", at + "0"} {
		r := s.read(b, foreign, s.name).wantReady(true)
		s.publish(b, s.name, "next "+string(foreign))
		for a := r.next(); a.text != s.name+" next "+string(foreign); a = r.next() {
			if !a.late {
				s.Fatalf("got %s", brief(a.text))
			}
		}
		r.end()
	}
}

// The end of the context ends the replay, and nothing else.
func (s *historySuite) cancelDuringReplay() {
	b := s.connect()
	start := s.read(b, "", s.name).wantReady(false)
	s.publishMany(b, 1, 2000)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	got := 0
	err := b.SubscribeAfter(ctx, start.at, []string{s.name}, broker.Subscriber{
		Ready: func(broker.Position) { s.Error("Ready was called after the context had ended") },
		Gap:   func(err error) { s.Errorf("there is a gap: %v", err) },
		Handle: func(broker.Message) {
			if got++; got == 10 {
				cancel()
			}
		},
	})
	if !errors.Is(err, context.Canceled) {
		s.Fatalf("SubscribeAfter returned %v, want context.Canceled", err)
	}
	start.want(s.name, numbers(1, 2000)...)
}

// Close ends the subscription and the goroutines of the broker.
func (s *historySuite) close() {
	s.publish(s.connect(), s.name, "x")
	before := goroutines()
	b := s.service.Connect(s.T).(broker.History)
	r := s.read(b, "", s.name).wantReady(false)
	s.publish(b, s.name, "x")
	r.want(s.name, "x")
	if err := b.Close(); err != nil {
		s.Errorf("Close: %v", err)
	}
	if err := <-r.ended; !errors.Is(err, broker.ErrClosed) {
		s.Errorf("SubscribeAfter returned %v, want ErrClosed", err)
	}
	s.eventually("the broker's goroutines to end", func() bool {
		for id := range goroutines() {
			if before[id] == "" {
				return false
			}
		}
		return true
	})
	err := b.SubscribeAfter(context.Background(), "", []string{s.name}, broker.Subscriber{})
	if !errors.Is(err, broker.ErrClosed) {
		s.Errorf("SubscribeAfter after Close: %v, want ErrClosed", err)
	}
}

// After an outage of the service the reader gets everything, or a gap if the service has
// forgotten something. It gets nothing twice.
func (s *historySuite) outage() {
	s.needsOutage()
	b := s.connect()
	r := s.read(b, "", s.name).wantReady(false)
	s.publish(b, s.name, numbers(1, 9)...)
	at := r.want(s.name, numbers(1, 5)...)
	start := s.stop()
	select {
	case err := <-r.ended:
		if err == nil || errors.Is(err, broker.ErrClosed) || errors.Is(err, context.Canceled) {
			s.Fatalf("SubscribeAfter returned %v because of an outage", err)
		}
	case <-time.After(patience):
		s.Fatalf("SubscribeAfter did not return in %v", patience)
	}
	s.publishFails(b)
	start()
	s.eventually("Publish to work again", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), patience/2)
		defer cancel()
		return b.Publish(ctx, s.name, []byte("10")) == nil
	})
	r = s.read(b, at, s.name)
	var got []string
	for m := ""; m != "10"; got = append(got, m) {
		m = r.next().text[len(s.name)+1:]
		for m == "lost" { // a Publish that failed may have published its message
			m = r.next().text[len(s.name)+1:]
		}
	}
	<-r.ready
	switch {
	case r.gap != nil:
		s.Logf("the service has forgotten: %v", r.gap)
	case fmt.Sprint(got) != fmt.Sprint(numbers(6, 10)):
		s.Errorf("got %v without a gap", got)
	}
}
