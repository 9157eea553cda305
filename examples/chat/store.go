package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	bboltErrors "go.etcd.io/bbolt/errors"
)

// store is the database, a file of ordered keys and values. Its buckets are:
//
//	users      name: account
//	nicks      nickname in lower case: name
//	rooms      name: creation
//	members    user, room: nothing
//	partners   user, other user: nothing; they have exchanged direct messages
//	messages   a bucket for each conversation; in it, number: message
//	sessions   token: expiry and data
//
// All methods may be called from any goroutine. What they have returned from
// writing is on the disk.
type store struct {
	db   *bbolt.DB
	keep uint64 // messages of a conversation
}

var (
	usersBucket    = []byte("users")
	nicksBucket    = []byte("nicks")
	roomsBucket    = []byte("rooms")
	membersBucket  = []byte("members")
	partnersBucket = []byte("partners")
	messagesBucket = []byte("messages")
	sessionsBucket = []byte("sessions")
)

var (
	errUserTaken   = errors.New("this user name is taken")
	errNickTaken   = errors.New("this nickname is taken")
	errNoUser      = errors.New("there is nobody with this name")
	errRoomTaken   = errors.New("this room exists already")
	errNoRoom      = errors.New("there is no such room")
	errManyRooms   = fmt.Errorf("there are %d rooms already, which is the limit", maxRooms)
	errManyOfYours = fmt.Errorf("you are in %d rooms already: leave one first", maxRoomsEach)
)

// openStore opens the file, or makes it.
func openStore(path string) (*store, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 2 * time.Second})
	if errors.Is(err, bboltErrors.ErrTimeout) {
		err = errors.New("another process uses it")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open the database %s: %w; choose another one with -db", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{usersBucket, nicksBucket, roomsBucket, membersBucket, partnersBucket, messagesBucket, sessionsBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	s := &store{db, keepMessages}
	if err == nil {
		err = s.sweepSessions()
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func (s *store) close() error { return s.db.Close() }

// account is a user as the database knows them.
type account struct {
	Nick string
	Hash []byte // of the password
}

// person is a user as others see them.
type person struct {
	User string `json:"user"`
	Nick string `json:"nick"`
}

// addUser makes an account, whose nickname is its name if that is still free.
func (s *store) addUser(user string, hash []byte) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		if tx.Bucket(usersBucket).Get([]byte(user)) != nil {
			return errUserTaken
		}
		nick := user
		for n := 2; tx.Bucket(nicksBucket).Get([]byte(nick)) != nil; n++ {
			nick = fmt.Sprintf("%s (%d)", user, n)
		}
		if err := tx.Bucket(nicksBucket).Put([]byte(nick), []byte(user)); err != nil {
			return err
		}
		return put(tx.Bucket(usersBucket), []byte(user), account{nick, hash})
	})
}

// account returns a user's account; the error is errNoUser if there is none.
func (s *store) account(user string) (acc account, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error { return get(tx.Bucket(usersBucket), []byte(user), &acc, errNoUser) })
	return acc, err
}

// rename gives a user another nickname, which nobody else may have.
func (s *store) rename(user, nick string) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		users, nicks := tx.Bucket(usersBucket), tx.Bucket(nicksBucket)
		var acc account
		if err := get(users, []byte(user), &acc, errNoUser); err != nil {
			return err
		}
		if owner := nicks.Get(foldNick(nick)); owner != nil && string(owner) != user {
			return errNickTaken
		}
		if err := nicks.Delete(foldNick(acc.Nick)); err != nil {
			return err
		}
		if err := nicks.Put(foldNick(nick), []byte(user)); err != nil {
			return err
		}
		acc.Nick = nick
		return put(users, []byte(user), acc)
	})
}

func foldNick(nick string) []byte { return []byte(strings.ToLower(nick)) }

// people returns users as others see them, those that exist.
func (s *store) people(users []string) ([]person, error) {
	all := make([]person, 0, len(users))
	err := s.db.View(func(tx *bbolt.Tx) error {
		for _, user := range users {
			var acc account
			switch err := get(tx.Bucket(usersBucket), []byte(user), &acc, errNoUser); {
			case err == nil:
				all = append(all, person{user, acc.Nick})
			case !errors.Is(err, errNoUser):
				return err
			}
		}
		return nil
	})
	return all, err
}

// put stores a value as JSON.
func put(b *bbolt.Bucket, key []byte, value any) error {
	encoded, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return b.Put(key, encoded)
}

// get reads a value that put has stored; the error is missing if there is none.
func get(b *bbolt.Bucket, key []byte, value any, missing error) error {
	encoded := b.Get(key)
	if encoded == nil {
		return missing
	}
	return json.Unmarshal(encoded, value)
}
