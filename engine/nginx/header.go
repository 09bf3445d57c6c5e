package nginx

import (
	"fmt"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// headerLevel is one of the places whose header changes apply to a route.
type headerLevel struct {
	origin Origin
	config interface {
		GetRequestHeadersToAdd() []*corev3.HeaderValueOption
		GetRequestHeadersToRemove() []string
		GetResponseHeadersToAdd() []*corev3.HeaderValueOption
		GetResponseHeadersToRemove() []string
	}
}

func headerLevels(sc *scope, pl *place) []headerLevel {
	return []headerLevel{{pl.origin, pl.route}, {sc.origin, sc.host}, {sc.routing.origin, sc.routing.config}}
}

// headers writes what is changed in the headers, innermost level first as Envoy
// does it. nginx inherits them only where a level sets none, so all stand here.
func (p *projection) headers(sc *scope, pl *place, ra *routev3.RouteAction, by string) {
	host, set := p.hostLine(by, pl.origin.at("route"), ra)
	upgrade := upgradeOrigin(sc, pl, ra)
	if by == byGRPC {
		upgrade = nil // there is none in HTTP/2
	}
	var lines []func()
	given := map[string]bool{"host": true, "connection": true, "upgrade": true}
	for _, l := range headerLevels(sc, pl) {
		lines = append(lines, p.requestHeaders(by, l, given)...)
		p.responseHeaders(by, l)
	}
	if !set && len(lines) == 0 && upgrade == nil {
		return
	}
	host()
	if upgrade != nil {
		m := mark{from: *upgrade}.approx(lessonUpgrade)
		p.add(m, "proxy_set_header Upgrade $http_upgrade;")
		p.add(m, "proxy_set_header Connection $http_connection;")
	} else if by == byProxy {
		p.add(mark{lesson: lessonHeaderSet}, `proxy_set_header Connection "";`)
	}
	for _, f := range forwarded {
		if forwards(sc.site) && first(given, f.name) {
			p.add(mark{lesson: lessonHeaderSet}, "%s_set_header %s %s;", by, f.name, f.value)
		}
	}
	for _, line := range lines {
		line()
	}
}

// forwarded are the headers that tell the upstream who the client is.
var forwarded = []struct{ name, value string }{
	{"X-Forwarded-For", "$proxy_add_x_forwarded_for"},
	{"X-Forwarded-Proto", "$scheme"},
}

// forwards reports whether Envoy adds the client's address.
func forwards(s *site) bool {
	return s.manager.GetUseRemoteAddress().GetValue() && !s.manager.GetSkipXffAppend()
}

// forwardedFor writes them for all of a server. nginx inherits none of what
// stands further out then, so that it stands here again.
func (p *projection) forwardedFor(s *site) {
	if !forwards(s) {
		return
	}
	m := exact(s.origin.at("use_remote_address")).with(lessonForwarded)
	for _, by := range p.families(s.routes()) {
		if !p.shared.host.is("$proxy_host") || by == byGRPC {
			p.add(mark{lesson: lessonHeaderSet}, "%s_set_header Host $http_host;", by)
		}
		if by == byProxy {
			p.add(mark{lesson: lessonHeaderSet}, `proxy_set_header Connection "";`)
		}
		for _, f := range forwarded {
			p.add(m, "%s_set_header %s %s;", by, f.name, f.value)
		}
	}
}

// hostLine prepares the Host line; set says that the route changes the Host.
func (p *projection) hostLine(by string, o Origin, ra *routev3.RouteAction) (line func(), set bool) {
	write := func(m mark, value string) func() {
		return func() { p.add(m, "%s_set_header Host %s;", by, token(value)) }
	}
	if p.shared.host.is("$proxy_host") && by == byProxy {
		return func() {}, false // nginx puts it there at every level
	}
	switch hs := ra.GetHostRewriteSpecifier().(type) {
	case *routev3.RouteAction_HostRewriteLiteral:
		if literal(hs.HostRewriteLiteral) {
			return write(exact(o.at("host_rewrite_literal")).with(lessonHost), hs.HostRewriteLiteral), true
		}
	case *routev3.RouteAction_AutoHostRewrite:
		if hs.AutoHostRewrite.GetValue() {
			return write(mark{from: o.at("auto_host_rewrite")}.approx(lessonHostAuto), "$proxy_host"), true
		}
	case *routev3.RouteAction_HostRewriteHeader:
		if v := variable("http_", hs.HostRewriteHeader); v != "" {
			return write(exact(o.at("host_rewrite_header")).with(lessonHost), v), true
		}
	}
	if ra.GetHostRewriteSpecifier() != nil {
		p.note(mark{from: o}.none(lessonMatcher), "the Host is rewritten in a way that nginx does not know")
	}
	return write(mark{lesson: lessonHeaderSet}, "$http_host"), false
}

// upgradeOrigin is where websocket is allowed, nil when it is not.
func upgradeOrigin(sc *scope, pl *place, ra *routev3.RouteAction) *Origin {
	for i, u := range ra.GetUpgradeConfigs() {
		if strings.EqualFold(u.GetUpgradeType(), "websocket") {
			if u.GetEnabled() != nil && !u.GetEnabled().GetValue() {
				return nil
			}
			o := pl.origin.at(fmt.Sprintf("route.upgrade_configs[%d]", i))
			return &o
		}
	}
	for i, u := range sc.site.manager.GetUpgradeConfigs() {
		if strings.EqualFold(u.GetUpgradeType(), "websocket") && (u.GetEnabled() == nil || u.GetEnabled().GetValue()) {
			o := sc.site.origin.at(fmt.Sprintf("upgrade_configs[%d]", i))
			return &o
		}
	}
	return nil
}

// requestHeaders prepares the lines for what goes to the upstream, and notes
// what cannot be said.
func (p *projection) requestHeaders(by string, l headerLevel, given map[string]bool) (lines []func()) {
	for i, h := range l.config.GetRequestHeadersToAdd() {
		m := exact(l.origin.at(fmt.Sprintf("request_headers_to_add[%d]", i))).with(lessonHeaderSet)
		name, value := h.GetHeader().GetKey(), h.GetHeader().GetValue()
		text, ok := formatted(value)
		if !ok || !settable(by, name) {
			p.note(m.none(lessonHeaderFormat), "proxy_set_header %s %s;", name, value)
			continue
		}
		if !first(given, name) {
			p.note(m.none(lessonHeaderTwice), "proxy_set_header %s %s;", name, value)
			continue
		}
		if appendsClient(name, h) {
			text, m = "$proxy_add_x_forwarded_for", m.with(lessonForwarded)
		} else if h.GetAppendAction() != corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD {
			m = m.approx(lessonHeader)
		}
		p.longestHeader = max(p.longestHeader, len(name))
		lines = append(lines, func() { p.add(m, "%s_set_header %s %s;", by, name, token(text)) })
	}
	for i, name := range l.config.GetRequestHeadersToRemove() {
		m := exact(l.origin.at(fmt.Sprintf("request_headers_to_remove[%d]", i))).with(lessonHeaderSet)
		if !settable(by, name) {
			p.note(m.none(lessonHeaderFormat), "proxy_set_header %s;", name)
			continue
		}
		if overwrites(l.config.GetRequestHeadersToAdd(), name) {
			continue // a line above says it: nginx never passes on the client's own
		}
		if !first(given, name) {
			p.note(m.none(lessonHeaderTwice), `proxy_set_header %s "";`, name)
			continue
		}
		p.longestHeader = max(p.longestHeader, len(name))
		lines = append(lines, func() { p.add(m, `%s_set_header %s "";`, by, name) })
	}
	return lines
}

// overwrites reports whether a header of that name is set, whatever came.
func overwrites(hs []*corev3.HeaderValueOption, name string) bool {
	return slices.ContainsFunc(hs, func(h *corev3.HeaderValueOption) bool {
		return strings.EqualFold(h.GetHeader().GetKey(), name) && h.GetAppendAction() == corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
	})
}

// appendsClient reports whether the client's address is appended to who it was
// forwarded for, for which nginx has a variable.
func appendsClient(name string, h *corev3.HeaderValueOption) bool {
	return strings.EqualFold(name, "x-forwarded-for") && h.GetAppendAction() == corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD &&
		h.GetHeader().GetValue() == "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"
}

// settable reports whether the family can name the header: nginx's table of
// them can be made larger for proxy_, not for grpc_.
func settable(by, name string) bool {
	return headerName.MatchString(name) && (by == byProxy || bucketSize(len(name)) == 64)
}

// first reports whether the header was not given yet, and gives it.
func first(given map[string]bool, name string) bool {
	name = strings.ToLower(name)
	if given[name] {
		return false
	}
	given[name] = true
	return true
}

// responseHeaders writes what changes in the answer.
func (p *projection) responseHeaders(by string, l headerLevel) {
	for i, h := range l.config.GetResponseHeadersToAdd() {
		m := exact(l.origin.at(fmt.Sprintf("response_headers_to_add[%d]", i))).with(lessonAddHeader)
		name, value := h.GetHeader().GetKey(), h.GetHeader().GetValue()
		text, ok := formatted(value)
		if !ok || !settable(by, name) {
			p.note(m.none(lessonHeaderFormat), "add_header %s %s always;", name, value)
			continue
		}
		if appendsClient(name, h) {
			text, m = "$proxy_add_x_forwarded_for", m.with(lessonForwarded)
		} else if h.GetAppendAction() != corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD {
			p.hide(by, m, name)
		}
		p.add(m, "add_header %s %s always;", name, token(text))
	}
	for i, name := range l.config.GetResponseHeadersToRemove() {
		m := exact(l.origin.at(fmt.Sprintf("response_headers_to_remove[%d]", i))).with(lessonHideHeader)
		if !settable(by, name) {
			p.note(m.none(lessonHeaderFormat), "proxy_hide_header %s;", name)
			continue
		}
		p.hide(by, m, name)
	}
}

func (p *projection) hide(by string, m mark, name string) {
	p.longestHeader = max(p.longestHeader, len(name))
	p.add(m, "%s_hide_header %s;", by, name)
}

// formats are Envoy's command operators and the nginx variables that hold the
// same.
var formats = map[string]string{
	"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": "$remote_addr",
	"DOWNSTREAM_REMOTE_PORT":                 "$remote_port",
	"DOWNSTREAM_LOCAL_PORT":                  "$server_port",
	"PROTOCOL":                               "$server_protocol",
	"HOSTNAME":                               "$hostname",
	"REQ(:METHOD)":                           "$request_method",
	"REQ(:PATH)":                             "$request_uri",
	"REQ(:SCHEME)":                           "$scheme",
	"REQ(:AUTHORITY)":                        "$http_host",
	"REQUEST_ID":                             "$request_id",
	"DOWNSTREAM_PEER_SUBJECT":                "$ssl_client_s_dn",
	"DOWNSTREAM_PEER_ISSUER":                 "$ssl_client_i_dn",
	"DOWNSTREAM_TLS_VERSION":                 "$ssl_protocol",
	"DOWNSTREAM_TLS_CIPHER":                  "$ssl_cipher",
}

// spliced is the variable as it must be written before what follows.
func spliced(variable, next string) string {
	if next != "" && (next[0] == '_' || next[0] >= '0' && next[0] <= '9' || next[0] >= 'A' && next[0] <= 'Z' || next[0] >= 'a' && next[0] <= 'z') {
		return "${" + variable[1:] + "}"
	}
	return variable
}

// formatted is a header's value with Envoy's %OPERATORS% as nginx variables; ok
// is false for what nginx has none for.
func formatted(value string) (string, bool) {
	if !literal(value) {
		return "", false
	}
	var b strings.Builder
	for {
		text, rest, found := strings.Cut(value, "%")
		b.WriteString(text)
		if !found {
			return b.String(), true
		}
		operator, after, closed := strings.Cut(rest, "%")
		if !closed {
			return "", false
		}
		v := formats[strings.ToUpper(operator)]
		if name, ok := strings.CutPrefix(operator, "REQ("); ok && v == "" {
			v = variable("http_", strings.TrimSuffix(name, ")"))
		}
		switch {
		case operator == "":
			b.WriteByte('%')
		case v == "":
			return "", false
		default:
			b.WriteString(spliced(v, after))
		}
		value = after
	}
}
