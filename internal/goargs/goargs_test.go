package goargs

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type name string

func TestBind(t *testing.T) {
	args := Args{name("x"), 5, nil}
	require.Equal(t, 3, args.Len())
	var text string
	require.NoError(t, args.Bind(0, &text), "of another string type")
	var named name
	require.NoError(t, args.Bind(0, &named))
	var raw json.RawMessage
	require.NoError(t, args.Bind(0, &raw))
	var anything any
	require.NoError(t, args.Bind(1, &anything))
	number := 7
	require.NoError(t, args.Bind(2, &number), "nothing is zero")
	assert.Equal(t, []any{"x", name("x"), `"x"`, 5, 0}, []any{text, named, string(raw), anything, number})
}

func TestAssignRefuses(t *testing.T) {
	var number int
	assert.ErrorContains(t, Assign(&number, "5"), "a string does not go into a int")
	for _, dst := range []any{nil, 5, (*int)(nil)} {
		assert.ErrorContains(t, Assign(dst, 5), "not a pointer", "%T", dst)
	}
}
