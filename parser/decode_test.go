package parser

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	type packet struct {
		typ   Type
		ns    string
		id    string // "" if none
		event string
		args  string // as a JSON array, bytes in base64
	}
	tests := []struct {
		msgs []message
		want packet
	}{
		{[]message{text(`0`)}, packet{Connect, "/", "", "", `[]`}},
		{[]message{text(`0/`)}, packet{Connect, "/", "", "", `[]`}},
		{[]message{text(`0/,`)}, packet{Connect, "/", "", "", `[]`}},
		{[]message{text(`0/admin`)}, packet{Connect, "/admin", "", "", `[]`}},
		{[]message{text(`0/admin,`)}, packet{Connect, "/admin", "", "", `[]`}},
		{[]message{text(`0/admin?token=1&a=b,`)}, packet{Connect, "/admin", "", "", `[]`}},
		{[]message{text(`0/?token=1,{}`)}, packet{Connect, "/", "", "", `[{}]`}},
		{[]message{text(`0/日本/x-1_2,{"a":1}`)}, packet{Connect, "/日本/x-1_2", "", "", `[{"a":1}]`}},
		{[]message{text(`0{"token":"123"}`)}, packet{Connect, "/", "", "", `[{"token":"123"}]`}},
		{[]message{text(`0 {"token":"123"} `)}, packet{Connect, "/", "", "", `[{"token":"123"}]`}},
		{[]message{text(`0/admin,{"sid":"oSO0OpakMV_3jnilAAAA"}`)}, packet{Connect, "/admin", "", "", `[{"sid":"oSO0OpakMV_3jnilAAAA"}]`}},
		{[]message{text(`1`)}, packet{Disconnect, "/", "", "", `[]`}},
		{[]message{text(`1/admin`)}, packet{Disconnect, "/admin", "", "", `[]`}},
		{[]message{text(`1/admin,`)}, packet{Disconnect, "/admin", "", "", `[]`}},
		{[]message{text(`2["foo"]`)}, packet{Event, "/", "", "foo", `[]`}},
		{[]message{text(`2/admin,["bar"]`)}, packet{Event, "/admin", "", "bar", `[]`}},
		{[]message{text(`212["foo"]`)}, packet{Event, "/", "12", "foo", `[]`}},
		{[]message{text(`20["foo"]`)}, packet{Event, "/", "0", "foo", `[]`}},
		{[]message{text(`2999999999999999999["foo"]`)}, packet{Event, "/", "999999999999999999", "foo", `[]`}},
		{[]message{text(`2/admin,13["foo",1,"two",null,[3],{"four":4}]`)}, packet{Event, "/admin", "13", "foo", `[1,"two",null,[3],{"four":4}]`}},
		{[]message{text(`2 [ "foo" , 1 ] `)}, packet{Event, "/", "", "foo", `[1]`}},
		{[]message{text(`2["caf\u00e9 \"x\"",1]`)}, packet{Event, "/", "", `café "x"`, `[1]`}},
		{[]message{text("2[\"\xff\"]")}, packet{Event, "/", "", "\ufffd", `[]`}},
		{[]message{text(`2[""]`)}, packet{Event, "/", "", "", `[]`}},
		{[]message{text(`2["error",1]`)}, packet{Event, "/", "", "error", `[1]`}},
		{[]message{text(`2["Connect"]`)}, packet{Event, "/", "", "Connect", `[]`}},
		{[]message{text(`2[1,2]`)}, packet{Event, "/", "", "1", `[2]`}},
		{[]message{text(`2[-7]`)}, packet{Event, "/", "", "-7", `[]`}},
		{[]message{text(`2[1.50]`)}, packet{Event, "/", "", "1.5", `[]`}},
		{[]message{text(`2[-0]`)}, packet{Event, "/", "", "0", `[]`}},
		{[]message{text(`2[1e3]`)}, packet{Event, "/", "", "1000", `[]`}},
		{[]message{text(`2[1e21]`)}, packet{Event, "/", "", "1e+21", `[]`}},
		{[]message{text(`2[1e-7]`)}, packet{Event, "/", "", "1e-7", `[]`}},
		{[]message{text(`2["a",{"_placeholder":true,"num":0}]`)}, packet{Event, "/", "", "a", `[{"_placeholder":true,"num":0}]`}},
		{[]message{text(`2["a",{"_placeholder":true}]`)}, packet{Event, "/", "", "a", `[{"_placeholder":true}]`}},
		{[]message{text(`312[]`)}, packet{Ack, "/", "12", "", `[]`}},
		{[]message{text(`30["bar"]`)}, packet{Ack, "/", "0", "", `["bar"]`}},
		{[]message{text(`3/admin,13["bar",2]`)}, packet{Ack, "/admin", "13", "", `["bar",2]`}},
		{[]message{text(`4{"message":"Not authorized"}`)}, packet{ConnectError, "/", "", "", `[{"message":"Not authorized"}]`}},
		{[]message{text(`4/admin,"Unable to connect"`)}, packet{ConnectError, "/admin", "", "", `["Unable to connect"]`}},
		{[]message{text(`4`)}, packet{ConnectError, "/", "", "", `[]`}},
		{[]message{text(`51-["baz",{"_placeholder":true,"num":0}]`), bin("\x01\x02\x03\x04")}, packet{Event, "/", "", "baz", `["AQIDBA=="]`}},
		{
			[]message{text(`52-/admin,["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`), bin("\x01\x02"), bin("\x03\x04")},
			packet{Event, "/admin", "", "baz", `["AQI=","AwQ="]`},
		},
		{[]message{text(`51-14["foo",{"_placeholder":true,"num":0}]`), bin("")}, packet{Event, "/", "14", "foo", `[""]`}},
		{[]message{text(`61-15["bar",{"_placeholder":true,"num":0}]`), bin("\x01\x02\x03\x04")}, packet{Ack, "/", "15", "", `["bar","AQIDBA=="]`}},
		{
			[]message{text(`52-["x",[{"a":{"_placeholder":true,"num":1}}],{"num":0,"_placeholder":true}]`), bin("a"), bin("b")},
			packet{Event, "/", "", "x", `[[{"a":"Yg=="}],"YQ=="]`},
		},
		{
			[]message{text(`51-["x",{"_placeholder":true,"num":0},[{"_placeholder":true,"num":0}]]`), bin("a")},
			packet{Event, "/", "", "x", `["YQ==",["YQ=="]]`},
		},
		{[]message{text(`51-["unused"]`), bin("a")}, packet{Event, "/", "", "unused", `[]`}},
		{[]message{text(`51-["unused",1]`), bin("a")}, packet{Event, "/", "", "unused", `[1]`}},
		{[]message{text(`61-1[]`), bin("a")}, packet{Ack, "/", "1", "", `[]`}},
	}
	parser := New(nil)
	shared := parser.NewDecoder(Limits{})
	for _, tt := range tests {
		for _, d := range []Decoder{parser.NewDecoder(Limits{}), shared} {
			p, err := decodeAll(d, tt.msgs...)
			if err != nil {
				t.Fatalf("%v: %v", tt.msgs, err)
			}
			got := packet{typ: p.Type, ns: p.Namespace, event: p.Event}
			if p.HasID {
				got.id = fmt.Sprint(p.ID)
			}
			js, err := json.Marshal(values(t, p.Args))
			if err != nil {
				t.Fatal(err)
			}
			got.args = string(js)
			equal(t, fmt.Sprint(tt.msgs), got, tt.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	deep := strings.Repeat("[", 64)
	tests := []struct {
		what string
		msgs []message
		kind error // nil: a LimitError
	}{
		{"empty message", []message{text(``)}, ErrMalformed},
		{"unknown type 7", []message{text(`7["a"]`)}, ErrMalformed},
		{"unknown type 9", []message{text(`9`)}, ErrMalformed},
		{"letter for a type", []message{text(`a`)}, ErrMalformed},
		{"Engine.IO type left in front", []message{text(`42["a"]`)}, ErrMalformed},
		{"blank for a type", []message{text(` 2["a"]`)}, ErrMalformed},
		{"JSON without a type", []message{text(`["a"]`)}, ErrMalformed},
		{"invalid UTF-8 for a type", []message{text("\xff")}, ErrMalformed},

		{"CONNECT with an array", []message{text(`0[]`)}, ErrMalformed},
		{"CONNECT with null", []message{text(`0null`)}, ErrMalformed},
		{"CONNECT with a string", []message{text(`0"x"`)}, ErrMalformed},
		{"CONNECT with true", []message{text(`0true`)}, ErrMalformed},
		{"CONNECT with a number", []message{text(`01`)}, ErrMalformed},
		{"CONNECT with an id", []message{text(`01{}`)}, ErrMalformed},
		{"CONNECT with broken JSON", []message{text(`0{"a"`)}, ErrMalformed},
		{"CONNECT with two objects", []message{text(`0{}{}`)}, ErrMalformed},
		{"CONNECT with a blank", []message{text(`0 `)}, ErrMalformed},
		{"CONNECT with a word", []message{text(`0woooot`)}, ErrMalformed},
		{"CONNECT, namespace without slash", []message{text(`0admin,`)}, ErrMalformed},
		{"namespace not UTF-8", []message{text("0/\xff,")}, ErrMalformed},
		{"namespace with control character", []message{text("0/a\x1e,")}, ErrMalformed},
		{"DISCONNECT with an object", []message{text(`1{}`)}, ErrMalformed},
		{"DISCONNECT with an array", []message{text(`1/admin,["x"]`)}, ErrMalformed},
		{"DISCONNECT with a blank", []message{text(`1 `)}, ErrMalformed},
		{"CONNECT_ERROR with an array", []message{text(`4[]`)}, ErrMalformed},
		{"CONNECT_ERROR with a number", []message{text(`41`)}, ErrMalformed},
		{"CONNECT_ERROR with null", []message{text(`4null`)}, ErrMalformed},

		{"EVENT without payload", []message{text(`2`)}, ErrMalformed},
		{"EVENT without payload, with namespace", []message{text(`2/admin,`)}, ErrMalformed},
		{"EVENT without payload, with id", []message{text(`21`)}, ErrMalformed},
		{"EVENT with an object", []message{text(`2{}`)}, ErrMalformed},
		{"EVENT with a string", []message{text(`2"foo"`)}, ErrMalformed},
		{"EVENT with null", []message{text(`2null`)}, ErrMalformed},
		{"EVENT with true", []message{text(`2true`)}, ErrMalformed},
		{"EVENT with an empty array", []message{text(`2[]`)}, ErrMalformed},
		{"EVENT named by an object", []message{text(`2[{}]`)}, ErrMalformed},
		{"EVENT named by an array", []message{text(`2[["l"]]`)}, ErrMalformed},
		{"EVENT named by null", []message{text(`2[null]`)}, ErrMalformed},
		{"EVENT named by true", []message{text(`2[true,1]`)}, ErrMalformed},
		{"EVENT named by an attachment", []message{text(`51-[{"_placeholder":true,"num":0}]`)}, ErrMalformed},
		{"EVENT named by a number out of range", []message{text(`2[1e999]`)}, ErrMalformed},
		{"EVENT, broken JSON", []message{text(`2["foo"`)}, ErrMalformed},
		{"EVENT, trailing comma", []message{text(`2["foo",]`)}, ErrMalformed},
		{"EVENT, NaN", []message{text(`2["foo",NaN]`)}, ErrMalformed},
		{"EVENT, garbage behind", []message{text(`2["foo"]x`)}, ErrMalformed},
		{"EVENT, second packet behind", []message{text("2[\"foo\"]\x1e42[\"bar\"]")}, ErrMalformed},
		{"EVENT, control character", []message{text("2[\"fo\no\"]")}, ErrMalformed},
		{"EVENT, id with letters", []message{text(`21a["foo"]`)}, ErrMalformed},
		{"EVENT, negative id", []message{text(`2-1["foo"]`)}, ErrMalformed},
		{"EVENT, id with point", []message{text(`21.5["foo"]`)}, ErrMalformed},
		{"EVENT, id with leading zeros", []message{text(`201["foo"]`)}, ErrMalformed},
		{"EVENT, id too long", []message{text(`21234567890123456789["foo"]`)}, nil},
		{"EVENT with attachments", []message{text(`21-["foo"]`)}, ErrMalformed},
		{"EVENT nested too deep", []message{text(`2["foo",` + deep)}, nil},
		{"EVENT named connect", []message{text(`2["connect",{"token":"forged"}]`)}, ErrReserved},
		{"EVENT named connect_error", []message{text(`2["connect_error"]`)}, ErrReserved},
		{"EVENT named disconnect", []message{text(`2["disconnect","why"]`)}, ErrReserved},
		{"EVENT named disconnecting", []message{text(`2["disconnecting"]`)}, ErrReserved},
		{"EVENT named newListener", []message{text(`2["newListener"]`)}, ErrReserved},
		{"EVENT named removeListener", []message{text(`2/a,1["removeListener"]`)}, ErrReserved},
		{"EVENT named connect, escaped", []message{text(`2["\u0063onnect"]`)}, ErrReserved},
		{"BINARY_EVENT named connect", []message{text(`51-["connect"]`)}, ErrReserved},

		{"ACK without id", []message{text(`3["foo"]`)}, ErrMalformed},
		{"ACK without payload", []message{text(`31`)}, ErrMalformed},
		{"ACK without anything", []message{text(`3`)}, ErrMalformed},
		{"ACK with an object", []message{text(`31{}`)}, ErrMalformed},
		{"ACK with a string", []message{text(`31"x"`)}, ErrMalformed},
		{"ACK with garbage for an id", []message{text(`3x["foo"]`)}, ErrMalformed},
		{"ACK, id too long", []message{text(`3` + strings.Repeat("1", 101) + `[]`)}, nil},

		{"attachments missing", []message{text(`5`)}, ErrMalformed},
		{"attachments not a number", []message{text(`5woooot`)}, ErrMalformed},
		{"attachments without dash", []message{text(`51`)}, ErrMalformed},
		{"attachments without dash, payload", []message{text(`51["foo"]`)}, ErrMalformed},
		{"attachments empty", []message{text(`5-["foo"]`)}, ErrMalformed},
		{"attachments 0", []message{text(`50-["foo"]`)}, ErrMalformed},
		{"attachments 01", []message{text(`501-["foo"]`)}, ErrMalformed},
		{"attachments with blank", []message{text(`5 1-["foo"]`)}, ErrMalformed},
		{"attachments with blank behind", []message{text(`51 -["foo"]`)}, ErrMalformed},
		{"attachments with exponent", []message{text(`51e0-["foo"]`)}, ErrMalformed},
		{"attachments with point", []message{text(`51.5-["foo"]`)}, ErrMalformed},
		{"attachments negative", []message{text(`5-1-["foo"]`)}, ErrMalformed},
		{"attachments 11", []message{text(`511-["foo"]`)}, nil},
		{"attachments huge", []message{text(`5` + strings.Repeat("9", 40) + `-["foo"]`)}, nil},
		{"attachments without payload", []message{text(`51-`)}, ErrMalformed},
		{"binary ack, attachments without payload", []message{text(`61-1`)}, ErrMalformed},
		{"binary ack without id", []message{text(`61-[{"_placeholder":true,"num":0}]`)}, ErrMalformed},
		{"placeholder out of range", []message{text(`51-["foo",{"_placeholder":true,"num":1}]`)}, ErrMalformed},
		{"placeholder negative", []message{text(`51-["foo",{"_placeholder":true,"num":-1}]`)}, ErrMalformed},
		{"placeholder not a number", []message{text(`51-["foo",{"_placeholder":true,"num":"0"}]`)}, ErrMalformed},
		{"placeholder not an integer", []message{text(`51-["foo",{"_placeholder":true,"num":0.5}]`)}, ErrMalformed},
		{"placeholder without num", []message{text(`51-["foo",{"_placeholder":true}]`)}, ErrMalformed},
		{"placeholder deep and out of range", []message{text(`51-["foo",[{"a":{"_placeholder":true,"num":9}}]]`)}, ErrMalformed},

		{"binary without a packet", []message{bin("a")}, ErrOutOfTurn},
		{"text while attachments are missing", []message{text(`51-["a"]`), text(`2["b"]`)}, ErrOutOfTurn},
		{"text between attachments", []message{text(`52-["a"]`), bin("a"), text(`1`)}, ErrOutOfTurn},
		{"empty text while attachments are missing", []message{text(`51-["a"]`), text(``)}, ErrOutOfTurn},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			d := New(nil).NewDecoder(Limits{})
			_, err := decodeAll(d, tt.msgs...)
			var limit *LimitError
			var decode *DecodeError
			switch {
			case tt.kind == nil && !errors.As(err, &limit):
				t.Errorf("error %v, want a LimitError", err)
			case tt.kind != nil && (!errors.Is(err, tt.kind) || !errors.As(err, &decode)):
				t.Errorf("error %v, want a DecodeError of kind %v", err, tt.kind)
			case !strings.HasPrefix(err.Error(), "parser: ") || len(err.Error()) > 250:
				t.Errorf("message %q", err)
			}
			// The decoder is finished.
			if _, ok, again := d.Decode([]byte(`2["fine"]`), false); ok || again != err {
				t.Errorf("after the error: ok = %v, error %v", ok, again)
			}
		})
	}
}

