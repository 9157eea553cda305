package redis

import "time"

// SetPing sets how long a subscription may be silent, and how long the pong may take.
func (b *Broker) SetPing(interval, patience time.Duration) { b.ping, b.patience = interval, patience }

// SetPing sets how long a subscription waits for messages, and how much longer for an answer.
func (h *History) SetPing(interval, patience time.Duration) { h.b.SetPing(interval, patience) }

// Closing is closing.
var Closing = closing
