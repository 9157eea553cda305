// Package behaviour holds what our tests have in common that check a subject instead of a file: the tables that say
// which test checks what is promised. The suites are in the packages below it and use the public API only:
//
//	flask       what the tests of Flask-SocketIO and of the two packages below it check, and the messages of its queue
//	reference   what the tests of the reference server, in JavaScript, check: a table
//	defects     defects that Flask-SocketIO has: ours has none of them
//	lifecycle   clients come, go and are cut off, in every way and at every moment, and nothing is left of them
//	limits      what a client may do, and what the server logs and answers to one that does more
//	security    what only the server and one client may know stays with them
//	outages     what servers do while their broker is away, and after that
//	fleet       servers on one broker whose connections fail, and what Call and Cluster say then
//
// What a test of one file of the root package checks is in the root, beside the file.
package behaviour
