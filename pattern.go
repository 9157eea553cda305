package socketio

import (
	"maps"
	"slices"
)

// Pattern returns the names under which the event is counted and traced: those
// that the server knows, never those that clients make up, so that there are as
// many as the app has. namespace is the socket's; "*" if clients may choose it
// (Options.Namespaces) and it has no handlers of its own. event is the event's
// name; "*" if no handler is registered for it by name, whether a catch-all
// handles it or nothing does. In a callback of [OnAck] it is the name that was
// emitted.
func (c *Context) Pattern() (namespace, event string) {
	srv, r := c.srv(), c.srv().registry.Load()
	namespace, event = c.name, c.event
	if !srv.knows(r, namespace) {
		namespace = anyName
	}
	switch c.kind {
	case kindConnect, kindDisconnect, kindAck:
	default:
		if h, named := r.find(r.spaces[c.name], event, false); h == nil || named {
			event = anyName
		}
	}
	return namespace, event
}

// Namespaces returns the namespaces that the server knows: "/", those with
// handlers or declared events, and those of Options.Namespaces, sorted. "*" is
// among them if it was registered or accepts every name; what names clients
// chose then is in Stats.Sockets.
func (srv *Server) Namespaces() []string {
	known := maps.Clone(srv.opts.accept)
	if srv.opts.acceptAll {
		known[anyName] = true
	}
	for name := range srv.registry.Load().spaces {
		known[name] = true
	}
	return slices.Sorted(maps.Keys(known))
}

// knows reports whether the name of a namespace is the server's.
func (srv *Server) knows(r *registry, ns string) bool {
	return srv.opts.accept[ns] || r.spaces[ns] != nil
}
