package engineio_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// Defects of python-engineio, the layer below Flask-SocketIO, that no other test has for its subject. The numbers are those
// of the table in the defects_test.go of the package above.

// A payload of more than 16 packets was answered with 200 and dropped.
func TestDefectL1_PayloadOfManyPackets(t *testing.T) {
	for _, n := range []int{16, 17, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, nil, nil)
				raw, p := h.raw()
				var payload, want []string
				for i := range n {
					if i%3 == 2 {
						payload, want = append(payload, "bAQID"), append(want, "binary \x01\x02\x03")
						continue
					}
					payload, want = append(payload, fmt.Sprint("4packet ", i)), append(want, fmt.Sprint("text packet ", i))
				}
				resp, err := raw.Post(t.Context(), strings.Join(payload, eiotest.Separator))
				wantOK(t, resp, err, "ok")
				p.want(want...)
				p.wantNone()

				// The other direction has no limit of packets, either.
				for i := range n {
					p.text(fmt.Sprint("packet ", i))
				}
				resp, err = raw.Get(t.Context())
				require.NoError(t, err)
				assert.Len(t, strings.Split(resp.Body, eiotest.Separator), n)
			})
		})
	}
}

// The request was never answered, and its thread blocked for ever, if something was queued for a client that did not poll.
func TestDefectL3_RefusedPostIsAnsweredAtOnce(t *testing.T) {
	for name, body := range map[string]string{"too large": "4" + strings.Repeat("x", 1000), "wrong type": "7", "no type": "x", "ping": "2"} {
		for _, polls := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", polls ", polls), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHost(t, &engineio.Options{Limits: engineio.Limits{MaxPayload: 1000}}, nil)
					raw, p := h.raw()
					begin := time.Now()
					p.text("queued")
					var poll <-chan *eiotest.Response
					if polls {
						wantOK(t, next(t, get(t, raw)), nil, "4queued")
						poll = get(t, raw)
						synctest.Wait()
					}
					resp, err := raw.Post(t.Context(), body)
					require.NoError(t, err)
					if name == "too large" {
						assert.Equal(t, http.StatusRequestEntityTooLarge, resp.Status)
					} else {
						assert.Equal(t, http.StatusBadRequest, resp.Status)
					}
					assert.Zero(t, time.Since(begin), "nobody had to wait")
					if polls {
						wantOK(t, next(t, poll), nil, "1") // a little later: TestTheRefusalComesBeforeTheEnd
					}
					next(t, p.ended)
					resp, err = raw.Post(t.Context(), "4x")
					wantRefused(t, resp, err, http.StatusBadRequest, "1", "Session ID unknown")
					time.Sleep(time.Minute)
					assert.Zero(t, h.srv.Len())
				})
			})
		}
	}
}
