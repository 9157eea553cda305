// Package adminui is the server side of @socket.io/admin-ui, the official page
// that shows the servers, clients, rooms and events of a Socket.IO application,
// live, and can make clients join, leave, disconnect and be emitted to:
//
//	ui, err := adminui.Instrument(srv, adminui.Options{
//		Username:     "admin",
//		PasswordHash: os.Getenv("ADMIN_PASSWORD_HASH"),
//	})
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer ui.Close()
//
// The page consists of static files, which any web server may serve if its origin is
// allowed (socketio.Options.AllowedOrigins). The project hosts it at
// https://admin.socket.io, and the npm package has it in ui/dist.
//
// The server keeps a bcrypt hash of the password. The command hashpassword makes it.
package adminui
