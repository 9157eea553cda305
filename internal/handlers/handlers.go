// Package handlers finds the handler of an event among those that a program has registered:
// by namespace, by the event's name, functions before the methods of classes, all inside of
// middleware. It knows nothing of sockets, and is generic over the type of handlers. Values that have been published are not changed: a registration makes a copy.
package handlers

import (
	"fmt"
	"maps"
	"strings"
)

// Any is the event name and the namespace that stand for all others.
const Any = "*"

// Table has what is registered for each namespace, an S.
type Table[S any] struct {
	Namespaces map[string]*S
	Any        *S // of "*"; nil if there is none
}

// With returns a copy of the table in which the namespace's S, a new one if there was
// none, has been changed by change.
func (t *Table[S]) With(ns string, change func(*S)) Table[S] {
	s := new(S)
	if was := t.Namespaces[ns]; was != nil {
		*s = *was
	}
	change(s)
	changed := With(t.Namespaces, ns, s)
	return Table[S]{changed, changed[Any]}
}

// Layers returns what is registered for a namespace and then for "*"; each may be nil.
func (t *Table[S]) Layers(ns string) [2]*S { return [2]*S{t.Namespaces[ns], t.Any} }

// With returns a copy of m in which key has the value.
func With[V any](m map[string]V, key string, value V) map[string]V {
	changed := make(map[string]V, len(m)+1)
	maps.Copy(changed, m)
	changed[key] = value
	return changed
}

// Set is the handlers of a namespace, each an H.
type Set[H any] struct {
	Events map[string]H // by event
	Class  map[string]H // the methods of a class, by event; nil if there is no class
}

// Find returns the handler of an event in a namespace with the handlers own. others are
// those of "*"; both may be nil. named is set for a catch-all, which gets the event's name
// as its first argument. Connect and disconnect (lifecycle) have no catch-all. The order is
// Flask-SocketIO's: functions before classes, those of the namespace before those of "*",
// and among these the event's own before the catch-all. A namespace with a class does not
// use the class of "*".
func Find[H any](own, others *Set[H], event string, lifecycle bool) (h H, named, found bool) {
	layers := [2]*Set[H]{own, others}
	for _, set := range layers {
		if set == nil {
			continue
		}
		if h, found = set.Events[event]; found {
			return h, event == Any, true // a client may call its event "*", too
		}
		if !lifecycle {
			if h, found = set.Events[Any]; found {
				return h, true, true
			}
		}
	}
	for _, set := range layers {
		if set != nil && set.Class != nil {
			h, found = set.Class[event]
			return h, false, found
		}
	}
	return h, false, false
}

// Names returns the names of all events that have a handler of their own.
func (set *Set[H]) Names() []string {
	var names []string
	for name := range set.Events {
		names = append(names, name)
	}
	for name := range set.Class {
		names = append(names, name)
	}
	return names
}

// Namespace returns the name of a namespace as it appears in packets: "" is "/" and a
// missing slash is added.
func Namespace(name string) (string, error) {
	if strings.ContainsAny(name, ",?") {
		return "", fmt.Errorf("namespace %q: a name cannot contain a comma or a question mark, which end it in a packet", name)
	}
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	return name, nil
}
