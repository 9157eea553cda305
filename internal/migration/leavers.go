package migration

import (
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio/internal/recovery"
)

// leavers are the sessions that a server is about to hand over: their handlers run, or have returned. None is
// lost when a handler takes longer than the server waits that asks for them: it is in a later answer then.
type leavers struct {
	mu      sync.Mutex
	all     map[recovery.Key]*leaver
	awaited int                                 // how many of them have handlers that run
	asked   func(sessions []*Session, all bool) // who waits for them; nil: nobody
	timer   *time.Timer                         // ends that wait; nil: there was none
}

// leaver is one of them.
type leaver struct {
	session *Session       // nil: its handlers run
	wanted  func(*Session) // who gets it then; nil: whoever asks for all
}

// expect notes that given will be called for a session, or has been called since nobody waits.
func (l *leavers) expect(key recovery.Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(key)
}

// add is expect with l.mu held.
func (l *leavers) add(key recovery.Key) *leaver {
	v := l.all[key]
	if v == nil {
		if l.all == nil {
			l.all = make(map[recovery.Key]*leaver)
		}
		v = new(leaver)
		l.all[key] = v
		l.awaited++
	}
	return v
}

// given takes a session whose handlers have returned.
func (l *leavers) given(s *Session) {
	key := recovery.Key(s.Key)
	l.mu.Lock()
	v := l.add(key)
	v.session = s
	l.awaited--
	if v.wanted != nil {
		delete(l.all, key)
		defer v.wanted(s)
	}
	l.answerUnlock(l.awaited == 0)
}

// claim takes out a session. If its handlers have not returned, s is nil, and give is called when they have. ok
// is false if there is no such session.
func (l *leavers) claim(key recovery.Key, give func(*Session)) (s *Session, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.all[key]
	switch {
	case v == nil || v.wanted != nil:
		return nil, false
	case v.session == nil:
		v.wanted = give
		return nil, true
	}
	delete(l.all, key)
	return v.session, true
}

// len returns how many there are.
func (l *leavers) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}

// dismiss ends the wait of who has asked before, and waits no more.
func (l *leavers) dismiss() {
	l.mu.Lock()
	answer := l.askedLocked()
	l.mu.Unlock()
	if answer != nil {
		answer(nil, true)
	}
}

// askedLocked takes out who has asked.
func (l *leavers) askedLocked() (answer func(sessions []*Session, all bool)) {
	answer, l.asked = l.asked, nil
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	return answer
}

// ask has answer called once with the sessions whose handlers have returned: when all have, or after batchWait. all
// reports that these were all. Nobody else waits.
func (l *leavers) ask(answer func(sessions []*Session, all bool)) {
	l.mu.Lock()
	l.asked = answer
	if l.awaited > 0 {
		var timer *time.Timer
		timer = time.AfterFunc(batchWait, func() {
			l.mu.Lock()
			l.answerUnlock(l.timer == timer)
		})
		l.timer = timer
	}
	l.answerUnlock(l.awaited == 0)
}

// answerUnlock answers whoever has asked for all, if it is time for that, and unlocks l.mu.
func (l *leavers) answerUnlock(now bool) {
	if !now || l.asked == nil {
		l.mu.Unlock()
		return
	}
	answer := l.askedLocked()
	var sessions []*Session
	for key, v := range l.all {
		if v.session != nil {
			sessions = append(sessions, v.session)
			delete(l.all, key)
		}
	}
	all := l.awaited == 0
	l.mu.Unlock()
	answer(sessions, all)
}
