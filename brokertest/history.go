package brokertest

import (
	"testing"

	"github.com/seed-d124fa34/socketio/broker"
)

// HistoryService is what [RunHistory] tests.
type HistoryService struct {
	// Service has a Connect that returns brokers which are each a [broker.History]. They
	// keep at least the last 10,000 messages and those of the last minute.
	Service
	// Forget makes the service drop all messages that it keeps, as if they were too old.
	Forget func()
}

// RunHistory checks what [broker.History] promises, in subtests. Nobody else should use the
// service meanwhile. [Run] checks what such a broker promises as a [broker.Broker].
func RunHistory(t *testing.T, service HistoryService) {
	for _, test := range []struct {
		name string
		run  func(*historySuite)
	}{
		{"NothingOfThePast", (*historySuite).nothingOfThePast},
		{"Resume", (*historySuite).resume},
		{"ResumeWhereNothingCame", (*historySuite).resumeWhereNothingCame},
		{"ResumeTwice", (*historySuite).resumeTwice},
		{"SeveralReaders", (*historySuite).severalReaders},
		{"Channels", (*historySuite).channels},
		{"ManyMessages", (*historySuite).manyMessages},
		{"AnyBytes", (*historySuite).anyBytes},
		{"BigMessages", (*historySuite).bigMessages},
		{"Age", (*historySuite).age},
		{"CutAtRandom", (*historySuite).cutAtRandom},
		{"Gap", (*historySuite).gap},
		{"NoGapIfNothingIsMissing", (*historySuite).noGap},
		{"UnknownPosition", (*historySuite).unknownPosition},
		{"CancelDuringTheReplay", (*historySuite).cancelDuringReplay},
		{"Close", (*historySuite).close},
		{"Outage", (*historySuite).outage},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(&historySuite{newSuite(t, service.Service), service.Forget})
		})
	}
}

// historySuite is one test of RunHistory.
type historySuite struct {
	*suite
	forget func()
}

func (s *historySuite) connect() broker.History {
	s.Helper()
	b, ok := s.suite.connect().(broker.History)
	if !ok {
		s.Fatal("the broker is no broker.History")
	}
	return b
}
