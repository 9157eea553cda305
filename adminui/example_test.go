package adminui_test

import (
	"log"
	"net/http"
	"os"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/adminui"
)

// The page is at https://admin.socket.io; to serve it from here, see the
// documentation of the package.
func Example() {
	srv := socketio.NewServer(&socketio.Options{
		AllowedOrigins: []string{"https://admin.socket.io"},
	})
	ui, err := adminui.Instrument(srv, adminui.Options{
		Username:     "admin",
		PasswordHash: os.Getenv("ADMIN_PASSWORD_HASH"),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer ui.Close()

	http.Handle("/socket.io/", srv)
	log.Fatal(http.ListenAndServe("localhost:8080", nil))
}

// The page's files, from the npm package, on the server's own origin.
func ExampleInstrument() {
	mux := http.NewServeMux()
	mux.Handle("/ui/", http.StripPrefix("/ui/", http.FileServer(http.Dir("node_modules/@socket.io/admin-ui/ui/dist"))))
}
