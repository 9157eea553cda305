package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/seed-d124fa34/socketio/internal/leakcheck"
	"github.com/seed-d124fa34/socketio/socketiotest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// site is the chat with a database of its own.
type site struct {
	t   *testing.T
	cfg config
	app *app
	web http.Handler
}

// bubble runs a test with a chat, in a synctest bubble.
func bubble(t *testing.T, f func(t *testing.T, s *site)) {
	db := filepath.Join(t.TempDir(), "chat.db")
	synctest.Test(t, func(t *testing.T) {
		s := &site{t: t, cfg: config{db: db, hashCost: bcrypt.MinCost}}
		s.start()
		t.Cleanup(s.stop)
		f(t, s)
	})
}

func (s *site) start() {
	a, err := newApp(s.cfg)
	require.NoError(s.t, err)
	a.store.db.NoSync = true // nobody cuts the power
	s.app, s.web = a, a.handler()
}

func (s *site) stop() {
	require.NoError(s.t, s.app.srv.Shutdown(context.Background()))
	assert.Empty(s.t, s.app.rooms.tabs)
	assert.Empty(s.t, s.app.rooms.online)
	require.NoError(s.t, s.app.store.close())
}

// browser keeps its cookies.
type browser struct {
	*site
	cookie  *http.Cookie // of the session
	account *http.Cookie
}

// signUp makes an account and returns a browser that is logged in.
func (s *site) signUp(user string) *browser {
	s.t.Helper()
	b := &browser{site: s}
	w := b.post("/signup", user, "password of "+user)
	require.Equal(s.t, http.StatusSeeOther, w.Code, w.Body)
	require.Equal(s.t, "/", w.Header().Get("Location"))
	return b
}

// post sends one of the forms, as the browser does, and takes the cookie over.
func (b *browser) post(path, user, password string) *httptest.ResponseRecorder {
	form := url.Values{"user": {user}, "password": {password}}
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(r)
}

func (b *browser) get(path string) *httptest.ResponseRecorder {
	return b.do(httptest.NewRequest("GET", path, nil))
}

func (b *browser) do(r *http.Request) *httptest.ResponseRecorder {
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	if b.account != nil {
		r.AddCookie(b.account)
	}
	w := httptest.NewRecorder()
	b.web.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		switch {
		case c.Name == accountCookie:
			b.account = c
		case c.MaxAge < 0:
			b.cookie = nil
		default:
			b.cookie = c
		}
	}
	return w
}

// tab is a page of a browser: a socket.
type tab struct {
	*socketiotest.Client
	t *testing.T
}

func (b *browser) options() *socketiotest.Options {
	opts := &socketiotest.Options{}
	if b.cookie != nil {
		opts.Cookies = []*http.Cookie{b.cookie}
	}
	return opts
}

// open opens a tab that has nothing yet, and takes what it is told off its events.
func (b *browser) open() *tab {
	b.t.Helper()
	t := &tab{socketiotest.Connect(b.t, b.web, b.options()), b.t}
	t.sync(nil)
	t.Received()
	return t
}

// sync is what the page does after connecting.
func (t *tab) sync(since map[string]uint64) (s state) {
	t.t.Helper()
	t.Call("sync", known{since}).Bind(&s)
	return s
}

// does calls an event whose acknowledgement is empty.
func (t *tab) does(event, arg string) {
	t.t.Helper()
	answer := t.Call(event, arg)
	require.Zero(t.t, answer.Len(), answer)
}

// says says something and returns the number of the message.
func (t *tab) says(in, text string) (id uint64) {
	t.t.Helper()
	t.Call("say", saying{In: in, Text: text, Once: text}).Bind(&id)
	return id
}

// refused calls an event and returns the error that is answered.
func (t *tab) refused(event string, arg any) string {
	t.t.Helper()
	var answer struct{ Error struct{ Message string } }
	t.Call(event, arg).Bind(&answer)
	require.NotEmpty(t.t, answer.Error.Message)
	return answer.Error.Message
}

// hears takes the next event, which must be a message.
func (t *tab) hears(in, from, text string) (d delivery) {
	t.t.Helper()
	e := t.Next()
	require.Equal(t.t, "message", e.Name, e)
	e.Bind(&d)
	require.Equal(t.t, [3]string{in, from, text}, [3]string{d.In, d.From, d.Text})
	return d
}

// texts are what messages say.
func texts(messages []message) []string {
	all := []string{}
	for _, m := range messages {
		all = append(all, m.Text)
	}
	return all
}
