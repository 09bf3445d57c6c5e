package upstream

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// The vectors are those of XXH64's own test suite and of its documentation.
func TestXXHash(t *testing.T) {
	for _, tc := range []struct {
		in   string
		seed uint64
		want uint64
	}{
		{"", 0, 0xef46db3751d8e999},
		{"a", 0, 0xd24ec4f1a98c6e5b},
		{"abc", 0, 0x44bc2cf5ad770999},
		{"Nobody inspects the spammish repetition", 0, 0xfbcea83c8a378bf1},
		{"xxhash", 20141025, 0xb559b98d844e0635},
	} {
		if got := XXHash(tc.in, tc.seed); got != tc.want {
			t.Errorf("XXHash(%q, %d) is %x, want %x", tc.in, tc.seed, got, tc.want)
		}
	}
}

// TestHashingAsEnvoy: a key finds the same host here as in a real Envoy.
func TestHashingAsEnvoy(t *testing.T) {
	weights := []string{"", "load_balancing_weight: 2", "load_balancing_weight: 5", "", ""}
	route := "hash_policy: [{header: {header_name: x-key}}]"
	all := []scenario{
		{name: "ring", cluster: "lb_policy: RING_HASH", route: route},
		{name: "smallring", cluster: "lb_policy: RING_HASH\nring_hash_lb_config: {minimum_ring_size: 20, maximum_ring_size: 30}", route: route},
		{name: "maglev", cluster: "lb_policy: MAGLEV", route: route},
		{name: "smallmaglev", cluster: "lb_policy: MAGLEV\nmaglev_lb_config: {table_size: 101}", route: route},
	}
	var w world
	for i := range weights {
		w = append(w, listen(t, says(response(200, fmt.Sprint(i)))))
	}
	worlds := map[string]world{}
	for _, s := range all {
		for i, address := range w {
			worlds[s.name] = append(worlds[s.name], strings.TrimSpace(address+" "+weights[i]))
		}
	}
	r := startEnvoy(t, all, worlds)
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			c, err := New(clusterOf(t, s.clusterYAML(worlds[s.name])), Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			wrong, keys := 0, 300
			for i := range keys {
				key := fmt.Sprintf("key-%d", i)
				hash := XXHash(key, 0)
				h, _ := c.current().choose(hash, 0, nil)
				if want := r.hostOf(t, s, key); w.number(h.address) != want {
					wrong++
				}
			}
			if wrong > 0 {
				t.Errorf("%d of %d keys go to another host than in Envoy", wrong, keys)
			}
		})
	}
}

// hostOf is the number of the host that Envoy takes for a key.
func (r *reference) hostOf(t *testing.T, s scenario, key string) string {
	t.Helper()
	req := s.request(t.Context(), fmt.Sprintf("http://127.0.0.1:%d/", envoyPort))
	req.Header.Set("X-Key", key)
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %v", resp.Status, err)
	}
	return string(b)
}
