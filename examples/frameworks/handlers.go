package main

import (
	"context"
	"net/http"

	"github.com/seed-d124fa34/socketio"
)

// newServer has a few handlers, none of which knows the framework.
func newServer(opts *socketio.Options) *socketio.Server {
	srv := socketio.NewServer(opts)
	srv.On("whoami", func(c *socketio.Context) (string, error) { return userOf(c.Context()), nil })
	srv.On("request", func(c *socketio.Context) (socketio.Args, error) {
		r := c.Request() // of the handshake, which may be long ago
		return socketio.Args{r.URL.Query().Get("room"), r.Header.Get("User-Agent"), r.Host}, nil
	})
	srv.On("echo", func(c *socketio.Context, args ...any) error { return c.Emit("echo", socketio.Args(args)) })
	srv.On("join", func(c *socketio.Context, room string) error { return c.Join(room) })
	srv.On("say", func(c *socketio.Context, room, text string) error {
		return c.Emit("said", text, socketio.To(room), socketio.SkipSelf())
	})
	return srv
}

// userKey is where the middleware stores who sends a request.
type userKey struct{}

// withUser is what the middleware does in each of the frameworks. It stands for
// one that looks at a cookie or a token; here the client says who it is.
func withUser(ctx context.Context, name string) context.Context {
	if name == "" {
		name = "anonymous"
	}
	return context.WithValue(ctx, userKey{}, name)
}

func userOf(ctx context.Context) string {
	name, _ := ctx.Value(userKey{}).(string)
	return name
}

// user is that middleware, for frameworks that take those of net/http.
func user(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(withUser(r.Context(), r.URL.Query().Get("user"))))
	})
}
