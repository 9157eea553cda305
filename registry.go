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

// registry is everything that is registered on a server. It is immutable: a registration
// publishes a changed copy, so that dispatch takes no lock.
type registry struct {
	spaces  map[string]*space
	star    *space       // the one of "*"; nil if there is none
	onError errorHandler // for namespaces without their own
}

// space is what is registered for one namespace.
type space struct {
	events    map[string]Handler // by event
	class     map[string]Handler // methods given to Register, by event; nil if there are none
	onError   errorHandler
	onExpired func(*Socket, Expiry)
	chain     *chain                  // middleware; nil if there is none
	emits     map[string]reflect.Type // the functions given to Declare, by event
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
// if there is none. named is set for a catch-all, which gets the event's name as its
// first argument. The order is Flask-SocketIO's: functions before classes, those of the
// namespace before those of "*", and among these the event's own before the catch-all. A
// namespace with a class does not use the class of "*".
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

// expiredHandler returns what a namespace gave to OnExpired, nil if there is nothing.
func (r *registry) expiredHandler(ns string) func(*Socket, Expiry) {
	for _, sp := range [2]*space{r.spaces[ns], r.star} {
		if sp != nil && sp.onExpired != nil {
			return sp.onExpired
		}
	}
	return nil
}

// run calls the handler of the event in c through the middleware of "*" and
// then that of the namespace.
func (r *registry) run(c *Context) (Args, error) {
	if r.star != nil && r.star.chain != nil {
		return r.star.chain.first(c)
	}
	return r.runOwn(c)
}

// runOwn calls what the middleware of "*" is around.
func runOwn(c *Context) (Args, error) { return c.srv().registry.Load().runOwn(c) }

func (r *registry) runOwn(c *Context) (Args, error) {
	own := r.spaces[c.name]
	if own != nil && own.chain != nil {
		return own.chain.first(c)
	}
	return r.handle(c, own)
}

// runHandler calls the handler that all middleware is around.
func runHandler(c *Context) (Args, error) {
	r := c.srv().registry.Load()
	return r.handle(c, r.spaces[c.name])
}

func (r *registry) handle(c *Context, own *space) (Args, error) {
	lifecycle := c.kind != kindEvent
	h, named := r.find(own, c.event, lifecycle)
	if h == nil {
		if lifecycle {
			return nil, nil // "connect" and "disconnect" need no handler
		}
		return nil, fmt.Errorf("%w: %.100q in namespace %.100q", ErrNoHandler, c.event, c.name)
	}
	return h(c, c.input(named))
}

// chain is the middleware of a namespace. Each one calls the next through a link, so
// that each is built only once, when it is registered. The last link leads to runOwn or
// runHandler.
type chain struct {
	first HandlerFunc
	last  *link
}

type link struct{ next atomic.Pointer[HandlerFunc] }

func (l *link) call(c *Context) (Args, error) { return (*l.next.Load())(c) }

// with returns the chain with one more middleware: h is its handler, and its link l
// leads to the end.
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
		return "", fmt.Errorf("namespace %q: a name cannot contain a comma or a question mark, which end it in a packet", name)
	}
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	return name, nil
}

// Register registers the methods of a value as the handlers of a namespace, like
// Flask-SocketIO's class-based namespaces. Every exported method whose name is On
// followed by an upper-case letter handles an event; the rest of the name in snake case
// is the event's name. OnMyEvent handles "my_event", OnConnect "connect", OnDisconnect
// "disconnect"; OnError, func(*Context, error) any, is the namespace's error handler.
// The methods have the shapes of [Namespace.On].
//
// Functions registered with On come before methods, even those of "*". The value serves
// all clients at once, so it must guard its fields. A second Register for a namespace
// replaces the first. Register panics if a method has another shape, if two methods
// handle the same event, or if no method handles one.
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

// methodHandlers returns the handlers of a class by event. Clients can reach no other
// methods.
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
			panic(fmt.Sprintf("socketio: %s at %s: method %s already handles event %q", at, where, method[event], event))
		}
		class[event] = srv.mustCompile(handlerKind(event, at, where), at, where, fn)
		method[event] = name
	}
	if len(class) == 0 {
		panic(fmt.Sprintf("socketio: %s at %s: it has no exported method whose name is On followed by an event; pass a pointer if the methods have pointer receivers", what, where))
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
