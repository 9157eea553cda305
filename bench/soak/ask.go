package soak

import (
	"encoding/json"
	"fmt"
)

// asker sends commands to the server's process, on a goroutine of its own, because the answers may
// take a while. stop ends the goroutine.
type asker struct {
	questions chan question
	answers   chan reply
	done      chan struct{}
}

type question struct {
	command string
	then    func(text string) error
}

type reply struct {
	question
	text string
	err  error
}

func newAsker(s Server) *asker {
	a := &asker{make(chan question, 16), make(chan reply, 16), make(chan struct{})}
	go func() {
		defer close(a.done)
		for q := range a.questions {
			text, err := s.Ask(q.command)
			a.answers <- reply{q, text, err}
		}
	}()
	return a
}

func (a *asker) stop() {
	close(a.questions)
	for {
		select {
		case <-a.answers:
		case <-a.done:
			return
		}
	}
}

// hearServer handles the answers that have come.
func (r *run) hearServer() error {
	select {
	case a := <-r.asker.answers:
		if a.err != nil {
			return a.err
		}
		return a.then(a.text)
	default:
		return nil
	}
}

// ask sends a command, and waits for the answer, which it decodes into v unless that is nil.
func (r *run) ask(command string, v any) error {
	answered := false
	r.asker.questions <- question{command, func(text string) error {
		answered = true
		if v == nil {
			return nil
		}
		return json.Unmarshal([]byte(text), v)
	}}
	if err := r.wait(2*patience, func() bool { return answered }); err != nil {
		return err
	}
	if !answered {
		return fmt.Errorf("soak: the server's process does not answer %q", command)
	}
	return nil
}
