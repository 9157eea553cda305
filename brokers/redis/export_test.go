package redis

import "time"

// SetPing sets how long a subscription may be silent, and its answer take.
func (b *Broker) SetPing(interval, patience time.Duration) { b.ping, b.patience = interval, patience }

// SetPing sets how long a subscription waits for messages, and longer for the answer.
func (h *History) SetPing(interval, patience time.Duration) { h.b.SetPing(interval, patience) }

// Closing is closing.
var Closing = closing
