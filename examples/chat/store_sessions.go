package main

import (
	"encoding/binary"
	"time"

	"go.etcd.io/bbolt"
)

// sessionStore keeps the sessions of github.com/alexedwards/scs in the database:
// everyone is still logged in after a restart.
type sessionStore struct{ *store }

// Find returns the data of a session that has not expired.
func (s sessionStore) Find(token string) (data []byte, found bool, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		value := tx.Bucket(sessionsBucket).Get([]byte(token))
		if found = value != nil && time.Now().Before(expiry(value)); found {
			data = append(data, value[8:]...) // value ends with the transaction
		}
		return nil
	})
	return data, found, err
}

// Commit stores a session.
func (s sessionStore) Commit(token string, data []byte, expires time.Time) error {
	value := binary.BigEndian.AppendUint64(nil, uint64(expires.UnixNano()))
	return s.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(sessionsBucket).Put([]byte(token), append(value, data...))
	})
}

// Delete ends a session.
func (s sessionStore) Delete(token string) error {
	return s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(sessionsBucket).Delete([]byte(token)) })
}

// sweepSessions removes those that have expired.
func (s *store) sweepSessions() error {
	now := time.Now()
	return s.db.Update(func(tx *bbolt.Tx) error {
		var expired [][]byte
		all := tx.Bucket(sessionsBucket)
		err := all.ForEach(func(token, value []byte) error {
			if now.After(expiry(value)) {
				expired = append(expired, token)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, token := range expired {
			if err := all.Delete(token); err != nil {
				return err
			}
		}
		return nil
	})
}

func expiry(value []byte) time.Time { return time.Unix(0, int64(binary.BigEndian.Uint64(value))) }
