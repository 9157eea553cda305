package brokertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
)

// Service is what [Run] tests: a broker and the message service behind it.
type Service struct {
	// Connect returns a new broker on the service, with the defaults that its
	// users get. All brokers that it returns get each other's messages. Run
	// closes them.
	Connect func(t *testing.T) broker.Broker
	// Stop ends the service as a crash would. Start starts it again at the same
	// address. If they are nil, Run does not test outages.
	Stop, Start func()
	// MaxMessage is the size in bytes of the largest message that the service
	// takes. Zero means that there is no limit; Run then tries 8 MiB.
	MaxMessage int
}

// patience is how long a test waits for what should happen at once.
const patience = 2 * time.Minute

// bigMessage is the size of the message that is tried if there is no limit.
const bigMessage = 8 << 20

// Run checks what [broker.Broker] promises, in subtests. Nobody else should use the service
// during the tests of outages; the other tests use channels with random names. Package
// servertest checks that servers on the broker are one application.
func Run(t *testing.T, service Service) {
	for _, test := range []struct {
		name string
		run  func(*suite)
	}{
		{"PublishSubscribe", (*suite).publishSubscribe},
		{"OwnMessages", (*suite).ownMessages},
		{"Channels", (*suite).channels},
		{"SeveralSubscriptions", (*suite).severalSubscriptions},
		{"NobodySubscribed", (*suite).nobodySubscribed},
		{"Order", (*suite).order},
		{"AnyBytes", (*suite).anyBytes},
		{"BigMessage", (*suite).bigMessage},
		{"TooBigMessage", (*suite).tooBigMessage},
		{"DataIsNotKept", (*suite).dataIsNotKept},
		{"Batches", (*suite).batches},
		{"CancelSubscribe", (*suite).cancelSubscribe},
		{"CancelledContext", (*suite).cancelledContext},
		{"SubscribeAgain", (*suite).subscribeAgain},
		{"Close", (*suite).close},
		{"CloseEndsGoroutines", (*suite).closeEndsGoroutines},
		{"Concurrent", (*suite).concurrent},
		{"Outage", (*suite).outage},
		{"OutageBeforeTheFirstConnection", (*suite).outageFirst},
		{"CloseDuringAnOutage", (*suite).closeDuringOutage},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(newSuite(t, service))
		})
	}
}

// RoundTrip checks that a broker can publish and receive, and closes it. It is a short test
// for each way to connect, for example with TLS or with credentials.
func RoundTrip(t *testing.T, b broker.Broker) {
	t.Helper()
	s := newSuite(t, Service{})
	defer b.Close()
	got := s.subscribe(b, s.name, s.name+"2", s.name+"2") // a channel that is named twice is received once
	s.publish(b, s.name+"2", "hello")
	s.publish(b, s.name, "bye")
	got.want(s.name+"2", "hello")
	got.want(s.name, "bye")
	if err := b.Close(); err != nil {
		s.Errorf("Close: %v", err)
	}
	if err := got.end(); !errors.Is(err, broker.ErrClosed) {
		s.Errorf("Subscribe returned %v, want ErrClosed", err)
	}
}

// suite is one test.
type suite struct {
	*testing.T
	service Service
	name    string // begins the names of its channels
}

func newSuite(t *testing.T, service Service) *suite {
	return &suite{T: t, service: service, name: fmt.Sprintf("brokertest-%x", rand.Uint64())}
}

func (s *suite) connect() broker.Broker {
	s.Helper()
	b := s.service.Connect(s.T)
	if b == nil {
		s.Fatal("Connect returned nil")
	}
	s.Cleanup(func() {
		if err := b.Close(); err != nil {
			s.Errorf("Close: %v", err)
		}
	})
	return b
}

func (s *suite) publish(b broker.Broker, channel string, messages ...string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, m := range messages {
		if err := b.Publish(ctx, channel, []byte(m)); err != nil {
			s.Fatalf("Publish: %v", err)
		}
	}
}

func brief(m string) string {
	if len(m) > 80 {
		return fmt.Sprintf("%.80q... (%d bytes)", m, len(m))
	}
	return fmt.Sprintf("%q", m)
}

