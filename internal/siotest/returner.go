package siotest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

// Returner is a client in one namespace that can lose its connection and come back, as the
// official client does: it remembers its private session id and the offset of the last event.
// It works in a synctest bubble only.
type Returner struct {
	Mode      eiotest.Mode
	Namespace string         // "/" if empty
	Auth      map[string]any // nil: none
	Header    http.Header    // of the handshake
	NoPongs   bool           // pings of connections made from now on are not answered, so that the server does not learn what the client has

	// What the server has sent.
	SID, PID, Offset string
	Recovered        bool   // the last CONNECT was answered with the same PID
	Refused          string // the last CONNECT was answered with this CONNECT_ERROR
	Answers          int    // how many CONNECTs were answered

	t      testing.TB
	srv    http.Handler
	client *eiotest.Client
	in     []eiotest.Message // arrived, and not looked at yet
	taken  int               // how many have been looked at of this connection
	got    []string
	asked  map[string]string // acknowledgement ids by event
}

// NewReturner returns a client that is not connected.
func NewReturner(t testing.TB, srv http.Handler, mode eiotest.Mode) *Returner {
	return &Returner{Mode: mode, Namespace: "/", t: t, srv: srv, asked: make(map[string]string)}
}

// To makes the client connect to another server from now on.
func (r *Returner) To(srv http.Handler) *Returner {
	r.srv = srv
	return r
}

// Dial makes a connection.
func (r *Returner) Dial() {
	r.t.Helper()
	r.client = eiotest.Connect(r.t, r.srv, &eiotest.Options{Mode: r.Mode, Path: "/socket.io/", Header: r.Header, NoAutoPong: r.NoPongs})
	r.in, r.taken = nil, 0
}

// SendConnect sends a CONNECT packet.
func (r *Returner) SendConnect() {
	r.t.Helper()
	var auth map[string]any
	if r.Auth != nil {
		auth = map[string]any{}
	}
	if r.PID != "" {
		auth = map[string]any{"pid": r.PID}
		if r.Offset != "" {
			auth["offset"] = r.Offset
		}
	}
	for k, v := range r.Auth {
		auth[k] = v
	}
	text := "0" + prefix(r.Namespace)
	if auth != nil {
		payload, err := json.Marshal(auth)
		require.NoError(r.t, err)
		text += string(payload)
	}
	require.NoError(r.t, r.client.Send(text))
}

// Connect makes a connection, sends a CONNECT packet and waits for the answer.
func (r *Returner) Connect() *Returner {
	r.t.Helper()
	r.Dial()
	r.SendConnect()
	r.Answered()
	return r
}

// Answered waits for the answer to the CONNECT packet.
func (r *Returner) Answered() {
	r.t.Helper()
	r.Recovered, r.Refused = false, ""
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	m, err := r.client.Receive(ctx)
	require.NoError(r.t, err)
	r.taken++
	got := string(m.Data)
	if refusal, ok := strings.CutPrefix(got, "4"+prefix(r.Namespace)); ok {
		r.Refused = refusal
		return
	}
	payload, ok := strings.CutPrefix(got, "0"+prefix(r.Namespace))
	require.True(r.t, ok, "got %s, want the answer to CONNECT", got)
	r.answer(payload)
}

func (r *Returner) answer(payload string) {
	var reply struct{ SID, PID string }
	require.NoError(r.t, json.Unmarshal([]byte(payload), &reply))
	r.Recovered = reply.PID != "" && reply.PID == r.PID
	r.SID, r.PID = reply.SID, reply.PID
	r.Answers++
	note(r.srv, r.Namespace, reply.SID)
}

// arrived fetches what has arrived.
func (r *Returner) arrived() {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
		m, err := r.client.Receive(ctx)
		cancel()
		if err != nil {
			return
		}
		r.in = append(r.in, m)
	}
}

// Received returns the events that have come since the last call: their lists, without
// offsets, and their attachments. Those that ask for an acknowledgement begin with "?".
func (r *Returner) Received() []string {
	r.t.Helper()
	synctest.Wait()
	r.arrived()
	r.Look(len(r.in))
	return r.Seen()
}

// Seen returns the events that the client has looked at since the last call.
func (r *Returner) Seen() []string {
	got := r.got
	r.got = nil
	return got
}

