// Package fleet knows which servers share a channel, and asks all of them questions.
//
// Each server has one [Fleet]. The fleet knows bytes, server ids and questions; it knows no broker,
// no socket and no namespace. Its owner publishes what it wants to send ([Options].Publish), hands
// it what arrives ([Fleet.Receive]), and answers the questions of the other servers
// ([Options].Answer), whose content the fleet does not read.
//
// # Membership
//
// A server says "hello" when it has subscribed, "alive" every five seconds, and "bye" when it shuts
// down. Every server answers "hello" with "alive", so a new server knows the others within two seconds;
// until then its questions wait. Any message is a sign of life. A server that gives none for 15
// seconds is silent: no question waits for its answer, but for five minutes every question names it
// as missing, because its clients may still be connected. Then the fleet forgets it, or earlier when
// a server with the same endpoint takes its place. A server that said "bye" is forgotten at once.
//
// A question may be urgent: a server that is asked one says "alive" every half second until it has
// answered. If it gives no sign of life for two seconds, the question does not wait for it.
//
// # Questions
//
// A question goes to every server ("ask"). An answer ("answer") is a list of names, a number and a
// flag. A long list comes in parts: the asking server requests each one after the first ("next"),
// so at most one part of each answer is on its way, whatever the length of the list and the capacity
// of the broker's queue. An answer that makes no progress for two seconds is requested again. An order, a
// question that changes something, is carried out once, even if it is asked twice.
//
// A question may be for one server alone, and it may name the moment at which it was asked, in the
// order of everything on the channel ([Question].Passed).
//
// # Messages
//
// Each message is a JSON object. The members v, is, host, name and url mean the same in every
// version:
//
//	hello   sent on subscribing: every server answers with here
//	here    sent every few seconds
//	bye     the server shuts down and has no clients any more
//	ask     a question; with part and attempt, the rest of an answer to one that was asked before
//	answer  one part of an answer
//	next    a part has arrived, and the next one is wanted
//
// A server of another version is known to be there, and is reported as one that cannot be asked.
package fleet
