package redis

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Whatever the kind of client: nothing is tried twice, because a message would
// then arrive twice, and contexts count. The server does the trying again.
const (
	retries     = -1
	dials       = 1
	dialTimeout = 5 * time.Second
	ioTimeout   = 5 * time.Second
)

// quiet turns off what is for a managed service's maintenance, and asks for
// nothing that other services do not know.
func quiet() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// newClient returns the client that a URL describes.
func newClient(rawURL string) (goredis.UniversalClient, error) {
	scheme, rest, ok := strings.Cut(rawURL, "://")
	if !ok {
		return nil, errors.New("the URL has no scheme: write it as redis://host:6379")
	}
	switch scheme {
	case "redis", "rediss", "unix":
		return newSingle(rawURL, scheme)
	case "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster":
	default:
		return nil, fmt.Errorf("the URL's scheme is %q: use one of redis, rediss, unix, redis+sentinel, rediss+sentinel, redis+cluster, rediss+cluster", scheme)
	}

	rest, path, _ := strings.Cut(rest, "/")
	user, hosts, ok := cutLast(rest, "@")
	if !ok {
		user, hosts = "", rest
	}
	username, password, _ := strings.Cut(user, ":")
	var err error
	if username, err = url.PathUnescape(username); err == nil {
		password, err = url.PathUnescape(password)
	}
	if err != nil {
		return nil, errors.New("the URL's user or password is not escaped correctly: percent-encode both")
	}
	addrs, err := splitHosts(hosts)
	if err != nil {
		return nil, err
	}
	var config *tls.Config
	if strings.HasPrefix(scheme, "rediss") {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if strings.HasSuffix(scheme, "+cluster") {
		if path != "" {
			return nil, errors.New("the URL of a cluster has a path: remove it, because a cluster has no numbered databases")
		}
		return goredis.NewClusterClient(&goredis.ClusterOptions{
			Addrs: addrs, Username: username, Password: password, TLSConfig: config,
			MaxRetries: retries, DialerRetries: dials,
			DialTimeout: dialTimeout, ReadTimeout: ioTimeout, WriteTimeout: ioTimeout,
			ContextTimeoutEnabled: true, MaintNotificationsConfig: quiet(), DisableIdentity: true,
		}), nil
	}
	db, master, ok := strings.Cut(path, "/")
	if !ok || master == "" || strings.Contains(master, "/") {
		return nil, errors.New("the URL does not name the master: end it with /0/ and the name, for example /0/mymaster")
	}
	number := 0
	if db != "" {
		if number, err = strconv.Atoi(db); err != nil {
			return nil, fmt.Errorf("the URL's database is %q: use a number", db)
		}
	}
	return goredis.NewFailoverClient(&goredis.FailoverOptions{
		SentinelAddrs: addrs, MasterName: master, DB: number,
		Username: username, Password: password, TLSConfig: config,
		MaxRetries: retries, DialerRetries: dials,
		DialTimeout: dialTimeout, ReadTimeout: ioTimeout, WriteTimeout: ioTimeout,
		ContextTimeoutEnabled: true, DisableIdentity: true,
	}), nil
}

// newSingle returns a client of one server.
func newSingle(rawURL, scheme string) (goredis.UniversalClient, error) {
	o, err := goredis.ParseURL(rawURL)
	if err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), rawURL, scheme+"://...")) // there may be a password in it
	}
	o.MaxRetries, o.DialerRetries = retries, dials
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = dialTimeout, ioTimeout, ioTimeout
	o.ContextTimeoutEnabled, o.MaintNotificationsConfig, o.DisableIdentity = true, quiet(), true
	return goredis.NewClient(o), nil
}

// cutLast is strings.Cut at the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// splitHosts returns the addresses in a list.
func splitHosts(hosts string) ([]string, error) {
	addrs := strings.Split(hosts, ",")
	for _, addr := range addrs {
		if host, port, err := net.SplitHostPort(addr); err != nil || host == "" || port == "" {
			return nil, fmt.Errorf("the URL's hosts are %q: write host:port,host:port", hosts)
		}
	}
	return addrs, nil
}
