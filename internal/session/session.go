// Package session keeps the values of a client's session. It has typed access to the values,
// and their form on the way to another server. It knows no client.
package session

import (
	"encoding/json"
	"fmt"
	"maps"
	"sync"
)

// Session keeps values under keys. The zero value is empty. All methods may be called from
// any goroutine.
//
// The values of a session that has come from another server are in JSON until their types
// are known. [Value] returns them with their types again. The other methods see what
// encoding/json makes of them, for example a float64 for a number.
type Session struct {
	mu      sync.Mutex
	values  map[string]any // nil until needed
	version uint64         // counts changes, for Update
}

// Get returns the value of key, nil if there is none. [Value] returns it with its type.
func (s *Session) Get(key string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return plainValue(s.values[key])
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
	switch old := plainValue(s.values[key]).(type) {
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
		value := f(plainValue(old))
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
	all := make(map[string]any, len(s.values))
	for key, value := range s.values {
		all[key] = plainValue(value)
	}
	return all
}

// Version changes when the values do.
func (s *Session) Version() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version
}

// New returns a session with values. The session owns the map from now on. It may be nil.
func New(values map[string]any) *Session { return &Session{values: values} }

// set stores a value. The caller holds s.mu.
func (s *Session) set(key string, value any) {
	if s.values == nil {
		s.values = make(map[string]any)
	}
	s.values[key] = value
	s.version++
}

// Value returns the value of key as a T. ok is false if there is none, or if it
// has another type.
func Value[T any](s *Session, key string) (value T, ok bool) {
	stored := s.stored(key)
	encoded, moved := stored.(movedValue)
	if !moved {
		value, ok = stored.(T)
		return value, ok
	}
	if err := json.Unmarshal(encoded, &value); err != nil {
		var none T
		return none, false
	}
	value, ok = s.typed(key, encoded, value).(T)
	return value, ok
}

// stored returns the stored form of a value.
func (s *Session) stored(key string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[key]
}

// typed stores a moved value in its decoded form, so that all later calls get the same one. If
// another goroutine was faster, it returns the value that that one has stored.
func (s *Session) typed(key string, encoded movedValue, value any) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, moved := s.values[key].(movedValue)
	if !moved {
		return s.values[key]
	}
	if string(now) == string(encoded) {
		s.values[key] = value
	}
	return value
}

// movedValue is a value in JSON that another server has sent, and whose type is not known
// yet.
type movedValue json.RawMessage

// plainValue returns a value of a session without its type, if that is not known.
func plainValue(value any) (plain any) {
	encoded, moved := value.(movedValue)
	if !moved {
		return value
	}
	_ = json.Unmarshal(encoded, &plain) // it is valid: it was decoded as a part of a message
	return plain
}

// Encode returns the values of a session in JSON, for another server. missing says, by key,
// why a value is not among them. It is a function because users of sessions get all methods.
func Encode(s *Session) (values map[string]json.RawMessage, missing map[string]error) {
	s.mu.Lock()
	all := maps.Clone(s.values)
	s.mu.Unlock()
	values, missing = make(map[string]json.RawMessage), make(map[string]error)
	for key, value := range all {
		encoded, err := encodeValue(value)
		if err != nil {
			missing[key] = err
			continue
		}
		values[key] = encoded
	}
	return values, missing
}

// encodeValue returns a value in JSON.
func encodeValue(value any) (encoded []byte, err error) {
	if encoded, moved := value.(movedValue); moved {
		return encoded, nil
	}
	defer func() {
		if v := recover(); v != nil { // of a MarshalJSON method
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return json.Marshal(value)
}

// Decode returns a session with the values that Encode returned on another server.
func Decode(values map[string]json.RawMessage) *Session {
	s := new(Session)
	for key, value := range values {
		s.set(key, movedValue(value))
	}
	return s
}
