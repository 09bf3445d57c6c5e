package matchtest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"time"

	"example.com/meshtui/engine/match"
)

// ask sends a case's requests, one after the other, over as few connections as
// can be.
func (l *lab) ask(c Case) []Observed {
	var out []Observed
	var to line
	defer to.hangUp()
	for _, q := range c.Requests {
		if q.Ask.Source.IsValid() || q.Ask.HTTP2 {
			out = append(out, l.askFrom(c.Options, q))
			continue
		}
		used := to.conn != nil
		o := to.ask(c.Options, q)
		if used && o.Status == 0 {
			o = to.ask(c.Options, q) // an answer before may have ended the connection
		}
		out = append(out, o)
	}
	return out
}

// askFrom sends a request over a connection of its own. One at a time has a
// source port: two could be the same.
func (l *lab) askFrom(o Options, q Request) Observed {
	if q.Ask.Source.Port() != 0 {
		l.sources.Lock()
		defer l.sources.Unlock()
	}
	var to line
	defer to.hangUp()
	return to.ask(o, q)
}

// line is a connection to a data plane, when one is open.
type line struct {
	conn net.Conn
	r    *bufio.Reader
}

func (l *line) hangUp() {
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}

func (l *line) ask(o Options, q Request) Observed {
	if l.conn == nil {
		conn, err := dial(o, q.Ask)
		if err != nil {
			return Observed{Err: err.Error()}
		}
		l.conn, l.r = conn, bufio.NewReader(conn)
	}
	_ = l.conn.SetDeadline(time.Now().Add(10 * time.Second)) // it fails on a closed connection alone, which shows
	if q.Ask.HTTP2 {
		defer l.hangUp()
		return exchange2(l.conn, q)
	}
	seen, reuse := Exchange(l.conn, l.r, q)
	if !reuse {
		l.hangUp()
	}
	return seen
}

// dial opens the connection that a request asks for.
func dial(o Options, q match.Request) (net.Conn, error) {
	to := net.JoinHostPort(o.Address, fmt.Sprint(o.Port))
	if q.Address.IsValid() {
		to = netip.AddrPortFrom(q.Address, uint16(o.Port)).String()
	}
	d := &net.Dialer{Timeout: 10 * time.Second}
	if q.Source.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(q.Source)
	}
	conn, err := d.Dial("tcp", to)
	if err != nil {
		return nil, err
	}
	if q.Source.Port() != 0 {
		_ = conn.(*net.TCPConn).SetLinger(0) // leaves the port free for the next
	}
	if !q.TLS {
		return conn, nil
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	secure := tls.Client(conn, &tls.Config{ServerName: q.SNI, NextProtos: q.ALPN, InsecureSkipVerify: true})
	if err := secure.Handshake(); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}
