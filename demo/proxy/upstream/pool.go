package upstream

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
)

// pool is the connections to one host for one routing priority.
type pool struct {
	usage
	host      *host
	gate      *gate
	transport *http.Transport
	cluster   *Cluster

	// over ends when the pool is given up and no request uses it any more: until
	// then its connections are made, even though the cluster was closed meanwhile.
	over    context.Context
	endOver context.CancelFunc

	mu    sync.Mutex
	conns map[*conn]struct{}
}

// poolAuthority stands in a URL for the one host that a pool dials.
const poolAuthority = "upstream"

// newPool makes the pool; nothing is dialled before the first request.
func (c *Cluster) newPool(h *host, priority int) *pool {
	s := c.settings.Load()
	p := &pool{host: h, gate: &c.gates[priority], cluster: c, conns: map[*conn]struct{}{}}
	p.over, p.endOver = context.WithCancel(context.Background())
	p.shared = s.http2
	p.transport = newTransport(s.http2, p.dial)
	p.transport.IdleConnTimeout = s.idle
	if !s.http2 {
		// The gate reckons with connections that the transport has not yet taken
		// back; this keeps it from opening one more meanwhile.
		p.transport.MaxConnsPerHost = int(min(max(1, s.limits[priority].connections), 1<<20))
	}
	return p
}

// newTransport speaks HTTP/1.1, or HTTP/2 in clear text, over what dial returns.
func newTransport(http2 bool, dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	return &http.Transport{
		Protocols: protocols, DialContext: dial, DisableCompression: true,
		MaxIdleConnsPerHost: 1 << 20, MaxResponseHeaderBytes: maxResponseHeaders,
	}
}

// maxResponseHeaders is how many bytes of headers Envoy takes from upstream.
const maxResponseHeaders = 60 << 10

// dialError is why no connection was had.
type dialError struct {
	timedOut bool
	err      error
}

func (e *dialError) Error() string { return "connecting: " + e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// dial opens a connection to the host within the connect timeout.
func (p *pool) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	c := p.cluster
	ctx, cancel := context.WithTimeout(ctx, c.settings.Load().connect)
	defer cancel()
	defer context.AfterFunc(p.over, cancel)()
	c.stats.connections.Add(1)
	p.host.stats.connections.Add(1)
	if p.shared {
		c.stats.http2Connections.Add(1)
	} else {
		c.stats.http1Connections.Add(1)
	}
	raw, err := c.dialer(ctx, p.host.network, p.host.dial)
	if err != nil {
		c.stats.connectFailures.Add(1)
		p.host.stats.connectFailures.Add(1)
		timedOut := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
		if timedOut {
			c.stats.connectTimeouts.Add(1)
		}
		return nil, &dialError{timedOut: timedOut, err: err}
	}
	return p.track(raw), nil
}

// conn is a connection that is counted.
type conn struct {
	net.Conn
	pool *pool
	once sync.Once
	head headWatch // of HTTP/1

	mu     sync.Mutex
	closed bool
	then   func() // of the request that uses it; may be nil
}

// whenClosed has f called when the connection is closed, in place of what was
// to be called before.
func (c *conn) whenClosed(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.then = f; c.closed {
		f()
	}
}

func (p *pool) track(raw net.Conn) *conn {
	c := &conn{Conn: raw, pool: p}
	p.mu.Lock()
	p.conns[c] = struct{}{}
	p.mu.Unlock()
	p.host.stats.activeConnections.Add(1)
	p.cluster.stats.activeConnections.Add(1)
	p.gate.opened(p)
	if p.over.Err() != nil {
		_ = c.Close() // it was made as the last request left
	}
	return c
}

// Write sends.
func (c *conn) Write(p []byte) (int, error) {
	if !c.pool.shared {
		c.head.wrote()
	}
	return c.Conn.Write(p)
}

// Read reads on, up to an answer that is not allowed.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.pool.shared {
		if bad := c.head.read(p[:n]); bad != nil {
			return 0, bad
		}
	}
	return n, err
}

// Close closes the connection and counts that once.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.mu.Lock()
		c.closed = true
		if c.then != nil {
			c.then()
		}
		c.mu.Unlock()
		p := c.pool
		p.mu.Lock()
		delete(p.conns, c)
		p.mu.Unlock()
		p.host.stats.activeConnections.Add(-1)
		p.cluster.stats.activeConnections.Add(-1)
		p.cluster.stats.destroyed.Add(1)
		p.gate.closed(p)
	})
	return err
}

// retire closes the pool's idle connections now and the others as soon as no
// request uses the pool any more.
func (p *pool) retire() {
	over := p.gate.retire(p)
	p.transport.CloseIdleConnections()
	if over {
		p.closeAll()
	}
}

// closeAll cuts every connection of a retired pool, also what is still being
// made for it.
func (p *pool) closeAll() {
	p.endOver()
	p.mu.Lock()
	all := make([]*conn, 0, len(p.conns))
	for c := range p.conns {
		all = append(all, c)
	}
	p.mu.Unlock()
	for _, c := range all {
		_ = c.Close() // nothing is lost: no request uses it
	}
	p.transport.CloseIdleConnections()
}
