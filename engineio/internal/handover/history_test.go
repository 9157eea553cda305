package handover

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed-d124fa34/socketio/engineio/internal/protocol"
)

func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h History
		h.Start()
		request := func(sid string) *http.Request {
			return httptest.NewRequest(http.MethodGet, "/?EIO=4&transport=polling&sid="+sid, nil)
		}
		suspicious := func(sid string) bool { return h.Suspicious(request(sid)) }
		for range 5 {
			assert.False(t, suspicious(protocol.NewID()), "sessions of the process before this one")
		}
		time.Sleep(startTime)
		ended := protocol.NewID()
		h.Ended(ended)
		for range 5 {
			assert.False(t, suspicious(ended), "a session that has ended")
			assert.False(t, suspicious("made-up"))
		}
		for i := range 4 {
			assert.Equal(t, i+1 >= suspiciousCount, suspicious(protocol.NewID()), "%d", i)
		}
		time.Sleep(suspiciousWindow + time.Second)
		assert.False(t, suspicious(protocol.NewID()+".server-2"), "one in a minute")

		for i := range remembered {
			h.Ended(fmt.Sprint(i))
		}
		assert.Len(t, h.ended, remembered, "those that ended long ago are forgotten")
		assert.NotContains(t, h.ended, ended)
	})
}

func TestServerID(t *testing.T) {
	for id, want := range map[string]bool{"a": true, "Host-1_b": true, "": false, "a.b": false, "a b": false, "é": false} {
		assert.Equal(t, want, IsServerID(id), id)
	}
}

func TestMarks(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	assert.False(t, IsShortPoll(r) || IsRelease(r))
	r.Header.Set(Header, markShortPoll)
	assert.True(t, IsShortPoll(r))
	r.Header.Set(Header, markRelease)
	assert.True(t, IsRelease(r))
}
