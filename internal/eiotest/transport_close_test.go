package eiotest_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/seed-d124fa34/socketio/internal/eiotest"
)

func TestTransportClose(t *testing.T) {
	both(t, func(t *testing.T) {
		began := make(chan bool)
		ended := false
		tr := eiotest.NewTransport(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began <- true
			<-r.Context().Done()
			ended = true
		}), nil)
		failed := make(chan error)
		go func() {
			_, err := request(t.Context(), tr, nil)
			failed <- err
		}()
		<-began
		tr.Close()
		tr.Close()
		if !ended {
			t.Error("the handler still runs")
		}
		if err := <-failed; err == nil {
			t.Error("the request succeeded")
		}
		if n := tr.Conns(); n != 0 {
			t.Errorf("%d connections are open", n)
		}
		if _, err := request(t.Context(), tr, nil); !errors.Is(err, eiotest.ErrTransportClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestTransportCloseConns(t *testing.T) {
	both(t, func(t *testing.T) {
		began := make(chan bool, 1)
		tr := serve(t, func(w http.ResponseWriter, r *http.Request) {
			began <- true
			if r.Method == http.MethodGet {
				<-r.Context().Done()
			}
		})
		go func() {
			<-began
			tr.CloseConns()
		}()
		if _, err := request(t.Context(), tr, nil); err == nil {
			t.Error("the request succeeded")
		}
		resp, err := request(t.Context(), tr, strings.NewReader("again"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	})
}
