package eiotest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// pipe returns a connection whose buffers hold 4 bytes towards the server and 1 MiB towards the client.
func pipe(t *testing.T) (client, server *conn) {
	addr := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}
	client, server = newPipe(addr, addr, 4, 1<<20)
	t.Cleanup(func() {
		client.Close()
		server.Close()
	})
	return client, server
}

func TestPipeBlocksWhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pipe(t)
		if n, err := server.Write(make([]byte, 1<<20)); n != 1<<20 || err != nil {
			t.Fatalf("writing a full buffer: %d, %v", n, err)
		}
		written := false
		go func() {
			if n, err := client.Write([]byte("0123456789")); n != 10 || err != nil {
				t.Errorf("Write = %d, %v", n, err)
			}
			written = true
			client.Close()
		}()
		synctest.Wait()
		if written {
			t.Error("10 bytes went into a buffer of 4 that nobody reads")
		}
		got, err := io.ReadAll(server)
		if string(got) != "0123456789" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		if !written {
			t.Error("the writer still blocks")
		}
	})
}

func TestPipeDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pipe(t)
		begin := time.Now()
		after := func(d time.Duration, what string, n, wantN int, err error) {
			t.Helper()
			var ne net.Error
			if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() || n != wantN {
				t.Errorf("%s: %d, %v", what, n, err)
			}
			if passed := time.Since(begin); passed != d {
				t.Errorf("%s: ended after %v, want %v", what, passed, d)
			}
		}
		buf := make([]byte, 10)

		server.SetReadDeadline(time.Now().Add(time.Second))
		n, err := server.Read(buf)
		after(time.Second, "read", n, 0, err)
		n, err = server.Read(buf)
		after(time.Second, "read after the deadline", n, 0, err)

		client.SetDeadline(time.Now().Add(2 * time.Second))
		n, err = client.Write(buf)
		after(3*time.Second, "write into a full buffer", n, 4, err)

		// A deadline wakes what blocks already, and a later one replaces it.
		server.SetReadDeadline(time.Time{})
		if n, err = server.Read(buf); n != 4 || err != nil {
			t.Errorf("read = %d, %v", n, err)
		}
		server.SetReadDeadline(time.Now().Add(time.Second))
		go func() {
			server.SetReadDeadline(time.Now().Add(time.Hour))
			time.Sleep(5 * time.Second)
			server.SetReadDeadline(time.Unix(1, 0))
		}()
		n, err = server.Read(buf)
		after(8*time.Second, "read whose deadline moved", n, 0, err)

		server.SetReadDeadline(time.Now().Add(time.Second))
		server.SetReadDeadline(time.Time{})
		client.SetDeadline(time.Time{})
		time.AfterFunc(time.Minute, func() { client.Write([]byte("x")) })
		if n, err = server.Read(buf); n != 1 || err != nil {
			t.Errorf("read without a deadline: %d, %v", n, err)
		}
	})
}

func TestPipeClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pipe(t)
		buf := make([]byte, 10)
		blocked := make(chan error)
		go func() {
			_, err := client.Read(make([]byte, 1))
			blocked <- err
		}()
		synctest.Wait()
		client.Write([]byte("bye"))
		if err := client.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-blocked; !errors.Is(err, net.ErrClosed) {
			t.Errorf("the blocked read: %v", err)
		}
		if n, err := server.Read(buf); string(buf[:n]) != "bye" || err != nil {
			t.Errorf("what was written before the close: %q, %v", buf[:n], err)
		}
		if _, err := server.Read(buf); err != io.EOF {
			t.Errorf("after it: %v", err)
		}
		if _, err := server.Write(buf); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("writing to who is gone: %v", err)
		}
		for name, err := range map[string]error{
			"Close":            client.Close(),
			"SetReadDeadline":  client.SetReadDeadline(time.Now().Add(time.Hour)),
			"SetWriteDeadline": client.SetWriteDeadline(time.Now().Add(time.Hour)),
		} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s of a closed connection: %v", name, err)
			}
		}
		if _, err := client.Write(buf); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write: %v", err)
		}
	})
}

func TestPipeCloseWrite(t *testing.T) {
	client, server := pipe(t)
	client.Write([]byte("end"))
	client.CloseWrite()
	if got, err := io.ReadAll(server); string(got) != "end" || err != nil {
		t.Errorf("server read %q, %v", got, err)
	}
	go func() {
		server.Write([]byte("answer"))
		server.Close()
	}()
	if got, err := io.ReadAll(client); string(got) != "answer" || err != nil {
		t.Errorf("client read %q, %v", got, err)
	}
}

func TestPipeWritesDoNotInterleave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pipe(t)
		for _, s := range []string{"aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"} {
			go client.Write([]byte(s))
		}
		synctest.Wait()
		client.SetWriteDeadline(time.Now().Add(time.Second)) // reaches those that wait for their turn, too
		got := ""
		for range 20 {
			buf := make([]byte, 1)
			if _, err := server.Read(buf); err != nil {
				t.Fatal(err)
			}
			got += string(buf)
		}
		for i := 0; i < 20; i += 10 {
			if strings.Count(got[i:i+10], got[i:i+1]) != 10 {
				t.Errorf("read %q", got)
			}
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		client.Close()
		rest, err := io.ReadAll(server)
		if len(rest) != 4 || err != nil { // what fitted in before the deadline
			t.Errorf("then %q, %v", rest, err)
		}
	})
}

func TestPipeCarriesEverythingInOrder(t *testing.T) {
	client, server := pipe(t)
	want := make([]byte, 10_000)
	for i := range want {
		want[i] = byte(i * i)
	}
	go func() {
		for rest, n := want, 1; len(rest) > 0; n = n%7 + 1 {
			n = min(n, len(rest))
			client.Write(rest[:n])
			rest = rest[n:]
		}
		client.Close()
	}()
	if got, err := io.ReadAll(server); !bytes.Equal(got, want) || err != nil {
		t.Errorf("read %d bytes, %v; equal: %v", len(got), err, bytes.Equal(got, want))
	}
}
