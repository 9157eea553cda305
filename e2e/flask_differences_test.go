package e2e

import (
	"slices"
	"strconv"
	"strings"
)

// Why the two differ. The numbers are those of the decisions in which this
// library departs from Flask-SocketIO; what has no number follows from the
// shape of the API, or is no decision at all.
const (
	order    = "1: the events of one socket are handled one after another"
	admitted = "2: nobody is in before the connect handler has accepted; what it emits follows the CONNECT packet; its failure is always answered"
	strict   = "3: what breaks the protocol closes the connection; nothing is dropped in silence"
	again    = "3: a second CONNECT for a namespace leaves it and connects anew"
	refusals = "4: a refusal is an object with a message"
	cleanUp  = "5: clean-up follows whatever the disconnect handler does"
	private  = "6: a socket is in the room of its own sid, alone, as long as it lives"
	unknown  = "8: an event without handler stays unanswered, and is reported to the error handler"

	noTarget  = "API: a list of targets without a name in it is nobody, never everybody"
	addUp     = "API: options add up, whatever the function"
	connected = "API: another namespace is reached through the same connection"
	plainLeft = "API: a refusal under AlwaysConnect is a DISCONNECT packet as the protocol has it, which clients understand"
	authAsIs  = "API: the auth payload is handed over as it came"

	older = "none: releases of Flask-SocketIO after this one do what ours does"
)

// flaskDifference is a scenario in which Flask-SocketIO and this library are
// seen to behave differently, and by those clients who see it.
type flaskDifference struct {
	scenario   string
	flask      string // what those see who see a difference, with Flask-SocketIO
	ours       string // and with this library
	decision   string
	why        string
	transports string // where; "": everywhere
	before     string // the first release of Flask-SocketIO without it; "": none
	since      string // the first release with it; "": all
}

func (d flaskDifference) applies(transport, version string) bool {
	return (d.transports == "" || slices.Contains(strings.Fields(d.transports), transport)) &&
		(d.before == "" || isBefore(version, d.before)) &&
		(d.since == "" || !isBefore(version, d.since))
}

// isBefore compares versions such as 5.3.2.
func isBefore(version, other string) bool {
	numbers := func(version string) (n []int) {
		for part := range strings.SplitSeq(version, ".") {
			i, _ := strconv.Atoi(part) // what is no number counts as 0
			n = append(n, i)
		}
		return n
	}
	return slices.Compare(numbers(version), numbers(other)) < 0
}

const sinceReasons = "Flask-SocketIO tells disconnect handlers the reason since 5.5.0"

