package typescript

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
)

type (
	message struct {
		Text string `json:"text"`
	}
	tree struct {
		Children []*tree         `json:"children,omitempty"`
		By       map[string]tree `json:"by"`
	}
	list        []list
	nick        string
	level       int
	page[T any] struct {
		Items []T `json:"items"`
		More  *T  `json:"more"`
	}
	money struct{ cents int64 }
	base  struct {
		ID     int `json:"id"`
		Hidden int `json:"-"`
		Name   string
	}
	other struct {
		Same int
		Name string `json:"Name"`
	}
	third struct {
		Same string
	}
	outer struct {
		base
		*other
		third
		ID    string          `json:"id"`
		Big   int64           `json:"big,string"`
		When  time.Time       `json:"when,omitzero"`
		Zero  message         `json:"zero,omitempty"`
		Raw   json.RawMessage `json:"raw"`
		Num   json.Number     `json:"num"`
		Huge  *big.Int        `json:"huge"`
		Any   any             `json:"any"`
		Data  []byte          `json:"data"`
		Maybe *bool           `json:"maybe,omitempty"`
		Null  *bool           `json:"null"`
		Pair  [2]*int         `json:"pair"`
		Odd   int             `json:"odd-name"`
		In    struct {
			X, Y float64
		} `json:"in"`
	}
)

func (m money) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, `"%d"`, m.cents), nil }

// lines of the interface or type with this name.
func declaration(t *testing.T, out, name string) string {
	t.Helper()
	for _, block := range strings.Split(out, "\n\n") {
		if strings.Contains(block, "export interface "+name+" ") || strings.Contains(block, "export type "+name+" ") {
			return strings.TrimSpace(block)
		}
	}
	require.Fail(t, "not declared", "%s in %s", name, out)
	return ""
}

func write(t *testing.T, srv *socketio.Server, opts *Options) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, Write(&b, srv.Events(), opts))
	return b.String()
}

func TestTypesAreWrittenAsJSONEncodesThem(t *testing.T) {
	srv := socketio.NewServer(nil)
	srv.Declare("outer", func(outer) {})
	srv.Declare("tree", func(tree, list, nick, level, page[message], url.Userinfo) {})
	out := write(t, srv, nil)
	assert.Equal(t, `export interface Outer {
  Name: string;
  id: string;
  big: string;
  when?: string;
  zero: Message;
  raw: unknown;
  num: number;
  huge: number | null;
  any: any;
  data: Binary;
  maybe?: boolean;
  null: boolean | null;
  pair: (number | null)[];
  "odd-name": number;
  in: {
    X: number;
    Y: number;
  };
}`, declaration(t, out, "Outer"))
	assert.Equal(t, "export interface Tree {\n  children?: (Tree | null)[];\n  by: Record<string, Tree>;\n}", declaration(t, out, "Tree"))
	assert.Equal(t, "export type List = List[];", declaration(t, out, "List"))
	assert.Equal(t, "export type Nick = string;", declaration(t, out, "Nick"))
	assert.Equal(t, "export type Level = number;", declaration(t, out, "Level"))
	assert.Equal(t, "export interface PageMessage {\n  items: Message[];\n  more: Message | null;\n}", declaration(t, out, "PageMessage"))
	assert.Contains(t, declaration(t, out, "Binary"), "ArrayBuffer | Uint8Array")

	// the members are those that encoding/json has
	raw, err := json.Marshal(outer{other: &other{}, Raw: json.RawMessage("1"), Huge: big.NewInt(1), Maybe: new(bool), When: time.Unix(1, 0)})
	require.NoError(t, err)
	var members map[string]any
	require.NoError(t, json.Unmarshal(raw, &members))
	got := map[string]bool{}
	for _, f := range fields(reflect.TypeFor[outer]()) {
		got[f.name] = true
	}
	for name := range members {
		assert.True(t, got[name], "%s is missing", name)
	}
	assert.Len(t, got, len(members))
}

