package main

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	if err := run(strings.NewReader("correct horse\r\nand more\n"), &out); err != nil {
		t.Fatal(err)
	}
	if err := bcrypt.CompareHashAndPassword([]byte(strings.TrimSpace(out.String())), []byte("correct horse")); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "\n", strings.Repeat("x", 73) + "\n"} {
		if err := run(strings.NewReader(bad), &out); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
