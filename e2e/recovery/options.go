package recovery

import (
	"time"

	"github.com/seed-d124fa34/socketio"
)

// setRecovery turns recovery on.
func setRecovery(opts *socketio.Options, config programConfig) {
	opts.Recovery = &socketio.Recovery{Window: time.Duration(config.Window) * time.Millisecond}
}

func recovered(c *socketio.Context) bool { return c.Recovered() }
