package importer

import (
	"fmt"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/nginx/conf"
)

// forwardedFor is what nginx appends the client's address to X-Forwarded-For
// with.
const forwardedFor = "$proxy_add_x_forwarded_for"

// requestHeaders is what the upstream gets. nginx puts the upstream's own name
// into Host unless told otherwise, and inherits either all of its header lines or
// none.
func (im *importer) requestHeaders(f *forwarding) {
	host := false
	for _, d := range im.inherited(f.loc, f.family+"_set_header") {
		name, value := strings.ToLower(d.Arg(0)), f.requests.spoken(d.Arg(1))
		switch {
		case name == "host":
			host = true
			im.host(f, d, value)
		case name == "upgrade" || name == "connection":
			im.upgrade(f, d, name)
		case value == "":
			f.route.RequestHeadersToRemove = append(f.route.RequestHeadersToRemove, name)
			im.exact(d, at(f.route, fmt.Sprintf("request_headers_to_remove[%d]", len(f.route.RequestHeadersToRemove)-1)))
		case name == "content-length" || name == "transfer-encoding" || name == "te":
			im.none(d, "Envoy frames the body itself and lets nobody say how", "")
		default:
			im.requestHeader(f, d, value)
		}
	}
	f.unforged()
	if !host && f.goal.host != "" {
		f.action.HostRewriteSpecifier = &routev3.RouteAction_HostRewriteLiteral{HostRewriteLiteral: f.goal.host}
	}
}

// requestHeader sets one header.
func (im *importer) requestHeader(f *forwarding, d *conf.Directive, value string) {
	h := &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: d.Arg(0)}, AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD}
	if strings.EqualFold(d.Arg(0), "X-Forwarded-For") && value == forwardedFor {
		value, h.AppendAction = "$remote_addr", corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD
	}
	listed := strings.ReplaceAll(value, forwardedFor, "$http_x_forwarded_for, $remote_addr")
	text := im.formatFor(f, listed)
	if listed != value {
		text.notes = append(text.notes, "where the client sends no X-Forwarded-For, Envoy's list begins with the comma")
	}
	if len(text.missing) > 0 {
		im.none(d, "Envoy has nothing for "+strings.Join(text.missing, ", ")+": the header is not sent", "")
		f.route.RequestHeadersToRemove = append(f.route.RequestHeadersToRemove, strings.ToLower(d.Arg(0)))
		return
	}
	if strings.HasPrefix(d.Arg(0), ":") {
		im.none(d, "such a header is HTTP's own", "")
		return
	}
	h.Header.Value = text.text
	if text.empty {
		f.emptied = append(f.emptied, h)
	}
	if slices.ContainsFunc(f.route.GetRequestHeadersToAdd(), func(o *corev3.HeaderValueOption) bool { return strings.EqualFold(o.GetHeader().GetKey(), d.Arg(0)) }) {
		h.AppendAction = corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD // nginx sends both
	}
	f.route.RequestHeadersToAdd = append(f.route.RequestHeadersToAdd, h)
	if len(text.notes) > 0 {
		im.approx(d, at(h, "header.value"), text.notes[0], "")
		return
	}
	im.exact(d, at(h, ""))
}

// unforged sees to it that a client's own header does not pass where nginx would
// have set it to nothing, which it then does not send: Envoy sets no header to an
// empty text, and leaves the one that came. It takes headers away before it reads
// them for others, so that one that is read itself is sent empty instead.
func (f *forwarding) unforged() {
	var read strings.Builder
	for _, h := range f.route.GetRequestHeadersToAdd() {
		read.WriteString(strings.ToLower(h.GetHeader().GetValue()))
	}
	for _, h := range f.emptied {
		name := strings.ToLower(h.GetHeader().GetKey())
		switch {
		case strings.EqualFold(h.GetHeader().GetValue(), "%REQ("+name+")%"): // it is there, or it is not
		case strings.Contains(read.String(), "%req("+name+")%"):
			h.KeepEmptyValue = true
		default:
			f.route.RequestHeadersToRemove = append(f.route.RequestHeadersToRemove, name)
		}
	}
}

