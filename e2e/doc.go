// Package e2e holds the end-to-end tests: npm's socket.io-client of several
// generations against servers of this repository, over good networks and bad
// ones, and pages in Chromium. They need node, Chromium and "npm ci" in e2e/node,
// and run when E2E or CI is set:
//
//	E2E=1 go test ./...
//
// Package recovery, for connection state recovery, has a command, too.
package e2e