func TestDecodeSurplusAttachment(t *testing.T) {
	d := New(nil).NewDecoder(Limits{})
	if _, err := decodeAll(d, text(`51-["a",{"_placeholder":true,"num":0}]`), bin("a")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Decode([]byte("b"), true); !errors.Is(err, ErrOutOfTurn) {
		t.Errorf("error %v", err)
	}
}

func TestLimits(t *testing.T) {
	nested := func(n int) string {
		return strings.Repeat("[", n) + strings.Repeat("]", n)
	}
	hole := `{"_placeholder":true,"num":0}`
	tests := []struct {
		what   string
		limits Limits
		msgs   []message
		limit  string // "" if accepted
	}{
		{"depth, default", Limits{}, []message{text(`2["a",` + nested(63) + `]`)}, ""},
		{"depth beyond default", Limits{}, []message{text(`2["a",` + nested(64) + `]`)}, "Depth"},
		{"depth negative is default", Limits{Depth: -1}, []message{text(`2["a",` + nested(64) + `]`)}, "Depth"},
		{"depth 1", Limits{Depth: 1}, []message{text(`2["a",1]`)}, ""},
		{"depth beyond 1", Limits{Depth: 1}, []message{text(`2["a",{}]`)}, "Depth"},
		{"depth of objects", Limits{Depth: 2}, []message{text(`2["a",{"b":{}}]`)}, "Depth"},
		{"depth of CONNECT", Limits{Depth: 2}, []message{text(`0{"a":{"b":[]}}`)}, "Depth"},
		{"depth has a maximum", Limits{Depth: 1 << 30}, []message{text(`2["a",` + nested(10000) + `]`)}, "Depth"},
		{"id digits", Limits{IDDigits: 3}, []message{text(`2999["a"]`)}, ""},
		{"id digits beyond", Limits{IDDigits: 3}, []message{text(`21000["a"]`)}, "IDDigits"},
		{"id digits maximum", Limits{IDDigits: 100}, []message{text(`21234567890123456789["a"]`)}, "IDDigits"},
		{"attachments", Limits{Attachments: 1}, []message{text(`51-["a"]`), bin("")}, ""},
		{"attachments beyond", Limits{Attachments: 1}, []message{text(`52-["a"]`)}, "Attachments"},
		{"attachments, many allowed", Limits{Attachments: 1 << 30}, []message{text(`599999999999-["a"]`)}, "Attachments"},
		{"bytes", Limits{AttachmentBytes: 4}, []message{text(`52-["a",` + hole + `]`), bin("ab"), bin("cd")}, ""},
		{"bytes beyond", Limits{AttachmentBytes: 4}, []message{text(`52-["a",` + hole + `]`), bin("ab"), bin("cde")}, "AttachmentBytes"},
		{"bytes beyond at once", Limits{AttachmentBytes: 4}, []message{text(`51-["a",` + hole + `]`), bin("abcde")}, "AttachmentBytes"},
		{"bytes unlimited", Limits{AttachmentBytes: -1}, []message{text(`51-["a"]`), bin(strings.Repeat("x", 1<<20))}, ""},
	}
	for _, tt := range tests {
		d := New(nil).NewDecoder(tt.limits)
		_, err := decodeAll(d, tt.msgs...)
		if tt.limit == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.what, err)
			}
			continue
		}
		var le *LimitError
		if !errors.As(err, &le) || le.Limit != tt.limit || !strings.Contains(err.Error(), "Limits."+tt.limit) {
			t.Errorf("%s: error %v", tt.what, err)
		}
	}
}

