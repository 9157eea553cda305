package cluster

// Captured returns how many messages are kept for Captures.
func (c *Cluster) Captured() int {
	c.turn.Lock()
	defer c.turn.Unlock()
	return len(c.recording.messages)
}
