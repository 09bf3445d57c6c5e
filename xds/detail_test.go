package xds

import (
	"strings"
	"testing"
)

// The texts are those of Envoy 1.40.
func TestCleanDetail(t *testing.T) {
	for _, c := range []struct{ name, raw, want string }{
		{
			"several lines",
			"Error adding/updating listener(s) a: Invalid path: /x\nb: no filter chains specified\n",
			"Error adding/updating listener(s) a: Invalid path: /x b: no filter chains specified",
		},
		{
			"constraint after a dump",
			"goo.gle/debugproto   \nname: \"app\"\nconnect_timeout {\n}\n: Proto constraint validation failed (ClusterValidationError.ConnectTimeout: value must be greater than 0s)",
			"app: Proto constraint validation failed (ClusterValidationError.ConnectTimeout: value must be greater than 0s)",
		},
		{
			"constraint after a dump without a name",
			"goo.gle/debugstr    \nconnect_timeout { } : Proto constraint validation failed (ClusterValidationError.Name: value length must be at least 1 characters)",
			"Proto constraint validation failed (ClusterValidationError.Name: value length must be at least 1 characters)",
		},
		{
			"short dump",
			"Invalid duration: Expected positive duration: goo.gle/debugstr   seconds: -1",
			"Invalid duration: Expected positive duration: seconds: -1",
		},
		{
			"bytes that are no message",
			"Unable to unpack as envoy.config.cluster.v3.Cluster: goo.gle/debugproto \n[type.googleapis.com/envoy.config.cluster.v3.Cluster] { 1: 2 }",
			"Unable to unpack as envoy.config.cluster.v3.Cluster: …",
		},
		{
			"missing field",
			"Field 'weight' is missing in: goo.gle/debugstr  name: \"green\" runtime_key_prefix: \"x\"",
			"Field 'weight' is missing in: name: \"green\" runtime_key_prefix: \"x\"",
		},
		{
			"nothing to clean",
			"Only a single wildcard domain is permitted in route r1",
			"Only a single wildcard domain is permitted in route r1",
		},
		{"empty", "", ""},
	} {
		if got := cleanDetail(c.raw); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
	long := cleanDetail("first " + strings.Repeat("ä", 5000) + " last")
	if len(long) > 608 || !strings.HasPrefix(long, "first") || !strings.HasSuffix(long, "last") {
		t.Errorf("a long text became %d bytes: %.40s", len(long), long)
	}
}
