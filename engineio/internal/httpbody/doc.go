// Package httpbody reads the bodies of HTTP requests whole: each with a deadline of its
// own, whatever http.Server.ReadTimeout says, and all of them within one budget. It also
// gives up the bodies of requests that are not read.
package httpbody
