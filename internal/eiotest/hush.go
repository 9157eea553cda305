package eiotest

// Hush has the client answer no more pings, as one that has lost its connection without
// the server noticing.
func (c *Client) Hush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hushed = true
}

// Ponged returns how many messages had arrived when the client answered a ping last: the
// server knows that it has these.
func (c *Client) Ponged() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ponged
}
