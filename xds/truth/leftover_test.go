package truth_test

import (
	"slices"
	"strings"
	"testing"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/envoy"
	"example.com/meshtui/xds/truth"
)

// SotW has no word for a filter's configuration that is gone: what Envoy goes on
// with is told of.
func TestEnvoyGoesOnWithWhatWasRemoved(t *testing.T) {
	t.Parallel()
	l := newLab(t, false, plainStatic)
	const toggle = "      - {name: toggle, config_discovery: {config_source: {ads: {}, resource_api_version: V3}, " +
		"type_urls: [type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault]}}\n"
	texts := l.texts(newBackend(t))
	texts[0] = strings.Replace(texts[0], "      - name: envoy.filters.http.router", toggle+"      - name: envoy.filters.http.router", 1)
	l.push(append(texts, "extension\nname: toggle\ntyped_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault}\n")...)
	l.active(append(keys(mesh.Extension, "toggle"), shop...)...)
	l.push(texts...)
	left := truth.Foreign{Key: mesh.Key{Type: mesh.Extension, Name: "toggle"}, Origin: envoy.LeftOver}
	l.eventually("the filter's configuration is left over", func(n *truth.Node) bool { return slices.Contains(n.Foreign, left) })
}
