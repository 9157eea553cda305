package nats

import "time"

// Subject is subject.
var Subject = subject

// SetPing sets how often a connection is asked whether it works.
func (b *Broker) SetPing(interval time.Duration) { b.ping = interval }
