package lifecycle_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
	"github.com/seed-d124fa34/socketio/internal/siotest"
	"github.com/seed-d124fa34/socketio/parser"
)

// With real goroutines racing: what was handled was acknowledged, and the other way round.
func TestShutdownLosesNoAcknowledgement(t *testing.T) {
	eiotest.Run(t, func(t *testing.T, mode eiotest.Mode) {
		for round := range 10 {
			opts := &socketio.Options{AsyncHandlers: round%2 == 1}
			if round%3 == 0 {
				opts.DrainWindow = 5 * time.Millisecond
			}
			srv := siotest.NewServer(t, opts)
			var mu sync.Mutex
			handled := map[string]int{}
			total := make(chan bool, 100_000)
			srv.On("n", func(c *socketio.Context, key string) {
				mu.Lock()
				handled[key]++
				mu.Unlock()
				total <- true
			})
			var clients sync.WaitGroup
			acked := map[string]int{}
			for i := range 4 {
				p := siotest.Join(t, srv, mode)
				clients.Go(func() { // four events on their way at a time
					for n := 0; ; n++ {
						for p.Client.Err() == nil && p.Client.Send(fmt.Sprintf(`2%d["n","%d %d"]`, n, i, n)) == nil && n < 4 {
							n++
						}
						m, err := p.Client.Receive(t.Context())
						if err != nil {
							return
						}
						id, ok := strings.CutPrefix(strings.TrimSuffix(string(m.Data), "[]"), "3")
						require.True(t, ok, m.Data)
						mu.Lock()
						acked[fmt.Sprint(i, " ", id)]++
						mu.Unlock()
					}
				})
			}
			for range 100 * (1 + round%4) {
				<-total
			}
			require.NoError(t, srv.Shutdown(t.Context()))
			clients.Wait()
			require.Equal(t, handled, acked)
			require.GreaterOrEqual(t, len(handled), 100)
		}
	})
}

// lateParser hands over the packets with an event only after hold has returned.
type lateParser struct {
	parser.Parser
	hold func()
}

type lateDecoder struct {
	parser.Decoder
	hold func()
}

func (p lateParser) NewDecoder(l parser.Limits) parser.Decoder {
	return lateDecoder{p.Parser.NewDecoder(l), p.hold}
}

func (d lateDecoder) Decode(data []byte, binary bool) (parser.Packet, bool, error) {
	p, ok, err := d.Decoder.Decode(data, binary)
	if p.Type == parser.Event {
		d.hold()
	}
	return p, ok, err
}

// An event that is being read while the connection is closed could not be acknowledged any more.
func TestEventThatComesTooLate(t *testing.T) {
	for range 50 { // without a bubble: the server waits with a mutex
		arrived, goOn := make(chan bool), make(chan bool)
		srv := siotest.NewServer(t, &socketio.Options{Parser: lateParser{parser.New(nil), func() {
			arrived <- true
			<-goOn
		}}})
		handled := make(chan bool, 1)
		srv.On("e", func(c *socketio.Context) { handled <- true })
		p := siotest.Join(t, srv, eiotest.WebSocket)
		ctx := srv.Socket(p.SID).Request().Context()
		p.Send(`21["e"]`)
		<-arrived
		ended := siotest.BeginShutdown(t.Context(), srv)
		<-ctx.Done()
		close(goOn)
		require.NoError(t, <-ended)
		require.Empty(t, handled)
		p.Closed()
	}
}
