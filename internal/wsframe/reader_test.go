package wsframe

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// clientFrame returns a frame as clients send it; first is its first byte.
func clientFrame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0xfe), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0xff), uint64(n))
	}
	key := []byte{0xa1, 0xb2, byte(len(payload)), 0x04}
	b = append(b, key...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i%4])
	}
	return b
}

func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }
func text(s string) []byte         { return clientFrame(0x81, s) }
func bin(s string) []byte          { return clientFrame(0x82, s) }
func ping(s string) []byte         { return clientFrame(0x89, s) }
func pong(s string) []byte         { return clientFrame(0x8a, s) }

func closing(status int, reason string) []byte {
	return clientFrame(0x88, string([]byte{byte(status >> 8), byte(status)})+reason)
}

// short is s, or what tells it from others if it is long.
func short(s []byte) string {
	if len(s) < 50 {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%d bytes %.4q...%.4q", len(s), s[:4], s[len(s)-4:])
}

func describe(op Op, payload []byte) string {
	return map[Op]string{OpText: "text ", OpBinary: "binary ", OpClose: "close ", OpPing: "ping ", OpPong: "pong "}[op] + short(payload)
}

// feed has a Reader read a stream that comes in pieces, through a buffer of some room. direct reads large frames past the
// buffer, as servers do. The end of what it returns is "more" if nothing is wrong.
func feed(t *testing.T, stream []byte, limit, room int, direct bool, next func() int) (got []string) {
	r := &Reader{Limit: limit}
	buf := make([]byte, 0, room)
	fail := func(err error) []string {
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Nil(t, r.message, "memory is given up at the end")
		_, _, n, again := r.Next([]byte{0x81, 0x80, 0, 0, 0, 0}, room)
		require.Equal(t, err, again, "an error stays")
		require.Zero(t, n)
		return append(got, fmt.Sprintf("%d", e.Status))
	}
	for {
		op, payload, n, err := r.Next(buf, room)
		if err != nil {
			return fail(err)
		}
		if op != OpContinuation {
			got = append(got, describe(op, payload))
		}
		buf = append(buf[:0:room], buf[n:]...)
		if op != OpContinuation || n > 0 {
			continue
		}
		if len(buf) == room {
			t.Fatal("the reader has to make progress when the buffer is full")
		}
		if len(stream) == 0 {
			require.LessOrEqual(t, r.size(), limit)
			return append(got, "more")
		}
		piece := min(next(), len(stream))
		if space := r.Space(1); direct && space != nil {
			if len(buf) > 0 {
				t.Fatal("what belongs to the frame has been taken")
			}
			piece = copy(space[:min(len(space), piece)], stream)
			err = r.Came(piece)
		} else {
			piece = min(piece, room-len(buf))
			buf = append(buf, stream[:piece]...)
		}
		stream = stream[piece:]
		if err != nil {
			return fail(err)
		}
	}
}

func constantly(n int) func() int { return func() int { return n } }

type sequence struct {
	name   string
	stream []byte
	want   []string
}

const testLimit = 70_000

// sequences returns what clients may send, and what the reader makes of it.
func sequences() (all []sequence) {
	for _, some := range []func(add func(name string, stream []byte, want ...string)){
		legalSequences, violations, limitSequences, closeSequences, goodText, badText,
	} {
		some(func(name string, stream []byte, want ...string) { all = append(all, sequence{name, stream, want}) })
	}
	return all
}

// legalSequences adds messages, fragments and control frames that are legal.
func legalSequences(add func(name string, stream []byte, want ...string)) {
	longest := strings.Repeat("p", 125)
	add("nothing", nil, "more")
	add("messages", join(text("4a"), text(""), bin("\x00\xff"), text("4bcd"), bin("")), `text "4a"`, `text ""`, `binary "\x00\xff"`, `text "4bcd"`, `binary ""`, "more")
	for _, n := range []int{124, 125, 126, 127, 500, 505, 506, 507, 1000, 65_535, 65_536, testLimit} {
		s := []byte("b" + strings.Repeat("x", n-2) + "e")
		add(fmt.Sprintf("%d bytes", n), join(text(string(s)), text("4"), bin(string(s))), "text "+short(s), `text "4"`, "binary "+short(s), "more")
	}
	add("two fragments", join(clientFrame(1, "4b"), clientFrame(0x80, "c"), text("4e")), `text "4bc"`, `text "4e"`, "more")
	add("fragments, binary", join(clientFrame(2, "\xff"), clientFrame(0, "\xfe"), clientFrame(0x80, "\xfd")), `binary "\xff\xfe\xfd"`, "more")
	add("empty fragments", join(clientFrame(1, ""), clientFrame(0, ""), clientFrame(0x80, ""), clientFrame(1, "a"), clientFrame(0, ""), clientFrame(0x80, "")), `text ""`, `text "a"`, "more")
	add("large fragments", join(clientFrame(2, strings.Repeat("a", 700)), clientFrame(0, strings.Repeat("b", 65_536)), clientFrame(0x80, "c")),
		"binary "+short([]byte("aaaa"+strings.Repeat("b", 66_229)+"bbbc")), "more")
	add("control frames in between", join(clientFrame(1, "4b"), ping("one"), clientFrame(0, "c"), pong("two"), ping(""), clientFrame(0x80, "d"), text("4e")),
		`ping "one"`, `pong "two"`, `ping ""`, `text "4bcd"`, `text "4e"`, "more")
	add("a ping in front of the rest of a large message", join(clientFrame(2, strings.Repeat("a", 700)), ping("x"), clientFrame(0x80, strings.Repeat("a", 600))),
		`ping "x"`, "binary "+short([]byte(strings.Repeat("a", 1300))), "more")
	add("the longest ping and pong", join(ping(longest), pong(longest), text("4")), "ping "+short([]byte(longest)), "pong "+short([]byte(longest)), `text "4"`, "more")
	add("a close within a message", join(clientFrame(1, "4b"), closing(1000, "bye"), clientFrame(0x80, "c")), `close "\x03\xe8bye"`, "0")
	add("close, no status", join(text("4a"), clientFrame(0x88, ""), text("4late")), `text "4a"`, `close ""`, "0")
	add("close, longest reason", join(closing(1000, strings.Repeat("r", 123)), text("4late")), "close "+short([]byte("\x03\xe8"+strings.Repeat("r", 123))), "0")
	add("close, reason in UTF-8", closing(4000, "größer"), `close "\x0f\xa0größer"`, "0")
}

// violations adds frames that break the rules of framing.
func violations(add func(name string, stream []byte, want ...string)) {
	longest := strings.Repeat("p", 125)
	add("reserved bit 1", join(text("4a"), clientFrame(0xc1, "4b")), `text "4a"`, "1002")
	add("reserved bit 2", clientFrame(0xa2, "4b"), "1002")
	add("reserved bit 3", clientFrame(0x99, ""), "1002")
	add("reserved bit of a fragment", join(clientFrame(1, "4b"), clientFrame(0xc0, "c")), "1002")
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		add(fmt.Sprintf("opcode %d", op), join(text("4a"), clientFrame(0x80|op, "b")), `text "4a"`, "1002")
		add(fmt.Sprintf("opcode %d in fragments", op), clientFrame(op, "b"), "1002")
	}
	add("no mask", join(text("4a"), []byte{0x81, 2, '4', 'x'}), `text "4a"`, "1002")
	add("no mask, ping", []byte{0x89, 0}, "1002")
	add("a ping of 126 bytes", join(ping("a"), ping(longest+"p")), `ping "a"`, "1002")
	add("a pong of 126 bytes", pong(longest+"p"), "1002")
	add("a close of 126 bytes", closing(1000, strings.Repeat("r", 124)), "1002")
	add("a ping in fragments", clientFrame(0x09, "p"), "1002")
	add("a close in fragments", clientFrame(0x08, ""), "1002")
	add("a continuation of nothing", join(text("4a"), clientFrame(0x80, "4b")), `text "4a"`, "1002")
	add("a fragment of nothing", clientFrame(0x00, "4b"), "1002")
	add("a continuation after the end", join(clientFrame(1, "a"), clientFrame(0x80, "b"), clientFrame(0x80, "c")), `text "ab"`, "1002")
	add("text in a message", join(clientFrame(1, "a"), text("b")), "1002")
	add("binary in a message", join(clientFrame(1, "a"), clientFrame(2, "b")), "1002")
	add("125 in the form of 16 bits", join(text("a"), []byte{0x81, 0xfe, 0, 125, 1, 2, 3, 4}), `text "a"`, "1002")
	add("0 in the form of 64 bits", []byte{0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, "1002")
	add("65535 in the form of 64 bits", []byte{0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4}, "1002")
	add("64 bits of length", []byte{0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4}, "1002")
}

// limitSequences adds messages around the limits of size and of fragments.
func limitSequences(add func(name string, stream []byte, want ...string)) {
	add("63 bits of length", []byte{0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4}, "1009")
	add("32 bits of length", []byte{0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4}, "1009")
	add("above the limit", join(text("4a"), bin(strings.Repeat("b", testLimit+1)), text("4c")), `text "4a"`, "1009")
	add("above the limit in fragments", join(clientFrame(2, strings.Repeat("b", testLimit-10)), clientFrame(0, "123456789"), ping("p"), clientFrame(0x80, "ab")), `ping "p"`, "1009")
	add("the limit in fragments", join(clientFrame(2, strings.Repeat("b", testLimit-10)), clientFrame(0, "123456789"), clientFrame(0x80, "a"), text("4")),
		"binary "+short([]byte(strings.Repeat("b", testLimit-10)+"123456789a")), `text "4"`, "more")
	add("many empty fragments", join(clientFrame(1, "4"), bytes.Repeat(clientFrame(0, ""), maxEmpty), clientFrame(0x80, "a"), text("4b")), `text "4a"`, `text "4b"`, "more")
	add("too many empty fragments", join(clientFrame(1, "4"), bytes.Repeat(clientFrame(0, ""), maxEmpty+1), clientFrame(0x80, "a")), "1008")
}

// closeSequences adds close frames, legal and not.
func closeSequences(add func(name string, stream []byte, want ...string)) {
	add("close, half a status", join(text("4a"), clientFrame(0x88, "x")), `text "4a"`, "1002")
	add("close, reason not UTF-8", closing(1000, "\xc3("), "1007")
	add("close, reason ends within a character", closing(1000, "\xe2\x82"), "1007")
	for _, status := range []int{0, 7, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535} {
		add(fmt.Sprintf("close %d", status), closing(status, ""), "1002")
	}
	for _, status := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		add(fmt.Sprintf("close %d", status), closing(status, "r"), fmt.Sprintf(`close %q`, string([]byte{byte(status >> 8), byte(status)})+"r"), "0")
	}
}

// goodText adds text that is UTF-8.
func goodText(add func(name string, stream []byte, want ...string)) {
	for _, good := range []string{"κόσμε", "\u0000", "\u007f", "\u0080", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\ufffd", "\ufffe", "\uffff",
		"\U00010000", "\U0001f600", "\U0010fffe", "\U0010ffff", "a\U0001f600ä€z"} {
		add(fmt.Sprintf("text %+q", good), text(good), fmt.Sprintf("text %q", good), "more")
		stream := []byte{}
		for i := range len(good) {
			first := byte(0)
			if i == 0 {
				first = 1
			}
			stream = append(stream, clientFrame(first, good[i:i+1])...)
		}
		add(fmt.Sprintf("text %+q in bytes", good), join(stream, ping("p"), clientFrame(0x80, "")), `ping "p"`, fmt.Sprintf("text %q", good), "more")
	}
}

// badText adds text that is not.
func badText(add func(name string, stream []byte, want ...string)) {
	for name, bad := range map[string]string{
		"lone continuation": "\x80", "continuation after ASCII": "a\xbf", "start without continuation": "\xc3(", "two of three": "\xe2\x82(",
		"ends in a character": "\xe2\x82", "ends in a long character": "\xf0\x9f\x98", "overlong slash": "\xc0\xaf", "overlong 3": "\xe0\x80\xaf",
		"overlong 4": "\xf0\x80\x80\xaf", "largest overlong": "\xf0\x8f\xbf\xbf", "surrogate": "\xed\xa0\x80", "surrogate pair": "\xed\xa0\xbd\xed\xb8\x80",
		"last surrogate": "\xed\xbf\xbf", "above 10ffff": "\xf4\x90\x80\x80", "f5": "\xf5\x80\x80\x80", "five bytes": "\xf8\x88\x80\x80\x80",
		"six bytes": "\xfc\x84\x80\x80\x80\x80", "fe": "\xfe", "ff": "\xff", "after good": "κόσμε\xed\xa0\x80edited",
	} {
		add("bad text, "+name, join(text("4a"), text(bad), text("4b")), `text "4a"`, "1007")
		long := "ä" + strings.Repeat("x", 900) + bad
		add("bad large text, "+name, text(long), "1007")
		add("bad text in fragments, "+name, join(clientFrame(1, "κό"), clientFrame(0, bad[:len(bad)/2]), ping(""), clientFrame(0x80, bad[len(bad)/2:])), "1007")
		add("as binary, "+name, bin(bad), fmt.Sprintf("binary %q", bad), "more")
	}
	// It fails as soon as it cannot become good, in the middle of a message.
	add("fails fast", join(clientFrame(1, "ok\xf4"), clientFrame(0, "\x90"), ping("never")), "1007")
	add("fails fast in a large frame", text("ok\xed\xa0" + strings.Repeat("x", 5000))[:1200], "1007")
}

// What comes of a stream does not depend on where it is cut.
func TestReaderCutAnywhere(t *testing.T) {
	for _, s := range sequences() {
		t.Run(s.name, func(t *testing.T) {
			want := s.want
			check := func(got []string, how string, args ...any) {
				t.Helper()
				if want[len(want)-1] == "1007" {
					got = deleted(got, `ping ""`) // what makes the text bad may come before it or behind
				}
				require.Equal(t, want, got, fmt.Sprintf(how, args...))
			}
			for _, room := range []int{MinBuffer, 512, 4096} {
				for _, direct := range []bool{false, true} {
					check(feed(t, s.stream, testLimit, room, direct, constantly(1<<20)), "room %d, direct %v", room, direct)
					for _, piece := range []int{1, 2, 3, 7, 100, 1000} {
						if len(s.stream) > 3000*piece {
							continue
						}
						check(feed(t, s.stream, testLimit, room, direct, constantly(piece)), "room %d, direct %v, %d at a time", room, direct, piece)
					}
				}
			}
			if len(s.stream) > 3000 {
				return
			}
			for at := range s.stream { // two pieces, cut at every byte
				sizes := []int{max(at, 1), 1 << 20}
				check(feed(t, s.stream, testLimit, 512, true, func() int {
					n := sizes[0]
					sizes = append(sizes[1:], 1<<20)
					return n
				}), "cut at %d", at)
			}
		})
	}
}

func deleted(list []string, what string) (rest []string) {
	for _, s := range list {
		if s != what {
			rest = append(rest, s)
		}
	}
	return rest
}

// A stream that ends anywhere is no violation by itself.
func TestReaderEndsAnywhere(t *testing.T) {
	for _, s := range sequences() {
		if len(s.stream) > 3000 {
			continue
		}
		for at := range s.stream {
			got := feed(t, s.stream[:at], testLimit, MinBuffer, true, constantly(1<<20))
			end := got[len(got)-1]
			assert.Contains(t, []string{"more", s.want[len(s.want)-1]}, end, "%s, %d bytes", s.name, at)
		}
	}
}

// A message may be fragmented at every byte, with control frames everywhere.
func TestReaderFragmentedAnywhere(t *testing.T) {
	message := "4" + strings.Repeat("größer €\U0001f600 ", 20)
	want := "text " + short([]byte(message))
	for i := range message {
		for _, n := range []int{0, 1, 150} {
			j := min(i+n, len(message))
			stream := join(clientFrame(1, message[:i]), ping("a"), clientFrame(0, message[i:j]), pong("b"), clientFrame(0x80, message[j:]), text("4next"))
			for _, piece := range []int{1, 1 << 20} {
				got := feed(t, stream, testLimit, 512, true, constantly(piece))
				require.Equal(t, []string{`ping "a"`, `pong "b"`, want, `text "4next"`, "more"}, got, "%d, %d", i, j)
			}
		}
	}
}

// What a frame claims takes no memory: what is held is about twice what has come.
func TestReaderGrowsAsBytesCome(t *testing.T) {
	header := []byte{0x82, 0xff, 0, 0, 0, 0, 0x10, 0, 0, 0, 1, 2, 3, 4} // 256 MiB
	r := &Reader{Limit: 1 << 30}
	_, _, n, err := r.Next(header, MinBuffer)
	require.NoError(t, err)
	require.Equal(t, len(header), n)
	require.Nil(t, r.message)
	came := 0
	for range 2000 {
		space := r.Space(100)
		require.LessOrEqual(t, cap(*r.message), max(2*came+1000, smallSize, largeSize*min(came/proven, 1)))
		require.NoError(t, r.Came(min(len(space), 100)))
		came += min(len(space), 100)
	}
	require.Equal(t, came, r.size())
	r.Release()
	require.Nil(t, r.message)
}

// The buffer that a large message has left does not go to whom has sent next to nothing.
func TestReaderTakesNoLargeBufferForLittle(t *testing.T) {
	for range 100 {
		b := make([]byte, 0, largeSize)
		putBuffer(&b)
	}
	r := &Reader{Limit: 1 << 20}
	_, _, _, err := r.Next(clientFrame(2, "little"), 4096)
	require.NoError(t, err)
	assert.LessOrEqual(t, cap(*r.message), smallSize)
}

// A final frame of known length gets what it needs, not more.
func TestReaderTakesWhatIsNeeded(t *testing.T) {
	r := &Reader{Limit: 1 << 30}
	stream := bin(strings.Repeat("x", 1<<20))
	_, _, n, err := r.Next(stream[:900_000], 4096)
	require.NoError(t, err)
	require.Equal(t, 900_000, n)
	require.Equal(t, 1<<20, cap(*r.message))
}

func TestUnmask(t *testing.T) {
	for size := range 150 {
		plain := make([]byte, size)
		for i := range plain {
			plain[i] = byte(i * 7)
		}
		masked := bytes.Clone(plain)
		for i := range masked {
			masked[i] ^= []byte{1, 2, 3, 4}[i%4]
		}
		whole := bytes.Clone(masked)
		unmask(whole, 0x04030201)
		require.Equal(t, plain, whole)
		half := size / 3
		unmask(masked[half:], unmask(masked[:half], 0x04030201))
		require.Equal(t, plain, masked, "in two parts")
	}
}
