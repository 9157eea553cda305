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