// The bytes of earlier packets do not count for later ones.
func TestAttachmentBytesStartAnew(t *testing.T) {
	d := New(nil).NewDecoder(Limits{AttachmentBytes: 4})
	for range 3 {
		if _, err := decodeAll(d, text(`51-["a"]`), bin("abcd")); err != nil {
			t.Fatal(err)
		}
	}
}

// A huge number of attachments, if allowed, takes no memory before they come.
func TestAttachmentsAreNotPreallocated(t *testing.T) {
	d := New(nil).NewDecoder(Limits{Attachments: maxAttachments})
	if _, ok, err := d.Decode([]byte(`599999999-["a"]`), false); ok || err != nil {
		t.Fatal(ok, err)
	}
	if n := cap(d.(*decoder).pending.Args.(*args).binary.attachments); n > binaryPrealloc {
		t.Errorf("room for %d attachments", n)
	}
}

// A small packet must not stand for gigabytes by repeating its attachment.
func TestRepeatedAttachments(t *testing.T) {
	packet := func(n int) message {
		return text(`51-["a"` + strings.Repeat(`,{"_placeholder":true,"num":0}`, n) + `]`)
	}
	large := bin(strings.Repeat("x", 1<<20))
	if _, err := decodeAll(New(nil).NewDecoder(Limits{}), packet(repeatFactor), large); err != nil {
		t.Error(err)
	}
	if _, err := decodeAll(New(nil).NewDecoder(Limits{}), packet(repeatFactor+1), large); !errors.Is(err, ErrMalformed) {
		t.Errorf("error %v", err)
	}
	if _, err := decodeAll(New(nil).NewDecoder(Limits{}), packet(1000), bin("small")); err != nil {
		t.Error(err)
	}
}

