package accept

import (
	"fmt"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

// ofServer are the fields of a connection manager that concern the server that
// reads the connections of a listener. It reads before it is known which filter
// chain a request takes, so there is one of each; a value is what the field comes
// to, its default where it is not set.
var ofServer = []struct {
	field string
	value func(*hcmv3.HttpConnectionManager) any
}{
	{"codec_type", func(m *hcmv3.HttpConnectionManager) any { return m.GetCodecType() }},
	{"common_http_protocol_options.idle_timeout", func(m *hcmv3.HttpConnectionManager) any {
		if d := m.GetCommonHttpProtocolOptions().GetIdleTimeout(); d != nil {
			return d.AsDuration()
		}
		return time.Hour
	}},
	{"max_request_headers_kb", func(m *hcmv3.HttpConnectionManager) any {
		if k := m.GetMaxRequestHeadersKb(); k != nil {
			return k.GetValue()
		}
		return uint32(60)
	}},
	{"http2_protocol_options.max_concurrent_streams", func(m *hcmv3.HttpConnectionManager) any {
		if n := m.GetHttp2ProtocolOptions().GetMaxConcurrentStreams(); n != nil {
			return n.GetValue()
		}
		return nil
	}},
}

// sameServer refuses a listener whose connection managers want its one server to
// be another for each.
func sameServer(l *listenerv3.Listener) error {
	type placed struct {
		at string
		*hcmv3.HttpConnectionManager
	}
	var first *placed
	for i, c := range append(l.GetFilterChains()[:len(l.GetFilterChains()):len(l.GetFilterChains())], l.GetDefaultFilterChain()) {
		is := placed{fmt.Sprintf("filter_chains[%d]", i), managerOf(c)}
		if i == len(l.GetFilterChains()) {
			is.at = "default_filter_chain"
		}
		switch {
		case is.HttpConnectionManager == nil:
			continue
		case first == nil:
			first = &is
			continue
		}
		for _, s := range ofServer {
			if s.value(is.HttpConnectionManager) != s.value(first.HttpConnectionManager) {
				return undone(is.at+".filters[0].typed_config."+s.field, "has one value for all filter chains of a listener, and "+first.at+" has another")
			}
		}
	}
	return nil
}

// managerOf is the connection manager of a filter chain, nil for none.
func managerOf(c *listenerv3.FilterChain) *hcmv3.HttpConnectionManager {
	if len(c.GetFilters()) == 0 {
		return nil
	}
	m, err := c.GetFilters()[0].GetTypedConfig().UnmarshalNew()
	if err != nil { // it was read a moment ago
		return nil
	}
	out, _ := m.(*hcmv3.HttpConnectionManager)
	return out
}
