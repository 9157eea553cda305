package adminui

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/seed-d124fa34/socketio"
)

// Mode says how much the page shows.
type Mode string

const (
	// Development shows every socket, room and event as it happens.
	Development Mode = "development"
	// Production shows servers and counts only: no events, and no addresses. It
	// costs the server nothing between two reports.
	Production Mode = "production"
)

// Options configures [Instrument].
type Options struct {
	// Namespace is the namespace to which the page connects. Zero means "/admin". The
	// application must not use it.
	Namespace string
	// Username and PasswordHash are the login. PasswordHash is the bcrypt hash of
	// the password, as the command hashpassword writes it.
	Username, PasswordHash string
	// InsecureNoAuth lets everyone in who can connect to the server. Either it or
	// Username and PasswordHash must be set, not both: otherwise Instrument returns
	// an error.
	InsecureNoAuth bool
	// ReadOnly refuses all commands, and the page does not offer them.
	ReadOnly bool
	// Mode is [Development] or [Production]. Zero means Production.
	Mode Mode

	// SessionKey signs the sessions that keep a page logged in when it is loaded
	// again. It has at least 32 bytes. Servers with the same key and login accept each
	// other's sessions. Zero means a random key, so that sessions end with the process.
	// A new password ends all sessions.
	SessionKey []byte
	// SessionLifetime is how long a login lasts. Zero means 24 h.
	SessionLifetime time.Duration
	// MaxFailures is how many logins from one address may fail in a minute. Until the
	// minute is over, the server refuses further ones without checking the password.
	// Zero means 5.
	MaxFailures int
	// ClientIP returns the address from which a request comes, for MaxFailures: an IP
	// address, or any other string. IPv6 addresses of the same /64 network count as
	// one. Nil means the address of the network connection; behind a proxy all requests
	// have the same.
	ClientIP func(r *http.Request) string

	// ServerID names this server among others. Zero means its host's name and
	// process id.
	ServerID string
	// StatsInterval is the time between two reports of the server's figures.
	// Zero means 2 s. The page shows a server as unhealthy after 10 s without a report.
	StatsInterval time.Duration
	// Logger gets logins and commands at level info, and failed logins at warn.
	// Zero means [slog.Default].
	Logger *slog.Logger
}

// UI is the admin namespace of a server, see [Instrument].
type UI struct {
	srv   *socketio.Server
	ns    *socketio.Namespace
	opts  Options
	auth  *authenticator // nil with InsecureNoAuth
	room  string         // the room of the pages that have logged in; nobody else is ever in it
	host  string
	began time.Time
	log   *slog.Logger

	feed    *feed // nil in production mode
	unhook  func()
	closing chan struct{}
	once    sync.Once
	done    sync.WaitGroup // the goroutines of report and feed.run, which end after Close
}

// Instrument registers the admin namespace on a server and starts to report to
// the pages that log in. It may be called before or after clients connect, from any
// goroutine, and once for a namespace. An error says which option to set.
func Instrument(srv *socketio.Server, opts Options) (*UI, error) {
	if err := opts.complete(); err != nil {
		return nil, fmt.Errorf("adminui: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	if opts.ServerID == "" {
		opts.ServerID = fmt.Sprintf("%s#%d", host, os.Getpid())
	}
	ui := &UI{
		srv: srv, ns: srv.Namespace(opts.Namespace), opts: opts,
		host: host, began: time.Now(), log: opts.Logger, closing: make(chan struct{}), room: pagesRoom(&opts),
	}
	if !opts.InsecureNoAuth {
		if ui.auth, err = newAuthenticator(&opts); err != nil {
			return nil, fmt.Errorf("adminui: %w", err)
		}
	}
	before := srv.Stats()
	if opts.Mode == Development {
		ui.feed = newFeed(ui)
		ui.unhook = srv.AddHooks(ui.feed.hooks())
		ui.done.Go(ui.feed.run)
	}
	ui.ns.On("connect", ui.connect)
	ui.ns.OnError(answer)
	ui.commands()
	ui.done.Go(func() { ui.report(before) })
	return ui, nil
}

func (o *Options) complete() error {
	switch {
	case o.InsecureNoAuth && (o.Username != "" || o.PasswordHash != ""):
		return errors.New("both InsecureNoAuth and a login are set: remove one")
	case !o.InsecureNoAuth && (o.Username == "" || o.PasswordHash == ""):
		return errors.New("nobody can log in: set Username and PasswordHash, or InsecureNoAuth if everyone may")
	case o.Mode != "" && o.Mode != Development && o.Mode != Production:
		return fmt.Errorf("unknown mode %q: set Development or Production", o.Mode)
	case o.SessionLifetime < 0 || o.StatsInterval < 0 || o.MaxFailures < 0:
		return errors.New("SessionLifetime, StatsInterval and MaxFailures cannot be negative: 0 is the default")
	case len(o.SessionKey) > 0 && len(o.SessionKey) < 32:
		return fmt.Errorf("SessionKey has %d bytes: set at least 32 random ones", len(o.SessionKey))
	}
	if o.Namespace == "" {
		o.Namespace = "/admin"
	}
	if o.Mode == "" {
		o.Mode = Production
	}
	if o.SessionLifetime == 0 {
		o.SessionLifetime = 24 * time.Hour
	}
	if o.MaxFailures == 0 {
		o.MaxFailures = 5
	}
	if o.StatsInterval == 0 {
		o.StatsInterval = 2 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return nil
}

// Close disconnects the pages and refuses new ones. The goroutines that Instrument
// started have ended when Close returns. Call it before [socketio.Server.Shutdown].
// Further calls do nothing.
func (ui *UI) Close() {
	ui.once.Do(func() {
		close(ui.closing)
		if ui.unhook != nil {
			ui.unhook()
		}
		for s := range ui.ns.Sockets() {
			s.Disconnect()
		}
	})
	ui.done.Wait()
}

func (ui *UI) closed() bool {
	select {
	case <-ui.closing:
		return true
	default:
		return false
	}
}

// config is the event that says which functions the page may offer.
type config struct {
	SupportedFeatures []string `json:"supportedFeatures"`
}

func (ui *UI) config() config {
	features := []string{"AGGREGATED_EVENTS"}
	if !ui.opts.ReadOnly {
		features = append(features, "EMIT", "JOIN", "LEAVE", "DISCONNECT", "MJOIN", "MLEAVE", "MDISCONNECT")
	}
	if ui.feed != nil {
		features = append(features, "ALL_EVENTS")
	}
	return config{features}
}

// connect lets a page in. The page joins the room of the pages last, so nothing
// reaches it before it has logged in, whatever the options of the server are.
func (ui *UI) connect(c *socketio.Context) error {
	if ui.closed() {
		return &socketio.Error{Message: "the admin UI has been closed"}
	}
	if ui.auth != nil {
		var login login
		if err := c.Bind(&login); err != nil {
			return errCredentials
		}
		session, err := ui.auth.check(c.Context(), c.Request(), login)
		if err != nil {
			ui.log.Warn("adminui: refused", "remote", c.Request().RemoteAddr, "error", err)
			return err
		}
		if session != "" {
			ui.log.Info("adminui: logged in", "remote", c.Request().RemoteAddr)
			if err := c.Emit("session", session); err != nil {
				return err
			}
		}
	}
	if err := c.Emit("config", ui.config()); err != nil {
		return err
	}
	if err := c.Emit("server_stats", ui.stats(ui.srv.Stats(), nil)); err != nil {
		return err
	}
	return c.Join(ui.room)
}
