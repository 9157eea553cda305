package mailbox

import "sync"

// Boxes are boxes by key, for owners of jobs that have no place for a [Box] of their own. A
// box exists while there are jobs for it. The zero value is ready to
// use. The methods may be called from any goroutine.
type Boxes[K comparable, J Job[J]] struct {
	mu    sync.Mutex
	boxes map[K]*keyedBox[J]
}

type keyedBox[J Job[J]] struct {
	box  Box[J]
	jobs int // for which Done has not been called; guarded by Boxes.mu
}

// Put puts a job into the box of a key. The job calls Done when it ends, however it does.
func (b *Boxes[K, J]) Put(ws *Workers[J], key K, job J) {
	b.mu.Lock()
	k := b.boxes[key]
	if k == nil {
		if b.boxes == nil {
			b.boxes = make(map[K]*keyedBox[J])
		}
		k = new(keyedBox[J])
		b.boxes[key] = k
	}
	k.jobs++
	b.mu.Unlock()
	k.box.Put(ws, job)
}

// Done notes that a job has ended, and removes the box if it has no other.
func (b *Boxes[K, J]) Done(key K) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if k := b.boxes[key]; k != nil {
		if k.jobs--; k.jobs == 0 {
			delete(b.boxes, key)
		}
	}
}

// Len returns how many boxes there are.
func (b *Boxes[K, J]) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.boxes)
}
