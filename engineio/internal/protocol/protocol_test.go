package protocol

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
)

func FuzzQuery(f *testing.F) {
	for _, raw := range []string{
		"", "EIO=4&transport=polling", "EIO=4&transport=websocket&sid=abc&t=x1", "sid=a&sid=b", "sid=&sid=b", "sid&sid=b", "sid=a=b",
		"EIO=4&&transport=polling&", "=x&j", "j=0", "j=0&transport=polling", "transport=polling&j=1&j=2", "transport=websocket&j", "b64=1", "b64=&b64=1", "b64", "J=0", "tr%61nsport=polling", "sid=a+b", "sid=a;b", "sid=%zz", "sid=a%26b&EIO=4",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		values, err := url.ParseQuery(raw)
		q := ParseQuery(raw)
		if err == nil {
			jsonp := values.Has("j") && values.Get("transport") == "polling"
			assert.Equal(t, Query{values.Get("transport"), values.Get("sid"), values.Get("EIO"), values.Get("b64") != "", jsonp, values.Get("j")}, q)
		}
	})
}

// What is no escape is text.
func TestQueryWithoutEscapes(t *testing.T) {
	assert.Equal(t, Query{Transport: "polling", SID: "a%zz;b", Version: "4"}, ParseQuery("EIO=4&transport=poll%69ng&sid=a%zz;b&x=100%"))
}

func TestQueryAllocates(t *testing.T) {
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		_ = ParseQuery("EIO=4&transport=polling&t=abc&sid=pkQZ0mzAT6C3bBTy5Q9zWA")
	}))
}
