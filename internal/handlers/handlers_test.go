package handlers

import (
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTable(t *testing.T) {
	type space struct{ n int }
	var empty Table[space]
	one := empty.With("/a", func(s *space) { s.n++ })
	two := one.With("/a", func(s *space) { s.n++ })
	all := two.With(Any, func(s *space) { s.n = 7 })
	require.Empty(t, empty.Namespaces)
	require.Equal(t, 1, one.Namespaces["/a"].n, "a table does not change")
	require.Equal(t, 2, two.Namespaces["/a"].n)
	require.Nil(t, two.Any)
	require.Equal(t, [2]*space{{2}, {7}}, all.Layers("/a"))
	require.Equal(t, [2]*space{nil, {7}}, all.Layers("/b"))
}

func TestFind(t *testing.T) {
	type handlers = map[string]string
	own := &Set[string]{Events: handlers{"a": "own a", "connect": "own connect"}, Class: handlers{"a": "class a", "b": "class b"}}
	catching := &Set[string]{Events: handlers{"a": "own a", Any: "own *"}}
	others := &Set[string]{Events: handlers{"c": "others c", "b": "others b"}, Class: handlers{"d": "others' class d"}}
	catchingOthers := &Set[string]{Events: handlers{Any: "others *"}}
	for _, c := range []struct {
		own, others *Set[string]
		event       string
		lifecycle   bool
		want        string
		named       bool
	}{
		{nil, nil, "a", false, "", false},
		{own, others, "a", false, "own a", false},
		{own, others, "b", false, "others b", false}, // functions come before classes
		{own, nil, "b", false, "class b", false},
		{own, others, "c", false, "others c", false},
		{own, others, "d", false, "", false}, // a namespace with a class does not use the other one
		{catching, others, "d", false, "own *", true},
		{nil, others, "d", false, "others' class d", false},
		{catching, catchingOthers, "b", false, "own *", true},
		{own, catchingOthers, "b", false, "others *", true},
		{own, catchingOthers, "connect", true, "own connect", false},
		{catching, catchingOthers, "connect", true, "", false},
		{catching, nil, Any, false, "own *", true},
	} {
		got, named, found := Find(c.own, c.others, c.event, c.lifecycle)
		require.Equal(t, c.want, got, "%v", c)
		require.Equal(t, c.named, named, "%v", c)
		require.Equal(t, c.want != "", found, "%v", c)
	}
	require.ElementsMatch(t, []string{"a", "connect", "a", "b"}, own.Names())
}

func TestNamespace(t *testing.T) {
	for name, want := range map[string]string{"": "/", "/": "/", "chat": "/chat", "/chat": "/chat"} {
		got, err := Namespace(name)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, name := range []string{"/a,b", "/a?b"} {
		_, err := Namespace(name)
		require.ErrorContains(t, err, "a comma or a question mark")
	}
}

// The function added first is the outermost, and the others are added between it and
// the end.
func TestChain(t *testing.T) {
	type f = func() string
	var ch *Chain[f]
	for _, name := range []string{"a", "b", "c"} {
		l := NewLink(func() string { return "end" })
		ch = ch.With(func() string { return name + " " + l.Next()() }, l)
	}
	require.Equal(t, "a b c end", ch.First())
}

type class struct{}

func (class) OnMyEvent() {}
func (class) OnHTTP()    {}
func (class) On()        {}
func (class) Once()      {}
func (class) Other()     {}

func TestMethods(t *testing.T) {
	got := map[string]string{}
	for m, event := range Methods(reflect.ValueOf(class{})) {
		got[m.Name] = event
	}
	require.Equal(t, map[string]string{"OnMyEvent": "my_event", "OnHTTP": "http"}, got)
	for range Methods(reflect.ValueOf(class{})) {
		break
	}
}

func TestSnakeCase(t *testing.T) {
	for name, want := range map[string]string{"MyEvent": "my_event", "Join": "join", "HTTPStatus": "http_status", "UserID": "user_id",
		"URLChanged": "url_changed", "Step2Done": "step2_done", "A": "a", "ÄÖ": "äö"} {
		require.Equal(t, want, snakeCase(name))
	}
}

func BenchmarkFind(b *testing.B) {
	set := &Set[func()]{Events: map[string]func(){}}
	for i := range 20 {
		set.Events[string(slices.Repeat([]byte{'a'}, i))] = func() {}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, found := Find(set, nil, "aaaaa", false); !found {
			b.Fatal("not found")
		}
	}
}
