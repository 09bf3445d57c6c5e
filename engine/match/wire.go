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
	MKCALENDAR MKCOL MOVE MSEARCH NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT
	SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE`)

// read does what the codec does: it takes the request line apart and refuses
// what is malformed. headers may lose those that the settings drop.
func read(r *Request, m *hcmv3.HttpConnectionManager, h *headers) (line, *refusal) {
	l := line{method: r.Method, target: r.Path}
	if l.method == "" {
		l.method = "GET"
	}
	l.host, l.hasHost = hostOf(r)
	switch {
	case l.target != "":
	case l.method != "CONNECT":
		l.target = "/"
	case !r.HTTP2:
		l.target = l.host
	}
	if wrong := codec(r, m); wrong != nil {
		return l, wrong
	}
	decode := decode1
	if r.HTTP2 {
		decode = decode2
	}
	if wrong := decode(&l, r, m, h); wrong != nil {
		return l, wrong
	}
	return l, sane(l, h)
}

// decode1 is what the HTTP/1 codec does. It says in the body what it says in
// the status.
func decode1(l *line, r *Request, m *hcmv3.HttpConnectionManager, h *headers) *refusal {
	wrong := firstLine(l, m)
	if wrong == nil {
		wrong = fields(l, m, h, false)
	}
	if wrong == nil {
		wrong = absolute(l, m, r.TLS)
	}
	if wrong == nil {
		wrong = version(r, l, m)
	}
	if wrong == nil {
		wrong = authority(l)
	}
	if wrong != nil {
		wrong.body = codecBodies[wrong.status]
	}
	return wrong
}

// decode2 is what the HTTP/2 codec does.
func decode2(l *line, r *Request, m *hcmv3.HttpConnectionManager, h *headers) *refusal {
	if l.scheme = "http"; r.TLS {
		l.scheme = "https"
	}
	if wrong := pseudo(l); wrong != nil {
		return wrong
	}
	return fields(l, m, h, true)
}

// codecBodies are the bodies of the codec's own answers, by status.
var codecBodies = map[int]string{
	400: "Bad Request", 403: "Forbidden", 426: "Upgrade Required",
	431: "Request Header Fields Too Large", 501: "Not Implemented",
}

// hostOf is the Host, and whether there is one at all. Those among the headers
// count too: an empty one there tells an empty Host from none, and several are
// joined.
func hostOf(r *Request) (host string, there bool) {
	host, there = strings.Trim(r.Host, " \t"), r.Host != ""
	for _, each := range r.Headers {
		if !strings.EqualFold(each.Name, "host") {
			continue
		}
		value := strings.Trim(each.Value, " \t")
		if host != "" {
			value = host + "," + value
		}
		host, there = value, true
	}
	return host, there
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

// pseudo is firstLine for HTTP/2, whose codec answers nothing that is malformed:
// it resets the stream or closes the connection.
func pseudo(l *line) *refusal {
	const detail = "http2.violation.of.messaging.rule"
	switch {
	case !token(l.method):
		return refuse(400, "http.invalid_method", "method "+strconv.Quote(l.method)+" is no token")
	case !l.hasHost:
		return refuse(0, detail, "the request has no :authority, and Envoy closes the connection")
	case !all(l.host, authorityByte) || strings.Contains(l.host, "@"):
		return refuse(0, detail, ":authority "+strconv.Quote(l.host)+" holds a character that none may, and Envoy closes the connection")
	case l.method == "OPTIONS" && l.target == "*":
		return nil // refused later, with an answer
	case l.method != "CONNECT" && !strings.HasPrefix(l.target, "/"):
		return refuse(0, detail, ":path "+strconv.Quote(l.target)+" does not begin with /, and Envoy closes the connection")
	case strings.IndexFunc(l.target, func(c rune) bool { return c <= ' ' || c >= 0x7f }) >= 0:
		return refuse(0, detail, ":path "+strconv.Quote(l.target)+" holds a character that none may, and Envoy closes the connection")
	}
	return nil
}

func firstLine(l *line, m *hcmv3.HttpConnectionManager) *refusal {
	if i := strings.IndexFunc(l.target, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }); i >= 0 {
		return refuse(400, "http1.invalid_characters", "the request target holds the control character "+strconv.Quote(l.target[i:i+1]))
	}
	custom := m.GetHttpProtocolOptions().GetAllowCustomMethods() && token(l.method)
	if !custom && !slices.Contains(methods, l.method) {
		return refuse(400, "http1.codec_error", "method "+strconv.Quote(l.method)+" is not one that Envoy's HTTP/1 parser knows")
	}
	// Blanks around the target belong to the line, not to it.
	if l.target = strings.Trim(l.target, " \t"); !validTarget(l.target, l.method == "CONNECT") {
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
		if !found || scheme == "" || !letter(scheme[0]) || !all(scheme, schemeByte) {
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

func pathByte(c byte) bool { return c >= '!' && c <= '~' }

func schemeByte(c byte) bool { return alphanumeric(c) || strings.IndexByte("+-.", c) >= 0 }

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
func fields(l *line, m *hcmv3.HttpConnectionManager, h *headers, http2 bool) *refusal {
	size := len(l.method) + len(l.target) + len("  HTTP/1.1\r\n\r\n")
	if l.hasHost {
		size += len("host: \r\n") + len(l.host)
	}
	for _, each := range h.list {
		switch {
		case !all(each.Value, valueByte):
			return refuse(400, "http1.invalid_characters", "the value of header "+each.Name+" holds a control character")
		case http2 && strings.HasPrefix(each.Name, ":"):
		case !token(each.Name):
			return refuse(400, "http1.codec_error", "no header may be called "+strconv.Quote(each.Name))
		}
		size += len(each.Name) + len(": \r\n") + len(each.Value)
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
	present := len(h.list)
	if l.hasHost {
		present++
	}
	if present > int(count) {
		return refuse(431, "http1.too_many_headers", "there are more than "+itoa(count)+" headers (max_headers_count)")
	}
	if http2 {
		h.joinCookies()
		return underscores(m, h, http2)
	}
	if h.listed("connection", "host") {
		l.host, l.hasHost = "", false // it is dropped like any other that Connection names
	}
	if wrong := framing(h, m.GetHttpProtocolOptions().GetAllowChunkedLength()); wrong != nil {
		return wrong
	}
	h.ignore(m.GetHttpProtocolOptions().GetIgnoreHttp_11Upgrade())
	h.ignoreH2C()
	if wrong := h.nominated(); wrong != "" {
		return refuse(400, "http1.connection_header_rejected", "Connection names "+wrong+", which may not be dropped that way")
	}
	return underscores(m, h, http2)
}

// framing refuses what leaves open where a body ends. both lets a request have
// both a length and chunks, and takes the length away.
func framing(h *headers, both bool) *refusal {
	length, hasLength := h.get("content-length")
	coding, coded := h.get("transfer-encoding")
	switch {
	case hasLength && !all(length, digit) || hasLength && length == "":
		return refuse(400, "http1.codec_error", "Content-Length "+strconv.Quote(length)+" is no number")
	case coded && !strings.EqualFold(coding, "chunked"):
		return refuse(501, "http1.invalid_transfer_encoding", "Transfer-Encoding "+strconv.Quote(coding)+" is not chunked")
	case coded && hasLength && both:
		h.remove("content-length")
	case coded && hasLength:
		return refuse(400, "http1.content_length_and_chunked_not_allowed", "the request has both Content-Length and Transfer-Encoding")
	}
	return nil
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
	edge := m.GetUseRemoteAddress().GetValue() && m.GetXffNumTrustedHops() == 0
	if l.scheme == "https" && !tls && edge {
		return refuse(403, "http1.https_url_on_plaintext_connection", "the request target is an https URL, and the connection is in plain text")
	}
	return nil
}

func version(r *Request, l *line, m *hcmv3.HttpConnectionManager) *refusal {
	if !r.HTTP10 {
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
func sane(l line, h *headers) *refusal {
	switch {
	case !l.hasHost:
		return refuse(400, "missing_host_header", "the request has no Host")
	case l.method != "CONNECT" && l.target == "":
		return refuse(404, "missing_path", "the request has no path")
	case l.target != "" && l.target[0] != '/':
		return refuse(404, "absolute_path_rejected", "the request target "+strconv.Quote(l.target)+" is no path that begins with /")
	}
	if l.method == "QUERY" && !h.has("content-type") {
		return refuse(400, "query_missing_content_type", "a QUERY says the type of its query in Content-Type")
	}
	return nil
}

// authority refuses a Host that cannot be one.
func authority(l *line) *refusal {
	if !all(l.host, authorityByte) {
		return refuse(400, "http.invalid_authority", "Host "+strconv.Quote(l.host)+" holds a character that none may")
	}
	return nil
}

func authorityByte(c byte) bool {
	return alphanumeric(c) || strings.IndexByte("!$%&'()*+,-.:;=@[]_~", c) >= 0
}

func itoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
