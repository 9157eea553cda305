// Package sessions finds sessions by their ids. It imports nothing of ours.
package sessions

import (
	"hash/maphash"
	"iter"
	"sync"
	"sync/atomic"
)

// shardCount is how many parts a Table has, so that requests of different sessions seldom wait
// for the same lock.
const shardCount = 64

// Table holds values by session id. Make it with New. Its methods may be called from any
// goroutine, except that Put and Delete of one id must not run at the same time.
type Table[V any] struct {
	seed   maphash.Seed
	count  atomic.Int64
	shards [shardCount]shard[V]
}

type shard[V any] struct {
	mu sync.RWMutex
	m  map[string]V
	_  [32]byte // so that processors that lock different shards do not compete for a cache line
}

// New returns an empty table.
func New[V any]() *Table[V] { return &Table[V]{seed: maphash.MakeSeed()} }

// shard returns the part for an id. Clients can send any text as an id: the seed keeps them from
// choosing a shard.
func (t *Table[V]) shard(id string) *shard[V] {
	return &t.shards[maphash.String(t.seed, id)%shardCount]
}

// Get returns the value of an id.
func (t *Table[V]) Get(id string) (v V, ok bool) {
	s := t.shard(id)
	s.mu.RLock()
	v, ok = s.m[id]
	s.mu.RUnlock()
	return v, ok
}

// Put stores the value of an id.
func (t *Table[V]) Put(id string, v V) {
	s := t.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = make(map[string]V)
	}
	if _, ok := s.m[id]; !ok {
		t.count.Add(1)
	}
	s.m[id] = v
}

// Delete removes an id.
func (t *Table[V]) Delete(id string) {
	s := t.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.m[id]; ok {
		delete(s.m, id)
		t.count.Add(-1)
	}
}

// Len returns how many ids there are.
func (t *Table[V]) Len() int { return int(t.count.Load()) }

// All ranges over the values. It holds a part of the table locked for reading: the loop must
// not change the table.
func (t *Table[V]) All() iter.Seq[V] {
	return func(yield func(V) bool) {
		for i := range t.shards {
			if !t.shards[i].all(yield) {
				return
			}
		}
	}
}

func (s *shard[V]) all(yield func(V) bool) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, v := range s.m {
		if !yield(v) {
			return false
		}
	}
	return true
}
