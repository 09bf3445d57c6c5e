package match

import (
	"slices"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

// Envoy's defaults for what a request may bring.
const (
	defaultHeadersKB    = 60
	defaultHeadersCount = 100
)

// refusal is an answer that Envoy gives before it looks for a route.
type refusal struct {
	status         int
	detail, why    string
	location, body string
	action         Action // Refused unless set
}

func refuse(status int, detail, why string) *refusal {
	return &refusal{status: status, detail: detail, why: why}
}

// line is the request as the HTTP codec hands it on.
type line struct {
	method, host, target, scheme string
	hasHost                      bool
}

// methods are those that Envoy's HTTP/1 parser takes.
var methods = strings.Fields(`ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY
	MKCALENDAR MKCOL MOVE MSEARCH NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT REBIND REPORT
	SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE`)

// read does what the codec does: it takes the request line apart and refuses
// what is malformed. headers may lose those that the settings drop.
func read(r *Request, m *hcmv3.HttpConnectionManager, h *headers) (line, *refusal) {
	l := line{method: r.Method, host: r.Host, target: r.Path, hasHost: r.Host != ""}
	if l.method == "" {
		l.method = "GET"
	}
	if l.target == "" && l.method != "CONNECT" {
		l.target = "/"
	}
	if wrong := codec(r, m); wrong != nil {
		return l, wrong
	}
	if wrong := firstLine(&l, m, r.HTTP2); wrong != nil {
		return l, wrong
	}
	if wrong := fields(l, m, h, r.HTTP2); wrong != nil {
		return l, wrong
	}
	if !r.HTTP2 {
		if wrong := absolute(&l, m, r.TLS); wrong != nil {
			return l, wrong
		}
	} else if l.scheme = "http"; r.TLS {
		l.scheme = "https"
	}
	if wrong := version(r, &l, m); wrong != nil {
		return l, wrong
	}
	return l, sane(l, r.HTTP2)
}

// codec refuses a protocol that the connection manager is not set to speak.
func codec(r *Request, m *hcmv3.HttpConnectionManager) *refusal {
	switch speaks := m.GetCodecType(); {
	case speaks == hcmv3.HttpConnectionManager_HTTP1 && r.HTTP2:
		return refuse(400, "http1.codec_error", "the request comes in HTTP/2, and codec_type HTTP1 speaks HTTP/1.1 alone")
	case speaks == hcmv3.HttpConnectionManager_HTTP2 && !r.HTTP2:
		return refuse(0, "http2.codec_error", "the request comes in HTTP/1.1, and codec_type HTTP2 speaks HTTP/2 alone: Envoy closes the connection")
	case speaks == hcmv3.HttpConnectionManager_HTTP3:
		return &refusal{action: Undecided, why: "codec_type HTTP3 speaks HTTP over QUIC, which is not followed here"}
	}
	return nil
}

func firstLine(l *line, m *hcmv3.HttpConnectionManager, http2 bool) *refusal {
	if http2 {
		if !token(l.method) {
			return refuse(400, "http.invalid_method", "method "+strconv.Quote(l.method)+" is no token")
		}
		if i := strings.IndexFunc(l.target, func(c rune) bool { return c <= ' ' || c >= 0x7f }); i >= 0 {
			return refuse(400, "http2.invalid.header.field", "the path holds a character that no path may: "+strconv.Quote(l.target[i:i+1]))
		}
		return nil
	}
	custom := m.GetHttpProtocolOptions().GetAllowCustomMethods() && token(l.method)
	if !custom && !slices.Contains(methods, l.method) {
		return refuse(400, "http1.codec_error", "method "+strconv.Quote(l.method)+" is not one that Envoy's HTTP/1 parser knows")
	}
	if !validTarget(l.target, l.method == "CONNECT") {
		return refuse(400, "http1.codec_error", "the request target "+strconv.Quote(l.target)+" is malformed")
	}
	return nil
}

// validTarget is what the HTTP/1 parser takes for a request target.
func validTarget(target string, connect bool) bool {
	if target == "" {
		return false
	}
	if target[0] == '/' || target[0] == '*' {
		return all(target[1:], pathByte)
	}
	if !connect {
		scheme, rest, found := strings.Cut(target, "://")
		if !found || scheme == "" || !all(scheme, letter) {
			return false
		}
		target = rest
	}
	end := strings.IndexAny(target, "/?")
	if end < 0 {
		end = len(target)
	}
	host := target[:end]
	return all(host, hostByte) && !strings.Contains(host, "@@") && all(target[end:], pathByte)
}

func all(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

func pathByte(c byte) bool { return c == '\t' || c == '\f' || c >= '!' && c <= '~' }

func hostByte(c byte) bool {
	return alphanumeric(c) || strings.IndexByte("!$%&'()*+,-.:;=@[]_~", c) >= 0
}

func alphanumeric(c byte) bool { return c >= '0' && c <= '9' || letter(c) }

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func token(s string) bool {
	return s != "" && all(s, func(c byte) bool { return alphanumeric(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 })
}

// fields refuses headers that are too many, too large or malformed, and drops
// those with an underscore where that is set.
func fields(l line, m *hcmv3.HttpConnectionManager, h *headers, http2 bool) *refusal {
	size := len(l.target) + len(l.method) + len(l.host) + len("host")
	for _, each := range h.list {
		if !validName(each.Name) || !all(each.Value, valueByte) {
			return refuse(400, "http1.codec_error", "header "+strconv.Quote(each.Name)+" has a name or a value that no header may have")
		}
		size += len(each.Name) + len(each.Value)
	}
	limit := uint32(defaultHeadersKB)
	if v := m.GetMaxRequestHeadersKb(); v != nil {
		limit = v.GetValue()
	}
	if size > int(limit)*1024 {
		return refuse(431, "http1.headers_too_large", "the headers are larger than "+itoa(limit)+" KiB (max_request_headers_kb)")
	}
	count := uint32(defaultHeadersCount)
	if v := m.GetCommonHttpProtocolOptions().GetMaxHeadersCount(); v != nil {
		count = v.GetValue()
	}
	if uint32(len(h.list)) >= count {
		return refuse(431, "http1.too_many_headers", "there are more than "+itoa(count)+" headers (max_headers_count)")
	}
	return underscores(m, h, http2)
}

func underscores(m *hcmv3.HttpConnectionManager, h *headers, http2 bool) *refusal {
	action := m.GetCommonHttpProtocolOptions().GetHeadersWithUnderscoresAction()
	if action == corev3.HttpProtocolOptions_ALLOW {
		return nil
	}
	for _, each := range slices.Clone(h.list) {
		if !strings.Contains(each.Name, "_") {
			continue
		}
		if action == corev3.HttpProtocolOptions_DROP_HEADER {
			h.remove(each.Name)
			continue
		}
		wrong := refuse(400, "http1.unexpected_underscore", "header "+each.Name+" has an underscore in its name (headers_with_underscores_action)")
		if http2 {
			wrong.status, wrong.detail = 0, "http2.unexpected_underscore"
		}
		return wrong
	}
	return nil
}

func validName(name string) bool { return token(name) }

func valueByte(c byte) bool { return c == '\t' || c >= ' ' && c != 0x7f }

// absolute takes a target apart that names its host, as clients of a forward
// proxy send it. Host and scheme are then those of the target.
func absolute(l *line, m *hcmv3.HttpConnectionManager, tls bool) *refusal {
	connect := l.method == "CONNECT"
	if !connect && (l.target[0] == '/' || l.method == "OPTIONS" && l.target[0] == '*') {
		return nil
	}
	allow := m.GetHttpProtocolOptions().GetAllowAbsoluteUrl()
	if !connect && allow != nil && !allow.GetValue() {
		return nil
	}
	scheme, host, path, ok := takeApart(l.target, connect)
	if !ok {
		return refuse(400, "http1.invalid_url", "the request target "+strconv.Quote(l.target)+" is no URL")
	}
	l.host, l.hasHost, l.target = host, host != "", path
	if connect {
		return nil
	}
	l.scheme = strings.ToLower(scheme)
	if l.scheme != "http" && l.scheme != "https" {
		return refuse(400, "http1.invalid_scheme", "the request target has the scheme "+strconv.Quote(scheme))
	}
	overwritten := m.GetSchemeHeaderTransformation().GetSchemeToOverwrite() != ""
	if l.scheme == "https" && !tls && !overwritten {
		return refuse(403, "https_in_plaintext", "the request target is an https URL, and the connection is in plain text")
	}
	return nil
}

// takeApart splits a URL, or the host and port of a CONNECT, as Envoy does.
func takeApart(target string, connect bool) (scheme, host, path string, ok bool) {
	rest := target
	if !connect {
		if scheme, rest, ok = strings.Cut(target, "://"); !ok {
			return "", "", "", false
		}
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host, path = rest[:end], rest[end:]
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		host = host[at+1:]
	}
	at := portStart(host)
	if host == "" || at == 0 || connect && (at < 0 || path != "") {
		return "", "", "", false
	}
	if at > 0 {
		if port, err := strconv.ParseUint(host[at+1:], 10, 16); err != nil || port > 65535 {
			return "", "", "", false
		}
	}
	if path == "" && !connect {
		path = "/"
	}
	return scheme, host, path, true
}

func version(r *Request, l *line, m *hcmv3.HttpConnectionManager) *refusal {
	if !r.HTTP10 || r.HTTP2 {
		return nil
	}
	if !m.GetHttpProtocolOptions().GetAcceptHttp_10() {
		return refuse(426, "low_version", "the request comes in HTTP/1.0, which needs accept_http_10")
	}
	if host := m.GetHttpProtocolOptions().GetDefaultHostForHttp_10(); !l.hasHost && host != "" {
		l.host, l.hasHost = host, true
	}
	return nil
}

// sane is what the connection manager asks of every request.
func sane(l line, http2 bool) *refusal {
	switch {
	case !l.hasHost:
		return refuse(400, "missing_host_header", "the request has no Host")
	case !all(l.host, authorityByte):
		detail := "http.invalid_authority"
		return refuse(400, detail, "Host "+strconv.Quote(l.host)+" holds a character that none may")
	case l.method != "CONNECT" && l.target == "":
		return refuse(404, "missing_path", "the request has no path")
	case l.target != "" && l.target[0] != '/':
		return refuse(404, "absolute_path", "the request target "+strconv.Quote(l.target)+" is no path that begins with /")
	}
	return nil
}

func authorityByte(c byte) bool {
	return alphanumeric(c) || strings.IndexByte("!$%&'()*+,-.:;=@[]_~", c) >= 0
}

func itoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
