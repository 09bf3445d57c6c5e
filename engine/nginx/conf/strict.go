package conf

import (
	"fmt"
	"slices"
	"strings"

	crossplane "github.com/nginxinc/nginx-go-crossplane"

	"example.com/meshtui/engine/mesh"
)

// strict reports, as warnings, what nginx would not take of a file that can be
// read: directives that it does not know, in the wrong place, with too few or
// too many arguments, or twice. It never changes the tree: another nginx, with
// other modules, may know better.
func (c *Config) strict(options crossplane.ParseOptions) {
	options.SkipDirectiveContextCheck, options.SkipDirectiveArgsCheck, options.ErrorOnUnknownDirectives = false, false, true
	options.DirectiveSources = []crossplane.MatchFunc{crossplane.DefaultDirectivesMatchFunc, crossplane.MatchLuaLatest, crossplane.MatchNginxPlusLatest,
		crossplane.MatchHeadersMoreLatest, crossplane.MatchNjsLatest, crossplane.MatchGeoip2Latest, crossplane.MatchOtelLatest}
	payload, err := crossplaned(c.Path, &options)
	if err != nil {
		return // it was told when the file was read
	}
	for _, e := range payload.Errors {
		p := problem(c.Path, e)
		p.Rule, p.Severity = "nginx-strict", mesh.Warning
		c.warn(p)
	}
	for d := range c.All() {
		c.swallowed(d)
	}
	c.twice(c.Main)
}

// warn adds a warning unless that line has been told of already.
func (c *Config) warn(p mesh.Finding) {
	if !slices.ContainsFunc(c.Problems, func(q mesh.Finding) bool { return q.File == p.File && q.Line == p.Line }) {
		c.Problems = append(c.Problems, p)
	}
}

// unmistakable are directives whose names are hardly ever an argument.
var unmistakable = []string{"server_name", "proxy_pass", "proxy_set_header", "access_log", "error_log", "add_header", "try_files", "fastcgi_pass",
	"ssl_certificate", "ssl_certificate_key", "client_max_body_size", "proxy_http_version", "proxy_read_timeout", "error_page", "listen", "location"}

// swallowed warns of a directive among the arguments of another: the semicolon
// before it is missing.
func (c *Config) swallowed(d *Directive) {
	for _, a := range d.Args {
		if slices.Contains(unmistakable, a) && !quoted(d) {
			c.warn(mesh.Finding{Severity: mesh.Warning, Rule: "nginx-strict", File: d.File, Line: d.Line,
				Message: fmt.Sprintf("%s stands among the arguments of %s", a, d.Name), Hint: "put a semicolon before it"})
			return
		}
	}
}

// quoted reports whether a directive has texts for arguments.
func quoted(d *Directive) bool {
	return d.Name == "return" || d.Name == "log_format" || strings.HasSuffix(d.Name, "_by_lua_block") || d.Name == "add_header"
}

// single are directives that nginx takes once in a block.
var single = []string{"root", "alias", "client_max_body_size", "proxy_connect_timeout", "proxy_read_timeout", "proxy_send_timeout", "proxy_http_version",
	"proxy_buffering", "keepalive_timeout", "try_files", "default_type", "gzip", "proxy_pass", "send_timeout", "client_body_timeout", "client_header_timeout"}

// twice warns of what stands twice in a block and may not.
func (c *Config) twice(in []*Directive) {
	seen := map[string]*Directive{}
	for _, d := range in {
		c.twice(d.Block)
		key := ""
		switch {
		case slices.Contains(single, d.Name):
			key = d.Name
		case d.Name == "location" && !strings.HasPrefix(d.Arg(0), "~"): // of expressions nginx takes the first
			key = "location " + strings.TrimPrefix(strings.TrimPrefix(strings.Join(d.Args, " "), "^~"), " ")
		}
		if was := seen[key]; key != "" && was != nil {
			c.warn(mesh.Finding{Severity: mesh.Warning, Rule: "nginx-strict", File: d.File, Line: d.Line,
				Message: fmt.Sprintf("duplicate %s: it stands in %s already", key, was.Place()), Hint: "remove one of them"})
		} else if key != "" {
			seen[key] = d
		}
	}
}
