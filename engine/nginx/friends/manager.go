package friends

import (
	"fmt"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
)

// manager is a connection manager and where it stands.
type manager struct {
	*hcmv3.HttpConnectionManager
	resource *mesh.Resource
	path     string
}

func (m manager) at(field string) nginx.Origin {
	o := nginx.Origin{Key: m.resource.Key, Path: m.path}
	if field != "" {
		o.Path += "." + field
	}
	return o
}

func (m manager) set(field string, value any) edit {
	return set(m.resource, m.path+"."+field, value)
}

// filter is the index of an HTTP filter of this type, -1 without one.
func (m manager) filter(url string) int {
	for i, f := range m.GetHttpFilters() {
		if f.GetTypedConfig().GetTypeUrl() == url {
			return i
		}
	}
	return -1
}

const (
	routerURL = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
	bufferURL = "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer"
)

// listener looks at the connection managers of a listener.
func (l *look) listener(r *mesh.Resource) {
	listener, ok := r.Message.(*listenerv3.Listener)
	if !ok {
		return
	}
	for i, chain := range listener.GetFilterChains() {
		l.chain(r, chain, fmt.Sprintf("filter_chains[%d]", i))
	}
	if chain := listener.GetDefaultFilterChain(); chain != nil {
		l.chain(r, chain, "default_filter_chain")
	}
}

func (l *look) chain(r *mesh.Resource, chain *listenerv3.FilterChain, path string) {
	for j, f := range chain.GetFilters() {
		m := &hcmv3.HttpConnectionManager{}
		if f.GetTypedConfig().MessageIs(m) && f.GetTypedConfig().UnmarshalTo(m) == nil {
			l.ports(m)
			l.manager(manager{m, r, fmt.Sprintf("%s.filters[%d].typed_config", path, j)})
		}
	}
}

// ports notes whether the port of the Host is off before the routes see it.
func (l *look) ports(m *hcmv3.HttpConnectionManager) {
	name, off := m.GetRds().GetRouteConfigName(), m.GetStripAnyHostPort() || m.GetStripMatchingHostPort()
	if was, seen := l.bare[name]; seen {
		off = off && was
	}
	l.bare[name] = off
}

// add notes a friend of a connection manager at the lines that begin with a
// directive.
func (l *look) add(m manager, field, directive string, f Friend) {
	f.At, f.Places = m.at(field), 1
	f.Lines = l.lines.saying(f.At, directive)
	l.found = append(l.found, f)
}

func (l *look) manager(m manager) {
	l.paths(m)
	l.bodies(m)
	l.idle(m)
	l.replies(m)
	l.headers(m)
}

// paths: what is compared with the locations.
func (l *look) paths(m manager) {
	if m.GetNormalizePath().GetValue() && m.GetMergeSlashes() {
		return
	}
	var edits []edit
	var says []string
	if !m.GetNormalizePath().GetValue() {
		edits, says = append(edits, m.set("normalize_path", true)), append(says, "normalize_path")
	}
	if !m.GetMergeSlashes() {
		edits, says = append(edits, m.set("merge_slashes", true)), append(says, "merge_slashes")
	}
	l.add(m, "normalize_path", "merge_slashes", Friend{
		Subject: "which path is compared", Kind: nginx.Approximate,
		Nginx:   "It decodes and cleans the path first: `//exact`, `/a/../exact` and `/%65xact` all hit `location = /exact`.",
		Envoy:   "It compares the path as it was sent: with its defaults 26,134 of 115,200 adversarial requests went another way than in nginx, 20,035 with these settings and the port of the Host ignored.",
		Fix:     &Fix{Says: join(says) + ": true", edits: edits},
		Without: "Left over: %-escapes of characters that a route names, `/..` above the root, a backslash.",
	})
}

// bodies: how large a request's body may be.
func (l *look) bodies(m manager) {
	router := m.filter(routerURL)
	if m.filter(bufferURL) >= 0 || router < 0 {
		return
	}
	l.add(m, "http_filters", "client_max_body_size", Friend{
		Subject: "size of a body", Kind: nginx.Exact,
		Nginx: "It refuses a body above 1 MiB with 413 unless told, and sends none on before it has all of it.",
		Envoy: "It passes a body of any size on as it comes: one byte above 1 MiB is answered 200.",
		Fix: &Fix{Says: "a buffer filter with max_request_bytes: 1048576", edits: []edit{insert(m.resource, m.path+".http_filters", router,
			yml(`{name: envoy.filters.http.buffer, typed_config: {"@type": `+bufferURL+`, max_request_bytes: 1048576}}`))}},
		Without: "With the filter Envoy holds the whole body back too, as nginx does; uploads that stream, and websockets, need it off (per route, or in upgrade_configs.filters).",
	})
}

