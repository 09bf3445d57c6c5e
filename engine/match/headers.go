package match

import (
	"net/netip"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"example.com/meshtui/engine/match/routes"
)

// headers are the headers of one request on its way through the connection
// manager. The list is its own, never the caller's.
type headers struct{ list []routes.Header }

func newHeaders(from []routes.Header) *headers {
	h := &headers{list: make([]routes.Header, 0, len(from)+4)}
	for _, each := range from {
		if !strings.EqualFold(each.Name, "host") { // it is the authority, see hostOf
			h.list = append(h.list, routes.Header{Name: each.Name, Value: strings.Trim(each.Value, " \t")})
		}
	}
	return h
}

// get is a header's value, several joined by commas as Envoy joins them.
func (h *headers) get(name string) (value string, ok bool) {
	for _, each := range h.list {
		if !strings.EqualFold(each.Name, name) {
			continue
		}
		if !ok {
			value, ok = each.Value, true
		} else {
			value += "," + each.Value
		}
	}
	return value, ok
}

func (h *headers) value(name string) string {
	v, _ := h.get(name)
	return v
}

func (h *headers) has(name string) bool {
	return slices.ContainsFunc(h.list, func(each routes.Header) bool { return strings.EqualFold(each.Name, name) })
}

func (h *headers) remove(names ...string) {
	h.list = slices.DeleteFunc(h.list, func(each routes.Header) bool {
		for _, name := range names {
			if strings.EqualFold(each.Name, name) {
				return true
			}
		}
		return false
	})
}

func (h *headers) set(name, value string) {
	h.remove(name)
	h.list = append(h.list, routes.Header{Name: name, Value: value})
}

// listed reports whether a header whose value is a list of tokens holds one.
func (h *headers) listed(name, token string) bool {
	for part := range strings.SplitSeq(h.value(name), ",") {
		if strings.EqualFold(strings.TrimSpace(part), token) {
			return true
		}
	}
	return false
}

// upgrade is what the request wants its connection to become, which may be "";
// ok is false when it wants nothing.
func (h *headers) upgrade() (to string, ok bool) {
	if !h.listed("connection", "upgrade") {
		return "", false
	}
	return h.get("upgrade")
}

// internalOnly are the headers that only an internal request may bring.
var internalOnly = []string{
	"x-envoy-retriable-status-codes", "x-envoy-retriable-header-names", "x-envoy-retry-on",
	"x-envoy-retry-grpc-on", "x-envoy-max-retries", "x-envoy-upstream-alt-stat-name",
	"x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-rq-per-try-timeout-ms",
	"x-envoy-upstream-rq-timeout-alt-response", "x-envoy-expected-rq-timeout-ms",
	"x-envoy-force-trace", "x-envoy-ip-tags", "x-envoy-original-url",
	"x-envoy-hedge-on-per-try-timeout",
}

// someRequestID stands for the random one that Envoy makes: routes can only ask
// whether there is one.
const someRequestID = "00000000-0000-4000-8000-000000000000"

// mutation is what the connection manager does to the headers before it looks
// for a route, so that a route's header conditions see what it leaves.
type mutation struct {
	m        *hcmv3.HttpConnectionManager
	from     netip.Addr // the client
	at       netip.AddrPort
	tls      bool
	shown    bool     // the client showed a certificate
	internal []string // internal_only_headers of the route configuration
}

// apply changes the headers and returns the scheme that the request has for the
// router and the address that counts as the client's; scheme is that of an
// absolute target or of HTTP/2, "" for none.
func (x mutation) apply(h *headers, scheme string) (forRouter string, client netip.Addr) {
	x.hopByHop(h)
	trusted, single := x.client(h)
	x.proto(h)
	if x.m.GetAppendXForwardedPort() && x.at.IsValid() && !h.has("x-forwarded-port") {
		h.set("x-forwarded-port", itoa(uint32(x.at.Port())))
	}
	if s := x.m.GetSchemeHeaderTransformation().GetSchemeToOverwrite(); s != "" {
		scheme = s
		h.set("x-forwarded-proto", s)
	}
	if scheme == "" {
		scheme = x.scheme(h)
	}
	x.origin(h, trusted, single)
	if x.m.GetVia() != "" {
		appendTo(h, "via", x.m.GetVia(), ", ")
	}
	x.certificate(h)
	if !trusted.IsValid() {
		trusted = x.from
	}
	return scheme, trusted.Unmap()
}

