package notice

import (
	"strings"
	"sync"
)

// maxNames is how many names are remembered.
const maxNames = 32

// Names remembers which names have been logged, so that clients cannot fill the log with
// names that they make up. The zero value has none. Its methods may be called from any
// goroutine.
type Names struct {
	mu     sync.Mutex
	logged map[[2]string]bool
}

// Novelty says what the log does about a name.
type Novelty uint8

const (
	NewName      Novelty = iota // the name gets a line of its own
	OldName                     // the name has been logged before
	TooManyNames                // there are too many names: the further ones share a line now and then
)

// Look reports whether a name is new in its group, and remembers it.
func (n *Names) Look(group, name string) Novelty {
	key := [2]string{group, name}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.logged[key]:
		return OldName
	case len(n.logged) == maxNames:
		return TooManyNames
	case n.logged == nil:
		n.logged = make(map[[2]string]bool)
	}
	n.logged[[2]string{strings.Clone(group), strings.Clone(name)}] = true // they may be parts of something large
	return NewName
}
