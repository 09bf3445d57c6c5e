package xdstest

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"testing"
	"time"
)

// RunEnvoy runs a real Envoy with a bootstrap until the test ends, beside the
// flags with one worker. A test that fails shows what it has logged. It skips the
// test where there is no Envoy; see NeedEnvoy.
func RunEnvoy(t testing.TB, config string, flags ...string) *exec.Cmd {
	t.Helper()
	path := NeedEnvoy(t)
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, append(flags, "--config-yaml", config, "--concurrency", "1", "--log-level", "warn")...)
	cmd.SysProcAttr = DieWithUs()
	log := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = log, log, 5*time.Second
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatalf("start %s: %v", path, err)
	}
	t.Cleanup(func() {
		cancel()
		var exit *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
			t.Errorf("envoy: %v", err)
		}
		if t.Failed() {
			t.Logf("Envoy's log:\n%s", log)
		}
	})
	return cmd
}
