package main

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed-d124fa34/socketio"
)

var (
	errNotMember = errors.New("you are not in this room")
	errText      = errors.New("a message has 1 to 4000 characters")
)

// conversation returns the key in the database of a conversation that a user
// may take part in, and the users whose direct messages it is, none for a room.
func (a *app) conversation(user, name string) (key string, partners []string, err error) {
	if room, ok := strings.CutPrefix(name, "#"); ok {
		member, err := a.store.isMember(room, user)
		if err == nil && !member {
			err = errNotMember
		}
		return inRoom(room), nil, err
	}
	other, ok := strings.CutPrefix(name, "@")
	if !ok {
		return "", nil, errNoUser
	}
	if _, err := a.store.account(other); err != nil {
		return "", nil, err
	}
	partners = []string{user, other}
	slices.Sort(partners)
	return tabsOf(partners[0]) + " " + tabsOf(partners[1]), partners, nil
}

// delivery is a message in a conversation as the recipient names it.
type delivery struct {
	In string `json:"in"`
	message
}

// deliver sends a message to everyone in its conversation, the author included.
func (a *app) deliver(m message, name string) error {
	if strings.HasPrefix(name, "#") {
		return a.srv.Emit("message", delivery{name, m}, socketio.To(name))
	}
	if name != tabsOf(m.From) {
		if err := a.srv.Emit("message", delivery{tabsOf(m.From), m}, socketio.To(name)); err != nil {
			return err
		}
	}
	return a.srv.Emit("message", delivery{name, m}, socketio.To(tabsOf(m.From)))
}

// saying is a message on its way in. Once tells it from the author's others;
// Again says that it may have been sent before, but was not acknowledged.
type saying struct {
	In    string `json:"in"`
	Text  string `json:"text"`
	Once  string `json:"once"`
	Again bool   `json:"again"`
}

// say is acknowledged, with the number of the message, when it is on the disk.
func (a *app) say(c *socketio.Context, s saying) (id uint64, err error) {
	m := message{From: userOf(c), Text: cleanText(s.Text), At: time.Now().UnixMilli(), Once: s.Once}
	if n := utf8.RuneCountInString(m.Text); n < 1 || n > maxText || len(s.Once) > 64 {
		return 0, errText
	}
	key, partners, err := a.conversation(m.From, s.In)
	if err != nil {
		return 0, err
	}
	a.posting.Lock()
	defer a.posting.Unlock()
	m, known, err := a.store.add(key, m, s.Again, partners)
	if err != nil || known {
		return m.ID, err
	}
	return m.ID, a.deliver(m, s.In)
}

// typist is who is typing, in a conversation as the recipient names it.
type typist struct {
	In string `json:"in"`
	person
}

// typing is worth nothing when it is late: Volatile.
func (a *app) typing(c *socketio.Context, in string) error {
	user := userOf(c)
	if _, _, err := a.conversation(user, in); err != nil {
		return err
	}
	acc, err := a.store.account(user)
	if err != nil {
		return err
	}
	name := in
	if !strings.HasPrefix(in, "#") {
		name = tabsOf(user)
	}
	return c.Emit("typing", typist{name, person{user, acc.Nick}},
		socketio.To(in), socketio.Except(tabsOf(user)), socketio.Volatile())
}

// question asks for the last messages, or for those before a number.
type question struct {
	In     string `json:"in"`
	Before uint64 `json:"before"`
}

// page is a part of a conversation. More says that there is more before it.
type page struct {
	Messages []message `json:"messages"`
	More     bool      `json:"more"`
}

func (a *app) history(c *socketio.Context, q question) (p page, err error) {
	key, _, err := a.conversation(userOf(c), q.In)
	if err != nil {
		return page{}, err
	}
	p.Messages, p.More, err = a.store.before(key, q.Before, pageSize)
	return p, err
}

// known is what a client has: the number of the last message it has of each conversation.
type known struct {
	Since map[string]uint64 `json:"since"`
}

// state is what it needs besides.
type state struct {
	Me            person         `json:"me"`
	Conversations []conversation `json:"conversations"`
}

// conversation is one of the user's, with what the client has missed of it.
type conversation struct {
	In     string    `json:"in"`
	Nick   string    `json:"nick,omitempty"` // of the other user
	Last   uint64    `json:"last"`           // number of the last message
	Missed []message `json:"missed"`         // since the one that the client has; none if it has not said
	More   bool      `json:"more"`           // and it has missed more than that: it loads the history again
}

// sync is what a client begins with, and what it does again whenever it has
// been away. First it is brought into its rooms, then what it has missed is
// looked up, so nothing is lost between; what it gets twice has the same number.
func (a *app) sync(c *socketio.Context, has known) (state, error) {
	names, err := a.enter(c)
	if err != nil {
		return state{}, err
	}
	user := userOf(c)
	partners, err := a.store.partnersOf(user)
	if err != nil {
		return state{}, err
	}
	people, err := a.store.people(append(partners, user))
	if err != nil {
		return state{}, err
	}
	s := state{Me: people[len(people)-1], Conversations: []conversation{}}
	for _, room := range names {
		err = errors.Join(err, s.add(a, conversation{In: inRoom(room)}, has))
	}
	for _, p := range people[:len(people)-1] {
		err = errors.Join(err, s.add(a, conversation{In: tabsOf(p.User), Nick: p.Nick}, has))
	}
	return s, err
}

// add adds a conversation, with what the client has missed.
func (s *state) add(a *app, conv conversation, has known) error {
	key, _, err := a.conversation(s.Me.User, conv.In)
	if errors.Is(err, errNotMember) { // left by now, in another tab
		return nil
	}
	if err != nil {
		return err
	}
	if conv.Last, err = a.store.last(key); err != nil {
		return err
	}
	conv.Missed = []message{}
	if since, ok := has.Since[conv.In]; ok {
		if conv.Missed, conv.More, err = a.store.after(key, since, maxMissed); err != nil {
			return err
		}
	}
	s.Conversations = append(s.Conversations, conv)
	return nil
}
