package e2e

import (
	"slices"
	"strconv"
	"strings"
)

// These are the reasons why the two differ. A number is that of a decision in which this
// library departs from Flask-SocketIO. Reasons without a number follow from the shape of the
// API, or are no decisions.
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

// flaskDifference is a scenario in which some clients see Flask-SocketIO and this library
// behave differently.
type flaskDifference struct {
	scenario   string
	flask      string // what these clients see with Flask-SocketIO
	ours       string // what they see with this library
	decision   string
	why        string
	transports string // those with the difference; "": all
	before     string // the first release of Flask-SocketIO without the difference; "": none
	since      string // the first release with the difference; "": all
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
			i, _ := strconv.Atoi(part) // anything but a number counts as 0
			n = append(n, i)
		}
		return n
	}
	return slices.Compare(numbers(version), numbers(other)) < 0
}