func (s *suite) publishSubscribe() {
	pub, sub := s.connect(), s.connect()
	got := s.subscribe(sub, s.name)
	s.publish(pub, s.name, "one", "two")
	got.want(s.name, "one", "two")
}

func (s *suite) ownMessages() {
	b := s.connect()
	got := s.subscribe(b, s.name)
	s.publish(b, s.name, "mine")
	got.want(s.name, "mine")
}

// A subscription gets the messages of its channels in one order, and none of other channels,
// not even of those that its names would match as patterns.
func (s *suite) channels() {
	pub, sub := s.connect(), s.connect()
	a, b := s.name+"-a", s.name+"-b*?[x].>#go"
	got := s.subscribe(sub, a, b)
	s.publish(pub, s.name+"-c", "no")
	s.publish(pub, s.name, "no")
	s.publish(pub, s.name+"-b", "no")
	s.publish(pub, s.name+"-bZ?[x].>#go", "no")
	s.publish(pub, a, "1")
	s.publish(pub, b, "2")
	s.publish(pub, a, "3")
	got.want(a, "1")
	got.want(b, "2")
	got.want(a, "3")
}

func (s *suite) severalSubscriptions() {
	x, y := s.connect(), s.connect()
	subs := []*subscriber{s.subscribe(x, s.name), s.subscribe(x, s.name), s.subscribe(y, s.name)}
	s.publish(x, s.name, "1")
	s.publish(x, s.name, "2")
	for _, sub := range subs {
		sub.want(s.name, "1", "2")
	}
	subs[0].cancel() // the others go on
	subs[0].end()
	s.publish(y, s.name, "3")
	subs[1].want(s.name, "3")
	subs[2].want(s.name, "3")
}

// A message that is published while nobody has subscribed is lost. One that is on its way
// between the nodes of a service at that time may arrive, but not every time.
func (s *suite) nobodySubscribed() {
	b := s.connect()
	for i := range 10 {
		channel := fmt.Sprint(s.name, "-", i)
		s.publish(b, channel, "lost")
		got := s.subscribe(b, channel)
		s.publish(b, channel, "found")
		if got.next() == channel+" found" {
			return
		}
	}
	s.Fatal("a subscription gets what was published before it")
}

// The messages of one publisher stay in order while others publish, also small messages
// behind large ones.
func (s *suite) order() {
	const count = 1000
	sub := s.connect()
	got := s.subscribe(sub, s.name)
	var publishers sync.WaitGroup
	for p := range 3 {
		b := s.connect()
		publishers.Go(func() {
			for i := range count {
				m := fmt.Sprintf("%d %d %s", p, i, strings.Repeat("x", i%7*1000))
				if err := b.Publish(context.Background(), s.name, []byte(m)); err != nil {
					s.Errorf("Publish: %v", err)
					return
				}
			}
		})
	}
	var next [3]int
	for range 3 * count {
		var p, i int
		if _, err := fmt.Sscanf(strings.TrimPrefix(got.next(), s.name+" "), "%d %d", &p, &i); err != nil {
			s.Fatal(err)
		}
		if i != next[p] {
			s.Fatalf("message %d of publisher %d came when %d was due", i, p, next[p])
		}
		next[p]++
	}
	publishers.Wait()
}

func (s *suite) anyBytes() {
	b := s.connect()
	got := s.subscribe(b, s.name)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	messages := []string{"", "\x00", "\r\n", "PING\r\n", "\xff\xfe", string(all), "ü\u2028😀"}
	s.publish(b, s.name, messages...)
	got.want(s.name, messages...)
}

func (s *suite) bigMessage() {
	size := s.service.MaxMessage
	if size == 0 {
		size = bigMessage
	}
	b := s.connect()
	got := s.subscribe(b, s.name)
	m := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
	s.publish(b, s.name, string(m), "small")
	got.want(s.name, string(m), "small")
}

