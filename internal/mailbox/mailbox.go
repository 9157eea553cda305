// Package mailbox runs jobs in order: those of one [Box] one after another, those of
// different boxes in parallel, by [Workers]. An idle box has no goroutine, and a job in a
// box takes no memory but its own. The package knows nothing of what the jobs are.
package mailbox

import "sync"

// Job is one thing to be done, a pointer. It is in one box at a time at most.
type Job[J any] interface {
	comparable
	// Link returns the job's place for what comes after it in its box. It always
	// returns the same pointer.
	Link() *Link[J]
	// Slot returns one of the slots that [Workers.NextSlot] returned. Jobs of one slot
	// share a waiting goroutine.
	Slot() uint16
	// Large reports whether the job makes room on its stack itself, see [GrowStack].
	Large() bool
	// Run does the job. The next job of the box waits for it.
	Run()
	// Aborted is called when Run did not return: v is the value of its panic, nil
	// if it ended its goroutine with runtime.Goexit. It must not panic. The jobs behind
	// it run nevertheless.
	Aborted(v any)
}

// Link is a part of a job. The zero value is ready to use.
type Link[J any] struct{ next J }

// Box runs jobs one after another, in the order in which they were put in. While there
// are any, a worker runs the box. The zero value is empty. Its methods may be called
// from any goroutine.
type Box[J Job[J]] struct {
	mu         sync.Mutex
	head, tail J // of the jobs that wait
	running    bool
}

// Put appends a job, to be done by the workers. It never waits.
func (b *Box[J]) Put(ws *Workers[J], job J) {
	var none J
	b.mu.Lock()
	if !b.running {
		b.running = true
		b.mu.Unlock()
		ws.start(round[J]{b, job})
		return
	}
	if b.tail == none {
		b.head = job
	} else {
		b.tail.Link().next = job
	}
	b.tail = job
	b.mu.Unlock()
}

// Idle reports whether nothing waits and nothing runs.
func (b *Box[J]) Idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.running
}

// take removes the next job. When there is none, the box has to stop running.
func (b *Box[J]) take() J {
	var none J
	b.mu.Lock()
	job := b.head
	if job == none {
		b.running = false
		b.mu.Unlock()
		return none
	}
	link := job.Link()
	b.head = link.next
	if b.head == none {
		b.tail = none
	}
	b.mu.Unlock()
	link.next = none
	return job
}

// Drop removes the unwanted jobs that wait, and returns their number. unwanted is called
// with a lock held, and only looks at the job. dropped is called afterwards for each job
// that was removed.
func (b *Box[J]) Drop(unwanted func(J) bool, dropped func(J)) (n int) {
	var none, removed J
	b.mu.Lock()
	waiting := b.head
	b.head, b.tail = none, none
	for job := waiting; job != none; {
		link := job.Link()
		next := link.next
		link.next = none
		switch {
		case unwanted(job):
			link.next, removed = removed, job
		case b.tail == none:
			b.head, b.tail = job, job
		default:
			b.tail.Link().next, b.tail = job, job
		}
		job = next
	}
	b.mu.Unlock()
	for job := removed; job != none; n++ {
		link := job.Link()
		next := link.next
		link.next = none
		dropped(job)
		job = next
	}
	return n
}

// run does a job, and then what is in the box until it is empty.
func (b *Box[J]) run(ws *Workers[J], job J) {
	var none J
	defer func() {
		if job == none {
			return
		}
		job.Aborted(recover())
		if next := b.take(); next != none {
			ws.start(round[J]{b, next})
		}
	}()
	for ; job != none; job = b.take() {
		job.Run()
	}
}
