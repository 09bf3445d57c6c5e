package routes

import "strings"

// view is a request as conditions look at it. It is made once for each
// question and stays on the stack.
type view struct {
	r    *Request
	path string // without query and fragment
	bare string // and without path parameters, where the configuration ignores them
	// connect is a CONNECT, or an upgrade to connect-udp, which Envoy takes for one.
	connect bool
	// pathless is a CONNECT without a path: only a connect_matcher can take it.
	pathless bool
}

// look makes the view of a request for this table.
func (t *Table) look(r *Request) view {
	v := view{r: r, path: r.Path, pathless: r.Path == ""}
	if i := strings.IndexAny(v.path, "?#"); i >= 0 {
		v.path = v.path[:i]
	}
	v.bare = v.path
	if t.ignoreParameters {
		if i := strings.IndexByte(v.bare, ';'); i >= 0 {
			v.bare = v.bare[:i]
		}
	}
	v.connect = r.Method == "CONNECT" && r.Protocol == "" || equalFold(v.upgrade(), "connect-udp")
	return v
}

// method is the request's method. An extended CONNECT is a GET with an upgrade
// header once it has passed Envoy's codec.
func (v *view) method() string {
	switch {
	case v.r.Method == "CONNECT" && v.r.Protocol != "":
		return "GET"
	case v.r.Method == "":
		return "GET"
	}
	return v.r.Method
}

// upgrade is what the connection is to become, "" for an ordinary request.
func (v *view) upgrade() string {
	if v.r.Protocol != "" {
		return v.r.Protocol
	}
	value, _ := v.listed("upgrade")
	return value
}

// header is a header's value, several joined as Envoy joins them, and whether
// there is one. The name must be in lower case; pseudo-headers are known, and
// "host" is another name of ":authority".
func (v *view) header(name string) (string, bool) {
	switch name {
	case ":path":
		return v.r.Path, !v.pathless
	case ":authority", "host":
		return v.r.Authority, true
	case ":method":
		return v.method(), true
	case ":scheme":
		return v.scheme(), true
	case "upgrade":
		u := v.upgrade()
		return u, u != ""
	}
	return v.listed(name)
}

// listed is header among the request's own headers.
func (v *view) listed(name string) (string, bool) {
	value, found := "", false
	for i := range v.r.Headers {
		h := &v.r.Headers[i]
		if !equalFold(h.Name, name) {
			continue
		}
		switch {
		case !found:
			value, found = h.Value, true
		case name == "cookie":
			value += "; " + h.Value
		default:
			value += "," + h.Value
		}
	}
	return value, found
}

// first is the first value of a header, and how often it stands there. Envoy
// takes the first where it trusts a client to name something.
func (v *view) first(name string) (value string, times int) {
	if strings.HasPrefix(name, ":") || name == "host" {
		if value, ok := v.header(name); ok {
			return value, 1
		}
		return "", 0
	}
	for i := range v.r.Headers {
		if equalFold(v.r.Headers[i].Name, name) {
			if times++; times == 1 {
				value = v.r.Headers[i].Value
			}
		}
	}
	return value, times
}

// parameter is the first value of a query parameter, as it stands: nothing is
// decoded.
func (v *view) parameter(name string) (string, bool) {
	_, rest, ok := strings.Cut(v.r.Path, "?")
	for ok && rest != "" {
		var one string
		one, rest, _ = strings.Cut(rest, "&")
		if key, value, _ := strings.Cut(one, "="); key == name {
			return value, true
		}
	}
	return "", false
}

// cookie is the first value of a cookie, without the quotes it may stand in.
func (v *view) cookie(name string) (string, bool) {
	for i := range v.r.Headers {
		if !equalFold(v.r.Headers[i].Name, "cookie") {
			continue
		}
		rest := v.r.Headers[i].Value
		for rest != "" {
			var one string
			one, rest, _ = strings.Cut(rest, ";")
			key, value, ok := strings.Cut(one, "=")
			if !ok || strings.TrimLeft(key, " ") != name {
				continue
			}
			if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
				value = value[1 : len(value)-1]
			}
			return value, true
		}
	}
	return "", false
}

// grpc reports whether the request is one of gRPC.
func (v *view) grpc() bool {
	const kind = "application/grpc"
	value, _ := v.listed("content-type")
	return !v.pathless && strings.HasPrefix(value, kind) && (len(value) == len(kind) || value[len(kind)] == '+')
}

// forwardedProto is the scheme that the client used as far as is known: Envoy
// goes by x-forwarded-proto, which its connection manager always sets.
func (v *view) forwardedProto() string {
	if p, ok := v.listed("x-forwarded-proto"); ok && p != "" {
		return p
	}
	return v.scheme()
}

// scheme is the request's scheme; one that says none came by the connection's.
func (v *view) scheme() string {
	switch {
	case v.r.Scheme != "":
		return v.r.Scheme
	case v.r.TLS:
		return "https"
	}
	return "http"
}
