//go:build goexperiment.jsonv2

package parser

// jsonV2 says that encoding/json is the one of GOEXPERIMENT=jsonv2, which writes
// some characters in other ways that mean the same.
const jsonV2 = true
