package forward

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"net/http"
	"slices"
	"strconv"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/demo/proxy/upstream"
)

// hash is what the hash policies make of the request, nil when none of them
// applies. The numbers are Envoy's own, so that a key finds the same host.
func (x *exchange) hash(policies []*routev3.RouteAction_HashPolicy) *uint64 {
	var hash uint64
	found := false
	for _, p := range policies {
		one, ok := x.hashOf(p)
		if ok {
			hash = one ^ bits.RotateLeft64(hash, 1)
			found = true
		}
		if found && p.GetTerminal() {
			break
		}
	}
	if !found {
		return nil
	}
	return &hash
}

func (x *exchange) hashOf(p *routev3.RouteAction_HashPolicy) (hash uint64, ok bool) {
	switch by := p.GetPolicySpecifier().(type) {
	case *routev3.RouteAction_HashPolicy_Header_:
		return x.headerHash(by.Header)
	case *routev3.RouteAction_HashPolicy_Cookie_:
		return x.cookieHash(by.Cookie)
	case *routev3.RouteAction_HashPolicy_ConnectionProperties_:
		if client := x.values.Remote; by.ConnectionProperties.GetSourceIp() && client.IsValid() {
			return upstream.XXHash(client.Addr().String(), 0), true
		}
	case *routev3.RouteAction_HashPolicy_QueryParameter_:
		if v, ok := parameter(x.way.Seen.Path, by.QueryParameter.GetName()); ok {
			return upstream.XXHash(v, 0), true
		}
	}
	return 0, false
}

// headerHash hashes a header; several of that name count as a set.
func (x *exchange) headerHash(by *routev3.RouteAction_HashPolicy_Header) (hash uint64, ok bool) {
	values := x.header.Values(by.GetHeaderName())
	if strings.HasPrefix(by.GetHeaderName(), ":") {
		v, ok := x.requestHeader(by.GetHeaderName())
		return upstream.XXHash(v, 0), ok
	}
	sorted := slices.Sorted(slices.Values(values))
	for _, v := range sorted {
		hash = upstream.XXHash(v, hash)
	}
	return hash, len(values) > 0
}

// cookieHash hashes a cookie. With a ttl set, a client that has none is given
// one, so that its next request finds the same host.
func (x *exchange) cookieHash(by *routev3.RouteAction_HashPolicy_Cookie) (hash uint64, ok bool) {
	if v := cookie(x.header, by.GetName()); v != "" {
		return upstream.XXHash(v, 0), true
	}
	if by.GetTtl() == nil {
		return 0, false
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], upstream.XXHash(x.values.Direct.String()+x.values.Local.String(), 0))
	value := hex.EncodeToString(b[:])
	set := by.GetName() + `="` + value + `"`
	if age := by.GetTtl().AsDuration(); age > 0 {
		set += "; Max-Age=" + strconv.FormatInt(int64(age.Seconds()), 10)
	}
	if by.GetPath() != "" {
		set += "; Path=" + by.GetPath()
	}
	for _, a := range by.GetAttributes() {
		set += "; " + a.GetName()
		if a.GetValue() != "" {
			set += "=" + a.GetValue()
		}
	}
	x.cookies = append(x.cookies, set+"; HttpOnly")
	return upstream.XXHash(value, 0), true
}

// cookie is the value of the first cookie of that name, without quotes.
func cookie(h http.Header, name string) string {
	for _, line := range h.Values("Cookie") {
		for part := range strings.SplitSeq(line, ";") {
			key, value, ok := strings.Cut(strings.TrimSpace(part), "=")
			if ok && key == name {
				return strings.Trim(value, `"`)
			}
		}
	}
	return ""
}

// parameter is the first query parameter of that name, with its escapes.
func parameter(path, name string) (value string, ok bool) {
	_, query, _ := strings.Cut(path, "?")
	for part := range strings.SplitSeq(query, "&") {
		if key, v, _ := strings.Cut(part, "="); key == name {
			return v, true
		}
	}
	return "", false
}
