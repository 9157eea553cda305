package parser_test

import (
	"testing"

	"github.com/seed-d124fa34/socketio/internal/codectest"
	"github.com/seed-d124fa34/socketio/parser"
)

// standard is the default codec, whose arguments the parser mostly decodes itself.
var standard = codectest.Subject{Codec: parser.Standard}

// The tests of other codecs hold for the default one.
func TestStandardCodec(t *testing.T) { codectest.Run(t, standard) }

func FuzzStandardCodec(f *testing.F) { codectest.Fuzz(f, standard) }
