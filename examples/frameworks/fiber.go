package main

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"
	"github.com/gofiber/fiber/v3/middleware/recover"

	"github.com/seed-d124fa34/socketio"
)

func newFiber() *fiber.App {
	app := fiber.New()
	app.Use(recover.New(), func(c fiber.Ctx) error {
		c.SetContext(withUser(c.Context(), strings.Clone(c.Query("user")))) // cloned: fiber uses its memory again
		return c.Next()
	})
	app.Get("/", func(c fiber.Ctx) error { return c.SendString("fiber serves " + userOf(c.Context())) })
	return app
}

// inFrontOfFiber has net/http accept the connections, and fiber serve what is
// not Socket.IO. Clients have all transports. Fiber's middleware does not see
// their requests, so what it does for them has to be done for net/http as well.
func inFrontOfFiber(srv http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", user(srv))
	mux.Handle("/", adaptor.FiberApp(newFiber()))
	return mux
}

// inFiber mounts the server in fiber itself. Its adaptor does not tell when a
// polling client has gone without a word: that is noticed when its ping is due.
func inFiber() (site, *socketio.Server) {
	srv := newServer(nil)
	app := newFiber()
	app.All("/socket.io/*", adaptor.HTTPHandlerWithContext(belongs(srv)))
	return fiberSite{app}, srv
}

// belongs gives a handler a request that it may keep, as those of net/http and as
// Socket.IO does: c.Request() and c.Context() are there as long as the client.
// Fiber's are in memory that is used again, for another client's request, as soon
// as the handler has returned.
func belongs(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.Background()
		if own, ok := adaptor.LocalContextFromHTTPRequest(r); ok {
			ctx = withUser(ctx, userOf(own)) // each value that the handlers need
		}
		u, err := url.ParseRequestURI(strings.Clone(r.RequestURI))
		if err != nil {
			http.Error(w, "bad request URI", http.StatusBadRequest)
			return
		}
		kept := (&http.Request{
			Method:        strings.Clone(r.Method),
			URL:           u,
			Proto:         strings.Clone(r.Proto),
			ProtoMajor:    r.ProtoMajor,
			ProtoMinor:    r.ProtoMinor,
			Header:        make(http.Header, len(r.Header)),
			Body:          r.Body, // is read before the handler returns
			ContentLength: r.ContentLength,
			Host:          strings.Clone(r.Host),
			RemoteAddr:    r.RemoteAddr,
			RequestURI:    u.RequestURI(),
			TLS:           r.TLS,
		}).WithContext(ctx)
		for name, values := range r.Header {
			for _, value := range values {
				kept.Header.Add(strings.Clone(name), strings.Clone(value))
			}
		}
		next.ServeHTTP(w, kept)
	})
}

// fiberSite is a fiber app as a site.
type fiberSite struct{ app *fiber.App }

func (s fiberSite) Serve(l net.Listener) error {
	return s.app.Listener(l, fiber.ListenConfig{DisableStartupMessage: true})
}

func (s fiberSite) Shutdown(ctx context.Context) error { return s.app.ShutdownWithContext(ctx) }
