package envoy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// InvalidError is Envoy's own reason for refusing a configuration: the first
// one that it met, without the dump of the configuration around it.
type InvalidError struct{ Reason string }

// Error is the reason.
func (e *InvalidError) Error() string { return e.Reason }

// Validate lets this Envoy check a bootstrap (YAML) without starting it. It
// returns nil when Envoy accepts it, an *InvalidError when Envoy refuses it, and
// another error when Envoy could not be asked. Envoy opens no port for this,
// looks up no name and does not read files that a path_config_source names.
func (b Binary) Validate(ctx context.Context, config []byte) error {
	dir, err := os.MkdirTemp("", "meshtui-validate-")
	if err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "bootstrap.yaml")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	pipe, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // stands for EventPipe, which Envoy opens even now
	if err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	defer pipe.Close()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, b.Path, "--mode", "validate", "--disable-hot-restart", "-c", file)
	cmd.Stderr = &stderr
	cmd.ExtraFiles = []*os.File{pipe}
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("validate: %w", ctx.Err())
	case !errors.As(err, &exit):
		return fmt.Errorf("validate: %s does not run: %w", b.Path, err)
	case exit.ExitCode() != 1:
		return fmt.Errorf("validate: %s ended with %w%s", b.Path, exit, firstLine(": ", lastLines(stderr.String(), 1)))
	}
	return &InvalidError{Reason: refusal(stderr.String(), file)}
}

var (
	debugPrefix = regexp.MustCompile(`goo\.gle/debug\w+\s+`)
	constraint  = ": Proto constraint validation failed ("
	critical    = regexp.MustCompile(`(?s)error initializing configuration '[^']*': (.*)`)
	wholeConfig = regexp.MustCompile(`(?s): \{\s*".*\}\s*$`) // a JSON error repeats the configuration behind the reason
	nextLogLine = regexp.MustCompile(`(?s)\n\[?\d{4}-\d\d-\d\d[ T]\d\d:.*`)
)

// refusal is the reason in what Envoy wrote to stderr: behind the last
// constraint failure when there is one (the dump of the configuration stands
// before it), else what follows "error initializing configuration".
func refusal(stderr, file string) string {
	text := debugPrefix.ReplaceAllString(stderr, "")
	if m := critical.FindStringSubmatch(text); m != nil {
		text = nextLogLine.ReplaceAllString(m[1], "")
	}
	if i := strings.LastIndex(text, constraint); i >= 0 {
		text = strings.TrimSpace(text[i+len(constraint):])
		text = strings.TrimSuffix(text, ")")
	}
	text = wholeConfig.ReplaceAllString(text, "")
	text = strings.ReplaceAll(text, file, "the configuration")
	text = strings.Join(strings.Fields(text), " ")
	if text == "" {
		return "Envoy refused the configuration without a reason"
	}
	return text
}

// lastLines is the last n lines of s that are not blank, joined by "; ".
func lastLines(s string, n int) string {
	var lines []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "; ")
}
