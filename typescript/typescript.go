// Package typescript writes the event maps that the official Socket.IO client
// takes as type parameters, from the handlers of a server:
//
//	srv.On("say", func(c *socketio.Context, m Message) (int, error) { return save(m) })
//	srv.Declare("said", func(Message) {})
//	err := typescript.Write(file, srv.Events(), nil)
//
// and, on the page,
//
//	import { io, type Socket } from "socket.io-client";
//	import type { ClientToServerEvents, ServerToClientEvents } from "./events";
//	const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io();
//	socket.emit("say", { text: "hello" }, (id) => console.log(id));
//
// A program calls it under a flag of its own, as examples/typescript does, and a
// test compares the file with what the server says today.
//
// Types are written as encoding/json encodes them, which is what a server does
// unless [socketio.Options].JSON or Parser say otherwise: struct tags are
// followed, embedded structs flattened. Bytes are binary attachments and hence
// Binary; a type with a MarshalJSON of its own is unknown unless [Options].Types
// says more. A slice is an array although a nil one is sent as null: send empty
// ones, or use omitempty.
package typescript

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/seed-d124fa34/socketio"
)

// Options changes what is written. Nil means none.
type Options struct {
	// Types says how to write Go types that encode themselves, such as
	// {reflect.TypeFor[Money](): "string"}. The text goes out as it is.
	Types map[reflect.Type]string
}

// Write writes the declarations for the events of a server, as
// [socketio.Server.Events] returns them: for "/" the interfaces
// ClientToServerEvents and ServerToClientEvents; for "/chat"
// ChatClientToServerEvents and so on; for "*" with the prefix Any. The payload
// of a connect handler is the type Auth, with the same prefixes.
//
// An event whose handler has results takes an acknowledgement callback as its last
// argument, which emitWithAck gives by itself; one that defers its acknowledgement
// ([socketio.Context.DeferAck]) names the types with results that it returns as zero. What an error handler acknowledges
// instead is not in the types. The arguments of a [socketio.HandlerFunc] are any;
// a catch-all handler has no events of its own and adds nothing.
//
// The error is w's, or names an event with a type that JSON cannot encode; then
// nothing is written. The output depends on nothing but the events.
func Write(w io.Writer, events []socketio.EventInfo, opts *Options) error {
	g := newTypes(opts)
	var maps bytes.Buffer
	prefixes := make(map[string]string)
	for _, ns := range namespaces(events) {
		prefix := pascal(ns)
		if ns == "*" {
			prefix = "Any"
		}
		if other, taken := prefixes[prefix]; taken {
			return fmt.Errorf("typescript: the namespaces %q and %q would have the same names: write them to two files, each with the events of one", other, ns)
		}
		prefixes[prefix] = ns
		if err := writeNamespace(&maps, g, ns, prefix, events); err != nil {
			return err
		}
	}
	declarations, err := g.declarations()
	if err != nil {
		return err
	}
	_, err = w.Write(slices.Concat([]byte("// Events of a Socket.IO server. Written by github.com/seed-d124fa34/socketio/typescript; do not edit.\n"), declarations, maps.Bytes()))
	return err
}

