package parser

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestBindAttachments(t *testing.T) {
	const a, b = "first", "second"
	type pair struct {
		Name string
		Data []byte
		Any  any
	}
	hole := func(s string) string {
		return strings.NewReplacer("%0", holeText(0), "%1", holeText(1)).Replace(s)
	}
	pa, anyPair := []byte(a), any(&pair{})
	ptr := func(v any) any { // a pointer to a copy of v
		p := reflect.New(reflect.TypeOf(v))
		p.Elem().Set(reflect.ValueOf(v))
		return p.Interface()
	}
	anyOf := func(v any) any { return &v }
	tests := []struct {
		what   string
		arg    string
		target any // pointer
		want   any // what it points to then
	}{
		{"bytes", `%1`, new([]byte), []byte(b)},
		{"any", `%1`, new(any), []byte(b)},
		{"any with something in it", `%1`, anyOf("old"), []byte(b)},
		{"any with a pointer to bytes in it", `%1`, anyOf(new([]byte)), ptr([]byte(b))},
		{"named bytes", `%1`, new(byteSlice), byteSlice(b)},
		{"bytes of named elements", `%0`, new([]myByte), []myByte{'f', 'i', 'r', 's', 't'}},
		{"pointer to bytes", `%0`, new(*[]byte), &pa},
		{"list", `[%0,null,%1,"YQ=="]`, new([][]byte), [][]byte{[]byte(a), nil, []byte(b), []byte("a")}},
		{"array", `[%0,%1]`, new([2][]byte), [2][]byte{[]byte(a), []byte(b)}},
		{"any list", `[%0,1,[%1]]`, new([]any), []any{[]byte(a), 1.0, []any{[]byte(b)}}},
		{"any list in any", `[%0,1,[%1]]`, new(any), []any{[]byte(a), 1.0, []any{[]byte(b)}}},
		{"any map", `{"a":%0,"b":{"c":%1},"d":"x"}`, new(map[string]any), map[string]any{"a": []byte(a), "b": map[string]any{"c": []byte(b)}, "d": "x"}},
		{"any map in any", `{"a":%0,"b":{"c":%1}}`, new(any), map[string]any{"a": []byte(a), "b": map[string]any{"c": []byte(b)}}},
		{"map of bytes", `{"a":%0,"b":%1}`, new(map[string][]byte), map[string][]byte{"a": []byte(a), "b": []byte(b)}},
		{"map with number keys", `{"1":%0}`, new(map[int]any), map[int]any{1: []byte(a)}},
		{"map of structs", `{"a":{"Data":%0}}`, new(map[string]pair), map[string]pair{"a": {Data: []byte(a)}}},
		{"map of struct pointers", `{"a":{"Data":%0}}`, new(map[string]*pair), map[string]*pair{"a": {Data: []byte(a)}}},
		{"map of lists", `{"a":[%0]}`, new(map[string][]any), map[string][]any{"a": {[]byte(a)}}},
		{"struct", `{"Name":"x","Data":%1,"Any":%0}`, new(pair), pair{"x", []byte(b), []byte(a)}},
		{"struct, the same twice", `{"Data":%1,"Any":[%1]}`, new(pair), pair{"", []byte(b), []any{[]byte(b)}}},
		{"struct pointer", `{"Data":%1}`, new(*pair), &pair{Data: []byte(b)}},
		{"struct used before", `{"Data":%1}`, &pair{"old", []byte("old"), "old"}, pair{"old", []byte(b), "old"}},
		{"struct in an interface", `{"Data":%1,"Any":%0}`, &anyPair, &pair{"", []byte(b), []byte(a)}},
		{"structs", `[{"Data":%0},{"Any":%1}]`, new([]pair), []pair{{Data: []byte(a)}, {Any: []byte(b)}}},
		{"embedded struct", `{"In":%0,"Ex":%1}`, new(struct {
			inner
			Exported
		}), struct {
			inner
			Exported
		}{inner{[]byte(a)}, Exported{[]byte(b)}}},
		{"unknown fields", `{"Other":%0,"Name":"x"}`, new(pair), pair{Name: "x"}},
		{"raw", `%0`, new(json.RawMessage), json.RawMessage(`"Zmlyc3Q="`)},
		{"raw with more", `{"a": [%0,%1]}`, new(json.RawMessage), json.RawMessage(`{"a": ["Zmlyc3Q=","c2Vjb25k"]}`)},
		{"raw inside", `{"R":{"a":[%0,%1]},"D":%1}`, new(struct {
			R json.RawMessage
			D []byte
		}), struct {
			R json.RawMessage
			D []byte
		}{json.RawMessage(`{"a":["Zmlyc3Q=","c2Vjb25k"]}`), []byte(b)}},
		{"raw beside", `{"R":[1],"D":%1}`, new(struct {
			R json.RawMessage
			D []byte
		}), struct {
			R json.RawMessage
			D []byte
		}{json.RawMessage(`[1]`), []byte(b)}},
		{"raw map", `{"a":%0}`, new(map[string]json.RawMessage), map[string]json.RawMessage{"a": json.RawMessage(`"Zmlyc3Q="`)}},
		{"own method, hidden bytes", `%0`, new(unreadable), unreadable{[]byte(a)}},
		{"own method, beside others", `[%0,%1]`, new(struct2), struct2{unreadable{[]byte(a)}, []byte(b)}},
		{"own method, own fields", `{"Data":%0,"Any":{"x":%1}}`, new(aliased), aliased{[]byte(a), map[string]any{"x": []byte(b)}}},
		{"without attachments", `{"Data":"YQ==","Name":"x"}`, new(pair), pair{Name: "x", Data: []byte("a")}},
		{"placeholder in a string", `"` + strings.ReplaceAll(holeText(0), `"`, `\"`) + `"`, new(any), holeText(0)},
	}
	for _, tt := range tests {
		for _, p := range []Parser{New(nil), New(plainCodec{})} {
			packet, err := decodeAll(p.NewDecoder(Limits{}), text(hole(`52-["e",`+tt.arg+`,%0]`)), bin(a), bin(b))
			if err != nil {
				t.Fatal(err)
			}
			target := reflect.ValueOf(tt.target)
			before := reflect.New(target.Type().Elem()).Elem()
			before.Set(target.Elem())
			if err := packet.Args.Bind(0, tt.target); err != nil {
				t.Errorf("%s: %v", tt.what, err)
			} else {
				equal(t, tt.what, target.Elem().Interface(), tt.want)
			}
			target.Elem().Set(before)
		}
	}
}

