package predict

import (
	"fmt"
	"strconv"
	"strings"
)

// readHead reads the request line and the headers as nginx does, before any
// location; it answers where nginx refuses them.
func (e *run) readHead() bool {
	e.readHeaders()
	if !e.readLine() {
		return false
	}
	if !e.byHost() {
		return false
	}
	if why, code := e.badLengths(); why != "" {
		e.refuse(code, why)
		return false
	}
	switch {
	case e.method == "TRACE" || e.method == "CONNECT":
		e.refuse(405, "nginx answers "+e.method+" itself, always")
		return false
	case e.addr.tls && !e.req.TLS:
		e.refuse(497, "plain HTTP on an address with `ssl`")
		return false
	}
	return true
}

// readHeaders keeps the headers that nginx takes.
func (e *run) readHeaders() {
	good := "abcdefghijklmnopqrstuvwxyz0123456789-"
	if e.s.set.on(e.site.at, "underscores_in_headers", false) {
		good += "_"
	}
	all := !e.s.set.on(e.site.at, "ignore_invalid_headers", true)
	for _, h := range e.req.Headers {
		name := lower(h[0])
		if !all && strings.Trim(name, good) != "" {
			continue
		}
		e.headers = append(e.headers, [2]string{strings.ReplaceAll(name, "-", "_"), strings.Trim(h[1], " ")})
	}
	e.hostHeader = strings.Trim(e.req.Host, " ")
	if e.req.Host == "" {
		e.hostHeader = e.header("host")
	} else {
		e.headers = append([][2]string{{"host", e.hostHeader}}, e.headers...)
	}
}

