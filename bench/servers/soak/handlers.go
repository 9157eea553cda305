package main

import (
	"context"
	"errors"
	"time"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/bench/workload"
)

const (
	callTimeout = 60 * time.Second
	feedPace    = time.Second
)

type (
	head = workload.Head
	args = socketio.Args
)

func (b *book) register(srv *socketio.Server) {
	for _, name := range workload.SoakNamespaces {
		ns := srv.Namespace(name)
		ns.On("connect", b.connect)
		ns.On("disconnect", b.disconnect)
		ns.OnExpired(b.expired)
		ns.On(workload.SoakEcho, b.echo)
		ns.On(workload.SoakBinary, b.binary)
		ns.On(workload.SoakSync, b.sync)
		ns.On(workload.SoakJoin, b.join)
		ns.On(workload.SoakLeave, b.leave)
		ns.On(workload.SoakSay, func(c *socketio.Context, h head, room, text string) (head, error) {
			return h, say(b, c, h, text, socketio.To(room))
		})
		ns.On(workload.SoakSayBytes, func(c *socketio.Context, h head, room string, p []byte) (head, error) {
			return h, say(b, c, h, p, socketio.To(room))
		})
		ns.On(workload.SoakHint, func(c *socketio.Context, h head, room, text string) (head, error) {
			return h, say(b, c, h, text, socketio.To(room), socketio.Volatile())
		})
		ns.On(workload.SoakTell, func(c *socketio.Context, h head, sid, text string) (head, error) {
			return h, say(b, c, h, text, socketio.To(sid))
		})
		ns.On(workload.SoakAll, func(c *socketio.Context, h head, text string) (head, error) {
			return h, say(b, c, h, text, socketio.Broadcast(), socketio.SkipSelf())
		})
		ns.On(workload.SoakCall, b.call)
		ns.On(workload.SoakLater, b.later)
		ns.On(workload.SoakKick, func(c *socketio.Context, h head) error {
			_, err := b.handle(c, h)
			c.Disconnect()
			return err
		})
		ns.On(workload.SoakHangUp, func(c *socketio.Context, h head) error {
			_, err := b.handle(c, h)
			c.CloseConnection()
			return err
		})
	}
}

func (b *book) echo(c *socketio.Context, h head, text string) (head, string, error) {
	e, err := b.handle(c, h)
	if err == nil {
		check(b, e, "event", h, text)
	}
	return h, text, err
}

func (b *book) binary(c *socketio.Context, h head, p []byte) (head, []byte, error) {
	e, err := b.handle(c, h)
	if err == nil {
		check(b, e, "event", h, p)
	}
	return h, p, err
}

func (b *book) sync(c *socketio.Context, h head) (head, error) {
	_, err := b.handle(c, h)
	if b.promise == breakAck && h.Seq%5 == 0 {
		h.Seq++
	}
	return h, err
}

func (b *book) join(c *socketio.Context, h head, room string) (head, error) {
	e, err := b.handle(c, h)
	if err != nil {
		return h, err
	}
	if err := c.Join(room); err != nil {
		return h, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rooms = append(e.rooms, room)
	return h, nil
}

func (b *book) leave(c *socketio.Context, h head, room string) (head, error) {
	e, err := b.handle(c, h)
	if err != nil {
		return h, err
	}
	if b.promise != breakLeave {
		c.Leave(room)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, r := range e.rooms {
		if r == room {
			e.rooms = append(e.rooms[:i], e.rooms[i+1:]...)
			return h, nil
		}
	}
	b.fault("%s: left room %s, in which it is not", e, room)
	return h, nil
}

// say passes a message on.
func say[T string | []byte](b *book, c *socketio.Context, h head, payload T, opts ...socketio.EmitOption) error {
	e, err := b.handle(c, h)
	if err != nil {
		return err
	}
	check(b, e, "event", h, payload)
	var sent any = payload
	emit := func(opts ...socketio.EmitOption) error { return c.Emit(workload.SoakSaid, args{h, sent}, opts...) }
	if b.promise == "" {
		return emit(opts...)
	}
	if b.promise == breakPayload && h.Number%5 == 0 {
		sent = payload[:len(payload)-1]
	}
	return b.spoil(e, h, emit, opts)
}

// call asks the client while it waits for the answer to its event.
func (b *book) call(c *socketio.Context, h head, text string) (head, error) {
	e, err := b.handle(c, h)
	if err != nil {
		return h, err
	}
	check(b, e, "event", h, text)
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	q := b.ask(e, h)
	reply, err := c.Call(ctx, workload.SoakAsk, args{q, text})
	switch {
	case errors.Is(err, socketio.ErrClosed): // it left without an answer
		return h, nil
	case err != nil:
		return h, err
	}
	var a head
	var back string
	if err := reply.Bind(&a, &back); err != nil {
		return h, err
	}
	if a.Seq != q.Seq {
		b.fault("%s: Call %d got the answer to question %d", e, q.Seq, a.Seq)
	}
	answer(b, e, a, back)
	return h, nil
}

// later asks the client, and checks the answer when it comes.
func (b *book) later(c *socketio.Context, h head, p []byte) (head, error) {
	e, err := b.handle(c, h)
	if err != nil {
		return h, err
	}
	check(b, e, "event", h, p)
	q := b.ask(e, h)
	err = c.Emit(workload.SoakAsk, args{q, p}, socketio.OnAck(func(_ *socketio.Context, a head, back []byte) {
		if a.Seq != q.Seq {
			b.fault("%s: the callback of question %d got the answer to %d", e, q.Seq, a.Seq)
		}
		answer(b, e, a, back)
	}))
	if errors.Is(err, socketio.ErrClosed) {
		err = nil
	}
	return h, err
}

// feed emits to everyone in a namespace until the context ends.
func (b *book) feed(ctx context.Context, srv *socketio.Server, pace time.Duration) {
	ns := srv.Namespace(workload.SoakFeed)
	text := workload.Text
	t := time.NewTicker(pace)
	defer t.Stop()
	for n := int64(1); ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		h := head{Voice: workload.SoakFeedVoice, Number: n, At: time.Now().UnixNano(), Sum: workload.SoakSum(text)}
		if err := ns.Emit(workload.SoakSaid, args{h, text}); err != nil {
			b.fault("emit to everyone in %s: %v", workload.SoakFeed, err)
		}
	}
}
