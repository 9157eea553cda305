package socketio

import (
	"maps"
	"net/http"
	"sync"
)

// Session keeps values for as long as a connection lives. The namespaces of one
// connection share it, like Flask-SocketIO's managed session. It starts with what
// [Options].Session returned. Changes do not reach the HTTP session. All methods may be
// called from any goroutine.
type Session struct {
	mu      sync.Mutex
	values  map[string]any // nil until needed
	version uint64         // counts changes, for Update
}

// Get returns the value of key, nil if there is none. [SessionValue] returns it with its
// type.
func (s *Session) Get(key string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[key]
}

// Set stores a value. It copies the value, but not what the value points to.
func (s *Session) Set(key string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(key, value)
}

// Delete removes a value. It has no effect if there is none.
func (s *Session) Delete(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, key)
	s.version++
}

// Add adds n to the number stored under key, stores the sum as an int and returns
// it. A missing value counts as 0, and so does one that is not an int, int64 or float64.
func (s *Session) Add(key string, n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch old := s.values[key].(type) {
	case int:
		n += old
	case int64:
		n += int(old)
	case float64: // what JSON makes of a number
		n += int(old)
	}
	s.set(key, n)
	return n
}

// Update replaces the value of key by f(old) and returns it; old is nil if there is
// none. It is atomic: if another change comes in between, f is called again with the
// newer value. So f should have no side effects.
func (s *Session) Update(key string, f func(old any) any) any {
	for {
		s.mu.Lock()
		old, version := s.values[key], s.version
		s.mu.Unlock()
		value := f(old)
		s.mu.Lock()
		if s.version == version {
			s.set(key, value)
			s.mu.Unlock()
			return value
		}
		s.mu.Unlock()
	}
}

// Values returns a copy of everything in the session.
func (s *Session) Values() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.values == nil {
		return map[string]any{}
	}
	return maps.Clone(s.values)
}

// set stores a value. The caller holds s.mu.
func (s *Session) set(key string, value any) {
	if s.values == nil {
		s.values = make(map[string]any)
	}
	s.values[key] = value
	s.version++
}

// SessionValue returns the value of key as a T. ok is false if there is none, or if it
// has another type.
func SessionValue[T any](s *Session, key string) (value T, ok bool) {
	value, ok = s.Get(key).(T)
	return value, ok
}

// seedSession calls Options.Session. If that panics, it returns an error.
func (srv *Server) seedSession(seed func(*http.Request) map[string]any, r *http.Request) (values map[string]any, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = srv.recovered("Options.Session", v)
		}
	}()
	return maps.Clone(seed(r)), nil
}
