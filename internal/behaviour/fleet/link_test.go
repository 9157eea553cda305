package fleet_test

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/internal/siotest"
)

const serversChannel = "flask-socketio#servers" // on which servers find and ask each other

// link is one server's connection with the broker, which fails as the test says.
type link struct {
	socketio.Broker

	mu   sync.Mutex
	lose func(channel string, data []byte) bool // what is published and nobody gets
	fail func(channel string) bool              // for which channels publishing fails
	max  int                                    // bytes of a message; 0: any number
	deaf bool                                   // subscribing fails
	cut  context.CancelCauseFunc                // ends the subscription
}

var errCut = errors.New("the test has cut the connection")

// linked adds a server whose connection with the broker the test has in hand.
func linked(f *siotest.Fleet, opts *socketio.Options) (*socketio.Server, *link) {
	l := new(link)
	f.Wrap = func(b socketio.Broker) socketio.Broker {
		l.Broker = b
		return l
	}
	defer func() { f.Wrap = nil }()
	return f.Add(opts), l
}

// losing says what is lost from now on. lose may be called by several goroutines.
func (l *link) losing(lose func(channel string, data []byte) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lose = lose
}

// vanish makes the server end, for the others, without a goodbye.
func (l *link) vanish() { l.losing(func(string, []byte) bool { return true }) }

// interrupt ends the subscription. Unless for ever, the server subscribes again after its pause.
func (l *link) interrupt(forEver bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deaf = forEver
	l.cut(errCut)
}

// failing says for which channels publishing fails from now on.
func (l *link) failing(fail func(channel string) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = fail
}

// breakPublishing makes all publishing fail, or work again.
func (l *link) breakPublishing(broken bool) {
	if broken {
		l.failing(func(string) bool { return true })
	} else {
		l.failing(nil)
	}
}

func (l *link) Publish(ctx context.Context, channel string, data []byte) error {
	l.mu.Lock()
	lose, fail, most := l.lose, l.fail, l.max
	l.mu.Unlock()
	switch {
	case fail != nil && fail(channel):
		return errCut
	case most > 0 && len(data) > most:
		return broker.ErrTooBig
	case lose != nil && lose(channel, data):
		return nil
	}
	return l.Broker.Publish(ctx, channel, data)
}

func (l *link) Subscribe(ctx context.Context, channels []string, ready func(), handle func(string, []byte)) error {
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	l.mu.Lock()
	l.cut = cut
	deaf := l.deaf
	l.mu.Unlock()
	if deaf {
		return errCut
	}
	err := l.Broker.Subscribe(ctx, channels, ready, handle)
	if errors.Is(context.Cause(ctx), errCut) {
		return errCut
	}
	return err
}

// is reports whether a message between servers is of a kind.
func is(kind, channel string, data []byte) bool {
	return channel == serversChannel && bytes.Contains(data, []byte(`"is":"`+kind+`"`))
}
