package redis

import "time"

// SetPing sets how long a subscription may be silent, and its answer take.
func (b *Broker) SetPing(interval, patience time.Duration) { b.ping, b.patience = interval, patience }
