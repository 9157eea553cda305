package recovery

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// process is a server or the clients. It obeys commands, prints lines, and ends at the end of
// its standard input.
//
// It has one goroutine, read, which ends at the end of the process's output. end waits for it.
type process struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	done  chan struct{} // closed when the last line has been read
	ready chan line

	mu      sync.Mutex
	next    int
	waiting map[int]chan struct{}
	ended   bool
}

const (
	startTimeout   = 20 * time.Second
	commandTimeout = 60 * time.Second
	stopTimeout    = 10 * time.Second
)

// startProcess starts a process and waits until it is ready. It calls hear for each line, one
// after another.
func startProcess(ctx context.Context, name, dir string, argv, env []string, hear func(line)) (*process, line, error) {
	p := &process{name: name, done: make(chan struct{}), ready: make(chan line, 1), waiting: make(map[int]chan struct{})}
	p.cmd = exec.CommandContext(ctx, argv[0], argv[1:]...)
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = os.Stderr
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, line{}, err
	}
	out, in, err := os.Pipe() // not StdoutPipe, which Wait closes before all is read
	if err != nil {
		return nil, line{}, err
	}
	p.cmd.Stdout = in
	err = p.cmd.Start()
	in.Close()
	if err != nil {
		out.Close()
		return nil, line{}, err
	}
	go p.read(out, hear)
	select {
	case l := <-p.ready:
		return p, l, nil
	case <-p.done:
		err = fmt.Errorf("%s ended before it was ready", name)
	case <-time.After(startTimeout):
		err = fmt.Errorf("%s is not ready after %v", name, startTimeout)
	}
	p.kill()
	return nil, line{}, err
}

func (p *process) read(out io.ReadCloser, hear func(line)) {
	defer close(p.done)
	defer out.Close()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %s\n", p.name, lines.Text())
			continue
		}
		switch l.Kind {
		case lineListening:
			p.ready <- l
		case lineDone:
			p.mu.Lock()
			if c := p.waiting[l.N]; c != nil {
				close(c)
			}
			p.mu.Unlock()
		default:
			hear(l)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
}

// do sends a command, and returns when the process has carried it out and hear has had all
// lines that it printed before.
func (p *process) do(c command) error {
	p.mu.Lock()
	p.next++
	c.ID = p.next
	done := make(chan struct{})
	p.waiting[c.ID] = done
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.waiting, c.ID)
	}()
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if _, err := p.stdin.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("%s: %s: %w", p.name, c.Do, err)
	}
	select {
	case <-done:
		return nil
	case <-p.done:
		return fmt.Errorf("%s ended instead of %s", p.name, c.Do)
	case <-time.After(commandTimeout):
		return fmt.Errorf("%s: %s takes more than %v", p.name, c.Do, commandTimeout)
	}
}

// alive reports whether the process still runs.
func (p *process) alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.ended
}

// kill ends the process at once. When it returns, hear has had all lines.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	p.wait()
}

// terminate asks the process to end, and waits until it has.
func (p *process) terminate() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.wait()
}

// stop ends the process by closing its standard input.
func (p *process) stop() {
	_ = p.stdin.Close()
	_ = p.wait()
}

func (p *process) wait() error {
	late := time.AfterFunc(stopTimeout, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	<-p.done
	_ = p.stdin.Close()
	return p.cmd.Wait()
}
