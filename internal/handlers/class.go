package handlers

import (
	"iter"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// Methods ranges over the methods of a class by their names, with the events that they
// are for: the rest of the name in snake case. The methods are those that are exported
// and whose name is On followed by an upper-case letter. value must be valid.
func Methods(value reflect.Value) iter.Seq2[reflect.Method, string] {
	return func(yield func(reflect.Method, string) bool) {
		for i := range value.NumMethod() {
			method := value.Type().Method(i)
			rest, ok := strings.CutPrefix(method.Name, "On")
			if !ok || rest == "" || !unicode.IsUpper([]rune(rest)[0]) {
				continue
			}
			if !yield(method, snakeCase(rest)) {
				return
			}
		}
	}
}

// snakeCase turns MyEvent into my_event and HTTPStatus into http_status.
func snakeCase(name string) string {
	r := []rune(name)
	var b []rune
	for i, c := range r {
		if unicode.IsUpper(c) && i > 0 {
			before := unicode.IsLower(r[i-1]) || unicode.IsDigit(r[i-1])
			after := i+1 < len(r) && unicode.IsLower(r[i+1])
			if before || after && unicode.IsUpper(r[i-1]) {
				b = append(b, '_')
			}
		}
		b = append(b, unicode.ToLower(c))
	}
	return string(slices.Clip(b))
}
