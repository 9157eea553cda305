package main

import (
	"bytes"
	"time"

	"go.etcd.io/bbolt"
)

// creation is what is known of a room.
type creation struct {
	By string
	At time.Time
}

// addRoom makes a room, and the user a member of it.
func (s *store) addRoom(room, user string) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		all := tx.Bucket(roomsBucket)
		if all.Get([]byte(room)) != nil {
			return errRoomTaken
		}
		if len(keys(all, nil)) >= maxRooms {
			return errManyRooms
		}
		if err := put(all, []byte(room), creation{user, time.Now()}); err != nil {
			return err
		}
		return addMember(tx, room, user)
	})
}

// join makes a user a member of a room; being one already is fine.
func (s *store) join(room, user string) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		if tx.Bucket(roomsBucket).Get([]byte(room)) == nil {
			return errNoRoom
		}
		return addMember(tx, room, user)
	})
}

func addMember(tx *bbolt.Tx, room, user string) error {
	members := tx.Bucket(membersBucket)
	if members.Get(pair(user, room)) == nil && len(keys(members, pair(user, ""))) >= maxRoomsEach {
		return errManyOfYours
	}
	return members.Put(pair(user, room), []byte{})
}

func (s *store) leave(room, user string) error {
	return s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(membersBucket).Delete(pair(user, room)) })
}

func (s *store) isMember(room, user string) (is bool, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		is = tx.Bucket(membersBucket).Get(pair(user, room)) != nil
		return nil
	})
	return is, err
}

// allRooms returns the names of all rooms, sorted.
func (s *store) allRooms() ([]string, error) { return s.keys(roomsBucket, nil) }

// roomsOf returns the names of a user's rooms, sorted.
func (s *store) roomsOf(user string) ([]string, error) { return s.keys(membersBucket, pair(user, "")) }

// partnersOf returns with whom a user has exchanged direct messages, sorted.
func (s *store) partnersOf(user string) ([]string, error) {
	return s.keys(partnersBucket, pair(user, ""))
}

func (s *store) keys(bucket, prefix []byte) (names []string, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		names = keys(tx.Bucket(bucket), prefix)
		return nil
	})
	return names, err
}

// keys returns what comes after the prefix in the keys that have it.
func keys(b *bbolt.Bucket, prefix []byte) []string {
	names := []string{}
	c := b.Cursor()
	for k, _ := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		names = append(names, string(k[len(prefix):]))
	}
	return names
}

// pair is the key of two names.
func pair(a, b string) []byte { return []byte(a + "\x00" + b) }
