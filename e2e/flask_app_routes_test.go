package e2e

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/seed-d124fa34/socketio"
)

// handler serves the clients and the routes of the app.
func (a *flaskApp) handler() http.Handler {
	mux := http.NewServeMux()
	route := func(pattern string, handle func(w http.ResponseWriter, r *http.Request, s flaskSpec, n *socketio.Namespace) any) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			var s flaskSpec
			_ = json.NewDecoder(r.Body).Decode(&s) // some requests have no body
			answer := handle(w, r, s, a.srv.Namespace(s.Namespace))
			_ = json.NewEncoder(w).Encode(answer)
		})
	}
	route("GET /journal", func(_ http.ResponseWriter, r *http.Request, _ flaskSpec, _ *socketio.Namespace) any {
		return append([][]any{}, a.noted(r)...)
	})
	route("POST /idle", func(http.ResponseWriter, *http.Request, flaskSpec, *socketio.Namespace) any {
		return nil // the events of a socket run in order, so a round trip of its client is enough
	})
	route("POST /open", func(_ http.ResponseWriter, r *http.Request, _ flaskSpec, _ *socketio.Namespace) any {
		close(a.gate(r))
		return nil
	})
	route("POST /emit", func(_ http.ResponseWriter, _ *http.Request, s flaskSpec, n *socketio.Namespace) any {
		return n.Emit(s.Event, s.Args, s.options()...)
	})
	route("POST /send", func(_ http.ResponseWriter, _ *http.Request, s flaskSpec, n *socketio.Namespace) any {
		if s.JSON {
			return n.Emit("json", s.Data, s.options()...)
		}
		return n.Send(s.Data, s.options()...)
	})
	route("POST /join", func(_ http.ResponseWriter, _ *http.Request, s flaskSpec, n *socketio.Namespace) any {
		return n.JoinRoom(s.SID, s.Room)
	})
	route("POST /close", func(_ http.ResponseWriter, _ *http.Request, s flaskSpec, n *socketio.Namespace) any {
		return n.CloseRoom(s.Room)
	})
	route("POST /disconnect", func(_ http.ResponseWriter, _ *http.Request, s flaskSpec, n *socketio.Namespace) any {
		return n.Disconnect(s.SID)
	})
	route("POST /members", func(_ http.ResponseWriter, _ *http.Request, s flaskSpec, n *socketio.Namespace) any {
		if s.Room == "" { // everyone, as in Flask-SocketIO
			all := []string{}
			for socket := range n.Sockets() {
				all = append(all, socket.ID())
			}
			return slices.Sorted(slices.Values(all))
		}
		sids, err := n.Members(s.Room)
		if err != nil {
			return err
		}
		return append([]string{}, slices.Sorted(slices.Values(sids))...)
	})
	route("POST /sessions", func(http.ResponseWriter, *http.Request, flaskSpec, *socketio.Namespace) any {
		return 0 // clients may come while others go
	})
	route("POST /login", func(w http.ResponseWriter, _ *http.Request, s flaskSpec, _ *socketio.Namespace) any {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: s.Name})
		return nil
	})
	route("POST /whoami", func(_ http.ResponseWriter, r *http.Request, _ flaskSpec, _ *socketio.Namespace) any {
		if name, ok := user(r); ok {
			return name
		}
		return nil
	})
	return a.srv.Handler(mux)
}

// user returns who is logged in.
func user(r *http.Request) (string, bool) {
	cookie, err := r.Cookie("session")
	if err != nil {
		return "", false
	}
	return cookie.Value, true
}
