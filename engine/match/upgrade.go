package match

import (
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

// upgradeOf is what a request wants its connection to become: the value of its
// Upgrade header, "CONNECT" for a plain CONNECT; wants is false for an ordinary
// request. HTTP/2 names it in :protocol.
func upgradeOf(method string, h *headers, http2 bool) (to string, wants bool) {
	if http2 {
		if to, wants = h.get(":protocol"); wants && method == "CONNECT" {
			return to, true
		}
	} else if to, wants = h.upgrade(); wants {
		return to, true
	}
	if method == "CONNECT" {
		return "CONNECT", true
	}
	return "", false
}

// allowsUpgrade reports whether connection manager and route let a connection
// become something else. The route has the last word.
func allowsUpgrade(m *hcmv3.HttpConnectionManager, route *routev3.Route, to string) bool {
	for _, c := range route.GetRoute().GetUpgradeConfigs() {
		if strings.EqualFold(c.GetUpgradeType(), to) {
			return c.GetEnabled() == nil || c.GetEnabled().GetValue()
		}
	}
	for _, c := range m.GetUpgradeConfigs() {
		if strings.EqualFold(c.GetUpgradeType(), to) {
			return c.GetEnabled() == nil || c.GetEnabled().GetValue()
		}
	}
	return false
}

// filtersFor are the filters that a request passes: an upgrade may have its own.
func (n *manager) filtersFor(upgrade string) filters {
	if upgrade != "" {
		for _, c := range n.proto.GetUpgradeConfigs() {
			if strings.EqualFold(c.GetUpgradeType(), upgrade) && len(c.GetFilters()) > 0 {
				return newFilters(c.GetFilters())
			}
		}
	}
	return n.filters
}