// Take returns the events that the client has looked at since the last call, as Received.
func (r *Returner) Take() []string {
	got := r.got
	r.got = nil
	return got
}

// Want expects events.
func (r *Returner) Want(events ...string) {
	r.t.Helper()
	if got := r.Received(); len(got)+len(events) > 0 {
		require.Equal(r.t, events, got)
	}
}

// Arrived returns how many messages have arrived that have not been looked at.
func (r *Returner) Arrived() int {
	synctest.Wait()
	r.arrived()
	return len(r.in)
}

var packetText = regexp.MustCompile(`(?s)^([0-6])(?:(\d+)-)?(/[^,]*,)?(\d*)(.*)$`)

// Look makes the client look at n messages that have arrived. The rest is lost with the connection.
func (r *Returner) Look(n int) {
	r.t.Helper()
	for n > 0 {
		m := r.in[0]
		require.False(r.t, m.Binary, "attachment without an event: %q", m.Data)
		part := packetText.FindStringSubmatch(string(m.Data))
		require.NotNil(r.t, part, "%s", m.Data)
		attachments, _ := strconv.Atoi(part[2])
		if len(r.in) < 1+attachments {
			return // not complete: the official client does nothing with it
		}
		n = max(n, 1+attachments)
		if end := 1 + attachments; part[4] != "" && len(r.in) > end && strings.Contains(string(r.in[end].Data), `["$offset",`) {
			n = max(n, end+1) // it has come with the event
		}
		list := part[5]
		for _, a := range r.in[1 : 1+attachments] {
			require.True(r.t, a.Binary)
			list += " b:" + string(a.Data)
		}
		r.in, n, r.taken = r.in[1+attachments:], n-1-attachments, r.taken+1+attachments
		switch part[1] {
		case "0":
			r.answer(part[5])
		case "1":
			r.got = append(r.got, "disconnected")
		case "2", "5":
			r.event(part[4], part[5], list)
		case "3", "6":
			r.got = append(r.got, "ack "+part[4]+part[5])
		case "4":
			r.Refused = part[5]
		}
	}
}

// event handles an event like the official client.
func (r *Returner) event(id, list, shown string) {
	var args []json.RawMessage
	require.NoError(r.t, json.Unmarshal([]byte(list), &args), list)
	var last string
	if id != "" {
		r.asked[shown] = id
		shown = "?" + shown
	} else if json.Unmarshal(args[len(args)-1], &last) == nil && string(args[len(args)-1]) != "null" && r.PID != "" {
		r.Offset = last // whatever it is
		shown = strings.Replace(shown, fmt.Sprintf(",%q]", last), "]", 1)
	}
	if shown != `["$offset"]` {
		r.got = append(r.got, shown)
	}
}

// Answer acknowledges an event that asked for it.
func (r *Returner) Answer(list, args string) {
	r.t.Helper()
	id, ok := r.asked[list]
	require.True(r.t, ok, "%s has not asked", list)
	require.NoError(r.t, r.client.Send("3"+prefix(r.Namespace)+id+args))
}

// Send sends packets of the namespace: a type and what is behind the namespace.
func (r *Returner) Send(packets ...string) {
	r.t.Helper()
	for _, p := range packets {
		require.NoError(r.t, r.client.Send(p[:1]+prefix(r.Namespace)+p[1:]))
	}
}

// Drop cuts the connection. What has arrived and was not looked at is lost.
func (r *Returner) Drop() {
	r.client.Abort()
	r.in = nil
	synctest.Wait()
}

// LookAt makes the client look at a share of what has arrived, between 0 and 1, and at least
// at what was there when it answered a ping.
func (r *Returner) LookAt(share float64) {
	r.t.Helper()
	n := int(share * float64(r.Arrived()+1))
	r.Look(min(max(n, r.client.Ponged()-r.taken), len(r.in)))
}

// Abandon stops the pongs on the connection, and nothing else: the server takes it for alive
// until it misses them.
func (r *Returner) Abandon() {
	r.client.Hush()
	r.in = nil
}

// Client returns the connection.
func (r *Returner) Client() *eiotest.Client { return r.client }

// Leave forgets the connection without cutting it: the server takes it for alive, because its
// pings are answered.
func (r *Returner) Leave() *eiotest.Client {
	r.in = nil
	return r.client
}
