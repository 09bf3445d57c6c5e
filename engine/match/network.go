package match

import (
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
)

// harmless are network filters that neither end a connection nor decide on it.
var harmless = map[string]bool{
	"envoy.extensions.filters.network.sni_cluster.v3.SniCluster":  true,
	"envoy.extensions.filters.network.set_filter_state.v3.Config": true,
	"envoy.tcp.metadataexchange.config.MetadataExchange":          true,
	"stats.PluginConfig": true,
}

// decides are network filters that look at a connection before the last filter
// and may end it.
var decides = map[string]string{
	"envoy.extensions.filters.network.rbac.v3.RBAC":                              "closes connections that its policies do not allow",
	"envoy.extensions.filters.network.ext_authz.v3.ExtAuthz":                     "asks an authorisation service, which may close the connection",
	"envoy.extensions.filters.network.ratelimit.v3.RateLimit":                    "asks a rate limit service, which may close the connection",
	"envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit":         "closes connections beyond its rate",
	"envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit":       "closes connections beyond its limit",
	"envoy.extensions.filters.network.ext_proc.v3.NetworkExternalProcessor":      "hands the bytes to an external processor, which may change them or close the connection",
	"envoy.extensions.filters.network.wasm.v3.Wasm":                              "runs WebAssembly, which may change the bytes or close the connection",
	"envoy.extensions.filters.network.geoip.v3.Geoip":                            "",
	"envoy.extensions.filters.network.sni_dynamic_forward_proxy.v3.FilterConfig": "resolves the server name before the connection goes on",
}

// ends are network filters that end a chain themselves, beside the two that are
// followed here.
var ends = map[string]bool{
	"envoy.extensions.filters.network.direct_response.v3.Config":            true,
	"envoy.extensions.filters.network.echo.v3.Echo":                         true,
	"envoy.extensions.filters.network.redis_proxy.v3.RedisProxy":            true,
	"envoy.extensions.filters.network.thrift_proxy.v3.ThriftProxy":          true,
	"envoy.extensions.filters.network.dubbo_proxy.v3.DubboProxy":            true,
	"envoy.extensions.filters.network.generic_proxy.v3.GenericProxy":        true,
	"envoy.extensions.filters.network.reverse_tunnel.v3.ReverseTunnel":      true,
	"envoy.extensions.filters.network.smtp_proxy.v3alpha.SmtpProxy":         false,
	"envoy.extensions.filters.network.zookeeper_proxy.v3.ZooKeeperProxy":    false,
	"envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy":            false,
	"envoy.extensions.filters.network.mysql_proxy.v3.MySQLProxy":            false,
	"envoy.extensions.filters.network.postgres_proxy.v3alpha.PostgresProxy": false,
}

// endsChain reports whether a filter of a type ends the chain. One that is not
// known does where it stands last.
func endsChain(kind string, last bool) bool {
	if e, known := ends[kind]; known {
		return e
	}
	if _, known := decides[kind]; known || harmless[kind] {
		return false
	}
	return last
}

// networkCaveat is what a network filter before the last one may do to a
// connection; "" when it does no harm.
func networkCaveat(f *listenerv3.Filter, kind string) string {
	if harmless[kind] {
		return ""
	}
	if rules := (&rbacv3.RBAC{}); f.GetTypedConfig().UnmarshalTo(rules) == nil && rules.GetRules() == nil && rules.GetMatcher() == nil {
		return "" // without rules it lets everything pass
	}
	called := "network filter " + filterCalled(f.GetName(), kind)
	if does, known := decides[kind]; known {
		if does == "" {
			return ""
		}
		return called + " " + does
	}
	if _, known := ends[kind]; known {
		return "" // reads its protocol along, and lets everything pass
	}
	return called + " is not known here; it may close the connection"
}

// filterCalled names a filter for people: by the last part of its name, else of
// its type.
func filterCalled(name, kind string) string {
	switch {
	case name != "":
		return strings.TrimPrefix(strings.TrimPrefix(name, "envoy.filters.network."), "envoy.filters.http.")
	case kind != "":
		return kind[strings.LastIndexByte(kind, '.')+1:]
	}
	return "without a type"
}