// formatFor is format, which knows what the route's target is called too.
func (im *importer) formatFor(f *forwarding, s string) formatted {
	port := portOf(f.pass)
	if hasPort(f.goal.host) {
		port = f.goal.host[strings.LastIndexByte(f.goal.host, ':')+1:]
	}
	s = strings.NewReplacer("$proxy_host", f.goal.host, "${proxy_host}", f.goal.host, "$proxy_port", port, "${proxy_port}", port).Replace(s)
	return im.format(f.loc, s, "")
}

// host is the Host that the upstream gets.
func (im *importer) host(f *forwarding, d *conf.Directive, value string) {
	set := func(literal string) {
		f.action.HostRewriteSpecifier = &routev3.RouteAction_HostRewriteLiteral{HostRewriteLiteral: literal}
		im.exact(d, at(f.action, "host_rewrite_literal"))
	}
	switch single(value) {
	case "http_host":
		im.exact(d, at(f.action, ""))
		return
	case "host":
		im.approx(d, at(f.action, ""), "$host is lower case and has no port; Envoy passes the Host on as it came", "strip_any_host_port in the connection manager takes the port off")
		return
	case "proxy_host":
		set(f.goal.host)
		return
	}
	if value == "$host:$server_port" || value == "$http_host:$server_port" || value == "$host:$proxy_port" {
		im.approx(d, at(f.action, ""), "Envoy passes the Host on as it came, with the port that the client named", "")
		return
	}
	text := im.formatFor(f, value)
	if name, ok := strings.CutPrefix(single(value), "http_"); ok {
		f.action.HostRewriteSpecifier = &routev3.RouteAction_HostRewriteHeader{HostRewriteHeader: strings.ReplaceAll(name, "_", "-")}
		im.exact(d, at(f.action, "host_rewrite_header"))
		return
	}
	if strings.Contains(text.text, "%") || len(text.missing) > 0 || text.text == "" {
		im.none(d, "Envoy rewrites the Host to a fixed text or to another header's value", "the client's Host is passed on")
		return
	}
	set(text.text)
}

// upgrade is the boilerplate for WebSocket: nginx takes the headers of one hop
// away unless told to pass them on. Connection alone says how long nginx keeps
// the connection, which Envoy sees to itself.
func (im *importer) upgrade(f *forwarding, d *conf.Directive, name string) {
	if name == "connection" && (d.Arg(1) == "" || strings.EqualFold(d.Arg(1), "close") || strings.EqualFold(d.Arg(1), "keep-alive")) {
		im.moot(d)
		return
	}
	if d.Arg(1) == "" {
		im.moot(d) // Envoy takes it away by itself
		return
	}
	if len(f.action.GetUpgradeConfigs()) == 0 {
		f.action.UpgradeConfigs = []*routev3.RouteAction_UpgradeConfig{{UpgradeType: "websocket"}}
	}
	u := f.action.GetUpgradeConfigs()[0]
	im.exact(d, at(u, ""))
	im.upgradeMap(f.loc, d.Arg(1), u)
}

// upgradeMap accounts for the map that goes with it:
// map $http_upgrade $connection_upgrade { default upgrade; ” close; }
func (im *importer) upgradeMap(loc *conf.Directive, value string, u *routev3.RouteAction_UpgradeConfig) {
	http := enclosing(loc, "http")
	if http == nil {
		return
	}
	for _, m := range im.children(http)["map"] {
		if variable := single(value); variable != "" && strings.TrimPrefix(m.Arg(1), "$") == variable && m.Arg(0) == "$http_upgrade" {
			im.moot(m)
			im.exact(m, at(u, ""))
		}
	}
}

// hiddenHeaders is what of the upstream's answer the client does not get.
func (im *importer) hiddenHeaders(f *forwarding) {
	for _, d := range im.inherited(f.loc, f.family+"_hide_header") {
		f.route.ResponseHeadersToRemove = append(f.route.ResponseHeadersToRemove, d.Arg(0))
		im.exact(d, at(f.route, fmt.Sprintf("response_headers_to_remove[%d]", len(f.route.ResponseHeadersToRemove)-1)))
	}
	for _, d := range im.inherited(f.loc, f.family+"_pass_header") {
		if strings.EqualFold(d.Arg(0), "server") {
			im.none(d, "whose Server header it is, is for the whole connection manager to say", "set server_header_transformation: PASS_THROUGH")
			continue
		}
		im.moot(d) // Envoy hides none of those that nginx hides
	}
}
