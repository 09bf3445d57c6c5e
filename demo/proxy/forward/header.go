package forward

import (
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// someID is the request id that package match puts where a random one is due.
const someID = "00000000-0000-4000-8000-000000000000"

// seen are the headers as the connection manager leaves them, with a request id
// of their own.
func (x *exchange) seen() http.Header {
	out := make(http.Header, len(x.way.Seen.Headers)+4)
	for _, h := range x.way.Seen.Headers {
		out.Add(h.Name, h.Value)
	}
	if out.Get("X-Request-Id") == someID {
		out.Set("X-Request-Id", newID())
	}
	if r := out.Values("Referer"); len(r) > 0 && (len(r) > 1 || !isURL(r[0])) {
		out.Del("Referer")
	}
	if x.way.Manager.GetUseRemoteAddress().GetValue() && out.Get("X-Envoy-Internal") == "" {
		out.Del("X-Envoy-Original-Path") // only a proxy may say so, and this is the first
		out.Del("X-Envoy-Original-Host")
	}
	x.ownAddress(out)
	return out
}

// ownAddress puts this machine's address in the place of a loopback one that was
// appended to x-forwarded-for: who reads it may stand on another machine.
func (x *exchange) ownAddress(h http.Header) {
	m := x.way.Manager
	if !m.GetUseRemoteAddress().GetValue() || m.GetSkipXffAppend() || x.h.address == "" {
		return
	}
	if !addrPort(x.r.RemoteAddr).Addr().IsLoopback() {
		return
	}
	all, _ := joined(h, "X-Forwarded-For")
	h.Set("X-Forwarded-For", all[:strings.LastIndexByte(all, ',')+1]+x.h.address)
}

// machineAddress is an address of this machine that others may know it by, ""
// when it has none but loopback.
func machineAddress() string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP.String()
		}
	}
	return ""
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// newID is a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	var out [36]byte
	hex.Encode(out[:], b[:4])
	at := 8
	for _, part := range [][]byte{b[4:6], b[6:8], b[8:10], b[10:]} {
		out[at] = '-'
		hex.Encode(out[at+1:], part)
		at += 1 + 2*len(part)
	}
	return string(out[:])
}

// requestHeader is a header of the request as it is at this moment, several
// joined as Envoy joins them.
func (x *exchange) requestHeader(name string) (string, bool) {
	switch name {
	case ":method":
		return x.r.Method, true
	case ":path":
		return x.way.Seen.Path, true
	case ":authority", "host":
		return x.authority, true
	case ":scheme":
		return x.scheme, true
	}
	return joined(x.header, name)
}

func joined(h http.Header, name string) (string, bool) {
	values := h.Values(name)
	return strings.Join(values, ","), len(values) > 0
}

// client is the address that counts as the client's: what trusted hops told of
// it, else the peer.
func (x *exchange) client() netip.AddrPort {
	peer := addrPort(x.r.RemoteAddr)
	forwarded := x.r.Header.Values("X-Forwarded-For")
	m := x.way.Manager
	hops := int(m.GetXffNumTrustedHops())
	if len(forwarded) == 0 || (m.GetUseRemoteAddress().GetValue() && hops == 0) {
		return peer
	}
	if m.GetUseRemoteAddress().GetValue() {
		hops--
	}
	all := strings.Split(strings.Join(forwarded, ","), ",")
	if hops >= len(all) {
		return peer
	}
	a, err := netip.ParseAddr(strings.TrimSpace(all[len(all)-1-hops]))
	if err != nil {
		return peer
	}
	return netip.AddrPortFrom(a.Unmap(), 0)
}
