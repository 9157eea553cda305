package main

import (
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	issuer   = "https://login.example"
	audience = "https://chat.example"
)

// claims are what a token says: who it is (Subject), until when (ExpiresAt), and
// what they may do.
type claims struct {
	jwt.RegisteredClaims
	Scope string `json:"scope"` // names, separated by spaces
}

// has reports whether the scope is among the claims'.
func (c *claims) has(scope string) bool { return slices.Contains(strings.Fields(c.Scope), scope) }

// tokens issues and verifies tokens, with one key for both.
type tokens struct {
	key  []byte
	life time.Duration
}

func (t *tokens) issue(user, scope string) (string, error) {
	now := time.Now()
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims{jwt.RegisteredClaims{
		Issuer:    issuer,
		Audience:  jwt.ClaimStrings{audience},
		Subject:   user,
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(t.life)),
	}, scope}).SignedString(t.key)
}

// verify returns what a token says that is valid now. It has to name the
// algorithm: a token that chooses its own is signed with "none", or with a
// public key taken for a secret.
func (t *tokens) verify(token string) (*claims, error) {
	var c claims
	_, err := jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return t.key, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired())
	if err != nil {
		return nil, err
	}
	if c.Subject == "" {
		return nil, jwt.ErrTokenInvalidSubject
	}
	return &c, nil
}
