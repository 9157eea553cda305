package rawconn

import (
	"os"
	"sync"
	"syscall"
)

// Watched is a connection for which a Watcher waits.
type Watched interface {
	// Readable is called when there is something to read, or when the network connection
	// has ended, and sometimes for no reason. The goroutine that all connections of the
	// Watcher share calls it: it must not wait.
	Readable()
}

// Watcher waits for many idle connections on one goroutine. A goroutine for each of them
// would be the largest part of their memory. The zero value is ready to use when Go is
// set. Its methods may be called from any goroutine.
//
// A Watcher has a file descriptor and a goroutine while a connection has a place in it.
type Watcher struct {
	// Go starts a goroutine, and counts it.
	Go func(f func())

	mu     sync.Mutex      // protects the following
	file   *os.File        // what the goroutine waits for; nil while no place is taken
	poll   syscall.RawConn // of file
	places []Watched       // nil: free
	free   []Place         // those that are free and not behind the end of places
	taken  int
}

// Place is the place of a connection in a Watcher. The zero value is none.
type Place int32

// Enter finds a place for a connection. ok is false if there is none: on this system, or
// because the process has too many files open.
func (w *Watcher) Enter(c Watched) (p Place, ok bool) {
	if !canWatch {
		return 0, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil && !w.openLocked() {
		return 0, false
	}
	w.taken++
	if n := len(w.free); n > 0 {
		p, w.free = w.free[n-1], w.free[:n-1]
		w.places[p-1] = c
		return p, true
	}
	w.places = append(w.places, c)
	return Place(len(w.places)), true
}

// openLocked starts the goroutine.
func (w *Watcher) openLocked() bool {
	file, err := openPoll()
	if err != nil {
		return false
	}
	poll, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return false
	}
	w.file, w.poll = file, poll
	w.Go(func() { w.run(poll) })
	return true
}

// Watch has Watched.Readable called once for the connection with place p, when there is
// something to read. That may be there already. ok is false if the connection cannot be
// watched, or has been closed.
func (w *Watcher) Watch(raw syscall.RawConn, p Place) (ok bool) {
	w.mu.Lock()
	poll := w.poll
	w.mu.Unlock()
	if poll == nil { // p has been left meanwhile
		return false
	}
	err := poll.Control(func(poll uintptr) { // so that neither descriptor is closed meanwhile, and another one
		_ = raw.Control(func(conn uintptr) { ok = watchOnce(int(poll), int(conn), p) })
	})
	return ok && err == nil
}

// Leave gives up a place. The network connection has been closed, so that the kernel does
// not report it any more. (If something keeps the descriptor open, it may: then Readable
// of the next connection with this place is called for no reason.)
func (w *Watcher) Leave(p Place) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.places[p-1] = nil
	w.free = append(w.free, p)
	if w.taken--; w.taken == 0 {
		_ = w.file.Close() // ends the goroutine
		w.file, w.poll, w.places, w.free = nil, nil, nil, nil
	}
}

// run waits until poll is closed.
func (w *Watcher) run(poll syscall.RawConn) {
	var ready []Place
	var readable []Watched
	happened := new(events)
	for poll.Read(func(fd uintptr) bool {
		ready = happened.next(int(fd), ready[:0])
		return len(ready) > 0
	}) == nil {
		readable = w.find(ready, readable[:0])
		for _, c := range readable {
			c.Readable()
		}
		clear(readable)
	}
}

// find appends the connections that have some places.
func (w *Watcher) find(places []Place, found []Watched) []Watched {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range places {
		if int(p) <= len(w.places) && w.places[p-1] != nil { // it may have left meanwhile
			found = append(found, w.places[p-1])
		}
	}
	return found
}