// hopByHop drops what concerns this connection alone.
func (x mutation) hopByHop(h *headers) {
	if _, upgrades := h.upgrade(); !upgrades {
		h.remove("connection", "upgrade")
	}
	h.remove("x-envoy-internal", "keep-alive", "proxy-connection", "transfer-encoding")
	if !h.has("te") {
		return
	}
	for part := range strings.SplitSeq(h.value("te"), ",") {
		if strings.EqualFold(strings.TrimSpace(part), "trailers") {
			h.set("te", "trailers")
			return
		}
	}
	h.remove("te")
}

// joinCookies makes one header of several, as HTTP/2's codec does. Of empty ones
// nothing is left.
func (h *headers) joinCookies() {
	joined, times := "", 0
	for _, each := range h.list {
		if !strings.EqualFold(each.Name, "cookie") {
			continue
		}
		if times++; joined != "" {
			joined += "; "
		}
		joined += each.Value
	}
	switch {
	case times > 0 && joined == "":
		h.remove("cookie")
	case times > 1:
		h.set("cookie", joined)
	}
}

// ignore drops what the settings say of a wish for another protocol.
func (h *headers) ignore(those []*matcherv3.StringMatcher) {
	to, there := h.get("upgrade")
	if !there || len(those) == 0 {
		return
	}
	var kept []string
	for token := range strings.SplitSeq(to, ",") {
		if token = strings.TrimSpace(token); !anyHolds(those, token) {
			kept = append(kept, token)
		}
	}
	if len(kept) > 0 {
		h.set("upgrade", strings.Join(kept, ","))
		return
	}
	h.remove("upgrade")
	h.disconnect("upgrade")
}

// disconnect takes tokens out of the Connection header.
func (h *headers) disconnect(tokens ...string) {
	var kept []string
	for token := range strings.SplitSeq(h.value("connection"), ",") {
		token = strings.TrimSpace(token)
		if !slices.ContainsFunc(tokens, func(t string) bool { return strings.EqualFold(t, token) }) {
			kept = append(kept, token)
		}
	}
	h.set("connection", strings.Join(kept, ","))
}

// anyHolds reports whether one of the matchers takes a text, by the machine that
// compares a route's headers.
func anyHolds(those []*matcherv3.StringMatcher, text string) bool {
	r := &routes.Request{Path: "/", Headers: []routes.Header{{Name: "x-text", Value: text}}}
	return slices.ContainsFunc(those, func(m *matcherv3.StringMatcher) bool {
		return asks([]*routev3.HeaderMatcher{{
			Name: "x-text", HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: m},
		}}, r)
	})
}

// ignoreH2C drops a wish for HTTP/2 in plain text, which Envoy never grants.
func (h *headers) ignoreH2C() {
	if to, wants := h.upgrade(); !wants || !strings.EqualFold(to, "h2c") {
		return
	}
	h.remove("upgrade", "http2-settings")
	h.disconnect("upgrade", "http2-settings")
}

// nominated drops the headers that Connection names as concerning this
// connection alone, unless the connection is to become something else. wrong is
// one that must not be named.
func (h *headers) nominated() (wrong string) {
	if _, upgrades := h.upgrade(); upgrades {
		return ""
	}
	for token := range strings.SplitSeq(h.value("connection"), ",") {
		token = strings.ToLower(strings.TrimSpace(token))
		switch {
		case token == "" || token == "te":
		case strings.HasPrefix(token, ":") || slices.Contains(neverNominated, token):
			return token
		default:
			h.remove(token)
		}
	}
	return ""
}

