package census

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio/internal/fleet"
	"github.com/seed-d124fa34/socketio/internal/rooms"
	"github.com/seed-d124fa34/socketio/internal/sessionid"
)

// sockets note what they are asked.
type sockets struct{ asked []string }

func (s *sockets) note(what ...string) { s.asked = append(s.asked, what...) }

func (s *sockets) Members(ns, room string, away bool) []string {
	s.note("members", ns, room, withAway(away))
	return []string{"a", "b"}
}

func (s *sockets) Count(ns, room string, away bool) int {
	s.note("count", ns, room, withAway(away))
	return 2
}

func withAway(away bool) string {
	if away {
		return "with away"
	}
	return "connected"
}

func (s *sockets) Rooms(ns, sid string) (names []string, found, connected bool) {
	s.note("rooms", ns, sid)
	return []string{"lobby"}, sid != "c", sid == "a"
}

func (s *sockets) Select(q *Question) []string {
	s.note(append([]string{"select", q.Namespace}, q.Rooms...)...)
	return nil
}

func (s *sockets) Disconnect(ns, room string) int { s.note("disconnect", ns, room); return 3 }

func (s *sockets) Move(ns, from, to string) (int, error) {
	s.note("move", ns, from, to)
	return 1, errors.New("one is in too many rooms")
}

func TestAnswer(t *testing.T) {
	for _, tt := range []struct {
		q     Question
		asked []string
		want  fleet.Answer
	}{
		{Question{Do: Members, Room: "r"}, []string{"members", "/", "r", "connected"}, fleet.Answer{Names: []string{"a", "b"}}},
		{Question{Do: Members, Room: "r", Away: true}, []string{"members", "/", "r", "with away"}, fleet.Answer{Names: []string{"a", "b"}}},
		{Question{Do: Count, Everyone: true}, []string{"count", "/", rooms.Everyone, "connected"}, fleet.Answer{Count: 2}},
		{Question{Do: Rooms, SID: "a"}, []string{"rooms", "/", "a"}, fleet.Answer{Names: []string{"lobby"}, Found: true, Count: 1}},
		{Question{Do: Rooms, SID: "b"}, []string{"rooms", "/", "b"}, fleet.Answer{Names: []string{"lobby"}, Found: true}},
		{Question{Do: Select, Rooms: []string{"r", "s"}}, []string{"select", "/", "r", "s"}, fleet.Answer{}},
		{Question{Do: Disconnect, Room: "r"}, []string{"disconnect", "/", "r"}, fleet.Answer{Count: 3}},
		{Question{Do: Move, Room: "r", NewRoom: "s"}, []string{"move", "/", "r", "s"}, fleet.Answer{Count: 1, Err: "one is in too many rooms"}},
	} {
		t.Run(tt.q.Do, func(t *testing.T) {
			tt.q.Namespace = "/"
			s := new(sockets)
			content, err := json.Marshal(tt.q)
			require.NoError(t, err)
			assert.Equal(t, tt.want, AnswerContent(content, s))
			assert.Equal(t, tt.asked, s.asked)
		})
	}
}

// A question without the name of a room is never one about everyone.
func TestEmptyRoomIsNotEveryone(t *testing.T) {
	for _, q := range []Question{
		{Do: Members}, {Do: Count}, {Do: Disconnect}, {Do: Move, NewRoom: "s"},
		{Do: Select, Rooms: []string{"r", ""}}, {Do: Select, Rooms: []string{"r"}, Except: []string{""}},
	} {
		s := new(sockets)
		assert.Equal(t, fleet.Answer{Err: errEmptyRoom.Error()}, Answer(&q, s), q.Do)
		assert.Empty(t, s.asked)
	}
}

func TestUnknownQuestion(t *testing.T) {
	assert.Contains(t, AnswerContent([]byte(`{"do":"sing"}`), new(sockets)).Err, `does not know the question "sing"`)
	assert.Contains(t, AnswerContent([]byte(`[`), new(sockets)).Err, "does not understand the question")
}

func TestFleetQuestion(t *testing.T) {
	sid := sessionid.New()
	for _, tt := range []struct {
		q                 Question
		order, untilFound bool
	}{
		{Question{Do: Members, Room: "r"}, false, false},
		{Question{Do: Count, Room: "r"}, false, false},
		{Question{Do: Rooms, SID: sid}, false, true},
		{Question{Do: Select, Rooms: []string{"r"}}, false, false},
		{Question{Do: Select, Rooms: []string{sid}}, false, true},
		{Question{Do: Disconnect, Room: "r"}, true, false},
		{Question{Do: Move, Room: "r"}, true, false},
	} {
		f := tt.q.Fleet()
		assert.Equal(t, tt.order, f.Order, tt.q)
		assert.Equal(t, tt.untilFound, f.UntilFound, tt.q)
		var back Question
		require.NoError(t, json.Unmarshal(f.Content, &back))
		assert.Equal(t, tt.q, back)
	}
}
