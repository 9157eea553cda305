package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
)

// cookie is the name of the session cookie. It holds the user's name and a signature of it. All servers
// have the same key, so that each of them knows a user who logged in at another one. A real site also
// signs a time after which the cookie is no longer valid.
const cookie = "session"

// accounts logs users in. A real site asks for a password.
type accounts struct{ key []byte }

func (a accounts) sign(user string) string {
	mac := hmac.New(sha256.New, a.key)
	mac.Write([]byte(user))
	return url.QueryEscape(user) + "." + hex.EncodeToString(mac.Sum(nil))
}

func (a accounts) login(w http.ResponseWriter, r *http.Request) {
	user := strings.TrimSpace(r.PostFormValue("user"))
	if user == "" || len(user) > 40 {
		http.Error(w, "the form's field user must have 1 to 40 bytes", http.StatusBadRequest)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookie, Value: a.sign(user), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		// Behind https, also: Secure: true
	})
	http.Redirect(w, r, "/?"+r.URL.RawQuery, http.StatusSeeOther) // the page's own query: its room
}

type userKey struct{}

// identify puts the user of the session cookie into the request's context. A request with a wrong
// cookie, or without one, has no user.
func (a accounts) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie(cookie); err == nil {
			escaped := c.Value[:max(strings.LastIndex(c.Value, "."), 0)] // a name may have dots, too
			user, err := url.QueryUnescape(escaped)
			if err == nil && hmac.Equal([]byte(c.Value), []byte(a.sign(user))) {
				r = r.WithContext(context.WithValue(r.Context(), userKey{}, user))
			}
		}
		next.ServeHTTP(w, r)
	})
}

// userOf returns the user of a handshake, or "".
func userOf(ctx context.Context) string {
	user, _ := ctx.Value(userKey{}).(string)
	return user
}