// neverNominated may not be dropped by way of a Connection header.
var neverNominated = []string{"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}

// client is the address that counts as the client's, invalid when it is not
// known, and whether it alone decides if the request is internal. For a client on
// its own machine Envoy appends the machine's address, which is not known here.
func (x mutation) client(h *headers) (addr netip.Addr, single bool) {
	forwarded, has := h.get("x-forwarded-for")
	hops := int(x.m.GetXffNumTrustedHops())
	if !x.m.GetUseRemoteAddress().GetValue() {
		if len(x.m.GetOriginalIpDetectionExtensions()) > 0 {
			return netip.Addr{}, false
		}
		return lastForwarded(forwarded, hops)
	}
	if hops > 0 {
		addr, _ = lastForwarded(forwarded, hops-1)
	}
	if !addr.IsValid() {
		addr = x.from
	}
	if !x.m.GetSkipXffAppend() && x.from.IsValid() {
		appendTo(h, "x-forwarded-for", x.from.String(), ",")
	}
	return addr, !has
}

// lastForwarded is the last address of an x-forwarded-for after some are left
// out, and whether it is the only one.
func lastForwarded(value string, skip int) (addr netip.Addr, single bool) {
	if value == "" {
		return netip.Addr{}, false
	}
	for range skip {
		at := strings.LastIndexByte(value, ',')
		if at < 0 {
			return netip.Addr{}, false
		}
		value = value[:at]
	}
	last := value[strings.LastIndexByte(value, ',')+1:]
	addr, err := netip.ParseAddr(strings.TrimSpace(last))
	if err != nil {
		return netip.Addr{}, false
	}
	return addr, last == value && skip == 0
}

func (x mutation) proto(h *headers) {
	own := "http"
	if x.tls {
		own = "https"
	}
	remote := x.m.GetUseRemoteAddress().GetValue()
	if !h.has("x-forwarded-proto") || remote && x.m.GetXffNumTrustedHops() == 0 {
		h.set("x-forwarded-proto", own)
	}
	if remote && x.m.GetXffNumTrustedHops() == 0 && x.m.GetAppendXForwardedPort() {
		h.remove("x-forwarded-port")
	}
}

func (x mutation) scheme(h *headers) string {
	switch p := strings.ToLower(h.value("x-forwarded-proto")); {
	case p == "http" || p == "https":
		return p
	case x.tls:
		return "https"
	}
	return "http"
}

// origin tells internal requests from external ones and drops what the latter
// may not bring.
func (x mutation) origin(h *headers, client netip.Addr, single bool) {
	internal := single && client.IsValid() && x.isInternal(client)
	edge := !internal && x.m.GetUseRemoteAddress().GetValue()
	if internal {
		h.set("x-envoy-internal", "true")
	} else {
		if edge {
			h.remove("x-envoy-decorator-operation", "x-envoy-downstream-service-cluster", "x-envoy-downstream-service-node")
		}
		h.remove(internalOnly...)
		h.remove(x.internal...)
	}
	x.userAgent(h)
	if edge && client.IsValid() {
		h.set("x-envoy-external-address", client.String())
	}
	generate := x.m.GetGenerateRequestId() == nil || x.m.GetGenerateRequestId().GetValue()
	if generate && (!h.has("x-request-id") || edge && !x.m.GetPreserveExternalRequestId()) {
		h.set("x-request-id", someRequestID)
	}
}

// nodeCluster stands for the cluster that Envoy's own node is told to be of
// (--service-cluster), which no resource says.
const nodeCluster = "unknown-node-cluster"

// userAgent says which Envoy the request came by, for add_user_agent.
func (x mutation) userAgent(h *headers) {
	if !x.m.GetAddUserAgent().GetValue() {
		return
	}
	h.set("x-envoy-downstream-service-cluster", nodeCluster)
	if h.value("user-agent") == "" {
		h.set("user-agent", nodeCluster)
	}
}

// isInternal reports whether an address is of the ranges that are set. Without
// internal_address_config none is, not even that of this machine.
func (x mutation) isInternal(a netip.Addr) bool {
	for _, r := range x.m.GetInternalAddressConfig().GetCidrRanges() {
		if p, ok := prefix(r); ok && p.Contains(a) {
			return true
		}
	}
	return false
}

// someCertificate stands for what Envoy writes of the client's certificate.
const someCertificate = "Hash=unknown"

// certificate drops an x-forwarded-client-cert that the client may not bring, or
// says there which certificate it showed.
func (x mutation) certificate(h *headers) {
	switch how := x.m.GetForwardClientCertDetails(); {
	case how == hcmv3.HttpConnectionManager_ALWAYS_FORWARD_ONLY:
	case how == hcmv3.HttpConnectionManager_SANITIZE, !x.tls || !x.shown:
		h.remove("x-forwarded-client-cert")
	case how == hcmv3.HttpConnectionManager_SANITIZE_SET:
		h.set("x-forwarded-client-cert", someCertificate)
	case how == hcmv3.HttpConnectionManager_APPEND_FORWARD:
		appendTo(h, "x-forwarded-client-cert", someCertificate, ",")
	}
}

func appendTo(h *headers, name, value, sep string) {
	if old, ok := h.get(name); ok && old != "" {
		value = old + sep + value
	}
	h.set(name, value)
}
