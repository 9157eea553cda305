package rooms

import (
	"sync"
	"unsafe"
)

// Set is a set of pointers. It is cheaper than a map, and made to find out which members an
// emit has reached. The zero value is empty. It is for one goroutine at a time.
type Set[T any] struct {
	table []*T // its length is a power of two, at least twice n; nil: free
	n     int
}

// maxSet is the size of table from which a set is left to the garbage collector.
const maxSet = 1 << 16

// SetPool keeps sets that are not in use. The zero value has none.
type SetPool[T any] struct{ pool sync.Pool }

// Get returns an empty set.
func (p *SetPool[T]) Get() *Set[T] {
	if set, ok := p.pool.Get().(*Set[T]); ok {
		return set
	}
	return new(Set[T])
}

// Put ends the use of a set.
func (p *SetPool[T]) Put(set *Set[T]) {
	if len(set.table) > maxSet {
		return
	}
	if set.n > 0 {
		clear(set.table)
	}
	set.n = 0
	p.pool.Put(set)
}

// slot returns where a pointer is, or would be. Its address serves as a hash, because what
// it points to does not move while the set refers to it.
func (set *Set[T]) slot(v *T) int {
	h := uint64(uintptr(unsafe.Pointer(v))) * 0x9e3779b97f4a7c15
	mask := len(set.table) - 1
	i := int(h>>32) & mask
	for set.table[i] != nil && set.table[i] != v {
		i = (i + 1) & mask
	}
	return i
}

// Has reports whether v is in the set.
func (set *Set[T]) Has(v *T) bool {
	return set.n > 0 && set.table[set.slot(v)] == v
}

// Add adds v, which must not be nil.
func (set *Set[T]) Add(v *T) {
	if 2*set.n >= len(set.table) {
		set.grow()
	}
	if i := set.slot(v); set.table[i] == nil {
		set.table[i] = v
		set.n++
	}
}

func (set *Set[T]) grow() {
	old := set.table
	set.table = make([]*T, max(64, 2*len(old)))
	for _, v := range old {
		if v != nil {
			set.table[set.slot(v)] = v
		}
	}
}
