package envoy

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestRefusal(t *testing.T) {
	const file = "/tmp/x/bootstrap.yaml"
	for _, c := range []struct{ name, stderr, want string }{
		{"constraint",
			"[2026-11-22 15:00:00.000][12][critical][main] [source/server/server.cc:431] error initializing configuration '/tmp/x/bootstrap.yaml': goo.gle/debugonly   \nstatic_resources {\n clusters { name: \"a: Proto constraint validation failed (no)\" }\n}: Proto constraint validation failed (BootstrapValidationError.StaticResources: embedded message failed validation | caused by ClusterValidationError.ConnectTimeout: value must be greater than 0s)\n[2026-11-22 15:00:00.001][12][info][main] [source/server/server.cc:989] exiting\n",
			"BootstrapValidationError.StaticResources: embedded message failed validation | caused by ClusterValidationError.ConnectTimeout: value must be greater than 0s"},
		{"JSON",
			"[2026-11-22 15:00:00.000][12][critical][main] [server.cc:1] error initializing configuration '/tmp/x/bootstrap.yaml': Unable to parse JSON as proto (INVALID_ARGUMENT: invalid JSON in envoy.config.bootstrap.v3.Bootstrap @ static_resources.clusters[0].connect_timeout: message google.protobuf.Duration, near 74:24 (offset 1491): duration must end with a single 's'): {\"static_resources\":{\"clusters\":[{\"connect_timeout\":\"5\"}]}}\n",
			"Unable to parse JSON as proto (INVALID_ARGUMENT: invalid JSON in envoy.config.bootstrap.v3.Bootstrap @ static_resources.clusters[0].connect_timeout: message google.protobuf.Duration, near 74:24 (offset 1491): duration must end with a single 's')"},
		{"plain",
			"2026-11-22T15:00:00.000 critical main: error initializing configuration '/tmp/x/bootstrap.yaml': route: unknown cluster 'nope'\n",
			"route: unknown cluster 'nope'"},
		{"names the file",
			"critical error initializing configuration '/tmp/x/bootstrap.yaml': unable to read file: /tmp/x/bootstrap.yaml\n",
			"unable to read file: the configuration"},
		{"nothing", "", "Envoy refused the configuration without a reason"},
	} {
		if got := refusal(c.stderr, file); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

func TestValidate(t *testing.T) {
	b := realEnvoy(t)
	const cluster = "static_resources: {clusters: [{name: a, type: STATIC, connect_timeout: 1s, FIELD}]}"
	for _, c := range []struct{ config, want string }{
		{strings.ReplaceAll(cluster, ", FIELD", ""), ""},
		{strings.ReplaceAll(cluster, "connect_timeout: 1s, FIELD", "connect_timeout: 0s"), "ConnectTimeout: value must be greater than 0s"},
		{strings.ReplaceAll(cluster, "connect_timeout: 1s, FIELD", "connect_timeout: 5"), "connect_timeout: message google.protobuf.Duration"},
		{strings.ReplaceAll(cluster, "FIELD", "nosuch: 1"), "nosuch"},
		{"static_resources: {clusters: [", "yaml-cpp: error at line"},
	} {
		err := b.Validate(context.Background(), []byte(c.config))
		var invalid *InvalidError
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.config, err)
		case c.want == "":
		case !errors.As(err, &invalid) || !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: got %v, want %q", c.config, err, c.want)
		case len(err.Error()) > 400 || strings.Contains(err.Error(), "\n"):
			t.Errorf("%s: the reason is not to the point: %v", c.config, err)
		}
	}
	missing := Binary{Path: "/nonexistent/envoy"}
	var invalid *InvalidError
	if err := missing.Validate(context.Background(), nil); err == nil || errors.As(err, &invalid) {
		t.Errorf("without a binary: %v", err)
	}
}
