package envoy

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// The answers here are Envoy 1.40.0's own, shortened.

func TestRuntimeLayers(t *testing.T) {
	got := runtimeLayers([]byte(`{"configs":[{"bootstrap":{"layered_runtime":{"layers":[{"name":"static","static_layer":{"z":9}},
		{"name":"mylayer","rtds_layer":{"name":"rt0","rtds_config":{"ads":{}}}},{"name":"adm","admin_layer":{}}]}}}]}`))
	if diff := cmp.Diff(map[string]string{"rt0": "mylayer"}, got); diff != "" {
		t.Error(diff)
	}
	if runtimeLayers([]byte("no JSON")) != nil {
		t.Error("layers were read out of nothing")
	}
}

func TestCompareRuntime(t *testing.T) {
	values, err := readRuntime([]byte(`{"layers":["static","mylayer","adm"],"entries":{
		"a.b":{"layer_values":["1","3",""],"final_value":"3"},
		"c.d":{"layer_values":["","true",""],"final_value":"true"},
		"f":{"layer_values":["","0.333333",""],"final_value":"0.333333"},
		"g":{"layer_values":["","goo.gle/debugstr fields {}",""],"final_value":"goo.gle/debugstr fields {}"},
		"over":{"layer_values":["","3","77"],"final_value":"77"},
		"z":{"layer_values":["9","",""],"final_value":"9"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	const whole = "a.b: 3, c: {d: true}, f: 0.3333333333, g: {numerator: 5, denominator: HUNDRED}"
	for layer, want := range map[string]string{
		whole + ", over: 77":        "active with other content: over is 3 instead of 77",
		whole + ", over: 3":         "active with other content: over is 77 instead of 3: the layer adm overrides it",
		whole:                       "active with other content: over is still there",
		whole + ", over: 3, new: x": "active with other content: new is not there",
		"a.b: 4":                    "active with other content: a.b is 3 instead of 4",
		"c: {d: false}":             "active with other content: c.d is true instead of false",
		"f: 0.33":                   "active with other content: f is 0.333333 instead of 0.33",
	} {
		o := observed{values: values, layers: map[string]string{"rt0": "mylayer"}}
		served := parse(t, "runtime\nname: rt0\nlayer: {"+layer+"}\n")
		k := mesh.Key{Type: mesh.Runtime, Name: "rt0"}
		a := compare(map[mesh.Key]proto.Message{k: served}, []mesh.Key{k}, o)[k]
		if got := a.State.String() + ": " + a.Detail; got != want {
			t.Errorf("%s: %s, want %s", layer, got, want)
		}
		if a.Instead == nil {
			t.Errorf("%s: what counts instead is not shown", layer)
		}
	}
	entry := values.Entries["over"]
	entry.Values, entry.Final = []string{"", "3", ""}, "3"
	values.Entries["over"] = entry
	served := parse(t, "runtime\nname: rt0\nlayer: {"+whole+", over: 3}\n")
	k := mesh.Key{Type: mesh.Runtime, Name: "rt0"}
	for want, o := range map[ActiveState]observed{
		ActiveSame:    {values: values, layers: map[string]string{"rt0": "mylayer"}},
		Absent:        {values: values, layers: map[string]string{}},
		NotObservable: {values: values},
	} {
		if a := compare(map[mesh.Key]proto.Message{k: served}, []mesh.Key{k}, o)[k]; a.State != want {
			t.Errorf("%+v, want %s", a, want)
		}
	}
}

func TestReadUnready(t *testing.T) {
	got := readUnready([]byte(`{"unready_targets_dumps":[
		{"name":"init manager Server","target_names":["target LDS"]},
		{"name":"init manager Listener-local-init-manager web 17241709254077376921","target_names":["shared target RdsRouteConfigSubscription RDS init r2","something new"]}]}`))
	if diff := cmp.Diff(map[string][]string{"web": {"RDS r2", "something new"}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestTraffic(t *testing.T) {
	served := map[mesh.Key]proto.Message{}
	for _, yaml := range []string{
		"cluster\nname: app\n", "endpoints\ncluster_name: svc\n", "route\nname: main\n",
		webListener("web", 10000), "listener\nname: tcp\naddress: {socket_address: {address: '::1', port_value: 9}}\n", "listener\nname: named\nstat_prefix: here\n",
	} {
		m := parse(t, yaml)
		kind, _ := mesh.TypeOf(m)
		served[mesh.Key{Type: kind, Name: mesh.NameOf(m)}] = m
	}
	hosts := func(json string) map[string]clusterStatus {
		all, err := readClusters([]byte(`{"cluster_statuses":[` + json + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		return map[string]clusterStatus{all[0].Name: all[0]}
	}
	host := func(port, requests string) string {
		return `{"address":{"socket_address":{"address":"127.0.0.1","port_value":` + port + `}},"stats":[{"name":"rq_total","value":"` + requests + `"}]}`
	}
	from := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	before := &counts{
		at: from, clusters: hosts(`{"name":"app","eds_service_name":"svc","host_statuses":[` + host("1", "100") + "," + host("2", "50") + `]}`),
		stats: readStats([]byte("listener.127.0.0.1_10000.http.web.downstream_rq_2xx: 7\nlistener.here.downstream_cx_total: 9\n")),
	}
	after := &counts{
		at: from.Add(time.Second), clusters: hosts(`{"name":"app","eds_service_name":"svc","host_statuses":[` + host("1", "103") + "," + host("3", "4") + `]}`),
		stats: readStats([]byte("listener.127.0.0.1_10000.http.web.downstream_rq_2xx: 10\nlistener.127.0.0.1_10000.http.web.downstream_rq_5xx: 2\n" +
			"listener.[__1]_9.downstream_cx_total: 6\nlistener.here.downstream_cx_total: 3\n")),
	}
	got := map[string]uint64{}
	for k, seen := range traffic(before, after, served) {
		got[k.String()] = seen.Requests
		if !seen.From.Equal(before.at) || !seen.To.Equal(after.at) {
			t.Errorf("%s: %+v", k, seen)
		}
	}
	want := map[string]uint64{ // a host that left and one that came; a counter that began anew
		"cluster app": 7, "endpoints svc": 7, "listener web": 5, "route main": 5, "listener tcp": 6, "listener named": 3,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if traffic(nil, after, served) != nil {
		t.Error("traffic after a single look")
	}
}

// What was not served counts as foreign once it has stayed for a while.
func TestForeigners(t *testing.T) {
	app, theirs, static := mesh.Key{Type: mesh.Cluster, Name: "app"}, mesh.Key{Type: mesh.Cluster, Name: "theirs"}, mesh.Key{Type: mesh.Cluster, Name: "static"}
	served := map[mesh.Key]proto.Message{app: parse(t, "cluster\nname: app\n")}
	d := newDump()
	d.active["app"], d.active["theirs"] = dumped{}, dumped{}
	o := observed{dumps: map[mesh.Type]*dump{mesh.Cluster: d}}
	p := &poller{identity: &identity{static: map[mesh.Key]bool{static: true}}}
	now := time.Now()
	p.noteForeign(served, o, now)
	if got := p.foreigners(served, now); len(got) != 1 || got[static] != FromBootstrap {
		t.Errorf("at once: %v", got)
	}
	later := now.Add(foreignAfter)
	p.noteForeign(served, o, later)
	if got := p.foreigners(served, later); len(got) != 2 || got[theirs] != FromElsewhere {
		t.Errorf("after a while: %v", got)
	}
	if got := p.foreigners(nil, later); len(got) != 1 {
		t.Errorf("while nothing was served: %v", got)
	}
	delete(d.active, "theirs")
	p.noteForeign(served, o, later)
	if got := p.foreigners(served, later); len(got) != 1 {
		t.Errorf("when it has gone: %v", got)
	}
}

// What was served and is no more, and what Envoy goes on with, is left over.
func TestLeftOver(t *testing.T) {
	toggle, quiet := mesh.Key{Type: mesh.Extension, Name: "toggle"}, mesh.Key{Type: mesh.Extension, Name: "quiet"}
	app, key := mesh.Key{Type: mesh.Endpoints, Name: "app"}, mesh.Key{Type: mesh.Runtime, Name: "rtds"}
	before := map[mesh.Key]proto.Message{
		toggle: parse(t, "extension\nname: toggle\n"), quiet: parse(t, "extension\nname: quiet\n"),
		app: parse(t, "endpoints\ncluster_name: app\n"), key: parse(t, "runtime\nname: rtds\n"),
	}
	extensions, clusters := newDump(), newDump()
	extensions.active["toggle"] = dumped{Message: before[toggle]}
	clusters.active["app"] = dumped{Message: parse(t, "cluster\nname: app\ntype: EDS\neds_cluster_config: {eds_config: {ads: {}}}\n")}
	o := observed{
		dumps:    map[mesh.Type]*dump{mesh.Extension: extensions, mesh.Cluster: clusters},
		clusters: map[string]clusterStatus{"app": {Name: "app", Hosts: make([]hostStatus, 1)}},
	}
	served := map[mesh.Key]proto.Message{{Type: mesh.Cluster, Name: "app"}: clusters.active["app"].Message}
	p := &poller{identity: &identity{}, compared: before}
	now := time.Now()
	later := now.Add(foreignAfter)
	p.part(served)
	p.noteForeign(served, o, now)
	want := map[mesh.Key]Origin{toggle: LeftOver, app: LeftOver}
	if diff := cmp.Diff(want, p.foreigners(served, later)); diff != "" {
		t.Errorf("after a while: %s", diff)
	}
	if diff := cmp.Diff(want, p.foreigners(nil, later)); diff != "" {
		t.Errorf("while nothing is served: %s", diff)
	}
	p.part(before)
	if got := p.foreigners(before, later); len(got) != 0 {
		t.Errorf("served again: %v", got)
	}
	p.compared = before
	p.part(served)
	p.noteForeign(served, observed{}, later)
	if got := p.foreigners(served, later.Add(foreignAfter)); len(got) != 0 {
		t.Errorf("when they have gone: %v", got)
	}
}

// Virtual hosts that joined a route are compared apart from it.
func TestVirtualHostsInTheirRoute(t *testing.T) {
	const vhds = "route\nname: main\nvhds: {config_source: {ads: {}}}\nvirtual_hosts: [{name: all, domains: ['*']}"
	served := map[mesh.Key]proto.Message{}
	for _, yaml := range []string{vhds + "]\n", "virtual host\nname: main/late\ndomains: [late.test]\n", "virtual host\nname: main/other\ndomains: [other.test]\n", "virtual host\nname: main/gone\ndomains: [gone.test]\n"} {
		m := parse(t, yaml)
		kind, _ := mesh.TypeOf(m)
		served[mesh.Key{Type: kind, Name: mesh.NameOf(m)}] = m
	}
	d := newDump()
	d.active["main"] = dumped{Message: parse(t, vhds+", {name: main/late, domains: [late.test]}, {name: main/other, domains: [changed.test]}]\n")}
	o := observed{dumps: map[mesh.Type]*dump{mesh.Route: d, mesh.VirtualHost: d}}
	var keys []mesh.Key
	for k := range served {
		keys = append(keys, k)
	}
	got := describe(compare(served, keys, o))
	want := `route main: active
virtual host main/gone: not in Envoy: no route configuration has taken it
virtual host main/late: active
virtual host main/other: active with other content: differs in domains[0]
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestStaticNames(t *testing.T) {
	got := staticNames([]byte(`{"configs":[{"cluster":{"name":"stat"}},{"cluster":{"name":"` + ServerCluster + `"}},{"listener":{"name":"sl"}}]}`))
	if strings.Join(got, " ") != "stat sl" {
		t.Error(got)
	}
}
