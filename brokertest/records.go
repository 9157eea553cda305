package brokertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
)

// RunRecords checks what [broker.RecordStore] promises, in subtests. Each broker that
// Connect returns must be one. The service must not have records yet that are kept for long.
// Nobody else should use it during the test of an outage, which needs Stop and Start.
func RunRecords(t *testing.T, service Service) {
	for _, test := range []struct {
		name string
		run  func(*recordSuite)
	}{
		{"Expiry", (*recordSuite).expiry}, // first, because a service may keep all records as long as the one with the longest ttl
		{"PutAndTake", (*recordSuite).putAndTake},
		{"Owners", (*recordSuite).owners},
		{"OneTakes", (*recordSuite).oneTakes},
		{"ManyRecords", (*recordSuite).manyRecords},
		{"Delete", (*recordSuite).deleteRecords},
		{"ClosedAndCancelled", (*recordSuite).closed},
		{"Outage", (*recordSuite).outage},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(&recordSuite{newSuite(t, service)})
		})
	}
}

// recordTTL is longer than a test takes.
const recordTTL = 5 * time.Minute

// recordSuite is one test of RunRecords.
type recordSuite struct{ *suite }

func (s *recordSuite) connect() broker.RecordStore {
	s.Helper()
	b, ok := s.suite.connect().(broker.RecordStore)
	if !ok {
		s.Fatal("the broker is no broker.RecordStore")
	}
	return b
}

// record returns a record whose key no other test uses.
func (s *recordSuite) record(key, value, owner string) *broker.Record {
	return &broker.Record{Key: s.name + "-" + key, Value: []byte(value), Owner: owner}
}

// put writes a record, and checks whether somebody else has taken it.
func (s *recordSuite) put(b broker.RecordStore, r *broker.Record, taken bool) {
	s.Helper()
	if err := b.PutRecords(context.Background(), []*broker.Record{r}, recordTTL); err != nil {
		s.Fatalf("PutRecords: %v", err)
	}
	if r.Taken != taken {
		s.Fatalf("Taken of %s is %v", r.Key, r.Taken)
	}
	if !taken && r.Owner == "" {
		s.Fatalf("%s has no owner", r.Key)
	}
}

// take takes a record. want is its value, empty if there is none.
func (s *recordSuite) take(b broker.RecordStore, key, want string) (owner string) {
	s.Helper()
	value, owner, err := b.TakeRecord(context.Background(), s.name+"-"+key, recordTTL)
	if err != nil || string(value) != want {
		s.Fatalf("TakeRecord returned %s, %v, want %s", brief(string(value)), err, brief(want))
	}
	return owner
}

func (s *recordSuite) putAndTake() {
	x, y := s.connect(), s.connect()
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	values := []string{"x", "\x00", "\r\n", string(all), strings.Repeat("0123456789abcdef", 6<<10)}
	for i, value := range values {
		s.put(x, s.record(fmt.Sprint(i), value, ""), false)
	}
	for i, value := range values {
		s.take(y, fmt.Sprint(i), value)
	}
	if owner := s.take(y, "unknown", ""); owner != "" {
		s.Errorf("the owner of nothing is %q", owner)
	}
}

// A server that has lost a record to another one cannot write it any more, and sees that.
func (s *recordSuite) owners() {
	x, y := s.connect(), s.connect()
	r := s.record("a", "1", "")
	s.put(x, r, false)
	r.Value = []byte("2")
	s.put(x, r, false)
	again := s.record("a", "3", "") // a server that has got the session without a record
	s.put(y, again, false)
	s.put(x, r, true)
	owner := s.take(x, "a", "3")
	again.Value = []byte("4")
	s.put(y, again, true)
	s.put(y, s.record("a", "4", ""), true)
	if _, _, err := y.TakeRecord(context.Background(), s.name+"-a", recordTTL); !errors.Is(err, broker.ErrTaken) {
		s.Errorf("TakeRecord of what has been taken: %v, want ErrTaken", err)
	}
	s.put(x, s.record("a", "5", owner), false)
	s.take(y, "a", "5")
	s.put(x, s.record("gone", "x", owner), false) // the record has expired
}

