package socketio

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

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
		class[event] = srv.mustCompile(eventKind(event, at, where), at, where, fn)
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
