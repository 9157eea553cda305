package budget

import "sync"

// Growth is what an Item takes besides the bytes with which it was added, and which may
// become more while it is held. Only the budget that counts the item once counts this,
// from its first holder to its last. The zero Growth is ready; its methods may be called
// from any goroutine.
type Growth struct {
	mu    sync.Mutex // protects the following; held while bytes are counted
	bytes int64
	share *Share // counts the bytes; nil if nobody does
	// counting is how many times the counting began and has not ended: it may begin again
	// before it has ended.
	counting int
}

// Grow adds bytes. The caller does not take them back.
func (g *Growth) Grow(bytes int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.bytes += bytes
	if g.counting > 0 {
		g.share.Count(bytes)
	}
}

// AddGrowing is Add for an item that grows.
func (s *Share) AddGrowing(i *Item, bytes int64, g *Growth) {
	if !s.Hold(i) {
		return
	}
	s.Count(bytes)
	if s.counts(i) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.counting++; g.counting == 1 {
			g.share = s
			s.Count(g.bytes)
		}
	}
}

// RemoveGrowing is Remove for an item that grows.
func (s *Share) RemoveGrowing(i *Item, bytes int64, g *Growth) {
	if !s.Release(i) {
		return
	}
	s.Count(-bytes)
	if s.counts(i) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.counting--; g.counting == 0 {
			g.share = nil
			s.Count(-g.bytes)
		}
	}
}
