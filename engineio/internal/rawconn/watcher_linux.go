package rawconn

import (
	"os"
	"syscall"
	"time"
)

// canWatch says whether a Watcher can wait for connections on this system.
const canWatch = true

// watched are the events that a Watcher waits for: something to read, or the end.
const watched = syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT

// events is where the kernel puts what has happened.
type events [64]syscall.EpollEvent

// openPoll opens what a Watcher waits for. Like a network connection, it can be waited
// for without a thread.
func openPoll() (*os.File, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		_ = syscall.Close(fd)
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "epoll")
	if err := file.SetReadDeadline(time.Time{}); err != nil { // the runtime cannot wait for it
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// watchOnce has the kernel report once that a connection can be read.
func watchOnce(poll, conn int, p Place) bool {
	e := syscall.EpollEvent{Events: watched, Fd: int32(p)}
	err := syscall.EpollCtl(poll, syscall.EPOLL_CTL_MOD, conn, &e)
	if err == syscall.ENOENT { // the first time
		err = syscall.EpollCtl(poll, syscall.EPOLL_CTL_ADD, conn, &e)
	}
	return err == nil
}

// next appends the places of connections about which something has happened. It does not wait.
func (b *events) next(poll int, places []Place) []Place {
	for {
		n, err := syscall.EpollWait(poll, b[:], 0)
		if err == syscall.EINTR {
			continue
		}
		for _, e := range b[:max(n, 0)] {
			places = append(places, Place(e.Fd))
		}
		return places
	}
}
