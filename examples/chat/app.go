package main

import (
	"net/http"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	"golang.org/x/crypto/bcrypt"

	"github.com/seed-d124fa34/socketio"
)

// Limits. What one person may take is bounded, so that there is enough for all.
const (
	maxRooms     = 500    // of the whole site
	maxRoomsEach = 50     // that one person is in
	keepMessages = 10_000 // of one conversation; the oldest ones go first
	maxText      = 4000   // characters of a message
	pageSize     = 50     // messages of a page of history
	maxMissed    = 200    // messages to catch up with; who missed more loads the history again
	maxForm      = 10_000 // bytes of a form
	sessionLife  = 30 * 24 * time.Hour
	hashesAtOnce = 2 // hashing a password takes a core for 50 ms, on purpose
	tries        = 20
	triesEvery   = 5 * time.Minute // from one address
)

type config struct {
	db          string // file
	clientDir   string // of the official client
	behindProxy bool
	hashCost    int // of bcrypt; 0 means its default
}

// app is the chat.
type app struct {
	cfg      config
	store    *store
	sessions *scs.SessionManager
	srv      *socketio.Server

	attempts attempts
	hashing  chan struct{} // holds one for each password being hashed

	rooms   rooms
	posting sync.Mutex // a message is emitted before the next one is stored: everyone gets them in order
}

// newApp opens the database. It is closed with app.store.close.
func newApp(cfg config) (*app, error) {
	if cfg.hashCost == 0 {
		cfg.hashCost = bcrypt.DefaultCost
	}
	clientDir, err := findClient(cfg.clientDir)
	if err != nil {
		return nil, err
	}
	cfg.clientDir = clientDir
	db, err := openStore(cfg.db)
	if err != nil {
		return nil, err
	}
	a := &app{cfg: cfg, store: db, hashing: make(chan struct{}, hashesAtOnce)}

	a.sessions = &scs.SessionManager{
		Lifetime:         sessionLife,
		Store:            sessionStore{db},
		Codec:            scs.GobCodec{},
		ErrorFunc:        sessionError,
		HashTokenInStore: true, // who reads the database cannot log in with it
		Cookie: scs.SessionCookie{
			Name:     "chat",
			Path:     "/",
			HttpOnly: true,
			Persist:  true,
			SameSite: http.SameSiteLaxMode, // other sites' forms and scripts send requests without it
			Secure:   cfg.behindProxy,
		},
	}
	a.srv = socketio.NewServer(&socketio.Options{
		TrustForwarded: cfg.behindProxy,
		Limits: socketio.Limits{
			EventRate:           20, // a second, after a burst
			EventBurst:          60,
			MaxPayload:          32 << 10,
			MaxNamespaces:       1,
			MaxRooms:            maxRoomsEach + 2, // theirs, all tabs of the user, all tabs of the login
			MaxConnectionsPerIP: 100,
		},
	})
	a.handleSockets()
	return a, nil
}

// handler serves everything.
func (a *app) handler() http.Handler {
	pages := http.NewServeMux()
	pages.HandleFunc("GET /{$}", a.chatPage)
	pages.HandleFunc("GET /login", a.gatePage)
	pages.HandleFunc("GET /signup", a.gatePage)
	pages.HandleFunc("POST /login", a.login)
	pages.HandleFunc("POST /signup", a.signUp)
	pages.HandleFunc("POST /logout", a.logout)

	mux := http.NewServeMux()
	// Forms of other sites are refused even by browsers that know no SameSite.
	mux.Handle("/", http.NewCrossOriginProtection().Handler(a.sessions.LoadAndSave(pages)))
	mux.Handle("GET /static/", cached(http.FileServerFS(static)))
	mux.HandleFunc("GET /client/"+clientFile, a.serveClient)
	// Not behind LoadAndSave: every event has to see the session as it is by then.
	mux.Handle("/socket.io/", a.srv)
	return mux
}
