// Package admission bounds the cost of connections whose clients are not known yet: the default
// number of connections, and the memory of their handshakes.
package admission

import (
	"errors"
	"net/http"
	"sync/atomic"
)

const (
	// maxConnections is the default number of connections where open files
	// do not set a lower one.
	maxConnections = 100_000
	// filesShare is the default number of connections for each file that the process may
	// open. A client has one network connection, and connections that are ending count, too.
	filesShare = 2
)

// DefaultConnections returns the default limit of the number of connections.
func DefaultConnections() int { return connectionsFor(openFiles()) }

// connectionsFor returns the default for a process that may open that many files; zero
// means that this is not known.
func connectionsFor(files uint64) int {
	if files == 0 || files > maxConnections/filesShare {
		return maxConnections
	}
	return int(files) * filesShare
}

const (
	// fieldCost is what a header field counts besides its text, in bytes.
	fieldCost = 128
	// A header of up to ordinaryHeader bytes is not counted. One of more than maxHeader bytes
	// is refused.
	ordinaryHeader = 8 << 10
	maxHeader      = 64 << 10
	// headerBudget bounds the memory of all larger headers together, in bytes.
	headerBudget = 64 << 20
)

// Why a handshake is refused.
var (
	ErrHeader = errors.New("the request header is too large: a handshake may have 64 KiB, each field counting 128 bytes besides its text")
	// ErrHeaders: the budget is used up. It passes when other connections end.
	ErrHeaders = errors.New("the request header is too large: the server holds too many large ones: send fewer cookies, or connect again later")
)

// Headers counts the bytes of large handshake requests, which are kept as long as
// their connections live.
type Headers struct{ held atomic.Int64 }

// Take counts a request. It returns the number for Give, which is called when the
// connection has ended. The error is ErrHeader or ErrHeaders.
func (h *Headers) Take(r *http.Request) (size int, err error) {
	size = len(r.RequestURI)
	for name, values := range r.Header {
		size += len(name)
		for _, v := range values {
			size += fieldCost + len(v)
		}
	}
	switch {
	case size <= ordinaryHeader:
		return 0, nil
	case size > maxHeader:
		return 0, ErrHeader
	case h.held.Add(int64(size)) > headerBudget:
		h.Give(size)
		return 0, ErrHeaders
	}
	return size, nil
}

// Give gives back the bytes that Take has returned.
func (h *Headers) Give(size int) {
	if size > 0 {
		h.held.Add(-int64(size))
	}
}

// Held returns how many bytes are counted.
func (h *Headers) Held() int64 { return h.held.Load() }
