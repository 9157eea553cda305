package brokertest

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
)

// numbers returns the texts of first to last.
func numbers(first, last int) (all []string) {
	for i := first; i <= last; i++ {
		all = append(all, fmt.Sprint(i))
	}
	return all
}

// Without a position the reader gets no message of the past.
func (s *historySuite) nothingOfThePast() {
	b := s.connect()
	s.publish(b, s.name, "old")
	r := s.read(b, "", s.name).wantReady(false)
	s.publish(b, s.name, "new")
	r.want(s.name, "new")
}

// A reader that was away gets what it missed, then new messages.
func (s *historySuite) resume() {
	pub, sub := s.connect(), s.connect()
	r := s.read(sub, "", s.name).wantReady(false)
	s.publish(pub, s.name, numbers(1, 10)...)
	at := r.want(s.name, numbers(1, 10)...)
	r.end()
	s.publish(pub, s.name, numbers(11, 20)...)
	r = s.read(s.connect(), at, s.name).wantReady(false) // a position is good on any connection
	for i := 11; i <= 20; i++ {
		a := r.next()
		if a.text != fmt.Sprint(s.name, " ", i) || !a.late {
			s.Fatalf("got %s, before ready: %v", brief(a.text), a.late)
		}
		if i == 20 && r.at < a.at {
			s.Errorf("Ready got the position %q, before that of the last message, %q", r.at, a.at)
		}
	}
	s.publish(pub, s.name, numbers(21, 30)...)
	at = r.want(s.name, numbers(21, 30)...)
	r.end()
	r = s.read(sub, at, s.name).wantReady(false)
	s.publish(pub, s.name, "31")
	r.want(s.name, "31")
}

// A reader that has received no message continues at the position that Ready has passed.
func (s *historySuite) resumeWhereNothingCame() {
	b := s.connect()
	s.publish(b, s.name, "old")
	r := s.read(b, "", s.name).wantReady(false)
	r.end()
	r = s.read(b, r.at, s.name).wantReady(false)
	r.end()
	s.publish(b, s.name, numbers(1, 3)...)
	r = s.read(b, r.at, s.name).wantReady(false)
	r.want(s.name, numbers(1, 3)...)
}

// Several readers can read the same messages.
func (s *historySuite) resumeTwice() {
	b := s.connect()
	start := s.read(b, "", s.name).wantReady(false)
	s.publish(b, s.name, numbers(1, 9)...)
	middle := start.want(s.name, numbers(1, 5)...)
	for range 2 {
		s.read(b, start.at, s.name).wantReady(false).want(s.name, numbers(1, 9)...)
		s.read(b, middle, s.name).wantReady(false).want(s.name, numbers(6, 9)...)
	}
}

// Each reader has its own position.
func (s *historySuite) severalReaders() {
	pub, sub := s.connect(), s.connect()
	start := s.read(sub, "", s.name).wantReady(false)
	at := []broker.Position{start.at}
	for i := 1; i <= 20; i++ {
		s.publish(pub, s.name, fmt.Sprint(i))
		at = append(at, start.want(s.name, fmt.Sprint(i)))
	}
	var readers []*reader
	for _, after := range at {
		readers = append(readers, s.read(sub, after, s.name))
	}
	s.publish(pub, s.name, "21")
	for i, r := range readers {
		r.want(s.name, numbers(i+1, 21)...)
		r.wantReady(false)
	}
}

// The messages of all channels have one order. A reader gets only those of its channels.
func (s *historySuite) channels() {
	b := s.connect()
	x, y, z := s.name+"-x", s.name+"-y*?[x].>#go", s.name+"-z"
	start := s.read(b, "", x, y).wantReady(false)
	publish := func() {
		s.publish(b, x, "1")
		s.publish(b, z, "no")
		s.publish(b, y, "2")
		s.publish(b, y, "3")
		s.publish(b, z, "no")
		s.publish(b, x, "4")
	}
	publish()
	r := s.read(b, start.at, y, x, x).wantReady(false)
	publish()
	for range 2 {
		for _, r := range []*reader{start, r} {
			r.want(x, "1")
			r.want(y, "2", "3")
			r.want(x, "4")
		}
	}
	s.publish(b, z, "last")
	r = s.read(b, start.at, z).wantReady(false)
	r.want(z, "no", "no", "no", "no", "last")
}

// publishMany publishes numbers, several at once if the broker can.
func (s *historySuite) publishMany(b broker.Broker, first, last int) {
	s.Helper()
	batches, ok := b.(broker.BatchBroker)
	for all := numbers(first, last); len(all) > 0; {
		if !ok {
			s.publish(b, s.name, all[0])
			all = all[1:]
			continue
		}
		var batch [][]byte
		for _, m := range all[:min(250, len(all))] {
			batch = append(batch, []byte(m))
		}
		if n, err := batches.PublishBatch(context.Background(), s.name, batch); n != len(batch) || err != nil {
			s.Fatalf("PublishBatch of %d messages: %d, %v", len(batch), n, err)
		}
		all = all[len(batch):]
	}
}

// A reader can miss thousands of messages.
func (s *historySuite) manyMessages() {
	const count = 5000
	b := s.connect()
	start := s.read(b, "", s.name).wantReady(false)
	start.end()
	s.publishMany(b, 1, count)
	r := s.read(b, start.at, s.name)
	s.publishMany(b, count+1, count+100)
	r.want(s.name, numbers(1, count+100)...)
	r.wantReady(false)
}

func (s *historySuite) anyBytes() {
	b := s.connect()
	start := s.read(b, "", s.name).wantReady(false)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	messages := []string{"", "\x00", "\r\n", "PING\r\n", "\xff\xfe", string(all), "ü\u2028😀"}
	s.publish(b, s.name, messages...)
	start.want(s.name, messages...)
	s.read(b, start.at, s.name).want(s.name, messages...)
}

// Big messages come one after another, between small ones.
func (s *historySuite) bigMessages() {
	size := min(s.service.MaxMessage, 1<<20)
	if size == 0 {
		size = 1 << 20
	}
	b := s.connect()
	start := s.read(b, "", s.name).wantReady(false)
	start.end()
	big := string(bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size])
	messages := numbers(1, 40)
	for range 20 {
		messages = append(messages, big, "small")
	}
	s.publish(b, s.name, messages...)
	s.read(b, start.at, s.name).wantReady(false).want(s.name, messages...)
}

// A message of the past has an age. A new one has none.
func (s *historySuite) age() {
	b := s.connect()
	start := s.read(b, "", s.name).wantReady(false)
	s.publish(b, s.name, "old")
	if a := start.next(); a.age != 0 || a.late {
		s.Errorf("a new message is %v old, before ready: %v", a.age, a.late)
	}
	published := time.Now()
	time.Sleep(300 * time.Millisecond)
	a := s.read(b, start.at, s.name).next()
	if limit := time.Since(published) + 5*time.Second; a.age < 200*time.Millisecond || a.age > limit || !a.late {
		s.Errorf("a message of 300 ms ago is %v old, before ready: %v", a.age, a.late)
	}
}
