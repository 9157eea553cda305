package main

import (
	"errors"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// User and room names are also keys in the database and parts of the names of
// Socket.IO rooms, so they are plain.
var plainName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{1,23}$`)

var (
	errUserName = errors.New("a user name has 2 to 24 letters (a-z), digits, _ or -")
	errRoomName = errors.New("a room name has 2 to 24 letters (a-z), digits, _ or -")
	errPassword = errors.New("a password has at least 8 characters, and at most 72 bytes")
	errNick     = errors.New("a nickname has 1 to 32 visible characters")
)

// cleanName makes a user or room name of what somebody typed.
func cleanName(typed string, otherwise error) (string, error) {
	name := strings.ToLower(strings.TrimSpace(typed))
	if !plainName.MatchString(name) {
		return "", otherwise
	}
	return name, nil
}

// checkPassword: bcrypt takes no more than 72 bytes.
func checkPassword(password string) error {
	if utf8.RuneCountInString(password) < 8 || len(password) > 72 {
		return errPassword
	}
	return nil
}

// cleanNick makes a nickname of what somebody typed. Spaces are single, and
// characters that change the direction of text or are not seen are refused.
func cleanNick(typed string) (string, error) {
	nick := strings.Join(strings.Fields(typed), " ")
	if n := utf8.RuneCountInString(nick); n < 1 || n > 32 || !utf8.ValidString(nick) {
		return "", errNick
	}
	for _, r := range nick {
		if !unicode.IsGraphic(r) {
			return "", errNick
		}
	}
	return nick, nil
}

// cleanText makes a message of what somebody typed; "" is none.
func cleanText(typed string) string {
	return strings.TrimSpace(strings.ToValidUTF8(typed, "\uFFFD"))
}
