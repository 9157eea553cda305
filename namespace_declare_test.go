package socketio_test

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed-d124fa34/socketio"
)

type describedClass struct{}

func (describedClass) OnSay(*socketio.Context, string)     {}
func (describedClass) OnJoin(*socketio.Context, int) error { return nil }

func TestEventsDescribeWhatIsRegistered(t *testing.T) {
	srv := socketio.NewServer(nil)
	assert.Empty(t, srv.Events())

	connect := func(*socketio.Context, map[string]string) error { return nil }
	say := func(*socketio.Context, string) (int, error) { return 0, nil }
	typed := func(*socketio.Context, bool) error { return nil }
	said := func(string) (seen bool) { return }
	srv.Register("/chat", describedClass{})
	chat := srv.Namespace("chat")
	chat.On("say", say)
	chat.Declare("said", said)
	chat.Declare("asked", (func(string) int)(nil))
	srv.On("connect", connect)
	srv.On("typed", socketio.Func(typed))
	srv.Use(func(next socketio.HandlerFunc) socketio.HandlerFunc { return next })
	srv.Declare("news", func() {})
	srv.Declare("news", func(int) {}) // the last one counts, as with On

	assert.Equal(t, []socketio.EventInfo{
		{"/", "connect", false, reflect.TypeOf(connect)},
		{"/", "typed", false, reflect.TypeOf(typed)},
		{"/", "news", true, reflect.TypeFor[func(int)]()},
		{"/chat", "join", false, reflect.TypeFor[func(*socketio.Context, int) error]()},
		{"/chat", "say", false, reflect.TypeOf(say)}, // not the class's
		{"/chat", "asked", true, reflect.TypeFor[func(string) int]()},
		{"/chat", "said", true, reflect.TypeOf(said)},
	}, srv.Events())
}

func TestDeclareRefusesWhatCannotBeSent(t *testing.T) {
	srv := socketio.NewServer(nil)
	for _, c := range []struct {
		event    string
		receiver any
		says     string
	}{
		{"a", nil, "it is not a function"},
		{"a", 7, "it is not a function"},
		{"a", func(*socketio.Context) {}, "parameter 1: a *socketio.Context cannot be sent"},
		{"a", func(int, chan int) {}, "parameter 2: a chan int cannot be sent"},
		{"a", func() error { return nil }, "result 1: a client does not acknowledge with a error"},
		{"connect", func() {}, "a server cannot emit an event of this name"},
		{"*", func() {}, "a server cannot emit an event of this name"},
		{"connect_error", func() {}, "the protocol reserves this name"},
	} {
		message := func() (m string) {
			defer func() { m, _ = recover().(string) }()
			srv.Declare(c.event, c.receiver)
			return ""
		}()
		assert.Contains(t, message, c.says, "%T", c.receiver)
		assert.Contains(t, message, "namespace_declare_test.go:", "it says where")
	}
	assert.Empty(t, srv.Events())
}