// If many take a record at once, one of them gets it, also while its owner writes it.
func (s *recordSuite) oneTakes() {
	const servers, rounds = 4, 20
	var brokers []broker.RecordStore
	for range servers {
		brokers = append(brokers, s.connect())
	}
	for round := range rounds {
		key := fmt.Sprint(round)
		r := s.record(key, "old", "")
		s.put(brokers[0], r, false)
		var all sync.WaitGroup
		var taken atomic.Int32
		var got atomic.Value
		all.Go(func() {
			r.Value = []byte("new")
			if err := brokers[0].PutRecords(context.Background(), []*broker.Record{r}, recordTTL); err != nil {
				s.Errorf("PutRecords: %v", err)
			}
		})
		for _, b := range brokers {
			all.Go(func() {
				value, _, err := b.TakeRecord(context.Background(), s.name+"-"+key, recordTTL)
				switch {
				case err == nil:
					taken.Add(1)
					got.Store(string(value))
				case !errors.Is(err, broker.ErrTaken):
					s.Errorf("TakeRecord: %v", err)
				}
			})
		}
		all.Wait()
		if want := map[bool]string{true: "old", false: "new"}[r.Taken]; taken.Load() != 1 || got.Load() != want {
			s.Fatalf("%d have taken the record, with the value %v, want one with %s", taken.Load(), got.Load(), want)
		}
	}
}

func (s *recordSuite) manyRecords() {
	const count = 600
	b := s.connect()
	var all []*broker.Record
	for i := range count {
		all = append(all, s.record(fmt.Sprint(i), fmt.Sprint("value ", i), ""))
	}
	for range 2 {
		if err := b.PutRecords(context.Background(), all, recordTTL); err != nil {
			s.Fatalf("PutRecords: %v", err)
		}
	}
	s.take(b, "7", "value 7")
	if err := b.PutRecords(context.Background(), all, recordTTL); err != nil {
		s.Fatalf("PutRecords: %v", err)
	}
	for i, r := range all {
		if r.Taken != (i == 7) {
			s.Errorf("Taken of record %d is %v", i, r.Taken)
		}
	}
	s.take(b, "599", "value 599")
	if err := b.PutRecords(context.Background(), nil, recordTTL); err != nil {
		s.Errorf("PutRecords of nothing: %v", err)
	}
}

// A record with another owner is not deleted.
func (s *recordSuite) deleteRecords() {
	x, y := s.connect(), s.connect()
	a, b, other := s.record("a", "1", ""), s.record("b", "2", ""), s.record("b", "3", "")
	s.put(x, a, false)
	s.put(x, b, false)
	s.put(y, other, false)
	if err := x.DeleteRecords(context.Background(), []*broker.Record{a, b, s.record("unknown", "", b.Owner)}); err != nil {
		s.Fatalf("DeleteRecords: %v", err)
	}
	s.take(x, "a", "")
	s.take(x, "b", "3")
}

// A record expires unless it is written again.
func (s *recordSuite) expiry() {
	b := s.connect()
	r := s.record("a", "1", "")
	if err := b.PutRecords(context.Background(), []*broker.Record{r}, time.Second); err != nil {
		s.Fatalf("PutRecords: %v", err)
	}
	s.eventually("the record to be gone", func() bool {
		if err := b.PutRecords(context.Background(), []*broker.Record{s.record("b", "1", "")}, time.Second); err != nil {
			s.Fatalf("PutRecords: %v", err)
		}
		value, owner, err := b.TakeRecord(context.Background(), r.Key, time.Second)
		if err != nil && !errors.Is(err, broker.ErrTaken) {
			s.Fatalf("TakeRecord: %v", err)
		}
		return err == nil && value == nil && owner == ""
	})
}

func (s *recordSuite) closed() {
	b := s.connect()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r := []*broker.Record{s.record("a", "1", "")}
	want := context.Canceled
	for range 2 {
		if err := b.PutRecords(ctx, r, recordTTL); !errors.Is(err, want) || r[0].Owner != "" {
			s.Errorf("PutRecords returned %v, want %v", err, want)
		}
		if _, _, err := b.TakeRecord(ctx, r[0].Key, recordTTL); !errors.Is(err, want) {
			s.Errorf("TakeRecord returned %v, want %v", err, want)
		}
		if err := b.DeleteRecords(ctx, r); !errors.Is(err, want) {
			s.Errorf("DeleteRecords returned %v, want %v", err, want)
		}
		if err := b.Close(); err != nil {
			s.Fatal(err)
		}
		ctx, want = context.Background(), broker.ErrClosed
	}
}

// During an outage calls fail, and afterwards the same broker works again.
func (s *recordSuite) outage() {
	s.needsOutage()
	b := s.connect()
	r := s.record("a", "1", "")
	s.put(b, r, false)
	start := s.stop()
	s.eventually("PutRecords to fail", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), patience/2)
		defer cancel()
		err := b.PutRecords(ctx, []*broker.Record{r}, recordTTL)
		if errors.Is(err, broker.ErrClosed) || r.Taken {
			s.Fatalf("PutRecords returned %v, taken %v, because of an outage", err, r.Taken)
		}
		return err != nil
	})
	start()
	s.eventually("PutRecords to work again", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), patience/2)
		defer cancel()
		return b.PutRecords(ctx, []*broker.Record{r}, recordTTL) == nil
	})
	if r.Taken {
		s.Error("the record has been taken by nobody")
	}
	s.take(b, "a", "1")
}
