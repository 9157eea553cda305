package websock

import (
	"net/http"
	"strings"
)

const subprotocolHeader = "Sec-Websocket-Protocol"

// BadHandshake is why a request cannot become a WebSocket.
type BadHandshake struct {
	Status  int    // the status of the HTTP response
	Message string // as the WebSocket library of the reference server words it
}

func (e *BadHandshake) Error() string { return e.Message }

// IsHandshake reports whether the http module of Node.js, and so the reference server, takes
// a request for an upgrade.
func IsHandshake(r *http.Request) bool {
	return len(r.Header["Upgrade"]) > 0 && headerHasToken(r.Header["Connection"], "upgrade")
}

func headerHasToken(values []string, token string) bool {
	for _, v := range values {
		for t := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// Check returns what is wrong with a handshake (RFC 6455, section 4.2.1), or nil.
func Check(r *http.Request) *BadHandshake {
	switch _, ok := firstSubprotocol(r); {
	case r.Method != http.MethodGet:
		return &BadHandshake{http.StatusMethodNotAllowed, "Invalid HTTP method"}
	case !strings.EqualFold(singleValue(r.Header["Upgrade"]), "websocket"):
		return &BadHandshake{http.StatusBadRequest, "Invalid Upgrade header"}
	case !isHandshakeKey(singleValue(r.Header["Sec-Websocket-Key"])):
		return &BadHandshake{http.StatusBadRequest, "Missing or invalid Sec-WebSocket-Key header"}
	case singleValue(r.Header["Sec-Websocket-Version"]) != "13":
		return &BadHandshake{http.StatusBadRequest, "Missing or invalid Sec-WebSocket-Version header"}
	case !ok:
		return &BadHandshake{http.StatusBadRequest, "Invalid Sec-WebSocket-Protocol header"}
	}
	return nil
}

// isHandshakeKey reports whether s is 16 bytes of base64.
func isHandshakeKey(s string) bool {
	s, ok := strings.CutSuffix(s, "==")
	return ok && len(s) == 22 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") == ""
}

// firstSubprotocol returns the first subprotocol that a client offers, "" for none, and
// whether the offer is well-formed. The server must choose one that is offered: otherwise a
// browser closes the WebSocket.
func firstSubprotocol(r *http.Request) (first string, ok bool) {
	for _, v := range r.Header[subprotocolHeader] {
		for p := range strings.SplitSeq(v, ",") {
			p = strings.TrimSpace(p)
			if !isToken(p) {
				return "", false
			}
			if first == "" {
				first = p
			}
		}
	}
	return first, true
}

// isToken reports whether s is a token (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}
