package adminui

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/seed-d124fa34/socketio"
)

// maxShown is how many sockets a page gets when it connects: it cannot show more.
const maxShown = 5000

// shownSocket is a socket in the form that the page expects.
type shownSocket struct {
	ID        string         `json:"id"`
	ClientID  string         `json:"clientId"`
	Transport string         `json:"transport"`
	Namespace string         `json:"nsp"`
	Data      map[string]any `json:"data"`
	Handshake handshake      `json:"handshake"`
	Rooms     []string       `json:"rooms"`
}

type handshake struct {
	Address string            `json:"address"`
	Headers map[string]string `json:"headers"`
	Query   map[string]string `json:"query"`
	Issued  int64             `json:"issued"` // ms
	Secure  bool              `json:"secure"`
	Time    string            `json:"time"`
	URL     string            `json:"url"`
	XDomain bool              `json:"xdomain"`
}

func (f *feed) serialize(s *socketio.Socket) shownSocket {
	r := s.Request()
	at := f.ui.began // it connected before Instrument was called
	if v, ok := f.since.Load(s.ID()); ok {
		at = v.(time.Time)
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	query, shown := shownQuery(r.URL)
	return shownSocket{
		ID: s.ID(), ClientID: clientID(s.Connection()), Transport: s.Transport(), Namespace: s.Namespace().Name(),
		Data: shownData(s), Rooms: s.Rooms(),
		Handshake: handshake{
			Address: host, Headers: shownHeaders(r.Header), Query: query,
			Issued: at.UnixMilli(), Secure: r.TLS != nil, Time: at.Format(time.RFC1123), URL: shown, XDomain: r.Header.Get("Origin") != "",
		},
	}
}

// shownData returns what the page shows as the socket's data: the revision of Engine.IO that the client
// speaks, 3 or 4, and whether the client has come back to its session.
func shownData(s *socketio.Socket) map[string]any {
	data := map[string]any{"revision": s.Connection().Revision()}
	if s.Recovered() {
		data["recovered"] = true
	}
	return data
}

// clientID returns an id by which the page can tell connections apart. Their Engine.IO ids are secrets.
func clientID(c socketio.Connection) string {
	sum := sha256.Sum256([]byte(c.ID()))
	return hex.EncodeToString(sum[:6])
}

// secret matches the names of headers and parameters whose values the page does not show.
var secret = regexp.MustCompile(`(?i)cookie|auth|token|secret|passw|session|key|jwt|signature|^sid$`)

const hidden = "(hidden)"

func shownHeaders(h http.Header) map[string]string {
	shown := make(map[string]string, len(h))
	for name, values := range h {
		value := strings.Join(values, ", ")
		if secret.MatchString(name) && name != "Sec-Websocket-Key" {
			value = hidden
		}
		shown[strings.ToLower(name)] = value
	}
	return shown
}

func shownQuery(u *url.URL) (query map[string]string, text string) {
	values := u.Query()
	query = make(map[string]string, len(values))
	for name := range values {
		if secret.MatchString(name) {
			values.Set(name, hidden)
		}
		query[name] = values.Get(name)
	}
	if len(values) == 0 {
		return query, u.Path
	}
	return query, u.Path + "?" + values.Encode()
}

// each visits the sockets of all namespaces except that of the pages.
func (f *feed) each(visit func(*socketio.Socket) bool) {
	for name := range f.ui.srv.Stats().Sockets {
		if f.own(name) {
			continue
		}
		ns := f.ui.srv.Namespace(name)
		for s := range ns.Sockets() {
			if !visit(s) {
				return
			}
		}
	}
}

func (f *feed) allSockets() []shownSocket {
	all := []shownSocket{}
	f.each(func(s *socketio.Socket) bool {
		if shown := f.serialize(s); len(shown.Rooms) > 0 { // otherwise it has just left
			all = append(all, shown)
		}
		return len(all) < maxShown
	})
	return all
}

// upgraded sends the pages the new transport of a connection's sockets. There are few, or
// none yet, because clients upgrade right after they have connected.
func (f *feed) upgraded(c socketio.Connection) {
	for _, s := range c.Sockets() {
		if ns := s.Namespace().Name(); !f.own(ns) {
			f.state("socket_updated", map[string]string{"id": s.ID(), "nsp": ns, "transport": c.Transport()})
		}
	}
}
