package envoy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxAnswer bounds what is read of one admin answer: /clusters of 10,000
// endpoints is 8 MB.
const maxAnswer = 256 << 20

// errNotLocal is why an admin interface beyond this machine is not asked: it
// knows no authentication, so nobody should have opened it.
var errNotLocal = errors.New("the admin interface is asked only on loopback or a unix socket")

// admin asks one Envoy's admin interface.
type admin struct {
	client *http.Client
	base   string
}

// newAdmin is a client for "unix:/path" or "host:port" on loopback; each
// question has the timeout to be answered.
func newAdmin(addr string, timeout time.Duration) (*admin, error) {
	a, err := parseAddress(addr)
	if err != nil {
		return nil, err
	}
	network, target := "unix", a.Path
	if a.Path == "" {
		if ip := net.ParseIP(a.Host); a.Host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return nil, fmt.Errorf("%s: %w", addr, errNotLocal)
		}
		network, target = "tcp", joinHostPort(a.Host, a.Port)
	}
	dialer := &net.Dialer{}
	transport := &http.Transport{ // no proxy: the environment's is not meant for this machine
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, target)
		},
		MaxIdleConns: 2, IdleConnTimeout: 10 * time.Second,
	}
	return &admin{client: &http.Client{Transport: transport, Timeout: timeout}, base: "http://envoy.admin"}, nil
}

// close ends the connections that are kept for the next question.
func (a *admin) close() { a.client.CloseIdleConnections() }

// get asks for a path, such as "/ready", and returns the body whatever the
// status is.
func (a *admin) get(ctx context.Context, path string) (status int, body []byte, err error) {
	return a.do(ctx, http.MethodGet, path)
}

func (a *admin) do(ctx context.Context, method, path string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	res, err := a.client.Do(req)
	if err != nil {
		return 0, nil, plainError(err)
	}
	defer res.Body.Close()
	body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return 0, nil, plainError(err)
	}
	return res.StatusCode, body, nil
}

// must is get for a path that has to answer 200.
func (a *admin) must(ctx context.Context, path string) ([]byte, error) {
	status, body, err := a.get(ctx, path)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s: status %d%s", path, status, firstLine(": ", string(body)))
	}
	return body, err
}

// plainError says why the admin interface could not be asked, without the URL
// that net/http puts before it.
func plainError(err error) error {
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("the admin interface does not answer: %w", context.DeadlineExceeded)
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return fmt.Errorf("the admin interface cannot be asked: %w", err)
}

// readStats reads /stats in its text form: "name: value" lines whose values are
// whole numbers; others (histograms, texts) are left out.
func readStats(body []byte) map[string]uint64 {
	out := map[string]uint64{}
	for line := range strings.Lines(string(body)) {
		line = strings.TrimSpace(line)
		i := strings.LastIndex(line, ": ")
		if i < 0 {
			continue
		}
		if n, err := strconv.ParseUint(line[i+2:], 10, 64); err == nil {
			out[line[:i]] = n
		}
	}
	return out
}

// joinHostPort is the address as Endpoint shows it.
func joinHostPort(host string, port uint32) string {
	return net.JoinHostPort(host, strconv.FormatUint(uint64(port), 10))
}
