package eiotest

// Hush stops the client's answers to pings, as if the client had lost its connection without
// the server noticing.
func (c *Client) Hush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hushed = true
}

// Ponged returns how many messages had arrived when the client last answered a ping. The
// server knows that the client has these.
func (c *Client) Ponged() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ponged
}
