package engineio

import (
	"net/http"
	"sync/atomic"
)

const (
	// maxConnections is the default of Options.Limits.MaxConnections where open files
	// do not set a lower one.
	maxConnections = 100_000
	// filesShare is how many connections there may be by default for each file
	// that the process may open: a client has one network connection, and those
	// that are ending count, too.
	filesShare = 2
)

// defaultConnections returns the default of Options.Limits.MaxConnections for a process
// that may open that many files; zero means that this is not known.
func defaultConnections(files uint64) int {
	if files == 0 || files > maxConnections/filesShare {
		return maxConnections
	}
	return int(files) * filesShare
}

const (
	// headerCost is what a header field takes besides its text, in bytes.
	headerCost = 128
	// ordinaryHeader is the size up to which the header of a handshake is kept
	// without further ado, and maxHeader the size from which it is refused.
	ordinaryHeader = 8 << 10
	maxHeader      = 64 << 10
	// headerBudget bounds the headers of all connections that are larger than ordinary.
	headerBudget = 64 << 20
)

var (
	refuseHeader = refuse(http.StatusRequestHeaderFieldsTooLarge, CodeBadRequest, causeTooLarge,
		"the request header is too large: a handshake may have 64 KiB, each field counting 128 bytes besides its text")
	refuseHeaders = refuse(http.StatusRequestHeaderFieldsTooLarge, CodeBadRequest, causeTooLarge,
		"the request header is too large: the server holds too many large ones: send fewer cookies, or connect again later")
)

// headers counts the bytes of large handshake requests, which Conn.Request keeps
// as long as their connections live.
type headers struct{ held atomic.Int64 }

// take counts a request, and returns what to give back when its connection is forgotten.
func (h *headers) take(r *http.Request) (size int, refusal *Refusal) {
	size = len(r.RequestURI)
	for name, values := range r.Header {
		size += len(name)
		for _, v := range values {
			size += headerCost + len(v)
		}
	}
	switch {
	case size <= ordinaryHeader:
		return 0, nil
	case size > maxHeader:
		return 0, refuseHeader
	case h.held.Add(int64(size)) > headerBudget:
		h.give(size)
		return 0, refuseHeaders
	}
	return size, nil
}

func (h *headers) give(size int) {
	if size > 0 {
		h.held.Add(-int64(size))
	}
}