// idle: how long a client may be silent.
func (l *look) idle(m manager) {
	if m.GetCommonHttpProtocolOptions().GetIdleTimeout() == nil {
		l.add(m, "common_http_protocol_options.idle_timeout", "keepalive_timeout", Friend{
			Subject: "idle connection", Kind: nginx.Exact,
			Nginx: "It closes a client's idle connection after 75 s unless told.",
			Envoy: "It keeps one for an hour unless told: still open after 85 s.",
			Fix:   &Fix{Says: "idle_timeout: 75s", edits: []edit{m.set("common_http_protocol_options.idle_timeout", "75s")}},
		})
	}
	if m.GetRequestHeadersTimeout() == nil {
		l.add(m, "request_headers_timeout", "client_header_timeout", Friend{
			Subject: "half a header", Kind: nginx.Exact,
			Nginx: "It closes a connection whose request stops within the headers after 60 s.",
			Envoy: "It waits: such a connection was still open after 85 s.",
			Fix:   &Fix{Says: "request_headers_timeout: 60s", edits: []edit{m.set("request_headers_timeout", "60s")}},
		})
	}
}

// replies: what the proxy answers itself.
func (l *look) replies(m manager) {
	if m.GetLocalReplyConfig() == nil {
		l.add(m, "local_reply_config", "", Friend{
			Subject: "502 or 503", Kind: nginx.Approximate,
			Nginx: "An upstream that refuses the connection, or closes it without an answer, is 502.",
			Envoy: "The same is 503, with the reason as its text.",
			Fix: &Fix{Says: "a local reply: 502 for the flags UF and UC", edits: []edit{m.set("local_reply_config",
				yml(`{mappers: [{filter: {response_flag_filter: {flags: [UF, UC]}}, status_code: 502}]}`))}},
			Without: "A connection that times out is 504 in nginx; Envoy flags it UF too.",
		})
	}
	if m.GetServerName() == "" && m.GetServerHeaderTransformation() == hcmv3.HttpConnectionManager_OVERWRITE {
		l.add(m, "server_name", "", Friend{
			Subject: "Server header", Kind: nginx.Approximate,
			Nginx:   "It puts its own Server and Date in the stead of the upstream's.",
			Envoy:   "It says `server: envoy`, and passes the upstream's Date on.",
			Fix:     &Fix{Says: "server_name: nginx", edits: []edit{m.set("server_name", "nginx")}},
			Without: "The Date stays the upstream's.",
		})
	}
	if !m.GetHttpProtocolOptions().GetAcceptHttp_10() {
		l.add(m, "http_protocol_options", "", Friend{
			Subject: "HTTP/1.0", Kind: nginx.Exact,
			Nginx: "It answers HTTP/1.0, also without a Host.",
			Envoy: "It answers 426 to HTTP/1.0.",
			Fix: &Fix{Says: "accept_http_10: true, with a Host that no domain has for requests without one", edits: []edit{
				m.set("http_protocol_options.accept_http_10", true), m.set("http_protocol_options.default_host_for_http_10", "nohost.invalid")}},
		})
	}
}

// headers: which of them reach the upstream.
func (l *look) headers(m manager) {
	if m.GetGenerateRequestId() == nil || m.GetGenerateRequestId().GetValue() {
		f := Friend{
			Subject: "added request headers", Kind: nginx.Approximate,
			Nginx:   "It adds none of its own to what it sends upstream.",
			Envoy:   "It adds x-forwarded-proto, x-request-id and x-envoy-expected-rq-timeout-ms.",
			Fix:     &Fix{Says: "generate_request_id: false", edits: []edit{m.set("generate_request_id", false)}},
			Without: "x-forwarded-proto stays. Without the id, logs and traces cannot be joined by it.",
		}
		if i := m.filter(routerURL); i >= 0 {
			f.Fix.Says += ", suppress_envoy_headers: true"
			f.Fix.edits = append(f.Fix.edits, m.set(fmt.Sprintf("http_filters[%d].typed_config.suppress_envoy_headers", i), true))
		}
		l.add(m, "generate_request_id", "", f)
	}
	if m.GetUseRemoteAddress().GetValue() {
		l.add(m, "use_remote_address", "proxy_set_header", Friend{
			Subject: "X-Forwarded-For", Kind: nginx.Approximate,
			Nginx:   "It adds nothing unless told; $proxy_add_x_forwarded_for appends the client's address.",
			Envoy:   "With use_remote_address it appends too, and for clients of this machine the machine's own address.",
			Without: "No setting gives the loopback address there; skip_xff_append leaves the header as it came.",
		})
	}
	if m.GetCommonHttpProtocolOptions().GetHeadersWithUnderscoresAction() == 0 {
		l.add(m, "common_http_protocol_options.headers_with_underscores_action", "underscores_in_headers", Friend{
			Subject: "header names", Kind: nginx.Approximate,
			Nginx:   "It drops headers like `my_hdr` and `my.hdr` unless told.",
			Envoy:   "It passes them on.",
			Fix:     &Fix{Says: "headers_with_underscores_action: DROP_HEADER", edits: []edit{m.set("common_http_protocol_options.headers_with_underscores_action", "DROP_HEADER")}},
			Without: "A name with a dot is still passed on.",
		})
	}
}
