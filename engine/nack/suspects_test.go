package nack_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nack"
	"example.com/meshtui/engine/nack/nacktest"
)

// resources is a mesh of texts: the file's name says the type.
func resources(t testing.TB, texts ...string) *mesh.Mesh {
	t.Helper()
	m := &mesh.Mesh{}
	for i := 0; i < len(texts); i += 2 {
		r, err := nacktest.Read(texts[i], texts[i+1])
		if err != nil {
			t.Fatal(err)
		}
		m = m.With(r)
	}
	return m
}

func cluster(name, timeout string) string {
	return fmt.Sprintf("name: %q\ntype: STATIC\nconnect_timeout: %s\n", name, timeout)
}

// sureOf lists what is diagnosed: "!" for sure, the resource, the field.
func sureOf(ds []nack.Diagnosis) []string {
	var out []string
	for _, d := range ds {
		sure := "?"
		if d.Sure {
			sure = "!"
		}
		out = append(out, fmt.Sprintf("%s %s %s", sure, d.Key, d.Path))
	}
	return out
}

const negative = "Invalid duration: Expected positive duration: goo.gle/debugonly   \nseconds: -1\n"

// A text that names no resource means one that holds what it says, of what the
// push changed before all others.
func TestWhoIsMeant(t *testing.T) {
	a, b, good := cluster("a", "-1s"), cluster("b", "-1s"), cluster("a", "1s")
	key := func(name string) mesh.Key { return mesh.Key{Type: mesh.Cluster, Name: name} }
	for _, c := range []struct {
		name    string
		before  *mesh.Mesh
		changed []mesh.Key
		want    []string
	}{
		{"the changed one", resources(t, "cds-a", good, "cds-b", b), []mesh.Key{key("a"), key("b")}, []string{"! cluster a connect_timeout"}},
		{"the new one", resources(t, "cds-a", a), []mesh.Key{key("b")}, []string{"! cluster b connect_timeout"}},
		{"either, when both are new", &mesh.Mesh{}, []mesh.Key{key("a"), key("b")}, []string{"? cluster a connect_timeout", "? cluster b connect_timeout"}},
		{"what was new to the node, when nothing is known of before", nil, []mesh.Key{key("b")}, []string{"! cluster b connect_timeout"}},
		{"whatever fits, when nothing changed", resources(t, "cds-a", a, "cds-b", b), nil, []string{"? cluster a connect_timeout", "? cluster b connect_timeout"}},
	} {
		got := sureOf(nack.Diagnose(nack.Rejection{Text: negative, Type: mesh.Cluster, Changed: c.changed, Before: c.before, Mesh: resources(t, "cds-a", a, "cds-b", b)}))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// Of two places in one resource the one that the push changed is meant.
func TestWhatDidNotChangeIsNoSuspect(t *testing.T) {
	route := func(first, second string) string {
		return fmt.Sprintf("name: r\nvirtual_hosts:\n- name: v\n  domains: [\"*\"]\n  routes:\n"+
			"  - match: {safe_regex: {regex: %q}}\n    route: {cluster: a}\n  - match: {safe_regex: {regex: %q}}\n    route: {cluster: a}\n", first, second)
	}
	r := nack.Rejection{
		Text: "missing ): (", Type: mesh.Route, Changed: []mesh.Key{{Type: mesh.Route, Name: "r"}},
		Before: resources(t, "rds-r", route("(old", "/new")), Mesh: resources(t, "rds-r", route("(old", "(new")),
	}
	want := []string{"! route r virtual_hosts[0].routes[1].match.safe_regex.regex"}
	got := nack.Diagnose(r)
	if diff := cmp.Diff(want, sureOf(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got[0].Fix == nil || got[0].Fix.Says != "put regex back to /new" || got[0].Line != 8 {
		t.Errorf("line %d, fix %+v", got[0].Line, got[0].Fix)
	}
	r.Before = nil
	if got := sureOf(nack.Diagnose(r)); len(got) != 2 {
		t.Errorf("without what was before: %v", got)
	}
}

// A local Envoy listens some hundreds of ports above what the mesh says: its
// words mean the mesh's listener all the same.
func TestPortsOfAnotherNode(t *testing.T) {
	listener := func(name string, port, more int) string {
		return fmt.Sprintf("name: %s\naddress: {socket_address: {address: 127.0.0.1, port_value: %d}}\n"+
			"additional_addresses:\n- address: {socket_address: {address: 127.0.0.1, port_value: %d}}\n"+
			"filter_chains: [{}]\n", name, port, more)
	}
	r := nack.Rejection{
		Text: "Error adding/updating listener(s) b: cannot bind '127.0.0.1:10202': Address already in use\n", Type: mesh.Listener,
		Mesh: resources(t, "lds-a", listener("a", 10000, 10003), "lds-b", listener("b", 10001, 10002)),
	}
	d := nack.Diagnose(r)[0]
	if d.Path != "additional_addresses[0].address.socket_address.port_value" || !d.Sure ||
		d.Plain != "It cannot listen on 127.0.0.1:10002 (127.0.0.1:10202 on this node): another process has that address." {
		t.Errorf("%+v", d)
	}
	// 10003 is another listener's here, 10100 its neighbour's there.
	if d.Fix == nil || !strings.Contains(d.Fix.Text, "port_value: 10004}") || !strings.Contains(d.Fix.Text, "port_value: 10001}") {
		t.Errorf("fix %+v", d.Fix)
	}
}

// Whatever the words are, something useful is said.
func TestUnknownWords(t *testing.T) {
	now := resources(t, "cds-a", cluster("a", "1s")+"respect_dns_ttl: true\n", "cds-b", cluster("b", "1s"))
	before := resources(t, "cds-a", cluster("a", "1s")+"respect_dns_ttl: false\n", "cds-b", cluster("b", "1s"))
	changed := []mesh.Key{{Type: mesh.Cluster, Name: "a"}, {Type: mesh.Cluster, Name: "b"}}
	for _, c := range []struct{ name, text, plain, hint, place string }{
		{"names the resource", "Error adding/updating cluster(s) a: the moon is full", "The node does not take cluster a: the moon is full", "this push changed respect_dns_ttl in it: look there first", "! cluster a respect_dns_ttl"},
		{"names nothing", "the moon is full", "The node says: the moon is full", "this push changed respect_dns_ttl in it: look there first", "? cluster a respect_dns_ttl"},
		{"names one that nobody knows", "Error adding/updating cluster(s) x: the moon is full", "The node says: x: the moon is full", "this push changed respect_dns_ttl in it: look there first", "? cluster a respect_dns_ttl"},
		{"names a field", "connect_timeout and the moon", "The node says: connect_timeout and the moon", "this push changed respect_dns_ttl in it: look there first", "? cluster a connect_timeout"},
	} {
		d := nack.Diagnose(nack.Rejection{Text: c.text, Type: mesh.Cluster, Changed: changed, Mesh: now, Before: before})
		if len(d) != 1 || d[0].Plain != c.plain || d[0].Hint != c.hint || sureOf(d)[0] != c.place {
			t.Errorf("%s: %s, %+v", c.name, sureOf(d), d)
		}
	}
	for _, d := range nack.Diagnose(nack.Rejection{Text: "the moon is full"}) {
		if d.Plain == "" || d.Hint == "" || d.Words != "the moon is full" || !d.Key.IsZero() || d.Sure {
			t.Errorf("nothing is known: %+v", d)
		}
	}
}

// A name may look like anything that Envoy puts around it.
func TestNamesThatLookLikeText(t *testing.T) {
	m := resources(t, "cds-1", cluster("a, b: c", "1s"), "cds-2", cluster("c", "1s"), "cds-3", cluster("name", "1s"))
	text := "Error adding/updating cluster(s) a, b: c: Invalid path: /x, c: Invalid path: /y, z: Invalid path, name: duplicate cluster name found"
	var words []string
	for _, d := range nack.Diagnose(nack.Rejection{Text: text, Type: mesh.Cluster, Mesh: m}) {
		words = append(words, d.Key.Name+"|"+d.Words)
	}
	want := []string{"a, b: c|Invalid path: /x", "c|Invalid path: /y, z: Invalid path", "name|duplicate cluster name found"}
	if diff := cmp.Diff(want, words); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// What is secret stays so.
func TestSecretsAreNotTold(t *testing.T) {
	secret := func(key string) string {
		return "name: s\ntls_certificate:\n  private_key: {inline_string: " + key + "}\n"
	}
	r := nack.Rejection{Text: "the moon is full", Type: mesh.Secret, Before: resources(t, "sds-s", secret("hunter1")), Mesh: resources(t, "sds-s", secret("hunter2"))}
	for _, d := range nack.Diagnose(r) {
		said := d.Plain + d.Why + d.Hint + d.Words
		if d.Fix == nil || strings.Contains(said+d.Fix.Says, "hunter") || !strings.Contains(d.Fix.Text, "hunter1") {
			t.Errorf("%+v, fix %+v", d, d.Fix)
		}
	}
}
