package predict

import (
	"strconv"
	"strings"
)

// definition is a variable that the file defines by map, split_clients or geo.
type definition interface {
	// come is its value for this request.
	come(e *run, depth int) value
}

// maxChain is how many variables may stand on one another.
const maxChain = 20

// maxAsked is how often the variables that a file defines are come to for one
// request: volatile ones that name each other twice ask without end.
const maxAsked = 1 << 16

// variable is what a variable holds now.
func (e *run) variable(name string, depth int) value {
	if depth > maxChain {
		return value{unknown: "$" + name + " stands on itself"}
	}
	if v, ok := e.vars[name]; ok {
		return v
	}
	if d := e.s.defined[name]; d != nil {
		if e.asked++; e.coming[name] || e.asked > maxAsked {
			return value{unknown: "$" + name + " stands on itself, or on too many others"}
		}
		e.coming[name] = true
		v := d.come(e, depth+1)
		delete(e.coming, name)
		if m, isMap := d.(*mapping); !isMap || !m.volatile {
			e.vars[name] = v
		}
		return v
	}
	if v, ok := e.builtIn(name); ok {
		return v
	}
	if e.s.assigned[name] {
		return value{} // set elsewhere, and not on this way
	}
	return value{unknown: "$" + name + " is not known before the request is sent"}
}

// builtIn is a variable of nginx's own, where the request tells it.
func (e *run) builtIn(name string) (v value, ok bool) {
	known := func(s string) (value, bool) { return value{s: s}, true }
	switch name {
	case "uri", "document_uri":
		return known(e.path)
	case "args", "query_string":
		return known(e.args)
	case "is_args":
		if e.args != "" {
			return known("?")
		}
		return known("")
	case "request_uri":
		return known(e.line.raw)
	case "host":
		if e.host != "" {
			return known(e.host)
		}
		return known(e.site.name())
	case "http_host":
		return known(e.hostHeader)
	case "server_name":
		return known(e.site.name())
	case "request_method":
		return known(e.method)
	case "scheme":
		return known(e.scheme())
	case "https":
		if e.req.TLS {
			return known("on")
		}
		return known("")
	case "ssl_server_name":
		return known(lower(e.req.SNI))
	case "server_port":
		return known(strconv.FormatUint(uint64(e.port), 10))
	case "server_protocol":
		if e.req.HTTP10 {
			return known("HTTP/1.0")
		}
		return known("HTTP/1.1")
	case "content_length":
		return known(e.header("content_length"))
	case "content_type":
		return known(e.header("content_type"))
	}
	return e.prefixed(name)
}

// prefixed are the families of variables: headers, arguments, cookies.
func (e *run) prefixed(name string) (value, bool) {
	if h, found := strings.CutPrefix(name, "http_"); found {
		h = lower(h)
		if e.count(h) > 1 && h != "cookie" {
			return value{unknown: "$" + name + " stands for a header that is sent twice"}, true
		}
		return value{s: e.header(h)}, true
	}
	if a, found := strings.CutPrefix(name, "arg_"); found {
		for pair := range strings.SplitSeq(e.args, "&") {
			if k, v, ok := strings.Cut(pair, "="); ok && lower(k) == lower(a) {
				return value{s: v}, true
			}
		}
		return value{}, true
	}
	if c, found := strings.CutPrefix(name, "cookie_"); found {
		return value{s: e.cookie(c)}, true
	}
	return value{}, false
}

// header is the first header of that name, given in lower case with underscores.
func (e *run) header(name string) string {
	for _, h := range e.headers {
		if h[0] == name {
			return h[1]
		}
	}
	return ""
}

func (e *run) count(name string) (n int) {
	for _, h := range e.headers {
		if h[0] == name {
			n++
		}
	}
	return n
}

// cookie is the value of a cookie; names are compared without case.
func (e *run) cookie(name string) string {
	for _, h := range e.headers {
		if h[0] != "cookie" {
			continue
		}
		for rest := h[1]; rest != ""; {
			var pair string
			end := strings.IndexByte(rest, ';')
			if at := strings.IndexByte(rest, '='); at >= 0 && (end < 0 || at < end) && lower(strings.TrimRight(rest[:at], " ")) == lower(name) {
				pair, _, _ = strings.Cut(rest[at+1:], ";")
				return strings.TrimLeft(pair, " ")
			}
			if at := strings.IndexAny(rest, ";,"); at >= 0 {
				rest = strings.TrimLeft(rest[at+1:], " ")
			} else {
				rest = ""
			}
		}
	}
	return ""
}

func (e *run) scheme() string {
	if e.req.TLS {
		return "https"
	}
	return "http"
}
