package recovery

import "github.com/seed-d124fa34/socketio"

// setRecovery turns recovery on.
func setRecovery(opts *socketio.Options, config programConfig) {}

func recovered(c *socketio.Context) bool { return false }
