package upstream

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
)

// dns answers from a table; names that are not in it do not exist.
type dns struct {
	mu    sync.Mutex
	table map[string][]string
	asked int
}

func (d *dns) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	if d.table[host] == nil {
		return nil, fmt.Errorf("%s: no such host", host)
	}
	var out []netip.Addr
	for _, a := range d.table[host] {
		out = append(out, netip.MustParseAddr(a))
	}
	return out, nil
}

func (d *dns) set(host string, addrs ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.table[host] = addrs
}

func (d *dns) run(t *testing.T, n *network, yaml string) *Cluster {
	t.Helper()
	c, err := start(clusterOf(t, yaml), Options{}, n.dial, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestNames(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		d := &dns{table: map[string][]string{}}
		yaml := strings.ReplaceAll(simple("dns_refresh_rate: 2s", "app.test:80", "10.0.0.9:80"), "STATIC", "STRICT_DNS")
		c := d.run(t, n, yaml)
		<-c.Warm() // a name that does not resolve holds nobody up
		expectMembers(t, c, "10.0.0.9:80")
		d.set("app.test", "10.0.0.1", "10.0.0.2", "fd00::1")
		later(2 * time.Second)
		expectMembers(t, c, "[fd00::1]:80", "10.0.0.9:80") // IPv6 first, as Envoy does
		d.set("app.test", "10.0.0.1", "10.0.0.2")
		later(2 * time.Second)
		expectMembers(t, c, hostA, hostB, "10.0.0.9:80")
		if h := hostNow(t, c, hostA); h.Hostname != "app.test" {
			t.Errorf("%+v", h)
		}
		d.set("app.test") // gone: what was known stays
		later(2 * time.Second)
		expectMembers(t, c, hostA, hostB, "10.0.0.9:80")
	})
	bubble(t, func(t *testing.T, n *network) {
		d := &dns{table: map[string][]string{"app.test": {"10.0.0.1", "10.0.0.2"}}}
		c := d.run(t, n, strings.ReplaceAll(simple("", "app.test:80"), "STATIC", "LOGICAL_DNS"))
		<-c.Warm()
		expectMembers(t, c, hostA)
	})
}

func TestNamesWhileTheyFail(t *testing.T) {
	bubble(t, func(t *testing.T, n *network) {
		d := &dns{table: map[string][]string{}}
		c := d.run(t, n, strings.ReplaceAll(simple("dns_refresh_rate: 1000s\ndns_failure_refresh_rate: {base_interval: 1s, max_interval: 4s}", "app.test:80"), "STATIC", "STRICT_DNS"))
		<-c.Warm()
		later(40 * time.Second)
		d.mu.Lock()
		asked := d.asked
		d.mu.Unlock()
		if asked < 8 || asked > 100 {
			t.Errorf("asked %d times in 40 s of failures", asked)
		}
	})
}

func TestFamilies(t *testing.T) {
	all := []netip.Addr{netip.MustParseAddr("fd00::1"), netip.MustParseAddr("10.0.0.1")}
	for family, want := range map[clusterv3.Cluster_DnsLookupFamily]string{
		clusterv3.Cluster_AUTO: "fd00::1", clusterv3.Cluster_V4_ONLY: "10.0.0.1", clusterv3.Cluster_V6_ONLY: "fd00::1",
		clusterv3.Cluster_V4_PREFERRED: "10.0.0.1", clusterv3.Cluster_ALL: "fd00::1 10.0.0.1",
	} {
		var got []string
		for _, a := range ofFamily(all, family) {
			got = append(got, a.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", family, got, want)
		}
	}
}
