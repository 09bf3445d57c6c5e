package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"example.com/meshtui/engine"
	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/envoy"
)

func newCheck() *cobra.Command {
	var (
		asJSON bool
		oracle string
	)
	cmd := &cobra.Command{
		Use:   "check PATH",
		Short: "Print what is wrong with a configuration, with line and what to do",
		Long: `Print the findings about a filesystem-xDS folder, an Envoy bootstrap, a config
dump or an nginx.conf.

Exit status: 0 no errors and no warnings (notes do not count), 1 findings,
2 it could not be read.`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			fs, err := checkPath(a[0])
			if err != nil {
				return &exitError{status: 2, err: err}
			}
			if oracle != "" {
				said, err := askEnvoy(cmd.Context(), oracle, a[0])
				if err != nil {
					return &exitError{status: 2, err: err}
				}
				fs = append(fs, said...)
			}
			if err := printFindings(cmd.OutOrStdout(), fs, asJSON); err != nil {
				return &exitError{status: 2, err: err}
			}
			if mesh.Worst(fs) >= mesh.Warning {
				return &exitError{status: 1}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a finding")
	cmd.Flags().StringVar(&oracle, "envoy", "", "also let this Envoy validate it (a bootstrap only: Envoy does not read the files of a folder)")
	return cmd
}

// askEnvoy is what `envoy --mode validate` says of a bootstrap: nothing, or its
// first error. It fails on anything else than a bootstrap, and when Envoy cannot
// be asked.
func askEnvoy(ctx context.Context, program, path string) ([]mesh.Finding, error) {
	opened, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	if opened.Kind != files.Bootstrap {
		return nil, fmt.Errorf("--envoy: %s is no bootstrap, and Envoy validates nothing else", path)
	}
	b, err := envoy.Find(program)
	if err != nil {
		return nil, err
	}
	config, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	err = b.Validate(ctx, config)
	var invalid *envoy.InvalidError
	if errors.As(err, &invalid) {
		return []mesh.Finding{{Severity: mesh.Error, Rule: "envoy-validate", File: path, Message: invalid.Reason,
			Hint: fmt.Sprintf("Envoy %s refuses to start with it", b.Version)}}, nil
	}
	return nil, err
}

// checkPath is everything there is to say about what lies at path: what could
// not be read, what was not carried over, and what the checks find.
func checkPath(path string) ([]mesh.Finding, error) {
	opened, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	return engine.Check(opened), nil
}

// findingJSON is a finding as `check --json` prints it.
type findingJSON struct {
	Severity string `json:"severity"`
	Rule     string `json:"rule,omitempty"`
	Type     string `json:"type,omitempty"`
	Resource string `json:"resource,omitempty"`
	Path     string `json:"path,omitempty"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
}

func printFindings(out io.Writer, fs []mesh.Finding, asJSON bool) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for _, f := range fs {
		if !asJSON {
			if _, err := fmt.Fprintln(out, f); err != nil {
				return err
			}
			continue
		}
		j := findingJSON{Severity: f.Severity.String(), Rule: f.Rule, Path: f.Path, File: f.File,
			Line: f.Line, Column: f.Column, Message: f.Message, Hint: f.Hint}
		if !f.Key.IsZero() {
			j.Type, j.Resource = f.Key.Type.String(), f.Key.Name
		}
		if err := enc.Encode(j); err != nil {
			return err
		}
	}
	return nil
}
