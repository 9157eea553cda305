package main

import (
	"maps"
	"slices"
	"sync"

	"github.com/seed-d124fa34/socketio"
)

// rooms is who is online, and where. A user is in a room with all their tabs,
// and online as long as there is one.
//
// mu makes one step of a change in the database, the change here, and telling
// everyone: what they hear last is how it is. Emitting only queues, so nobody
// waits for the network.
//
// This is for one server. With several on a broker, who is online would have to
// be kept where all of them see it.
type rooms struct {
	mu     sync.Mutex
	tabs   sets // of a user: session ids
	online sets // in a room: users
}

// The names of Socket.IO rooms: everyone in a chat room, and all tabs of a user.
func inRoom(room string) string { return "#" + room }
func tabsOf(user string) string { return "@" + user }

// presence is who is in a room and online: all of them, or one that came or went.
type presence struct {
	Room   string   `json:"room"`
	People []person `json:"people"`
}

// enter brings a socket online and into its user's rooms. From now on it gets
// all that happens there. Entering again is fine.
func (a *app) enter(c *socketio.Context) (names []string, err error) {
	user := userOf(c)
	a.rooms.mu.Lock()
	defer a.rooms.mu.Unlock()
	if names, err = a.store.roomsOf(user); err != nil {
		return nil, err
	}
	if err := c.Join(tabsOf(user)); err != nil {
		return nil, err
	}
	a.rooms.tabs.add(user, c.ID())
	for _, room := range names {
		if err := c.Join(inRoom(room)); err != nil {
			return nil, err
		}
		if err := a.came(room, user); err != nil {
			return nil, err
		}
		if err := a.showPeople(room, c.ID()); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// exit is the disconnect handler: the user has gone with their last tab.
func (a *app) exit(c *socketio.Context) error {
	user := userOf(c)
	a.rooms.mu.Lock()
	defer a.rooms.mu.Unlock()
	a.rooms.tabs.remove(user, c.ID())
	if len(a.rooms.tabs[user]) > 0 {
		return nil
	}
	for _, room := range slices.Collect(maps.Keys(a.rooms.online)) {
		if err := a.went(room, user); err != nil {
			return err
		}
	}
	return nil
}

// came tells those in a room that somebody is there who was not, with mu held.
func (a *app) came(room, user string) error {
	if !a.rooms.online.add(room, user) {
		return nil
	}
	people, err := a.store.people([]string{user})
	if err != nil {
		return err
	}
	return a.srv.Emit("came", presence{room, people}, socketio.To(inRoom(room)), socketio.Except(tabsOf(user)))
}

// went is the opposite.
func (a *app) went(room, user string) error {
	if !a.rooms.online.remove(room, user) {
		return nil
	}
	return a.srv.Emit("went", presence{room, []person{{User: user}}}, socketio.To(inRoom(room)))
}

// showPeople tells a socket, or a user's, who is in a room, with mu held.
func (a *app) showPeople(room, to string) error {
	people, err := a.store.people(slices.Sorted(maps.Keys(a.rooms.online[room])))
	if err != nil {
		return err
	}
	return a.srv.Emit("people", presence{room, people}, socketio.To(to))
}

func (a *app) createRoom(c *socketio.Context, typed string) error {
	return a.enterRoom(c, typed, a.store.addRoom)
}

func (a *app) joinRoom(c *socketio.Context, typed string) error {
	return a.enterRoom(c, typed, a.store.join)
}

// enterRoom brings all tabs of a user into a room, if the database does.
func (a *app) enterRoom(c *socketio.Context, typed string, enter func(room, user string) error) error {
	room, err := cleanName(typed, errRoomName)
	if err != nil {
		return err
	}
	user := userOf(c)
	a.rooms.mu.Lock()
	defer a.rooms.mu.Unlock()
	if err := enter(room, user); err != nil {
		return err
	}
	last, err := a.store.last(inRoom(room))
	if err != nil {
		return err
	}
	tabs, err := a.srv.Members(tabsOf(user))
	if err != nil {
		return err
	}
	for _, sid := range tabs {
		_ = a.srv.JoinRoom(sid, inRoom(room)) // an error means that the tab is being closed
	}
	if len(a.rooms.tabs[user]) > 0 { // it is not if this socket has never said "sync"
		if err := a.came(room, user); err != nil {
			return err
		}
	}
	if err := a.srv.Emit("joined", conversation{In: inRoom(room), Last: last, Missed: []message{}}, socketio.To(tabsOf(user))); err != nil {
		return err
	}
	return a.showPeople(room, tabsOf(user))
}

func (a *app) leaveRoom(c *socketio.Context, typed string) error {
	room, err := cleanName(typed, errRoomName)
	if err != nil {
		return err
	}
	user := userOf(c)
	a.rooms.mu.Lock()
	defer a.rooms.mu.Unlock()
	if err := a.store.leave(room, user); err != nil {
		return err
	}
	tabs, err := a.srv.Members(tabsOf(user))
	if err != nil {
		return err
	}
	for _, sid := range tabs {
		_ = a.srv.LeaveRoom(sid, inRoom(room))
	}
	if err := a.went(room, user); err != nil {
		return err
	}
	return a.srv.Emit("left", inRoom(room), socketio.To(tabsOf(user)))
}

// listing is a room in the list of all rooms.
type listing struct {
	Room   string `json:"room"`
	Online int    `json:"online"`
}

func (a *app) listRooms(*socketio.Context) ([]listing, error) {
	names, err := a.store.allRooms()
	if err != nil {
		return nil, err
	}
	a.rooms.mu.Lock()
	defer a.rooms.mu.Unlock()
	list := make([]listing, len(names))
	for i, room := range names {
		list[i] = listing{room, len(a.rooms.online[room])}
	}
	return list, nil
}

// changeNick changes the name that others see.
func (a *app) changeNick(c *socketio.Context, typed string) (person, error) {
	p := person{User: userOf(c)}
	var err error
	if p.Nick, err = cleanNick(typed); err != nil {
		return person{}, err
	}
	a.rooms.mu.Lock()
	defer a.rooms.mu.Unlock()
	if err := a.store.rename(p.User, p.Nick); err != nil {
		return person{}, err
	}
	return p, a.srv.Emit("renamed", p)
}

// findPerson says whether there is a user of this name, online or not.
func (a *app) findPerson(_ *socketio.Context, typed string) (person, error) {
	user, err := cleanName(typed, errUserName)
	if err != nil {
		return person{}, err
	}
	acc, err := a.store.account(user)
	return person{user, acc.Nick}, err
}

// sets are sets of strings by name.
type sets map[string]map[string]struct{}

// add reports whether the member is new.
func (s *sets) add(name, member string) bool {
	if *s == nil {
		*s = make(sets)
	}
	if (*s)[name] == nil {
		(*s)[name] = make(map[string]struct{})
	}
	_, there := (*s)[name][member]
	(*s)[name][member] = struct{}{}
	return !there
}

// remove reports whether the member was there.
func (s sets) remove(name, member string) bool {
	_, there := s[name][member]
	delete(s[name], member)
	if len(s[name]) == 0 {
		delete(s, name)
	}
	return there
}
