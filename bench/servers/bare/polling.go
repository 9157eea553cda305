package main

import (
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// session is a client on polling, or one that upgrades.
type session struct {
	mu     sync.Mutex
	queue  []string
	wake   chan struct{} // has a value when the queue is not empty
	probed bool          // an upgrade is under way: every poll is answered
}

func (s *session) push(m string) {
	s.mu.Lock()
	s.queue = append(s.queue, m)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *session) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 && s.probed {
		return "6"
	}
	m := strings.Join(s.queue, "\x1e")
	s.queue = s.queue[:0]
	return m
}

func (s *server) session(sid string) *session {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.sessions[sid]
}

// poll answers the requests of the polling transport.
func (s *server) poll(w http.ResponseWriter, r *http.Request, sid string) {
	h := w.Header()
	h["Content-Type"] = []string{"text/plain; charset=UTF-8"}
	if sid == "" {
		sid = rand.Text()
		s.mu.Lock()
		s.sessions[sid] = &session{wake: make(chan struct{}, 1)}
		s.mu.Unlock()
		io.WriteString(w, openPacket(sid))
		return
	}
	c := s.session(sid)
	if c == nil {
		http.Error(w, `{"code":1,"message":"Session ID unknown"}`, http.StatusBadRequest)
		return
	}
	if r.Method == http.MethodPost {
		var head [2]byte
		io.ReadFull(r.Body, head[:])
		io.Copy(io.Discard, r.Body)
		if string(head[:]) == "40" {
			c.push(connectedPacket(rand.Text()))
		} else {
			c.push(string(s.answer.text))
		}
		io.WriteString(w, "ok")
		return
	}
	for {
		if m := c.take(); m != "" {
			io.WriteString(w, m)
			return
		}
		select {
		case <-c.wake:
		case <-r.Context().Done():
			return
		case <-time.After(25 * time.Second):
			io.WriteString(w, "6")
			return
		}
	}
}

// upgrade completes the move of a session from polling to a WebSocket.
func (s *server) upgrade(ws *websocket.Conn, p peer, sid string) error {
	c := s.session(sid)
	if c == nil {
		return errors.New("unknown session")
	}
	for _, step := range []string{"2probe", "5"} {
		err := read(ws, func(_ websocket.MessageType, msg []byte) error {
			if string(msg) != step {
				return errors.New("not " + step)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if step == "5" {
			break
		}
		if err := p.reply(newPacket("3probe", nil)); err != nil {
			return err
		}
		c.mu.Lock()
		c.probed = true
		c.mu.Unlock()
		c.push("6")
	}
	s.mu.Lock()
	delete(s.sessions, sid)
	s.mu.Unlock()
	return nil
}
