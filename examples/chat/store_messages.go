package main

import (
	"encoding/binary"
	"encoding/json"
	"slices"

	"go.etcd.io/bbolt"
)

// message is a message as it is kept. Its number counts within its
// conversation, from 1 on and without gaps.
type message struct {
	ID   uint64 `json:"id"`
	From string `json:"from"`
	Nick string `json:"nick"` // at the time
	Text string `json:"text"`
	At   int64  `json:"at"`   // ms since 1970
	Once string `json:"once"` // chosen by the client, so that a message sent again is recognised
}

// resent bounds how far back a message is looked for that may be there already.
const resent = 1000

// add stores a message, and fills in its number and its author's nickname. If
// it may have been sent before, and was, add returns that one and known.
// partners, if any, have exchanged a direct message.
func (s *store) add(conversation string, m message, again bool, partners []string) (stored message, known bool, err error) {
	err = s.db.Update(func(tx *bbolt.Tx) error {
		all, err := tx.Bucket(messagesBucket).CreateBucketIfNotExists([]byte(conversation))
		if err != nil {
			return err
		}
		if again {
			stored, known, err = find(all, m.From, m.Once)
			if known || err != nil {
				return err
			}
		}
		var acc account
		if err := get(tx.Bucket(usersBucket), []byte(m.From), &acc, errNoUser); err != nil {
			return err
		}
		stored = m
		stored.Nick = acc.Nick
		if stored.ID, err = all.NextSequence(); err != nil {
			return err
		}
		if err := put(all, number(stored.ID), stored); err != nil {
			return err
		}
		if stored.ID > s.keep {
			if err := all.Delete(number(stored.ID - s.keep)); err != nil {
				return err
			}
		}
		return addPartners(tx, partners)
	})
	return stored, known, err
}

func addPartners(tx *bbolt.Tx, partners []string) error {
	all := tx.Bucket(partnersBucket)
	for i, user := range partners {
		key := pair(user, partners[len(partners)-1-i])
		if all.Get(key) != nil {
			continue
		}
		if err := all.Put(key, []byte{}); err != nil {
			return err
		}
	}
	return nil
}

// find looks for the message of an author among the last ones.
func find(all *bbolt.Bucket, from, once string) (m message, found bool, err error) {
	c := all.Cursor()
	k, v := c.Last()
	for n := 0; k != nil && n < resent; n++ {
		m = message{}
		if err := json.Unmarshal(v, &m); err != nil {
			return m, false, err
		}
		if m.From == from && m.Once == once {
			return m, true, nil
		}
		k, v = c.Prev()
	}
	return message{}, false, nil
}

// last returns the number of the last message, 0 if there is none.
func (s *store) last(conversation string) (id uint64, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		if all := tx.Bucket(messagesBucket).Bucket([]byte(conversation)); all != nil {
			id = all.Sequence()
		}
		return nil
	})
	return id, err
}

// before returns up to n messages, in order: the last ones, or those before the
// number if it is not 0. more says that there are earlier ones.
func (s *store) before(conversation string, id uint64, n int) (page []message, more bool, err error) {
	page = []message{}
	err = s.read(conversation, func(c *bbolt.Cursor) error {
		k, v := c.Last()
		if id > 0 {
			if k, _ = c.Seek(number(id)); k != nil {
				k, v = c.Prev()
			} else { // it is beyond the end
				k, v = c.Last()
			}
		}
		for ; k != nil && len(page) < n; k, v = c.Prev() {
			if err := appendMessage(&page, v); err != nil {
				return err
			}
		}
		more = k != nil
		return nil
	})
	slices.Reverse(page)
	return page, more, err
}

// after returns up to n messages that follow a number, in order. more says that
// there are later ones.
func (s *store) after(conversation string, id uint64, n int) (page []message, more bool, err error) {
	page = []message{}
	err = s.read(conversation, func(c *bbolt.Cursor) error {
		k, v := c.Seek(number(id + 1))
		for ; k != nil && len(page) < n; k, v = c.Next() {
			if err := appendMessage(&page, v); err != nil {
				return err
			}
		}
		more = k != nil
		return nil
	})
	return page, more, err
}

func (s *store) read(conversation string, f func(*bbolt.Cursor) error) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		all := tx.Bucket(messagesBucket).Bucket([]byte(conversation))
		if all == nil {
			return nil
		}
		return f(all.Cursor())
	})
}

func appendMessage(page *[]message, encoded []byte) error {
	var m message
	if err := json.Unmarshal(encoded, &m); err != nil {
		return err
	}
	*page = append(*page, m)
	return nil
}

// number is the key of a message: keys are in the order of their bytes.
func number(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }
