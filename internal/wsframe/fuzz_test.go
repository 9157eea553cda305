package wsframe

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/seed-d124fa34/socketio/internal/race"
)

const fuzzLimit = 1000

// Whatever comes, and however it is cut, what is read is what coder/websocket reads, but for what that does not check: UTF-8,
// the shortest form of lengths and empty fragments.
func FuzzReader(f *testing.F) {
	for _, s := range sequences() {
		if len(s.stream) < 3000 {
			f.Add(s.stream, uint16(3), uint16(7))
		}
	}
	f.Add(bin(strings.Repeat("x", fuzzLimit)), uint16(1), uint16(1))
	f.Add(join(bin("a"), bin(strings.Repeat("x", fuzzLimit+1))), uint16(1), uint16(900))
	f.Add(join(clientFrame(2, strings.Repeat("x", fuzzLimit)), clientFrame(0, ""), clientFrame(0x80, "x")), uint16(500), uint16(1))
	f.Fuzz(func(t *testing.T, stream []byte, a, b uint16) {
		if len(stream) > 1<<16 {
			return
		}
		got := feed(t, bytes.Clone(stream), fuzzLimit, 4096, false, constantly(1<<20))
		cuts := []int{int(a)%200 + 1, int(b)%2000 + 1}
		for _, room := range []int{MinBuffer, 4096} {
			i := 0
			cut := feed(t, bytes.Clone(stream), fuzzLimit, room, true, func() int {
				i++
				return cuts[i%2]
			})
			if a, b := outcome(got), outcome(cut); a != b {
				t.Fatalf("at once: %s\nin pieces of %d: %s", a, cuts, b)
			}
		}
		ours, end := messagesOf(stream)
		theirs, theirEnd := byLibrary(t, bytes.Clone(stream))
		for i, m := range ours {
			if i >= len(theirs) || theirs[i] != m {
				t.Fatalf("message %d is %.100q, the library's are %.100q", i, m, theirs)
			}
		}
		more := theirs[len(ours):]
		switch {
		case end == nil: // no end
			if len(more) > 0 || theirEnd != "cut off" {
				t.Fatalf("the library goes on: %.100q, %s", more, theirEnd)
			}
		case end == ErrNotUTF8:
			if len(more) > 0 && (more[0][0] != 't' || utf8.ValidString(more[0][1:])) {
				t.Fatalf("the library found UTF-8: %.100q", more)
			}
		case end == errLengthForm || end == errHugeLength || end == errEmptyParts || end == errCloseReason || end == errLongControl:
			// It is more lenient, also with the length of a control frame in a longer form.
		case end == ErrClosed:
			if len(more) > 0 || theirEnd != "closed" {
				t.Fatalf("the library is not closed: %.100q, %s", more, theirEnd)
			}
		case end == ErrTooBig:
			if len(more) > 0 || theirEnd != "1009" && theirEnd != "cut off" { // it waits for the bytes
				t.Fatalf("not too big for the library: %.100q, %s", more, theirEnd)
			}
		default: // likewise for the rest of a header
			if len(more) > 0 || theirEnd != "wrong" && theirEnd != "cut off" {
				t.Fatalf("not wrong for the library: %v, %.100q, %s", end, more, theirEnd)
			}
		}
	})
}

// outcome is what has to be the same however a stream is cut. A large text that is not UTF-8 may fail before it is known to
// break another rule.
func outcome(got []string) string {
	end := got[len(got)-1]
	if end == "more" || end == "1007" {
		var messages []string
		for _, m := range got[:len(got)-1] {
			if strings.HasPrefix(m, "text") || strings.HasPrefix(m, "binary") {
				messages = append(messages, m)
			}
		}
		return fmt.Sprint(messages)
	}
	return fmt.Sprint(got)
}

// messagesOf returns the messages in a stream that comes at once, and the end, nil if it may go on.
func messagesOf(stream []byte) (messages []string, end *Error) {
	r := &Reader{Limit: fuzzLimit}
	stream = bytes.Clone(stream)
	for {
		op, p, n, err := r.Next(stream, 1<<20)
		if err != nil {
			errors.As(err, &end)
			return messages, end
		}
		switch op {
		case OpText:
			messages = append(messages, "t"+string(p))
		case OpBinary:
			messages = append(messages, "b"+string(p))
		}
		if stream = stream[n:]; op == OpContinuation && n == 0 {
			return messages, nil
		}
	}
}

// byLibrary has coder/websocket read the stream.
func byLibrary(t *testing.T, stream []byte) (messages []string, end string) {
	conn := &memory{in: stream}
	r, _ := http.NewRequest("GET", "/", nil)
	r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
	ws, err := websocket.Accept(&hijacked{conn: conn, header: http.Header{}}, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	ws.SetReadLimit(fuzzLimit)
	for {
		kind, p, err := ws.Read(context.Background())
		switch {
		case err == nil:
			messages = append(messages, map[websocket.MessageType]string{websocket.MessageText: "t", websocket.MessageBinary: "b"}[kind]+string(p))
			continue
		case websocket.CloseStatus(err) != -1:
			end = "closed"
		case errors.Is(err, websocket.ErrMessageTooBig):
			end = "1009"
		case conn.over:
			end = "cut off"
		default:
			end = "wrong"
		}
		return messages, end
	}
}

// memory is a network connection from which a stream can be read.
type memory struct {
	net.Conn
	in   []byte
	over bool // more was asked for
}

var errOver = errors.New("the stream is over")

func (m *memory) Read(p []byte) (int, error) {
	if len(m.in) == 0 {
		m.over = true
		return 0, errOver
	}
	n := copy(p, m.in)
	m.in = m.in[n:]
	return n, nil
}

func (m *memory) Write(p []byte) (int, error)      { return len(p), nil }
func (m *memory) Close() error                     { return nil }
func (m *memory) SetDeadline(time.Time) error      { return nil }
func (m *memory) SetReadDeadline(time.Time) error  { return nil }
func (m *memory) SetWriteDeadline(time.Time) error { return nil }

// hijacked is a ResponseWriter that gives its connection away.
type hijacked struct {
	conn   net.Conn
	header http.Header
}

func (h *hijacked) Header() http.Header         { return h.header }
func (h *hijacked) WriteHeader(int)             {}
func (h *hijacked) Write(p []byte) (int, error) { return len(p), nil }

func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReaderSize(h.conn, 16), bufio.NewWriter(h.conn)), nil
}

// Reading takes no memory; see BenchmarkReader for what it costs.
func TestReaderAllocates(t *testing.T) {
	if race.Enabled {
		t.Skip("a sync.Pool loses some of what it gets when races are looked for")
	}
	for name, stream := range map[string][]byte{
		"small":     join(text("4hello"), bin("\x00\x01")),
		"fragments": join(clientFrame(1, "4he"), ping("p"), clientFrame(0x80, "llo")),
		"large":     text("4" + strings.Repeat("x", 20_000)),
	} {
		r := &Reader{Limit: 1 << 20}
		read := readAll(r, stream)
		read()
		if n := testing.AllocsPerRun(100, read); n > 0.5 { // now and then the pool is emptied
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// readAll returns a function that has r read the stream through a buffer of 4 KiB, as servers do.
func readAll(r *Reader, stream []byte) func() {
	work := make([]byte, len(stream))
	return func() {
		copy(work, stream)
		begin, end := 0, min(4096, len(work))
		for begin < len(work) {
			op, _, n, err := r.Next(work[begin:end], 4096)
			if err != nil {
				panic(err)
			}
			begin += n
			if op != OpContinuation || n > 0 {
				continue
			}
			if space := r.Space(4096); space != nil {
				n := copy(space, work[end:])
				begin, end = begin+n, end+n
				if err := r.Came(n); err != nil {
					panic(err)
				}
			}
			end = min(max(end, begin+4096), len(work))
		}
		r.ReleaseLast()
	}
}

func BenchmarkReader(b *testing.B) {
	fragments := []byte{}
	for i := range 100 {
		first := map[int]byte{0: 1, 99: 0x80}[i]
		fragments = append(fragments, clientFrame(first, strings.Repeat("x", 100))...)
	}
	for _, bb := range []struct {
		name   string
		stream []byte
	}{
		{"text of 32 bytes", text(strings.Repeat("x", 32))},
		{"text of 1 kB", text(strings.Repeat("x", 1000))},
		{"text of 1 kB, not ASCII", text(strings.Repeat("größer ", 111))},
		{"text of 32 kB", text(strings.Repeat("x", 32_000))},
		{"text of 1 MB", text(strings.Repeat("x", 1_000_000))},
		{"binary of 1 kB", bin(strings.Repeat("x", 1000))},
		{"binary of 32 kB", bin(strings.Repeat("x", 32_000))},
		{"100 fragments of 100 bytes", fragments},
		{"ping", ping("hello")},
	} {
		b.Run(bb.name, func(b *testing.B) {
			read := readAll(&Reader{Limit: 1 << 20}, bb.stream)
			b.SetBytes(int64(len(bb.stream)))
			b.ReportAllocs()
			for b.Loop() {
				read()
			}
		})
	}
	b.Run("unmask 32 kB", func(b *testing.B) {
		p := make([]byte, 32_000)
		b.SetBytes(int64(len(p)))
		for b.Loop() {
			unmask(p, binary.LittleEndian.Uint32([]byte{1, 2, 3, 4}))
		}
	})
}