func (s *suite) tooBigMessage() {
	if s.service.MaxMessage == 0 {
		s.Skip("the service takes messages of any size")
	}
	b := s.connect()
	got := s.subscribe(b, s.name)
	err := b.Publish(context.Background(), s.name, make([]byte, s.service.MaxMessage+1))
	if !errors.Is(err, broker.ErrTooBig) {
		s.Fatalf("Publish of %d bytes: %v, want ErrTooBig", s.service.MaxMessage+1, err)
	}
	s.publish(b, s.name, "small") // the broker still works
	got.want(s.name, "small")
}

func (s *suite) dataIsNotKept() {
	b := s.connect()
	got := s.subscribe(b, s.name)
	buf := make([]byte, 1000)
	for i := range 100 {
		for j := range buf {
			buf[j] = byte(i)
		}
		if err := b.Publish(context.Background(), s.name, buf); err != nil {
			s.Fatalf("Publish: %v", err)
		}
	}
	for i := range 100 {
		got.want(s.name, strings.Repeat(string([]byte{byte(i)}), len(buf)))
	}
}

// The end of the context ends the subscription, and nothing else.
func (s *suite) cancelSubscribe() {
	b := s.connect()
	first, second := s.subscribe(b, s.name), s.subscribe(b, s.name)
	first.cancel()
	if err := first.end(); !errors.Is(err, context.Canceled) {
		s.Fatalf("Subscribe returned %v, want context.Canceled", err)
	}
	s.publish(b, s.name, "still here")
	second.want(s.name, "still here")
	if n := len(first.got); n > 0 {
		s.Fatalf("%d messages arrived after the subscription had ended", n)
	}
}

func (s *suite) cancelledContext() {
	b := s.connect()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.Publish(ctx, s.name, []byte("x")); !errors.Is(err, context.Canceled) {
		s.Errorf("Publish returned %v, want context.Canceled", err)
	}
	err := b.Subscribe(ctx, []string{s.name}, func() {}, func(string, []byte) {})
	if !errors.Is(err, context.Canceled) {
		s.Errorf("Subscribe returned %v, want context.Canceled", err)
	}
	got := s.subscribe(b, s.name)
	s.publish(b, s.name, "works")
	got.want(s.name, "works")
}

func (s *suite) subscribeAgain() {
	b := s.connect()
	for i := range 10 {
		got := s.subscribe(b, s.name)
		m := fmt.Sprint("message ", i)
		s.publish(b, s.name, m)
		got.want(s.name, m)
		got.cancel()
		got.end()
	}
}

func (s *suite) close() {
	b := s.connect()
	got := s.subscribe(b, s.name)
	for range 2 {
		if err := b.Close(); err != nil {
			s.Errorf("Close: %v", err)
		}
	}
	if err := got.end(); !errors.Is(err, broker.ErrClosed) {
		s.Errorf("Subscribe returned %v, want ErrClosed", err)
	}
	if err := b.Publish(context.Background(), s.name, nil); !errors.Is(err, broker.ErrClosed) {
		s.Errorf("Publish after Close: %v, want ErrClosed", err)
	}
	err := b.Subscribe(context.Background(), []string{s.name}, func() {}, func(string, []byte) {})
	if !errors.Is(err, broker.ErrClosed) {
		s.Errorf("Subscribe after Close: %v, want ErrClosed", err)
	}
}

// Many goroutines call all methods at once. The race detector finds what is not safe.
func (s *suite) concurrent() {
	const publishers, each = 8, 100
	x, y := s.connect(), s.connect()
	subs := []*subscriber{s.subscribe(x, s.name), s.subscribe(y, s.name)}
	var all sync.WaitGroup
	for range publishers {
		all.Go(func() {
			for range each {
				if err := x.Publish(context.Background(), s.name, []byte("m")); err != nil {
					s.Errorf("Publish: %v", err)
					return
				}
			}
		})
	}
	for range 4 { // other subscriptions begin and end
		all.Go(func() {
			for range 5 {
				ctx, cancel := context.WithCancel(context.Background())
				_ = x.Subscribe(ctx, []string{s.name}, cancel, func(string, []byte) {})
				cancel()
			}
		})
	}
	all.Wait()
	for _, sub := range subs {
		for range publishers * each {
			sub.want(s.name, "m")
		}
	}
}
