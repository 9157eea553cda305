package socketio

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"unicode"
)

// anyName is the event name and the namespace that stand for all others.
const anyName = "*"

// errorHandler is what OnError takes, see [Namespace.OnError].
type errorHandler = func(c *Context, err error) any

// registry is everything registered on a server. A registry is immutable: a
// registration publishes a changed copy, so that dispatch takes no lock.
type registry struct {
	spaces  map[string]*space
	star    *space       // the one of "*"; nil: none
	onError errorHandler // for namespaces without their own
}

// space is what is registered for one namespace.
type space struct {
	events  map[string]Handler // by event
	class   map[string]Handler // methods given to Register, by event; nil: none
	onError errorHandler
	chain   *chain                  // middleware; nil: none
	emits   map[string]reflect.Type // what Declare was given, by event
}

// register publishes a copy of the registry in which the namespace's space, new
// if there was none, has been changed by f.
func (srv *Server) register(ns string, f func(*space)) {
	srv.regMu.Lock()
	defer srv.regMu.Unlock()
	old := srv.registry.Load()
	sp := new(space)
	if was := old.spaces[ns]; was != nil {
		*sp = *was
	}
	f(sp)
	spaces := with(old.spaces, ns, sp)
	srv.registry.Store(&registry{spaces: spaces, star: spaces[anyName], onError: old.onError})
}

// with returns a copy of m in which key has the value.
func with[V any](m map[string]V, key string, value V) map[string]V {
	changed := make(map[string]V, len(m)+1)
	maps.Copy(changed, m)
	changed[key] = value
	return changed
}

// accepts reports whether clients may connect to a namespace.
func (srv *Server) accepts(ns string) bool {
	return srv.opts.acceptAll || srv.knows(srv.registry.Load(), ns)
}

// find returns the handler of an event in the namespace with the space own, nil
// if there is none.
// named is set for a catch-all, which gets the event's name first. The order is
// Flask-SocketIO's: functions before classes, the namespace's own before "*",
// each time the event's own before "*". A namespace with a class never falls
// back to the class of "*".
func (r *registry) find(own *space, event string, lifecycle bool) (h bound, named bool) {
	for _, sp := range [2]*space{own, r.star} {
		if sp == nil {
			continue
		}
		if h = sp.events[event].call; h != nil {
			return h, event == anyName // a client may call its event "*", too
		}
		if !lifecycle {
			if h = sp.events[anyName].call; h != nil {
				return h, true
			}
		}
	}
	for _, sp := range [2]*space{own, r.star} {
		if sp != nil && sp.class != nil {
			return sp.class[event].call, false
		}
	}
	return nil, false
}

// errorHandler returns the error handler of a namespace, nil if there is none.
func (r *registry) errorHandler(ns string) errorHandler {
	for _, sp := range [2]*space{r.spaces[ns], r.star} {
		if sp != nil && sp.onError != nil {
			return sp.onError
		}
	}
	return r.onError
}

// run calls the handler of the event in c through the middleware of "*" and
// then that of the namespace.
func (r *registry) run(c *Context) (Args, error) {
	if r.star != nil && r.star.chain != nil {
		return r.star.chain.first(c)
	}
	return r.runOwn(c)
}

// runOwn is where the middleware of "*" ends.
func runOwn(c *Context) (Args, error) { return c.srv().registry.Load().runOwn(c) }

func (r *registry) runOwn(c *Context) (Args, error) {
	own := r.spaces[c.name]
	if own != nil && own.chain != nil {
		return own.chain.first(c)
	}
	return r.handle(c, own)
}

// runHandler is where all middleware ends.
func runHandler(c *Context) (Args, error) {
	r := c.srv().registry.Load()
	return r.handle(c, r.spaces[c.name])
}

func (r *registry) handle(c *Context, own *space) (Args, error) {
	lifecycle := c.kind != kindEvent
	h, named := r.find(own, c.event, lifecycle)
	if h == nil {
		if lifecycle {
			return nil, nil // nothing to do when a client comes or goes
		}
		return nil, fmt.Errorf("%w: %.100q in namespace %.100q", ErrNoHandler, c.event, c.name)
	}
	return h(c, named)
}

