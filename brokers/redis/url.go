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

// Every kind of client has these: nothing is tried twice, because a message would then
// arrive twice. The server repeats what has failed.
const (
	retries     = -1
	dials       = 1
	dialTimeout = 5 * time.Second
	ioTimeout   = 5 * time.Second
)

// quiet turns off the library's maintenance notifications, for which it would send commands
// that only some services know.
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
	to, err := parseTarget(rest)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(scheme, "rediss") {
		to.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if strings.HasSuffix(scheme, "+cluster") {
		return newCluster(to)
	}
	return newFailover(to)
}

// target is what the URL of several servers says.
type target struct {
	addrs              []string
	username, password string
	path               string
	tls                *tls.Config // nil without TLS
}

// parseTarget parses a URL behind its scheme: [user:password@]host:port,host:port[/path].
func parseTarget(rest string) (*target, error) {
	rest, path, _ := strings.Cut(rest, "/")
	user, hosts, ok := cutLast(rest, "@")
	if !ok {
		user, hosts = "", rest
	}
	to := &target{path: path}
	username, password, _ := strings.Cut(user, ":")
	var err error
	if to.username, err = url.PathUnescape(username); err == nil {
		to.password, err = url.PathUnescape(password)
	}
	if err != nil {
		return nil, errors.New("the URL's user or password is not escaped correctly: percent-encode both")
	}
	to.addrs, err = splitHosts(hosts)
	return to, err
}

// newCluster returns a client of a Cluster.
func newCluster(to *target) (goredis.UniversalClient, error) {
	if to.path != "" {
		return nil, errors.New("the URL of a cluster has a path: remove it, because a cluster has no numbered databases")
	}
	return goredis.NewClusterClient(&goredis.ClusterOptions{
		Addrs: to.addrs, Username: to.username, Password: to.password, TLSConfig: to.tls,
		MaxRetries: retries, DialerRetries: dials,
		DialTimeout: dialTimeout, ReadTimeout: ioTimeout, WriteTimeout: ioTimeout,
		ContextTimeoutEnabled: true, MaintNotificationsConfig: quiet(), DisableIdentity: true,
	}), nil
}

// newFailover returns a client of the master that Sentinels name.
func newFailover(to *target) (goredis.UniversalClient, error) {
	db, master, ok := strings.Cut(to.path, "/")
	if !ok || master == "" || strings.Contains(master, "/") {
		return nil, errors.New("the URL does not name the master: end it with /0/ and the name, for example /0/mymaster")
	}
	number := 0
	if db != "" {
		var err error
		if number, err = strconv.Atoi(db); err != nil {
			return nil, fmt.Errorf("the URL's database is %q: use a number", db)
		}
	}
	return goredis.NewFailoverClient(&goredis.FailoverOptions{
		SentinelAddrs: to.addrs, MasterName: master, DB: number,
		Username: to.username, Password: to.password, TLSConfig: to.tls,
		MaxRetries: retries, DialerRetries: dials,
		DialTimeout: dialTimeout, ReadTimeout: ioTimeout, WriteTimeout: ioTimeout,
		ContextTimeoutEnabled: true, DisableIdentity: true,
	}), nil
}

// newSingle returns a client of one server.
func newSingle(rawURL, scheme string) (goredis.UniversalClient, error) {
	o, err := goredis.ParseURL(rawURL)
	if err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), rawURL, scheme+"://...")) // the URL may contain a password
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

// splitHosts returns the addresses in a list that is separated by commas.
func splitHosts(hosts string) ([]string, error) {
	addrs := strings.Split(hosts, ",")
	for _, addr := range addrs {
		if host, port, err := net.SplitHostPort(addr); err != nil || host == "" || port == "" {
			return nil, fmt.Errorf("the URL's hosts are %q: write host:port,host:port", hosts)
		}
	}
	return addrs, nil
}