// struct2 is read from a list.
type struct2 struct {
	A unreadable
	B []byte
}

func (s *struct2) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&s.A, &s.B})
}

func TestBindEmptyAttachment(t *testing.T) {
	p := mustDecode(t, text(`51-["e",`+holeText(0)+`,{"a":`+holeText(0)+`}]`), bin(""))
	var direct []byte
	var inside struct{ A []byte }
	var hidden unreadable
	if err := errors.Join(p.Args.Bind(0, &direct), p.Args.Bind(1, &inside), p.Args.Bind(0, &hidden)); err != nil {
		t.Fatal(err)
	}
	if direct == nil || inside.A == nil || hidden.data == nil || len(direct)+len(inside.A)+len(hidden.data) > 0 {
		t.Errorf("%#v %#v %#v", direct, inside, hidden)
	}
}

func TestBindAttachmentIntoOther(t *testing.T) {
	type named string
	type object struct {
		Name string
		Any  any
	}
	p := mustDecode(t, text(`51-["e",`+holeText(0)+`,{"Name":`+holeText(0)+`,"Any":`+holeText(0)+`},[`+holeText(0)+`]]`), bin("data"))
	used := &object{Any: 1}
	tests := []struct {
		i      int
		target any
		says   string
	}{
		{0, new(string), "holds binary data; bind it to []byte"},
		{0, new(named), "holds binary data; bind it to []byte"},
		{0, new(*string), "holds binary data; bind it to []byte"},
		{1, new(object), "holds binary data; bind it to []byte"},
		{1, used, "holds binary data; bind it to []byte"},
		{1, new(map[string]string), "holds binary data; bind it to []byte"},
		{2, new([]string), "holds binary data; bind it to []byte"},
		{2, &[]any{new(json.Number)}, "holds binary data; bind it to []byte"},
		{2, new([1]string), "holds binary data; bind it to []byte"},
		{0, new(int), "json: cannot unmarshal string into Go value of type int"},
		{0, new(json.Number), "holds binary data; bind it to []byte"},
		{0, &[]any{new(json.Number)}, "json: cannot unmarshal string"},
		{0, new(object), "json: cannot unmarshal string into Go value of type"},
		{0, nil, "non-nil pointer"},
		{0, (*[]byte)(nil), "non-nil pointer"},
		{0, (*string)(nil), "non-nil pointer"},
		{0, (*any)(nil), "non-nil pointer"},
		{0, (*json.RawMessage)(nil), "non-nil pointer"},
		{1, object{}, "non-nil pointer"},
	}
	for _, tt := range tests {
		err := p.Args.Bind(tt.i, tt.target)
		var be *BindError
		if !errors.As(err, &be) || be.Arg != tt.i || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%T: error %v", tt.target, err)
		}
		// Neither a mark nor a label is left where the application sees it.
		if shown := fmt.Sprintf("%#v %v", tt.target, err); tt.target != nil && !reflect.ValueOf(tt.target).IsZero() {
			if js, err := json.Marshal(tt.target); err == nil {
				shown += string(js)
			}
			if showsSecret(shown) {
				t.Errorf("%T: left behind: %s", tt.target, shown)
			}
		}
	}
}
