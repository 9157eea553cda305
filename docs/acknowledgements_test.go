package docs_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

const maxPages = 100

type Job struct {
	Pages int `json:"pages"`
}

func render(j Job) (string, error) {
	time.Sleep(time.Second)
	return fmt.Sprint(j.Pages, " pages"), nil
}

func TestAcknowledgementsOfEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := socketio.NewServer(nil)
		defer srv.Shutdown(context.Background())
		srv.On("add", func(c *socketio.Context, a, b int) int { return a + b })
		srv.On("render", func(c *socketio.Context, j Job) error {
			if j.Pages > maxPages {
				return &socketio.Error{Message: "too long"} // acknowledged now
			}
			ack := c.DeferAck()
			go func() {
				if err := ack(render(j)); err != nil { // func render(Job) (Document, error)
					log.Println("nobody heard:", err)
				}
			}()
			return nil
		})
		srv.On("ping me never", func(c *socketio.Context) { c.NoAck() })

		c := socketiotest.Connect(t, srv, nil)
		require.Equal(t, "[3]", c.Call("add", 1, 2).String())
		require.Equal(t, `["3 pages"]`, c.Call("render", Job{3}).String())
		require.Equal(t, `[{"error":{"message":"too long"}}]`, c.Call("render", Job{101}).String())
		c.Emit("ping me never", func(socketiotest.Args) { t.Error("answered") })
		synctest.Wait()
	})
}

type Order struct {
	Item string `json:"item"`
}

// orders stands for a table whose primary key is the id.
type orders map[string]Order

func (all orders) insert(id string, o Order) error {
	if _, known := all[id]; !known {
		all[id] = o
	}
	return nil
}

func TestEventsThatMustArrive(t *testing.T) {
	srv := socketio.NewServer(nil)
	defer srv.Close()
	shop := orders{}
	srv.On("order", func(c *socketio.Context, id string, o Order) error {
		return shop.insert(id, o) // does nothing if the id is there
	})
	c := socketiotest.Connect(t, srv, nil)
	for range 2 {
		require.Zero(t, c.Call("order", "1", Order{"tea"}).Len())
	}
	require.Equal(t, orders{"1": {"tea"}}, shop)
}

// votes is what became of a question.
type votes struct {
	mu  sync.Mutex
	all map[string]string
}

func (v *votes) note(sid, what string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.all[sid] += what
}

func (v *votes) late(sid string)            { v.note(sid, "late") }
func (v *votes) lost(sid string, err error) { v.note(sid, "lost") }
func (v *votes) add(sid string, tea bool)   { v.note(sid, fmt.Sprint(tea)) }

func TestAcknowledgementsOfClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := socketio.NewServer(nil)
		defer srv.Shutdown(context.Background())
		srv.On("connect", func(c *socketio.Context) error { return c.Join("kitchen") })
		count := &votes{all: map[string]string{}}
		ann, bob, eve := socketiotest.Connect(t, srv, nil), socketiotest.Connect(t, srv, nil), socketiotest.Connect(t, srv, nil)

		err := srv.Emit("vote", "tea?",
			socketio.To("kitchen"),
			socketio.OnAck(func(c *socketio.Context, err error, tea bool) {
				switch {
				case errors.Is(err, context.DeadlineExceeded):
					count.late(c.ID())
				case err != nil: // it left, or answered with something else
					count.lost(c.ID(), err)
				default:
					count.add(c.ID(), tea)
				}
			}),
			socketio.AckTimeout(10*time.Second))

		require.NoError(t, err)
		ann.Next().Ack(true)
		eve.Disconnect()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, map[string]string{ann.ID(): "true", bob.ID(): "late", eve.ID(): "lost"}, count.all)
	})
}

func TestAskingSeveralClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := socketio.NewServer(nil)
		defer srv.Shutdown(context.Background())
		srv.On("connect", func(c *socketio.Context) error { return c.Join("kitchen") })
		var cooks []string
		srv.On("who", func(c *socketio.Context) error {
			ctx, cancel := context.WithTimeout(c.Context(), 3*time.Second)
			defer cancel()
			replies, err := srv.Call(ctx, "free at", "noon", socketio.To("kitchen"))
			for _, reply := range replies { // those that came, also if err is not nil
				var free bool
				if reply.Bind(&free) == nil && free {
					cooks = append(cooks, reply.SID)
				}
			}
			return err
		})
		ann, bob, eve := socketiotest.Connect(t, srv, nil), socketiotest.Connect(t, srv, nil), socketiotest.Connect(t, srv, nil)
		ann.Emit("who")
		bob.Next().Ack(true)
		eve.Next().Ack(false)
		time.Sleep(3 * time.Second) // ann does not answer
		synctest.Wait()
		require.Equal(t, []string{bob.ID()}, cooks)
	})
}
