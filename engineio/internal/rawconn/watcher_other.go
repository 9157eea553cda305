//go:build !linux

package rawconn

import (
	"errors"
	"os"
)

// canWatch says that each connection needs a goroutine of its own on this system. What
// a Watcher would need is never called.
const canWatch = false

type events struct{}

func openPoll() (*os.File, error) { return nil, errors.ErrUnsupported }

func watchOnce(int, int, Place) bool { return false }

func (*events) next(int, []Place) []Place { return nil }
