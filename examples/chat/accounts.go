package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// userKey is what a session holds: the user's name.
const userKey = "user"

var (
	errWrong = errors.New("user name or password is wrong")
	errBusy  = errors.New("too many people are logging in: try again in a moment")
	errTries = errors.New("too many attempts: try again in a few minutes")
)

func (a *app) signUp(w http.ResponseWriter, r *http.Request) {
	a.enterBy(w, r, func(typed, password string) (string, error) {
		user, err := cleanName(typed, errUserName)
		if err != nil {
			return "", err
		}
		if err := checkPassword(password); err != nil {
			return "", err
		}
		var hash []byte
		err = a.hash(r.Context(), func() (err error) {
			hash, err = bcrypt.GenerateFromPassword([]byte(password), a.cfg.hashCost)
			return err
		})
		if err != nil {
			return "", err
		}
		return user, a.store.addUser(user, hash)
	})
}

func (a *app) login(w http.ResponseWriter, r *http.Request) {
	a.enterBy(w, r, func(typed, password string) (string, error) {
		user, err := cleanName(typed, errWrong)
		if err != nil {
			return "", err
		}
		acc, err := a.store.account(user)
		unknown := errors.Is(err, errNoUser)
		if err != nil && !unknown {
			return "", err
		}
		err = a.hash(r.Context(), func() error {
			if unknown { // takes as long as a wrong password: nobody learns who has an account
				_, err := bcrypt.GenerateFromPassword([]byte("password"), a.cfg.hashCost)
				return err
			}
			return bcrypt.CompareHashAndPassword(acc.Hash, []byte(password))
		})
		if unknown || errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
			return "", errWrong
		}
		return user, err
	})
}

// enterBy logs in whom a form names, if the check says so.
func (a *app) enterBy(w http.ResponseWriter, r *http.Request, check func(user, password string) (string, error)) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "want a form with user and password", http.StatusBadRequest)
		return
	}
	if !a.attempts.allow(a.address(r), time.Now()) {
		a.showGate(w, r, http.StatusTooManyRequests, errTries)
		return
	}
	user, err := check(r.PostForm.Get("user"), r.PostForm.Get("password"))
	switch {
	case errors.Is(err, errBusy):
		a.showGate(w, r, http.StatusServiceUnavailable, err)
		return
	case errors.Is(err, errWrong), errors.Is(err, errUserName), errors.Is(err, errPassword), errors.Is(err, errUserTaken):
		a.showGate(w, r, http.StatusUnprocessableEntity, err)
		return
	case err != nil:
		sessionError(w, r, err)
		return
	}
	// With a new token: whoever had the one before is not logged in with it.
	old := a.sessions.Token(r.Context())
	if err := a.sessions.RenewToken(r.Context()); err != nil {
		sessionError(w, r, err)
		return
	}
	a.sessions.Put(r.Context(), userKey, user)
	a.rememberAccount(w)
	http.Redirect(w, r, "/", http.StatusSeeOther)
	a.disconnect(old)
}

// hash hashes a password, if not too many are being hashed.
func (a *app) hash(ctx context.Context, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	select {
	case a.hashing <- struct{}{}:
		defer func() { <-a.hashing }()
		return f()
	case <-ctx.Done():
		return errBusy
	}
}

// logout ends the session, and its sockets, whichever tab they are in. The
// user's other browsers stay logged in.
func (a *app) logout(w http.ResponseWriter, r *http.Request) {
	token := a.sessions.Token(r.Context())
	if err := a.sessions.Destroy(r.Context()); err != nil {
		sessionError(w, r, err)
		return
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
	a.disconnect(token)
}

// disconnect ends the sockets of a session that has been ended before: one that
// connects at this moment is ended by its first event.
func (a *app) disconnect(token string) {
	sids, _ := a.srv.Members(sessionRoom(token)) // the name is not empty
	for _, sid := range sids {
		a.srv.Socket(sid).CloseConnection()
	}
}

// sessionRoom is where the sockets of a session are. The token is a secret, and
// room names are not.
func sessionRoom(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "session " + base64.RawURLEncoding.EncodeToString(sum[:])
}