func namespaces(events []socketio.EventInfo) []string {
	var names []string
	for _, e := range events {
		names = append(names, e.Namespace)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func writeNamespace(w *bytes.Buffer, g *types, ns, prefix string, events []socketio.EventInfo) error {
	g.reserve(prefix+"ClientToServerEvents", prefix+"ServerToClientEvents", prefix+"Auth")
	var auth string
	lines := make(map[bool][]string) // by Declared
	for _, e := range events {
		if e.Namespace != ns || e.Event == "*" || e.Event == "disconnect" {
			continue
		}
		fail := func(err error) error {
			return fmt.Errorf("typescript: event %q of namespace %s: %w", e.Event, ns, err)
		}
		if e.Event == "connect" {
			if e.Func.NumIn() == 2 {
				t, err := g.ref(e.Func.In(1))
				if err != nil {
					return fail(err)
				}
				auth = t
			}
			continue
		}
		signature, err := g.signature(e.Func, e.Declared)
		if err != nil {
			return fail(err)
		}
		lines[e.Declared] = append(lines[e.Declared], "  "+property(e.Event)+": "+signature+";\n")
	}
	of := fmt.Sprintf("namespace %q", ns)
	if ns == "*" {
		of = "namespaces without handlers of their own"
	}
	comment := func(text string) { fmt.Fprintf(w, "\n/** %s */\n", strings.ReplaceAll(text, "*/", "*\\/")) }
	if auth != "" {
		comment("What clients of " + of + " give as auth when they connect.")
		fmt.Fprintf(w, "export type %sAuth = %s;\n", prefix, auth)
	}
	comment("Events that clients of " + of + " send.")
	fmt.Fprintf(w, "export interface %sClientToServerEvents {\n%s}\n", prefix, strings.Join(lines[false], ""))
	comment("Events that clients of " + of + " receive.")
	fmt.Fprintf(w, "export interface %sServerToClientEvents {\n%s}\n", prefix, strings.Join(lines[true], ""))
	return nil
}

var (
	errorType   = reflect.TypeFor[error]()
	argsType    = reflect.TypeFor[socketio.Args]()
	handlerFunc = reflect.TypeFor[socketio.HandlerFunc]()
)

// signature writes the type of an event's listener. A handler's first parameter
// is its Context, its last result may be an error.
func (g *types) signature(t reflect.Type, declared bool) (string, error) {
	if t == handlerFunc {
		return "(...args: any[]) => void", nil
	}
	in, out := slices.Collect(t.Ins()), slices.Collect(t.Outs())
	if !declared {
		in = in[1:]
		if n := len(out); n > 0 && out[n-1] == errorType {
			out = out[:n-1]
		}
	}
	var rest reflect.Type
	if t.IsVariadic() {
		rest, in = in[len(in)-1].Elem(), in[:len(in)-1]
	}
	params, err := g.params("arg", in)
	if err != nil {
		return "", err
	}
	ack := ""
	switch {
	case len(out) == 1 && out[0] == argsType:
		ack = "ack: (...results: any[]) => void"
	case len(out) > 0:
		results, err := g.params("result", out)
		if err != nil {
			return "", err
		}
		ack = "ack: (" + strings.Join(results, ", ") + ") => void"
	}
	switch {
	case rest != nil && ack != "":
		// a rest parameter must be the last one: a tuple type has no such rule
		r, err := g.ref(rest)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("(...args: [%s]) => void", strings.Join(append(params, "...rest: "+array(r), ack), ", ")), nil
	case rest != nil:
		r, err := g.ref(rest)
		if err != nil {
			return "", err
		}
		params = append(params, "...rest: "+array(r))
	case ack != "":
		params = append(params, ack)
	}
	return "(" + strings.Join(params, ", ") + ") => void", nil
}

func (g *types) params(name string, in []reflect.Type) ([]string, error) {
	params := make([]string, 0, len(in)+1)
	for i, t := range in {
		ref, err := g.ref(t)
		if err != nil {
			return nil, err
		}
		n := name
		if len(in) > 1 {
			n = fmt.Sprint(name, i+1)
		}
		params = append(params, n+": "+ref)
	}
	return params, nil
}

// property writes a name as that of a property.
func property(name string) string {
	for i, r := range name {
		if !(r == '_' || r == '$' || r < unicode.MaxASCII && (unicode.IsLetter(r) || i > 0 && unicode.IsDigit(r))) {
			return quote(name)
		}
	}
	if name == "" {
		return `""`
	}
	return name
}

// quote writes a string as JSON does, which TypeScript understands.
func quote(s string) string {
	b, _ := json.Marshal(s) // a string always can be
	return string(b)
}

// pascal makes a name in upper camel case of any text: "/my-chat" is MyChat.
func pascal(text string) string {
	var b strings.Builder
	up := true
	for _, r := range text {
		switch {
		case r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			if up {
				r = unicode.ToUpper(r)
			}
			if b.Len() == 0 && unicode.IsDigit(r) {
				b.WriteByte('N')
			}
			b.WriteRune(r)
			up = false
		default:
			up = true
		}
	}
	return b.String()
}