var flaskDifferences = []flaskDifference{
	{
		scenario: "messages: one event after another",
		flask:    `main: ack slow(true)`,
		ours:     `main: ack slow(false)`,
		decision: order,
		why:      "a thread for each event lets the second overtake the first, which waits",
	},

	{
		scenario: "connect: the handler emits",
		flask:    `A: said(1) connect`,
		ours:     `A: connect said(1)`,
		decision: admitted,
		why:      "clients without the buffer of this one lose what comes before CONNECT",
	},
	{
		scenario: "connect: the handler broadcasts",
		flask:    `A: said(1) connect`,
		ours:     `A: connect said(1)`,
		decision: admitted,
		why:      "clients without the buffer of this one lose what comes before CONNECT",
	},
	{
		scenario: "connect: the handler joins a room",
		flask:    `A: said(1) connect later()`,
		ours:     `A: connect said(1) later()`,
		decision: admitted,
		why:      "clients without the buffer of this one lose what comes before CONNECT",
	},
	{
		scenario: "connect: a broadcast before the handler has decided",
		flask:    `A: secret() connect`,
		ours:     `A: connect`,
		decision: admitted,
		why:      "a client that may still be refused must not read what members read",
	},
	{
		scenario: "connect: a member before the handler has decided",
		flask:    `members: meanwhile(1) afterwards(1)`,
		ours:     `members: meanwhile(0) afterwards(1)`,
		decision: admitted,
		why:      "a client that may still be refused is no member",
	},
	{
		scenario: "connect: the handler disconnects",
		flask:    `A: disconnect("io server disconnect"); server: connect({"how":"disconnect"}) disconnect("/auth")`,
		ours:     `A: connect_error("Connection rejected by server"); server: connect({"how":"disconnect"})`,
		decision: admitted,
		why:      "Flask-SocketIO sends CONNECT after DISCONNECT; it is a refusal",
	},
	{
		scenario: "connect: the handler raises",
		flask:    `A: `,
		ours:     `A: connect_error("Connection rejected by server")`,
		decision: admitted,
		why:      "Flask-SocketIO never answers such a client",
	},
	{
		scenario: "connect: the handler raises, an error handler returns something",
		flask:    `A: connect`,
		ours:     `A: connect_error("Connection rejected by server")`,
		decision: admitted,
		why:      "a connect handler that failed has not accepted, whatever the error handler returns",
	},

	{
		scenario:   "ack: of more at once than 16",
		flask:      `A: all are answered(false)`,
		ours:       `A: all are answered(true)`,
		decision:   strict,
		why:        "Flask-SocketIO drops a request of more than 16 packets and answers OK",
		transports: "polling",
	},
	{
		scenario: "connect: auth is a text",
		flask:    `A: connect; main: ; server: connect("token")`,
		ours:     `A: disconnect("transport close"); main: disconnect("transport close"); server: disconnect("/","<main>",[])`,
		decision: strict,
		why:      "the payload of CONNECT is an object, as for the reference server",
	},
	{
		scenario: "connect: auth is a list",
		flask:    `A: connect; main: ; server: connect([1,"two"])`,
		ours:     `A: disconnect("transport close"); main: disconnect("transport close"); server: disconnect("/","<main>",[])`,
		decision: strict,
		why:      "the payload of CONNECT is an object, as for the reference server",
	},
	{
		scenario: "protocol: broken JSON",
		flask:    `A: connected(true)`,
		ours:     `A: disconnect("transport close") connected(false)`,
		decision: strict,
		why:      "Flask-SocketIO logs an exception and ignores the packet",
	},
	{
		scenario: "protocol: no array",
		flask:    `A: connected(true)`,
		ours:     `A: disconnect("transport close") connected(false)`,
		decision: strict,
		why:      "Flask-SocketIO logs an exception and ignores the packet",
	},
	{
		scenario: "protocol: no event name",
		flask:    `A: connected(true)`,
		ours:     `A: disconnect("transport close") connected(false)`,
		decision: strict,
		why:      "Flask-SocketIO logs an exception and ignores the packet",
	},
	{
		scenario: "protocol: an event name that is no text",
		flask:    `A: connected(true)`,
		ours:     `A: disconnect("transport close") connected(false)`,
		decision: strict,
		why:      "Flask-SocketIO logs an exception and ignores the packet",
	},
	{
		scenario: "protocol: an unknown packet type",
		flask:    `A: connected(true)`,
		ours:     `A: disconnect("transport close") connected(false)`,
		decision: strict,
		why:      "Flask-SocketIO logs an exception and ignores the packet",
	},
	{
		scenario: "protocol: a namespace never joined",
		flask:    `A: connected(true)`,
		ours:     `A: disconnect("transport close") connected(false)`,
		decision: strict,
		why:      "Flask-SocketIO logs a warning and ignores the packet",
	},
	{
		scenario: "protocol: a forged connect",
		flask:    `C: connected(true); server: connect({"token":"forged"})`,
		ours:     `C: disconnect("transport close") connected(false); server: disconnect("/auth")`,
		decision: strict,
		why:      "Flask-SocketIO calls the connect handler with what the client made up",
	},
	{
		scenario: "protocol: connecting twice",
		flask:    `A: connect_error("")`,
		ours:     `A: connect`,
		decision: again,
		why:      "Flask-SocketIO refuses the second time, and the client forgets the first",
	},

	{
		scenario: "connect: unknown namespace",
		flask:    `A: connect_error("")`,
		ours:     `A: connect_error("Invalid namespace")`,
		decision: refusals,
		why:      "Flask-SocketIO sends a bare text, in which clients look for a message",
	},
	{
		scenario: "connect: unknown namespace, alone",
		flask:    `A: connect_error("")`,
		ours:     `A: connect_error("Invalid namespace")`,
		decision: refusals,
		why:      "Flask-SocketIO sends a bare text, in which clients look for a message",
	},

	{
		scenario: "leave: the disconnect handler raises",
		flask:    `members: left behind(1)`,
		ours:     `members: left behind(0)`,
		decision: cleanUp,
		why:      "the sid stays in its rooms for ever",
	},

	{
		scenario: "rooms: joining the room of another's sid",
		flask:    `A: ack join() private()`,
		ours:     `A: `,
		decision: private,
		why:      "a private message stays private",
	},
	{
		scenario: "rooms: leaving one's own room",
		flask:    `A: ack leave() rooms(["r1"])`,
		ours:     `A: ack leave() rooms(["A","r1"]) to self()`,
		decision: private,
		why:      "a socket that cannot be addressed is of no use to anyone",
	},
	{
		scenario: "class: ack of an unknown event",
		flask:    `A: ack no_such_event()`,
		ours:     `A: `,
		decision: unknown,
		why:      "as for events of functions",
	},
	{
		scenario: "error handler: unknown event",
		flask:    `server: connect(null) error("raise")`,
		ours:     `server: connect(null) error("no such event") error("raise")`,
		decision: unknown,
		why:      "a client that waits in vain should not go unnoticed",
	},

	{
		scenario: "recipients: to empty list",
		flask:    `A: said("x")`,
		ours:     `A: `,
		decision: noTarget,
		why:      "a list that happens to be empty changes who is meant",
	},
	{
		scenario: "recipients: to empty name",
		flask:    `A: said("x")`,
		ours:     `A: `,
		decision: noTarget,
		why:      "a name that happens to be empty changes who is meant",
	},
	{
		scenario: "recipients: to empty list, broadcast",
		flask:    `A: said("x"); B: said("x"); C: said("x")`,
		ours:     `A: ; B: ; C: `,
		decision: noTarget,
		why:      "what is meant for some reaches everyone",
	},
	{
		scenario: "recipients: server emit to empty list",
		flask:    `A: said("x"); B: said("x"); C: said("x")`,
		ours:     `A: ; B: ; C: `,
		decision: noTarget,
		why:      "what is meant for some reaches everyone",
	},
	{
		scenario: "recipients: server emit to empty name",
		flask:    `A: said("x"); B: said("x"); C: said("x")`,
		ours:     `A: ; B: ; C: `,
		decision: noTarget,
		why:      "what is meant for some reaches everyone",
	},
	{
		scenario: "recipients: broadcast without self and B",
		flask:    `A: said("x")`,
		ours:     `A: `,
		decision: addUp,
		why:      "in emit, skip_sid cancels include_self=False",
	},
	{
		scenario: "recipients: send broadcast without self and B",
		flask:    `B: message("x")`,
		ours:     `B: `,
		decision: addUp,
		why:      "in send, include_self=False cancels skip_sid",
	},
	{
		scenario: "namespaces: emit in another namespace",
		flask:    `A/other: `,
		ours:     `A/other: said(1)`,
		decision: connected,
		why:      "Flask-SocketIO looks for the sid of one namespace in the other, and reaches nobody",
	},
	{
		scenario: "always_connect: refused",
		flask:    `A: connect disconnect("parse error")`,
		ours:     `A: connect disconnect("io server disconnect")`,
		decision: plainLeft,
		why:      "Flask-SocketIO's has a payload, at which clients close the whole connection",
	},
	{
		scenario: "always_connect: refused with data",
		flask:    `A: connect disconnect("parse error")`,
		ours:     `A: connect disconnect("io server disconnect")`,
		decision: plainLeft,
		why:      "Flask-SocketIO's has a payload, at which clients close the whole connection",
		since:    "5.3.4",
	},
	{
		scenario: "connect: auth is an empty object",
		flask:    `server: connect(null)`,
		ours:     `server: connect({})`,
		decision: authAsIs,
		why:      "to Python an empty object is false, and left out",
	},

	{
		scenario: "always_connect: refused with data",
		flask:    `A: connect`,
		ours:     `A: connect disconnect("io server disconnect")`,
		decision: older,
		why:      "ConnectionRefusedError went to the default error handler, whose result accepted the client, before 5.3.4",
		before:   "5.3.4",
	},
	{
		scenario: "catch-all: other events",
		flask:    `A: ack other("",400) ack other("",400) ack another é("",400) ack message("",400)`,
		ours: `A: caught("other",1,{"two":"bytes 02"}) ack other("other",1,{"two":"bytes 02"}) caught("other") ack other("other")` +
			` caught("another é") ack another é("another é") caught("message","text") ack message("message","text")`,
		decision: older,
		why:      "Flask-SocketIO has catch-all events since 5.4.0",
		before:   "5.4.0",
	},
	{
		scenario: "catch-all: star in a namespace with a catch-all",
		flask:    `A: ack star("",400)`,
		ours:     `A: caught("star",1) ack star("star",1)`,
		decision: older,
		why:      "Flask-SocketIO has catch-all events since 5.4.0",
		before:   "5.4.0",
	},
	{
		scenario: "namespace *: its event",
		flask:    `A: ack star()`,
		ours:     `A: star(1) ack star("/any",1)`,
		decision: older,
		why:      "Flask-SocketIO has the namespace * since 5.3.7",
		before:   "5.3.7",
	},
	{
		scenario: "namespace *: an unknown event",
		flask:    `A: ack no such event() ack star() ack star()`,
		ours:     `A: star(2) ack star("/any",2) star(3) ack star("/any",3)`,
		decision: older,
		why:      "Flask-SocketIO has the namespace * since 5.3.7",
		before:   "5.3.7",
	},
	{
		scenario: "class: a function of the namespace * comes first",
		flask:    `A: ack star("method",1)`,
		ours:     `A: star(1) ack star("/class",1)`,
		decision: older,
		why:      "Flask-SocketIO has the namespace * since 5.3.7",
		before:   "5.3.7",
	},
	{
		scenario: "class and function: the method",
		flask:    `A: ack function("function",2) ack function("function",3)`,
		ours:     `A: ack method("method",1) ack function("function",2) ack function("function",3)`,
		decision: older,
		why:      "a function of a namespace hid its class before python-socketio 5.11, which came with the namespace *",
		before:   "5.3.7",
	},
	{
		scenario: "reason: the client",
		flask:    `server: reason(null)`,
		ours:     `server: reason("client disconnect")`,
		decision: older,
		why:      sinceReasons,
		before:   "5.5.0",
	},
	{
		scenario:   "reason: the client closes the connection",
		flask:      `server: reason(null)`,
		ours:       `server: reason("client disconnect")`,
		decision:   older,
		why:        sinceReasons,
		before:     "5.5.0",
		transports: "polling",
	},
	{
		scenario:   "reason: the client closes the connection",
		flask:      `server: reason(null)`,
		ours:       `server: reason("transport close")`,
		decision:   older,
		why:        sinceReasons,
		before:     "5.5.0",
		transports: "websocket upgrade",
	},
	{
		scenario:   "reason: the network",
		flask:      `server: reason(null)`,
		ours:       `server: reason("client disconnect")`,
		decision:   older,
		why:        sinceReasons,
		before:     "5.5.0",
		transports: "polling", // which has no lasting connection: the client says goodbye
	},
	{
		scenario:   "reason: the network",
		flask:      `server: reason(null)`,
		ours:       `server: reason("transport close")`,
		decision:   older,
		why:        sinceReasons,
		before:     "5.5.0",
		transports: "websocket upgrade",
	},
	{
		scenario: "reason: the server",
		flask:    `server: reason(null)`,
		ours:     `server: reason("server disconnect")`,
		decision: older,
		why:      sinceReasons,
		before:   "5.5.0",
	},
}
