package fleet

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseEndpoint(t *testing.T) {
	for _, good := range []string{"http://10.0.0.5:8080", "https://h/socket.io/", "http://[::1]:1/x"} {
		u, err := ParseEndpoint(good)
		require.NoError(t, err)
		require.Equal(t, good, u.String())
	}
	for _, bad := range []string{
		"", "file:///etc/passwd", "10.0.0.9", "10.0.0.5:8080", "http://", "http://:8080", "http://user@x/", "http://x/?q", "http://x/?", "http://x/#f", "gopher://x/", "ws://x",
		"http://x y/", "http://" + strings.Repeat("x", 3000),
	} {
		_, err := ParseEndpoint(bad)
		require.ErrorContains(t, err, "no URL of a server", bad)
	}
}

func TestEndpoint(t *testing.T) {
	inBus(t, 1, func(t *testing.T, b *bus) {
		a := b.servers[0]
		const at = "http://10.0.0.1:8080/socket.io/"
		other := b.start(Options{Endpoint: at})
		lookup := func(host string, within time.Duration) (*url.URL, error) {
			t.Helper()
			start := time.Now()
			u, err := a.Endpoint(t.Context(), host)
			require.LessOrEqual(t, time.Since(start), within)
			return u, err
		}
		time.AfterFunc(lookupWait/2, other.subscribe)
		u, err := lookup("h1", lookupWait/2) // a server that begins
		require.NoError(t, err)
		require.Equal(t, at, u.String())
		u, err = lookup("nobody", lookupWait)
		require.NoError(t, err)
		require.Nil(t, u)

		a.cut() // what is known stays known
		u, err = lookup("h1", 0)
		require.NoError(t, err)
		require.NotNil(t, u)
		time.Sleep(settle)
		_, err = lookup("nobody", 0)
		require.ErrorIs(t, err, ErrUnavailable)
		a.subscribe()
		time.Sleep(settle)

		// A silent server may still be there for its clients.
		other.vanish()
		time.Sleep(silentAfter + heartbeat)
		u, err = lookup("h1", 0)
		require.NoError(t, err)
		require.NotNil(t, u)
		time.Sleep(missingFor + heartbeat)
		u, err = lookup("h1", lookupWait)
		require.NoError(t, err)
		require.Nil(t, u)

		ctx, cancel := context.WithTimeout(t.Context(), lookupWait/2)
		defer cancel()
		_, err = a.Endpoint(ctx, "nobody")
		require.ErrorIs(t, err, context.DeadlineExceeded)

		// Only so many wait, and none longer than the fleet is open.
		var waited, refused int
		var mu sync.Mutex
		start := time.Now()
		for range maxLookups + 10 {
			go func() {
				u, err := a.Endpoint(t.Context(), "nobody")
				assert.Nil(t, u)
				assert.NoError(t, err)
				mu.Lock()
				defer mu.Unlock()
				if time.Since(start) > 0 {
					waited++
				} else {
					refused++
				}
			}()
		}
		synctest.Wait()
		time.Sleep(lookupWait / 2)
		a.Close()
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, []int{maxLookups, 10}, []int{waited, refused})
	})
}

// A server may get another endpoint, or lose it.
func TestEndpointChanges(t *testing.T) {
	inBus(t, 1, func(t *testing.T, b *bus) {
		a := b.servers[0]
		for _, at := range []string{"http://one/", "http://two/", ""} {
			require.NoError(t, a.Receive([]byte(`{"v":1,"is":"alive","host":"x","url":"`+at+`"}`)))
			require.NoError(t, a.Receive([]byte(`{"v":1,"is":"next","host":"x","to":["h0"]}`))) // says nothing about it
			u, err := a.Endpoint(t.Context(), "x")
			require.NoError(t, err)
			if at == "" {
				require.Nil(t, u)
			} else {
				require.Equal(t, at, u.String())
			}
		}
	})
}
