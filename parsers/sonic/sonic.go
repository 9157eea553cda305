// Package sonic is a JSON codec on github.com/bytedance/sonic, for servers that send many maps
// or large structs: it encodes a map of a kilobyte with an eighth of the allocations of
// encoding/json.
//
//	srv := socketio.NewServer(&socketio.Options{JSON: sonic.New()})
//
// Handlers and what is emitted stay as they are: the codec reads and writes what
// encoding/json does, with the exceptions below. It passes the tests of the default codec,
// and is fuzzed against it.
//
// # Where it works
//
// sonic compiles machine code at run time, for amd64 and arm64, and reads the memory of the
// Go runtime. So each of its versions works with the versions of Go that it knows; this one
// with Go up to 1.27. Elsewhere [Native] is false, and [New] returns [parser.Standard],
// which is encoding/json, and logs that once.
//
// # What it costs
//
// The first value of each type is slow, by milliseconds, while code for it is compiled.
// That code stays in memory, and the program is several megabytes larger. Crash reports show
// frames without names where the compiled code runs.
//
// # What is different from encoding/json
//
//   - Arguments nested more than about 2,000 deep are an error. By default a parser lets
//     through 64 levels ([parser.Limits]).
//   - A key of an object matches a field in another case if that is a case of ASCII: "ſ" and the
//     Kelvin sign do not match s and k.
//   - If a key is there twice in a map whose values have an UnmarshalJSON method, the second
//     call of that gets the value of the first one, not a new value.
//   - A map with keys of type bool is written, instead of being an error.
//   - Errors have other texts and types.
//   - U+2028 and U+2029 may be written as they are, which JSON allows.
package sonic