func TestReserved(t *testing.T) {
	for _, name := range []string{"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"} {
		if !Reserved(name) {
			t.Errorf("%s is not reserved", name)
		}
	}
	for _, name := range []string{"", "message", "error", "Connect", "connection", "connect "} {
		if Reserved(name) {
			t.Errorf("%q is reserved", name)
		}
	}
}

// The decoder reuses the names of the packet before; the name must be right
// whatever the one before was.
func TestDecodeRepeatedNames(t *testing.T) {
	d := New(nil).NewDecoder(Limits{})
	long := strings.Repeat("n", 2*maxCached)
	for _, tt := range []struct{ lit, want string }{
		{`"a"`, "a"},
		{`"a"`, "a"},
		{`""`, ""},
		{`"b"`, "b"},
		{`"\u0062"`, "b"},
		{"\"\\\\n\\/\xff\"", "\\n/\ufffd"}, // as long as what it means
		{"\"\\n/\ufffd\"", "\n/\ufffd"},    // the literal is what the one before means
		{`"` + long + `"`, long},
		{`"` + long + `"`, long},
		{`1`, "1"},
		{`"1"`, "1"},
	} {
		for _, ns := range []string{"/", "/a", "/" + long, "/a"} {
			p, err := decodeAll(d, text("2"+ns+",["+tt.lit+"]"))
			if err != nil {
				t.Fatal(err)
			}
			if p.Event != tt.want || p.Namespace != ns {
				t.Errorf("%s in %s: %q in %q", tt.lit, ns, p.Event, p.Namespace)
			}
		}
	}
}

func TestErrorText(t *testing.T) {
	_, _, err := New(nil).NewDecoder(Limits{}).Decode([]byte("2[\"a\",\x01"+strings.Repeat("z", 100)), false)
	want := `parser: malformed packet: JSON value expected at "\x01` + strings.Repeat("z", excerptLen-1) + `"`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	_, _, err = New(nil).NewDecoder(Limits{}).Decode([]byte(`2["a"`), false)
	if want := `parser: malformed packet: array not closed at the end`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	var names []string
	for typ := range BinaryAck + 2 {
		names = append(names, typ.String())
	}
	if got := strings.Join(names, " "); got != "CONNECT DISCONNECT EVENT ACK CONNECT_ERROR BINARY_EVENT BINARY_ACK Type(7)" {
		t.Error(got)
	}
}