// chain is middleware, each calling the next and the last one the end. Each
// middleware is built once, when registered: the next is found through a link.
type chain struct {
	first HandlerFunc
	last  *link
}

type link struct{ next atomic.Pointer[HandlerFunc] }

func (l *link) call(c *Context) (Args, error) { return (*l.next.Load())(c) }

// with returns the chain with one more middleware, whose first handler is h and
// whose link l leads to the end.
func (ch *chain) with(h HandlerFunc, l *link) *chain {
	if ch == nil {
		return &chain{first: h, last: l}
	}
	ch.last.next.Store(&h)
	return &chain{first: ch.first, last: l}
}

// namespaceName returns the namespace as it appears in packets: "" is "/" and
// a missing slash is added.
func namespaceName(name string) (string, error) {
	if strings.ContainsAny(name, ",?") {
		return "", fmt.Errorf("namespace %q: a name cannot hold a comma or a question mark, which end it in a packet", name)
	}
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	return name, nil
}

// Register serves a namespace with the methods of a value, as Flask-SocketIO's
// class-based namespaces do: every exported method whose name is On followed by
// an upper-case letter handles an event, whose name is the rest in snake case.
// OnMyEvent handles "my_event", OnConnect "connect", OnDisconnect "disconnect";
// OnError, func(*Context, error) any, is the namespace's error handler. The
// methods have the shapes of [Namespace.On].
//
// Functions registered with On come first, even the "*" ones. The value serves
// all clients at once and guards what it keeps. Register panics if a method has
// another shape, if two methods handle one event, or if there is no such
// method; a second Register for a namespace replaces the first.
func (srv *Server) Register(namespace string, v any) {
	where := caller(1)
	n := srv.Namespace(namespace)
	what := fmt.Sprintf("Register(%q, %T)", namespace, v)
	n.mustBeValid(what, where)
	class, onError := srv.methodHandlers(v, what, where)
	srv.register(n.name, func(sp *space) {
		sp.class = class
		if onError != nil {
			sp.onError = onError
		}
	})
}

// methodHandlers builds the table of a class. What is not in it no client can reach.
func (srv *Server) methodHandlers(v any, what, where string) (map[string]Handler, errorHandler) {
	class := make(map[string]Handler)
	method := make(map[string]string) // the method behind each event
	var onError errorHandler
	value := reflect.ValueOf(v)
	if !value.IsValid() {
		panic(fmt.Sprintf("socketio: %s at %s: the value is nil", what, where))
	}
	for i := range value.NumMethod() {
		name := value.Type().Method(i).Name
		rest, ok := strings.CutPrefix(name, "On")
		if !ok || rest == "" || !unicode.IsUpper([]rune(rest)[0]) {
			continue
		}
		fn := value.Method(i).Interface()
		at := fmt.Sprintf("%s: method %s", what, name)
		if name == "OnError" {
			if onError, ok = fn.(errorHandler); !ok {
				panic(fmt.Sprintf("socketio: %s at %s: it is a %T; want func(*socketio.Context, error) any", at, where, fn))
			}
			continue
		}
		event := snakeCase(rest)
		if method[event] != "" {
			panic(fmt.Sprintf("socketio: %s at %s: method %s handles event %q already", at, where, method[event], event))
		}
		class[event] = srv.mustCompile(handlerKind(event, at, where), at, where, fn)
		method[event] = name
	}
	if len(class) == 0 {
		panic(fmt.Sprintf("socketio: %s at %s: it has no exported method named On and an event; a pointer's methods need a pointer", what, where))
	}
	return class, onError
}

// snakeCase turns MyEvent into my_event and HTTPStatus into http_status.
func snakeCase(name string) string {
	r := []rune(name)
	var b []rune
	for i, c := range r {
		if unicode.IsUpper(c) && i > 0 {
			before := unicode.IsLower(r[i-1]) || unicode.IsDigit(r[i-1])
			after := i+1 < len(r) && unicode.IsLower(r[i+1])
			if before || after && unicode.IsUpper(r[i-1]) {
				b = append(b, '_')
			}
		}
		b = append(b, unicode.ToLower(c))
	}
	return string(slices.Clip(b))
}
