package notice

import (
	"strings"
	"sync"
)

// maxNames is how many names are remembered.
const maxNames = 32

// Names remembers which names have been logged, so that clients, which make up names,
// cannot fill the log. The zero value has none. Its methods may be called from any
// goroutine.
type Names struct {
	mu     sync.Mutex
	logged map[[2]string]bool
}

// Novelty is what a log does about a name.
type Novelty uint8

const (
	NewName      Novelty = iota // it gets a line of its own
	OldName                     // it has been logged before
	TooManyNames                // it is one of too many: they share a line now and then
)

// Look tells whether a name is new, and remembers it. group is what the name is in.
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
