package wsframe

// Status is the status of a close frame (RFC 6455, section 7.4).
type Status uint16

// The statuses that a server sends. StatusNone stands for a close frame without
// one, which the other side sees as 1005.
const (
	StatusNone      Status = 0
	StatusGoingAway Status = 1001
)
