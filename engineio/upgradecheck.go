package engineio

import (
	"net/http"
	"strings"
)

const subprotocolHeader = "Sec-Websocket-Protocol"

// checkUpgrade refuses what cannot become a WebSocket (RFC 6455, section 4.2.1),
// in the words of the WebSocket library of the reference server.
func checkUpgrade(r *http.Request) *Refusal {
	if !asksForUpgrade(r) {
		return refuse(http.StatusBadRequest, CodeBadRequest, causeNoUpgrade,
			"transport=websocket needs a WebSocket handshake; does a proxy drop the Upgrade and Connection headers?")
	}
	fault := func(status int, message string) *Refusal {
		return &Refusal{Status: status, Code: CodeBadRequest, Message: message, cause: causeMalformed,
			Detail: "the WebSocket handshake is not as RFC 6455 has it: " + message}
	}
	switch _, ok := firstSubprotocol(r); {
	case r.Method != http.MethodGet:
		return fault(http.StatusMethodNotAllowed, "Invalid HTTP method")
	case !strings.EqualFold(sole(r.Header["Upgrade"]), "websocket"):
		return fault(http.StatusBadRequest, "Invalid Upgrade header")
	case !isHandshakeKey(sole(r.Header["Sec-Websocket-Key"])):
		return fault(http.StatusBadRequest, "Missing or invalid Sec-WebSocket-Key header")
	case sole(r.Header["Sec-Websocket-Version"]) != "13":
		return fault(http.StatusBadRequest, "Missing or invalid Sec-WebSocket-Version header")
	case !ok:
		return fault(http.StatusBadRequest, "Invalid Sec-WebSocket-Protocol header")
	}
	return nil
}

// isHandshakeKey reports whether s is 16 bytes of base64.
func isHandshakeKey(s string) bool {
	s, ok := strings.CutSuffix(s, "==")
	return ok && len(s) == 22 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") == ""
}

// firstSubprotocol returns the first subprotocol that a client offers, "" for none, and
// whether the offer is well-formed. A browser that offers some closes a
// WebSocket for which the server has chosen none.
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

// isToken reports whether s is a token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}