// readLine reads the request line. It is read before the Host, so the default
// server's (or SNI's) settings hold.
func (e *run) readLine() bool {
	target := e.req.Target
	if target == "" {
		target = "/"
	}
	buffer := max(e.s.set.bytes(e.site.at, "large_client_header_buffers", 1, 8<<10), e.s.set.bytes(e.site.at, "client_header_buffer_size", 0, 1<<10))
	length := int64(len(e.method) + 1 + len(target) + len(" HTTP/1.1\r\n"))
	switch {
	case strings.ContainsAny(target, "\n"):
		e.giveUp(e.site.at, "the target holds a line break: it is more than one request")
		return false
	case strings.Trim(e.method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-") != "":
		e.refuseLine(400, "the method may have capital letters, - and _ only")
		return false
	}
	line, refused, read := readTarget(target, e.s.set.on(e.site.at, "merge_slashes", true))
	switch {
	case length > buffer && (refused == "" || int64(len(e.method)+1+read) >= buffer || read == len(target)):
		e.refuseLine(414, fmt.Sprintf("the request line of %d bytes does not fit into a buffer of %d (large_client_header_buffers)", length, buffer))
		return false
	case refused != "":
		e.refuseLine(400, refused)
		return false
	}
	e.line, e.path, e.args = line, line.path, line.args
	e.asSent = !line.bare
	if line.raw != line.path && strings.TrimSuffix(line.raw, "?"+line.args) != line.path {
		e.step("uri", shown(line.path), "locations are compared with the path decoded and cleaned, not with "+shown(line.raw), nil)
	}
	return true
}

// badLines says what nginx refuses while it reads the headers.
func (e *run) badLines() (why string, code int) {
	limit := e.s.set.bytes(e.site.at, "large_client_header_buffers", 1, 8<<10)
	for _, h := range e.req.Headers {
		switch {
		case strings.ContainsAny(h[0]+h[1], "\x00\r\n"):
			return "a header holds a character that may not stand there", 400
		case int64(len(h[0])+len(h[1])+4) > limit:
			return fmt.Sprintf("the header %s does not fit into a buffer of %d bytes (large_client_header_buffers)", h[0], limit), 494
		}
	}
	switch {
	case e.count("host") > 1:
		return "the request has two Host headers", 400
	case e.count("content_length") > 1 || e.count("transfer_encoding") > 1:
		return twice, 400
	}
	return "", 0
}

const twice = "a header that says how long the body is stands twice"

// twiceBeforeHost reports whether nginx refuses a header that stands twice before it
// has come to a Host among the headers: the default server answers.
func (e *run) twiceBeforeHost() bool {
	seen := map[string]bool{}
	for _, h := range e.headers {
		switch {
		case h[0] == "host":
			return false
		case h[0] != "content_length" && h[0] != "transfer_encoding":
		case seen[h[0]]:
			return true
		default:
			seen[h[0]] = true
		}
	}
	return false
}

// badLengths says what nginx refuses about the length of the body.
func (e *run) badLengths() (why string, code int) {
	length, encoding := e.count("content_length"), e.count("transfer_encoding")
	switch n, err := strconv.ParseUint(e.header("content_length"), 10, 63); {
	case length == 1 && (err != nil || n > 1<<62 || strings.HasPrefix(e.header("content_length"), "+")):
		return "Content-Length is not a number", 400
	case encoding == 1 && e.req.HTTP10:
		return "Transfer-Encoding with HTTP/1.0", 400
	case length == 1 && encoding == 1 && strings.EqualFold(e.header("transfer_encoding"), "chunked"):
		return "the request has both Content-Length and Transfer-Encoding", 400
	case encoding == 1 && !strings.EqualFold(e.header("transfer_encoding"), "chunked"):
		return "nginx knows no Transfer-Encoding but chunked", 501
	}
	return "", 0
}

// byHost chooses the server: by the host of an absolute target, else by the Host
// header, which has to be a good one either way.
func (e *run) byHost() bool {
	sent := e.count("host") > 0
	if e.line.absolute {
		host, ok := cleanHost(e.line.host)
		if !ok {
			e.refuseLine(400, "the request target has no good host")
			return false
		}
		if !e.enter(host) {
			return false
		}
	}
	if e.req.Host == "" && e.twiceBeforeHost() {
		e.discarded = true
		e.refuse(400, twice)
		return false
	}
	if sent {
		h, ok := cleanHost(e.hostHeader)
		switch {
		case !ok:
			e.headers = e.headers[:1] // what follows it is not read
			e.refuse(400, "the Host header "+shown(e.hostHeader)+" is not a good one")
			return false
		case !e.line.absolute && !e.enter(h):
			return false
		}
	}
	if why, code := e.badLines(); why != "" { // read before it is known that there is no Host
		e.discarded = true // and before the length of the body is
		e.refuse(code, why)
		return false
	}
	if !sent && !e.req.HTTP10 {
		if !e.line.absolute && !e.enter("") { // the answer is still that server's
			return false
		}
		e.refuse(400, "HTTP/1.1 requires a Host header")
		return false
	}
	return sent || e.line.absolute || e.enter("")
}

// enter is the server of a host.
func (e *run) enter(host string) bool {
	n, way, groups, bad := e.addr.names.find(host)
	e.host, e.entered = host, true
	if bad != nil {
		return !e.giveUp(n.owner.at, "its server_name "+n.text+" comes first and is not followed: "+bad.bad)
	}
	e.way = way
	e.site = e.addr.first
	if way != byDefault {
		e.site = n.owner
	}
	if groups != nil {
		e.take(n.re, groups)
	}
	e.ctx = e.site.at
	e.step("server", siteName(e.site), e.whyServer(n), e.site.at)
	if e.req.TLS && e.req.SNI != "" && lower(e.req.SNI) != host {
		if d := e.s.set.one(e.site.at, "ssl_verify_client"); d != nil && d.Arg(0) != "off" {
			e.refuse(421, "the certificate of the client was asked for under another name (SNI "+e.req.SNI+")")
			return false
		}
	}
	return true
}

// whyServer says why the server takes the host.
func (e *run) whyServer(n serverName) string {
	asked := "the Host " + shown(e.host)
	switch {
	case e.host == "":
		asked = "a request without a Host"
	case e.line.absolute:
		asked = "the host " + shown(e.host) + " of the request target"
	}
	switch e.way {
	case byExact:
		if e.host == "" {
			return "a request without a Host goes to the server of the empty name"
		}
		return asked + " is its server_name " + n.text
	case byHead:
		return "of the names that begin with a star, " + n.text + " is the longest that fits " + asked
	case byTail:
		return "no name fits exactly or with a star in front; of those that end in a star, " + n.text + " is the longest that fits " + asked
	case byRegex:
		return "no plain or starred name fits; of the expressions, in file order, " + n.text + " is the first that matches " + asked
	}
	if len(e.addr.sites) == 1 {
		return "it is the only server of this address, so it takes every Host"
	}
	if e.addr.named {
		return "no server_name of this address fits " + asked + ", and it is the default_server"
	}
	return "no server_name of this address fits " + asked + ", and it is the first server of the address in the file"
}

// siteName is a server as a person points at it.
func siteName(s *site) string {
	for _, n := range s.names {
		if n.text != "" {
			return "server " + n.text
		}
	}
	return "server at line " + strconv.Itoa(s.at.Line)
}

// shown is a text of the request in a sentence.
func shown(s string) string {
	const most = 80
	if len(s) > most {
		s = s[:most] + "…"
	}
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] >= 0x7f || s[i] == ' ' {
			return strconv.Quote(strings.ToValidUTF8(s, "\ufffd"))
		}
	}
	return s
}
