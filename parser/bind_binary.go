package parser

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
)

// Binding an argument that holds attachments. The codec knows nothing of
// attachments, so each placeholder is filled with a JSON string that it decodes like
// any other; afterwards a walk over the target puts the attachments in.
//
// The string is a mark (see marks.go) if all of the target is open to that
// walk: then an attachment is neither copied nor written as base64. If some
// type has an UnmarshalJSON of its own, whose result may be out of reach, the
// string is the attachment's base64 behind a label of line breaks: base64
// decoders skip those, as encoding/json's does (if another does not, that is
// an error), and a string with the label is recognised by the walk.

var errBinaryString = errors.New("the argument holds binary data; bind it to []byte or an interface")

// fill says what to put into the placeholders.
type fill int

const (
	fillPlain   fill = iota // base64
	fillLabeled             // label and base64
	fillMarks               // a mark
)

// bindBinary binds the argument at, in which there are placeholders.
func (a *args) bindBinary(at span, placeholders []placeholder, v any) error {
	if len(placeholders) == 1 && placeholders[0].span == at {
		if done, err := bindAttachment(a.binary.attachments[placeholders[0].num], v); done {
			return err
		}
	}
	if raw, ok := v.(*json.RawMessage); ok && raw != nil {
		*raw = a.filled(at, placeholders, fillPlain)
		return nil
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return errTarget
	}
	target := rv.Elem()
	info, used := targetInfoOf(target.Type()), !target.IsZero()
	how := fillMarks
	if info.custom || info.dynamic && used { // behind an interface in use there may be any type
		how = fillLabeled
	}
	err := a.unmarshal(a.filled(at, placeholders, how), rv)
	// Also after an error: no mark may stay in what has been decoded so far.
	w := walker{attachments: a.binary.attachments, cycles: info.custom || used}
	w.value(target)
	switch {
	case err == nil:
		return w.err
	case showsSecret(err.Error()):
		return errBinaryString // the codec quotes what it took for text
	}
	return err
}

// bindAttachment binds an argument that is itself an attachment, if v is of
// one of the usual types.
func bindAttachment(b []byte, v any) (done bool, err error) {
	switch p := v.(type) {
	case *[]byte:
		if p != nil {
			*p = b
			return true, nil
		}
	case *string:
		if p != nil {
			return true, errBinaryString
		}
	case *any:
		if p != nil && (*p == nil || reflect.TypeOf(*p).Kind() != reflect.Pointer) {
			*p = b
			return true, nil
		}
	}
	return false, nil
}

// filled returns the JSON text at, with strings in place of the placeholders.
func (a *args) filled(at span, placeholders []placeholder, how fill) []byte {
	size := at.end - at.start
	for _, h := range placeholders {
		switch how {
		case fillMarks:
			size += markLen
		case fillLabeled:
			size += 2*labelLen + base64.StdEncoding.EncodedLen(len(a.binary.attachments[h.num]))
		case fillPlain:
			size += base64.StdEncoding.EncodedLen(len(a.binary.attachments[h.num]))
		}
		size += len(`""`) - (h.end - h.start)
	}
	out := make([]byte, 0, size)
	from := at.start
	for _, h := range placeholders {
		out = append(out, a.text[from:h.start]...)
		out = append(out, '"')
		switch how {
		case fillMarks:
			out = appendMark(out, bindSecret, h.num)
		case fillLabeled:
			out = appendLabel(out, h.num)
			fallthrough
		case fillPlain:
			out = base64.StdEncoding.AppendEncode(out, a.binary.attachments[h.num])
		}
		out = append(out, '"')
		from = h.end
	}
	return append(out, a.text[from:at.end]...)
}

// A label is a secret and an index, in which '\n' is a 0 bit and '\r' a 1 bit.

const (
	labelSecretLen = 64
	labelIndexLen  = 27 // maxMarks < 1<<27
	labelLen       = labelSecretLen + labelIndexLen
)

// labelSecret is the secret part in JSON, where a line break is two bytes.
var labelSecret = func() (s [2 * labelSecretLen]byte) {
	bits := newSecret() // six random bits a letter, hardly less
	for i := range labelSecretLen {
		s[2*i] = '\\'
		s[2*i+1] = lineBreak(bits[i%secretLen] >> (i / secretLen))
	}
	return s
}()

// labelValue is what labelSecret decodes to.
var labelValue = unquote([]byte(`"` + string(labelSecret[:]) + `"`))

// lineBreak is the letter after the backslash for the lowest bit.
func lineBreak(bit byte) byte {
	if bit&1 != 0 {
		return 'r'
	}
	return 'n'
}

// labelLetters is labelSecret without the backslashes.
var labelLetters = strings.ReplaceAll(string(labelSecret[:]), `\`, "")

// showsSecret reports whether a text quotes a mark or a label, in whatever way.
func showsSecret(text string) bool {
	letters := strings.NewReplacer(`\`, "", "\n", "n", "\r", "r").Replace(text)
	return strings.Contains(text, bindSecret) || strings.Contains(letters, labelLetters)
}

func appendLabel(dst []byte, n int) []byte {
	dst = append(dst, labelSecret[:]...)
	for i := range labelIndexLen {
		dst = append(dst, '\\', lineBreak(byte(n>>i)))
	}
	return dst
}

// labelIndex reports which attachment a string with a label stands for.
func labelIndex(s string) (int, bool) {
	if len(s) < labelLen || s[:labelSecretLen] != labelValue {
		return 0, false
	}
	n := 0
	for i := range labelIndexLen {
		switch s[labelSecretLen+i] {
		case '\r':
			n |= 1 << i
		case '\n':
		default:
			return 0, false
		}
	}
	return n, true
}

// unlabel returns a JSON text without the labels in it, and whether there were any.
func unlabel(raw []byte) ([]byte, bool) {
	if !bytes.Contains(raw, labelSecret[:]) {
		return raw, false
	}
	out := make([]byte, 0, len(raw))
	for {
		i := bytes.Index(raw, labelSecret[:])
		if i < 0 {
			return append(out, raw...), true
		}
		out = append(out, raw[:i]...)
		raw = raw[min(len(raw), i+2*labelLen):]
	}
}