func TestEvents(t *testing.T) {
	srv := socketio.NewServer(nil)
	srv.On("connect", func(*socketio.Context, message) error { return nil })
	srv.On("disconnect", func(*socketio.Context, socketio.Reason) {})
	srv.On("*", func(*socketio.Context, string) {})
	srv.On("none", func(*socketio.Context) error { return nil })
	srv.On("one", func(*socketio.Context, []string) (int, error) { return 0, nil })
	srv.On("two words", func(*socketio.Context, bool, *message) (int, string, error) { return 0, "", nil })
	srv.On("many", func(*socketio.Context, ...int) {})
	srv.On("all", func(*socketio.Context, string, ...*int) bool { return true })
	srv.On("free", socketio.HandlerFunc(func(*socketio.Context) (socketio.Args, error) { return nil, nil }))
	srv.On("args", func(*socketio.Context, any) (socketio.Args, error) { return nil, nil })
	srv.On("typed", socketio.FuncAck(func(*socketio.Context, map[int]message) (nick, error) { return "", nil }))
	srv.Namespace("/my-chat/2").Declare("ask", func(q string) (answer string) { return })
	srv.Namespace("*").On("x", func(*socketio.Context) {})
	out := write(t, srv, nil)
	assert.Equal(t, `/** Events that clients of namespace "/" send. */
export interface ClientToServerEvents {
  all: (...args: [arg: string, ...rest: (number | null)[], ack: (result: boolean) => void]) => void;
  args: (arg: any, ack: (...results: any[]) => void) => void;
  free: (...args: any[]) => void;
  many: (...rest: number[]) => void;
  none: () => void;
  one: (arg: string[], ack: (result: number) => void) => void;
  "two words": (arg1: boolean, arg2: Message | null, ack: (result1: number, result2: string) => void) => void;
  typed: (arg: Record<string, Message>, ack: (result: Nick) => void) => void;
}`, declaration(t, out, "ClientToServerEvents"))
	assert.Contains(t, declaration(t, out, "Auth"), "export type Auth = Message;")
	assert.Contains(t, declaration(t, out, "MyChat2ServerToClientEvents"), "  ask: (arg: string, ack: (result: string) => void) => void;")
	assert.Contains(t, declaration(t, out, "AnyClientToServerEvents"), "  x: () => void;")
	assert.Equal(t, out, write(t, srv, nil), "the same every time")
}

func TestNamesDoNotCollide(t *testing.T) {
	type Message struct{ B int }
	type Auth struct{ C int }
	srv := socketio.NewServer(nil)
	srv.Declare("a", func(message, Message, Auth, json.Token) {})
	out := write(t, srv, nil)
	assert.Contains(t, declaration(t, out, "ServerToClientEvents"), "a: (arg1: Message, arg2: TypescriptMessage, arg3: TypescriptAuth, arg4: any) => void")
}

func TestOwnTypes(t *testing.T) {
	srv := socketio.NewServer(nil)
	srv.Declare("paid", func(money, []money, *money) {})
	assert.Contains(t, write(t, srv, nil), "paid: (arg1: unknown, arg2: unknown[], arg3: unknown) => void")
	out := write(t, srv, &Options{Types: map[reflect.Type]string{reflect.TypeFor[money](): "`${number}`"}})
	assert.Contains(t, out, "paid: (arg1: `${number}`, arg2: `${number}`[], arg3: `${number}` | null) => void")
}

func TestTypesThatCannotBeWritten(t *testing.T) {
	srv := socketio.NewServer(nil)
	srv.Namespace("/chat").On("bad", func(*socketio.Context, struct{ Inner struct{ C chan int } }) {})
	var b strings.Builder
	err := Write(&b, srv.Events(), nil)
	assert.ErrorContains(t, err, `event "bad" of namespace /chat`)
	assert.ErrorContains(t, err, "a chan int cannot be sent")

	srv = socketio.NewServer(nil)
	srv.Declare("bad", func(map[bool]int) {})
	assert.ErrorContains(t, Write(&b, srv.Events(), nil), "a bool cannot be the key of an object")

	type holder struct{ F func() }
	srv = socketio.NewServer(nil)
	srv.Declare("bad", func([]holder) {})
	assert.ErrorContains(t, Write(&b, srv.Events(), nil), "field F of typescript.holder: a func() cannot be sent")

	srv = socketio.NewServer(nil)
	srv.Namespace("/chat").Declare("a", func() {})
	srv.Namespace("/Chat").Declare("a", func() {})
	assert.ErrorContains(t, Write(&b, srv.Events(), nil), "would have the same names")
	assert.Empty(t, b.String(), "nothing is written")

	broken := errors.New("disk full")
	assert.ErrorIs(t, Write(writer{broken}, nil, nil), broken)
}

type writer struct{ err error }

func (w writer) Write([]byte) (int, error) { return 0, w.err }
