package adminui

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/clientaddr"
)

// login is the auth payload of a page's CONNECT.
type login struct {
	Username  string `json:"username"`
	Password  string `json:"password"`
	SessionID string `json:"sessionId"`
}

var (
	// errCredentials has the text that makes the page ask for the password.
	errCredentials = &socketio.Error{Message: "invalid credentials"}
	errTooMany     = &socketio.Error{Message: "too many failed logins: wait a minute"}
	errBusy        = &socketio.Error{Message: "too many logins at once: try again"}
)

// maxPassword is how many bytes of a password bcrypt takes.
const maxPassword = 72

// authenticator decides who may see the admin namespace.
type authenticator struct {
	username [sha256.Size]byte
	hash     []byte
	key      []byte
	lifetime time.Duration
	checking chan struct{} // held while a password is checked, so that strangers keep at most one processor busy
	failures failures
	clientIP func(*http.Request) string
}

func newAuthenticator(o *Options) (*authenticator, error) {
	if _, err := bcrypt.Cost([]byte(o.PasswordHash)); err != nil {
		return nil, fmt.Errorf("PasswordHash is not a bcrypt hash, such as the command hashpassword writes: %w", err)
	}
	key := o.SessionKey
	if len(key) == 0 {
		key = make([]byte, 32)
		_, _ = rand.Read(key) // it never fails
	}
	// The password is part of the key, so a new password ends all sessions.
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%q %q", o.Username, o.PasswordHash)
	a := &authenticator{
		username: sha256.Sum256([]byte(o.Username)), hash: []byte(o.PasswordHash), key: mac.Sum(nil), lifetime: o.SessionLifetime,
		checking: make(chan struct{}, 1), failures: failures{most: o.MaxFailures}, clientIP: o.ClientIP,
	}
	if a.clientIP == nil {
		a.clientIP = func(r *http.Request) string { return r.RemoteAddr }
	}
	return a, nil
}

// pagesRoom returns the name of the room of the pages that have logged in. It is the same on
// all servers with the same login. Nobody can guess it without the login, so no client can
// join it on a server where clients choose their rooms.
func pagesRoom(o *Options) string {
	if o.InsecureNoAuth {
		return "adminui"
	}
	mac := hmac.New(sha256.New, []byte(o.PasswordHash))
	fmt.Fprintf(mac, "room of the admin pages of %q", o.Username)
	return "adminui-" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// check checks a login. It returns a new session for a name and a password, and "" for a session.
func (a *authenticator) check(ctx context.Context, r *http.Request, l login) (session string, err error) {
	now := time.Now()
	if l.SessionID != "" && a.valid(l.SessionID, now) {
		return "", nil
	}
	if l.Username == "" && l.Password == "" {
		return "", errCredentials // not a guess: the session of the page has expired
	}
	from := clientaddr.Network(a.clientIP(r))
	if !a.failures.begin(from, now) {
		return "", errTooMany
	}
	patience := time.NewTimer(10 * time.Second)
	defer patience.Stop()
	select {
	case a.checking <- struct{}{}:
	case <-patience.C:
		return "", errBusy
	case <-ctx.Done():
		return "", errors.New("adminui: the client left before its login was checked")
	}
	defer func() { <-a.checking }()
	// The password is checked whatever the name is, so that the time that this takes reveals nothing.
	password := l.Password[:min(len(l.Password), maxPassword)]
	wrong := bcrypt.CompareHashAndPassword(a.hash, []byte(password)) != nil || len(l.Password) > maxPassword
	name := sha256.Sum256([]byte(l.Username))
	if subtle.ConstantTimeCompare(name[:], a.username[:]) != 1 || wrong {
		return "", errCredentials
	}
	a.failures.succeeded(from)
	return a.session(now), nil
}

// A session is the time of its end, 16 random bytes, and what signs both.
const sessionBody = 8 + 16

func (a *authenticator) session(now time.Time) string {
	b := make([]byte, sessionBody, sessionBody+sha256.Size)
	binary.BigEndian.PutUint64(b, uint64(now.Add(a.lifetime).Unix()))
	_, _ = rand.Read(b[8:])
	return base64.RawURLEncoding.EncodeToString(append(b, a.sign(b)...))
}

func (a *authenticator) sign(body []byte) []byte {
	mac := hmac.New(sha256.New, a.key)
	mac.Write(body)
	return mac.Sum(nil)
}

func (a *authenticator) valid(session string, now time.Time) bool {
	b, err := base64.RawURLEncoding.DecodeString(session)
	if err != nil || len(b) != sessionBody+sha256.Size {
		return false
	}
	body, sum := b[:sessionBody], b[sessionBody:]
	return hmac.Equal(sum, a.sign(body)) && now.Unix() < int64(binary.BigEndian.Uint64(body))
}

const (
	failureWindow = time.Minute
	maxAddresses  = 10_000
)

// failures counts the failed logins of the present minute by address. A login counts as
// failed until it has succeeded, so that an address gets no more guesses by making many at
// once.
type failures struct {
	most int

	mu    sync.Mutex
	since time.Time // when the minute began
	from  map[string]int
}

// begin reports whether an address may try to log in. If so, it counts the login as failed.
func (f *failures) begin(from string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.from == nil || now.Sub(f.since) >= failureWindow {
		f.since, f.from = now, make(map[string]int)
	}
	if f.from[from] >= f.most || len(f.from) >= maxAddresses && f.from[from] == 0 {
		return false
	}
	f.from[from]++
	return true
}

// succeeded forgets the failed logins of an address.
func (f *failures) succeeded(from string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.from, from)
}
