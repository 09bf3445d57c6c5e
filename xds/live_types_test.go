package xds_test

import (
	"encoding/json"
	"strings"
	"testing"

	"example.com/meshtui/engine"
	"example.com/meshtui/xds"
	"example.com/meshtui/xds/envoy"
)

// A value of the runtime takes effect, changes, and goes when it is no longer
// there. In the state of the world nothing can be taken away by name, so an empty
// layer has to say it.
func TestLiveRuntime(t *testing.T) {
	liveVariants(t, allVariants(), func(t *testing.T, v xds.Variant) {
		l := newLive(t, v, xds.Options{})
		bare := l.mesh(liveWeb+liveRDS+liveRouter, says("main", "hello"))
		l.Publish(revision(1, bare))
		l.start("lab")
		l.answers(200, "hello", "/")
		for i, want := range []string{"10", "20", ""} {
			m := bare
			if want != "" {
				m = with(t, bare, l.resource("runtime\nname: lab\nlayer: {lab.percent: "+want+"}\n"))
			}
			l.Publish(revision(i+2, m))
			eventually(t, "the value is "+want, func() bool { return l.runtime("lab.percent") == want })
		}
		l.through("envoy-1", 4, engine.Accepted)
		l.waitedForNothing()
	})
}

// The bootstrap that we hand out asks for a layer of the runtime: who has none
// pays nothing for it, and who has gets its values.
func TestLiveRuntimeOfOurBootstrap(t *testing.T) {
	liveVariants(t, []xds.Variant{xds.SotWADS, xds.DeltaADS}, func(t *testing.T, v xds.Variant) {
		l := newLive(t, v, xds.Options{})
		config, err := envoy.Bootstrap{NodeID: "envoy-1", XDS: l.addr, Admin: l.envoy, Delta: v == xds.DeltaADS}.YAML()
		if err != nil {
			t.Fatal(err)
		}
		m := l.mesh(liveWeb+liveRDS+liveRouter, says("main", "hello"))
		l.Publish(revision(1, m))
		l.run(config)
		l.answers(200, "hello", "/")
		l.waitedForNothing()
		l.Publish(revision(2, with(t, m, l.resource("runtime\nname: "+envoy.RuntimeLayer+"\nlayer: {lab.percent: 30}\n"))))
		eventually(t, "the value is there", func() bool { return l.runtime("lab.percent") == "30" })
	})
}

// runtime is the value that a key has in Envoy's runtime, "" for none.
func (l *live) runtime(key string) string {
	var all struct {
		Entries map[string]struct {
			Final string `json:"final_value"`
		} `json:"entries"`
	}
	if err := json.Unmarshal([]byte(l.admin("/runtime")), &all); err != nil {
		return "?"
	}
	return all.Entries[key].Final
}

// waitedForNothing holds that Envoy's patience with the server never ran out.
func (l *live) waitedForNothing() {
	l.t.Helper()
	all := l.admin("/stats?filter=init_fetch_timeout")
	if !strings.Contains(all, "init_fetch_timeout") {
		l.t.Errorf("Envoy does not tell its timeouts: %q", all)
	}
	for line := range strings.Lines(all) {
		if !strings.HasSuffix(strings.TrimSpace(line), ": 0") {
			l.t.Errorf("Envoy gave up waiting: %s", line)
		}
	}
}

// liveToggle is a filter whose configuration comes by ECDS, liveFault such a one.
const (
	liveToggle = "      - {name: toggle, config_discovery: {config_source: SOURCE, type_urls: [type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault]}}\n"
	liveFault  = `extension
name: toggle
typed_config:
  "@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault
  abort: {http_status: 503, percentage: {numerator: PERCENT, denominator: HUNDRED}}
`
)

// The configuration of one filter changes what it does, and no listener.
func TestLiveExtension(t *testing.T) {
	liveVariants(t, allVariants(), func(t *testing.T, v xds.Variant) {
		l := newLive(t, v, xds.Options{})
		faulty := func(percent string) string { return strings.Replace(liveFault, "PERCENT", percent, 1) }
		m := l.mesh(liveWeb+liveRDS+liveToggle+liveRouter, says("main", "hello"), faulty("0"))
		l.Publish(revision(1, m))
		l.start("")
		l.answers(200, "hello", "/")
		l.Publish(revision(2, with(t, m, l.resource(faulty("100")))))
		l.answers(503, "fault filter abort", "/")
		l.Publish(revision(3, m))
		l.answers(200, "hello", "/")
		l.through("envoy-1", 3, engine.Accepted)
		for _, stat := range []string{"listener_manager.listener_modified", "listener_manager.listener_in_place_updated", "listener_manager.total_listeners_draining"} {
			if got := l.stat(stat); got != "0" {
				t.Errorf("%s is %q: the listener did not stay as it was", stat, got)
			}
		}
		l.waitedForNothing()
	})
}

const liveScopes = `      scoped_routes:
        name: scopes
        scope_key_builder: {fragments: [{header_value_extractor: {name: x-scope, element_separator: ";", index: 0}}]}
        rds_config_source: SOURCE
        scoped_rds: {scoped_rds_config_source: SOURCE}
      http_filters:
`

func scope(name, value, route string) string {
	return "scoped route\nname: " + name + "\nroute_configuration_name: " + route + "\nkey: {fragments: [{string_key: " + value + "}]}\n"
}

// A scoped route leads by a header to a route configuration of its own; it can
// lead elsewhere, and go.
func TestLiveScopedRoutes(t *testing.T) {
	liveVariants(t, allVariants(), func(t *testing.T, v xds.Variant) {
		l := newLive(t, v, xds.Options{})
		web := liveWeb + liveScopes + liveRouter
		l.Publish(revision(1, l.mesh(web, says("red", "rouge"), says("blue", "bleu"), scope("one", "one", "red"), scope("two", "two", "blue"))))
		l.start("")
		l.answers(200, "rouge", "/", "X-Scope: one")
		l.answers(200, "bleu", "/", "X-Scope: two")
		l.answers(404, "", "/", "X-Scope: three")
		l.Publish(revision(2, l.mesh(web, says("red", "rouge"), says("blue", "bleu"), scope("one", "one", "red"), scope("two", "two", "red"))))
		l.answers(200, "rouge", "/", "X-Scope: two")
		l.answers(200, "rouge", "/", "X-Scope: one")
		l.Publish(revision(3, l.mesh(web, says("red", "rouge"), scope("two", "two", "red"))))
		l.answers(404, "", "/", "X-Scope: one")
		l.answers(200, "rouge", "/", "X-Scope: two")
		l.through("envoy-1", 3, engine.Accepted)
		l.waitedForNothing()
	})
}
