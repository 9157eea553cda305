package main

import (
	"io"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

func inChi(srv http.Handler) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.RequestID, middleware.Recoverer, middleware.Compress(5), user)
	r.Handle("/socket.io/*", srv) // Mount works, too: the path stays whole
	r.Get("/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "chi serves "+userOf(r.Context()))
	})
	return r
}
