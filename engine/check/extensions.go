package check

import (
	"fmt"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/mesh"
)

// discovery is a filter whose configuration comes by ECDS.
type discovery struct {
	node // of the filter
	*corev3.ExtensionConfigSource
	name string
	http bool
}

// discoveries calls visit for every filter whose configuration comes by ECDS.
func (c *checker) discoveries(visit func(discovery)) {
	add := func(n node, name string, source *corev3.ExtensionConfigSource, http bool) {
		if source != nil {
			visit(discovery{n, source, name, http})
		}
	}
	each(c, func(n node, f *hcmv3.HttpFilter) { add(n, f.GetName(), f.GetConfigDiscovery(), true) })
	each(c, func(n node, f *listenerv3.Filter) { add(n, f.GetName(), f.GetConfigDiscovery(), false) })
	each(c, func(n node, f *listenerv3.ListenerFilter) { add(n, f.GetName(), f.GetConfigDiscovery(), false) })
}

// unknownExtension is what Envoy does where the configuration of a filter does
// not come.
func (c *checker) unknownExtension(ref mesh.Reference) (s mesh.Severity, hint string) {
	s, hint = mesh.Error, "add this extension: Envoy waits for it for 15 s, and then closes every connection"
	c.discoveries(func(d discovery) {
		switch {
		case d.key != ref.From || d.at("name") != ref.Path:
		case d.GetDefaultConfig() != nil:
			s, hint = mesh.Warning, "add this extension: until then the filter's default_config is what counts"
		case d.http:
			hint = "add this extension: Envoy waits for it for 15 s, and then answers every request with 500"
		}
	})
	return s, hint
}

// extensionType reports extensions of another type than the filters that ask for
// them take.
func extensionType(c *checker) {
	c.discoveries(func(d discovery) {
		k := mesh.Key{Type: mesh.Extension, Name: d.name}
		r := c.mesh.Get(k)
		if r == nil || sourceOf(d.GetConfigSource()) != ours {
			return
		}
		url := configured(r.Message.(*corev3.TypedExtensionConfig).GetTypedConfig())
		if url == "" || takes(d, url) {
			return
		}
		c.report(mesh.Error, k, "typed_config", fmt.Sprintf("%s takes %s, and this extension is of type %s: Envoy rejects it",
			quoted(d.key), listed(d.GetTypeUrls()), typeIn(url)), "write the filter's own type, or add this one to its type_urls")
	})
}

// defaultConfig reports filters that begin with a configuration which is not
// there, or which they do not take.
func defaultConfig(c *checker) {
	c.discoveries(func(d discovery) {
		url := configured(d.GetDefaultConfig())
		switch {
		case d.GetDefaultConfig() == nil && d.GetApplyDefaultConfigWithoutWarming():
			c.report(mesh.Error, d.key, d.below("config_discovery.apply_default_config_without_warming"),
				fmt.Sprintf("filter %q is to begin with its default_config and has none, and Envoy rejects that", d.name),
				"add default_config, or remove apply_default_config_without_warming")
		case url != "" && !takes(d, url):
			c.report(mesh.Error, d.key, d.below("config_discovery.default_config"),
				fmt.Sprintf("filter %q takes %s, and its default_config is of type %s: Envoy rejects that", d.name, listed(d.GetTypeUrls()), typeIn(url)),
				"write the filter's own type, or add this one to its type_urls")
		}
	})
}

// takes reports whether a filter takes a configuration of that type.
func takes(d discovery, url string) bool {
	return slices.ContainsFunc(d.GetTypeUrls(), func(t string) bool { return typeIn(t) == typeIn(url) })
}

func listed(urls []string) string {
	var out []string
	for _, u := range urls {
		out = append(out, typeIn(u))
	}
	return strings.Join(out, " or ")
}

// configured is the type URL of a configuration, also of one that is carried
// without being looked into; "" for none.
func configured(packed *anypb.Any) string {
	if !strings.HasSuffix(packed.GetTypeUrl(), ".TypedStruct") {
		return packed.GetTypeUrl()
	}
	inner, err := packed.UnmarshalNew()
	if s, ok := inner.(interface{ GetTypeUrl() string }); ok && err == nil {
		return s.GetTypeUrl()
	}
	return ""
}
