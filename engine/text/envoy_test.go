package text

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/meshtui/engine/mesh"
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
)

func envoy(t *testing.T) string {
	t.Helper()
	if p := os.Getenv("MESHTUI_ENVOY"); p != "" {
		return p
	}
	dir, err := os.Getwd()
	for ; err == nil && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			if p := filepath.Join(dir, ".tools", "envoy"); exec.Command(p, "--version").Run() == nil {
				return p
			}
			break
		}
	}
	if p, err := exec.LookPath("envoy"); err == nil {
		return p
	}
	if slices.Contains(strings.Split(os.Getenv("MESHTUI_REQUIRE"), ","), "envoy") {
		t.Fatal("no Envoy, and MESHTUI_REQUIRE asks for one")
	}
	t.Skip("no Envoy: make envoy puts one into .tools")
	return ""
}

// What Envoy itself takes and refuses as the fields of a cluster, Decode takes
// and refuses.
func TestEnvoyAgrees(t *testing.T) {
	binary := envoy(t)
	var good strings.Builder
	for i, field := range []string{
		"alt_stat_name: 5", "alt_stat_name: \"5\"", "alt_stat_name: yes", "alt_stat_name: 'no'", "alt_stat_name: y", "alt_stat_name: Off",
		"alt_stat_name: oFF", "alt_stat_name: 08", "alt_stat_name: 010", "alt_stat_name: 1.2.3", "alt_stat_name: 0x1f", "alt_stat_name: 1e3",
		"alt_stat_name: 1_000", "alt_stat_name: .5", "alt_stat_name: 9007199254740999", "alt_stat_name: 2026-01-31", "alt_stat_name: null",
		"alt_stat_name: ~", "alt_stat_name: .inf", "alt_stat_name: +1", "alt_stat_name: 1.", "alt_stat_name: 0o17", "alt_stat_name: 12:30",
		"alt_stat_name: [a]", "alt_stat_name: {a: b}", "alt_stat_name: |\n      text", "alt_stat_name: >-\n      5", "altStatName: abc",
		"respect_dns_ttl: yes", "respect_dns_ttl: \"true\"", "respect_dns_ttl: 'yes'", "respect_dns_ttl: 1", "respect_dns_ttl: on", "respect_dns_ttl: TRUE",
		"per_connection_buffer_limit_bytes: \"100\"", "per_connection_buffer_limit_bytes: 1e3", "per_connection_buffer_limit_bytes: 0x10",
		"per_connection_buffer_limit_bytes: 1_000", "per_connection_buffer_limit_bytes: 1.5", "per_connection_buffer_limit_bytes: -1",
		"per_connection_buffer_limit_bytes: 4294967296", "per_connection_buffer_limit_bytes: many", "per_connection_buffer_limit_bytes: {value: 1}",
		"lb_policy: random", "lb_policy: Random", "lb_policy: 3", "lb_policy: \"3\"", "lb_policy: RANDM", "lb_policy: [RANDOM]", "lb_policy: true",
		"connect_timeout: 1", "connect_timeout: 1.5s", "connect_timeout: .5s", "connect_timeout: 1.s", "connect_timeout: 100ms", "connect_timeout: \"2s\"",
		"connect_timeout: {seconds: 1}", "respect_dns_ttl: {value: true}", "wait_for_warm_on_init: {value: true}", "wait_for_warm_on_init: \"true\"", "connect_timeout: 0.0000000001s", "connect_timeout: s", "connect_timeout: 1 s",
		"load_assignment: {cluster_name: app, foo: 1}", "load_assignment: text", "load_assignment: [a]", "foo: bar", "eds_cluster_config: [a]",
		"dns_resolvers: {socket_address: {address: 1.1.1.1, port_value: 53}}", "metadata: {filter_metadata: {a: null}}", "metadata: {filter_metadata: {a: {b: [null, 1, y]}}}",
		"metadata: {filter_metadata: {a: 5}}", "health_checks: null", "ring_hash_lb_config: {}\n    maglev_lb_config: {}",
		"typed_extension_protocol_options: {a: {}}",
		"common_lb_config: {healthy_panic_threshold: {value: \"50.5\"}}", "common_lb_config: {healthy_panic_threshold: {value: abc}}",
	} {
		cluster := fmt.Sprintf("  - name: c%d\n    %s\n", i, field)
		findings := DecodeInto(&bootstrapv3.Bootstrap{}, mesh.Source{Text: head + cluster})
		if mesh.Worst(findings) < mesh.Error {
			good.WriteString(cluster)
		} else if out, parses := envoyParses(t, binary, head+cluster); parses {
			t.Errorf("%s: Envoy takes it, Decode says %v\n%s", field, findings, out)
		}
	}
	if out, parses := envoyParses(t, binary, head+good.String()); !parses {
		t.Errorf("Decode takes all of this, Envoy not:\n%s\n%s", good.String(), out)
	}
}

const head = "static_resources:\n  clusters:\n"

// envoyParses reports whether Envoy gets past parsing a config: what it refuses
// after that is not for Decode to say.
func envoyParses(t *testing.T, binary, config string) (out string, parses bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command(binary, "--mode", "validate", "-l", "error", "-c", path).CombinedOutput()
	return string(said), err == nil || !strings.Contains(string(said), "INVALID_ARGUMENT")
}
