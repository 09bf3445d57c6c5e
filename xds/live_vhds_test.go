package xds_test

import (
	"testing"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds"
)

const liveOnDemand = `      - name: envoy.filters.http.on_demand
        typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.on_demand.v3.OnDemand}
`

func virtualHost(name, domain, prefix, text string) string {
	return "virtual host\nname: " + name + "\ndomains: [\"" + domain + "\"]\nroutes: [{match: {prefix: " + prefix + "}, direct_response: {status: 200, body: {inline_string: " + text + "}}}]\n"
}

// Virtual hosts come all at first, and each as it comes to be. A request for a
// host that there is not, or for a path that its host does not serve, is held by
// Envoy until the server answers for that host: it is answered at once, and
// nothing of it is remembered.
func TestLiveVirtualHosts(t *testing.T) {
	liveVariants(t, []xds.Variant{xds.DeltaADS, xds.Delta}, func(t *testing.T, v xds.Variant) {
		l := newLive(t, v, xds.Options{})
		m := l.mesh(liveWeb+liveRDS+liveOnDemand+liveRouter, "route\nname: main\nvhds: {config_source: SOURCE}\n",
			virtualHost("main/shop", "a.test", "/shop", "alpha"), virtualHost("main/rest", "*.b.test", "/", "beta"))
		l.Publish(revision(1, m))
		l.start("")
		l.answers(200, "alpha", "/shop", "Host: a.test")
		l.answers(200, "beta", "/", "Host: x.b.test")
		l.answers(404, "", "/elsewhere", "Host: a.test")
		l.answers(404, "", "/", "Host: c.test")
		if got := l.State().Node("envoy-1").Types[mesh.VirtualHost]; !got.Wildcard || len(got.Subscribed) > 0 {
			t.Errorf("what was asked for on demand is remembered: %+v", got)
		}
		demanded(t, l, "main/a.test", "main/c.test")

		l.Publish(revision(2, with(t, m, l.resource(virtualHost("main/new", "c.test", "/", "gamma")))))
		l.answers(200, "gamma", "/", "Host: c.test")
		l.Publish(revision(3, m))
		l.answers(404, "", "/", "Host: c.test")
		l.answers(200, "alpha", "/shop", "Host: a.test")
		l.through("envoy-1", 3, engine.Accepted)
		l.waitedForNothing()
	})
}

// demanded holds that Envoy asked for these on demand, so that the test is about
// what it says, and that it accepted the answers.
func demanded(t *testing.T, l *live, names ...string) {
	t.Helper()
	asked := map[string]bool{}
	msgs, _ := l.Wire().Since(0, 10_000)
	for _, m := range msgs {
		if m.Type != mesh.VirtualHost {
			continue
		}
		if m.Kind == xds.Request {
			for _, name := range m.Names {
				asked[name] = true
			}
		}
		if m.Kind == xds.NACK {
			t.Errorf("Envoy refused: %s", m.Detail)
		}
	}
	for _, name := range names {
		if !asked[name] {
			t.Errorf("Envoy did not ask for %s on demand, but for %v", name, asked)
		}
	}
}
