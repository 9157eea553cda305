package broker

// The defaults of servers and emitters.
const (
	// DefaultChannel is the channel that Flask-SocketIO uses, too.
	DefaultChannel = "flask-socketio"
	// DefaultQueueLimit bounds, in bytes, what waits to be published.
	DefaultQueueLimit = 8 << 20
)
