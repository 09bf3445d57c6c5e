package conf

import (
	"fmt"
	"slices"
	"strings"

	crossplane "github.com/nginxinc/nginx-go-crossplane"

	"example.com/meshtui/engine/mesh"
)

// strict reports what nginx would not take of a file that can be read. Wrong
// arguments, a missing or a swallowed semicolon, and a name that is nearly one that nginx
// knows (denny) are errors: nginx refuses the file, and what was meant may be a
// rule of access. An unknown directive, a wrong place or a twin is a warning:
// another nginx, with other modules, may know better. It never changes the tree.
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
		switch name, unknown := unknownDirective(p.Message); {
		case unknown && misspelled(name) != "":
			p.Severity, p.Hint = mesh.Error, "did you mean "+misspelled(name)+"?"
		case strings.Contains(p.Message, "number of arguments"):
			p.Severity = mesh.Error
		case strings.Contains(p.Message, "is not terminated by"): // and what follows stands in another block than it seems to
			p.Severity, p.Hint = mesh.Error, "end it with ;"
		}
		c.warn(p)
	}
	for d := range c.All() {
		c.swallowed(d)
		c.impossible(d)
	}
	c.twice(c.Main)
}

// warn adds a warning unless that line has been told of already.
func (c *Config) warn(p mesh.Finding) {
	if !slices.ContainsFunc(c.Problems, func(q mesh.Finding) bool { return q.File == p.File && q.Line == p.Line }) {
		c.Problems = append(c.Problems, p)
	}
}

// unknownDirective is the name in crossplane's words for a directive that it does
// not know.
func unknownDirective(message string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(message, `unknown directive "`)
	name, _, found := strings.Cut(rest, `"`)
	return name, ok && found
}

// meant are directives that a mistake in would change who is let in, or where a
// request goes.
var meant = []string{"allow", "deny", "internal", "satisfy", "auth_basic", "auth_basic_user_file", "auth_request", "limit_except", "limit_req", "limit_conn",
	"listen", "server_name", "location", "return", "rewrite", "proxy_pass", "grpc_pass", "proxy_set_header", "add_header", "upstream", "server",
	"ssl_certificate", "ssl_certificate_key", "ssl_verify_client", "ssl_client_certificate", "ssl_preread", "error_page", "try_files",
	"client_max_body_size", "proxy_next_upstream", "proxy_read_timeout", "proxy_connect_timeout", "split_clients", "root", "include"}

// misspelled is the directive that a name is within one letter of: one too many,
// one missing, another one, or two exchanged; "" for none.
func misspelled(name string) string {
	for _, m := range meant {
		if len(m) > 3 && near(name, m) {
			return m
		}
	}
	return ""
}

func near(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || a == b {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	return a[i+1:] == b[i+1:] || i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}

// unmistakable are directives whose names are hardly ever an argument.
var unmistakable = []string{"server_name", "proxy_pass", "proxy_set_header", "access_log", "error_log", "add_header", "try_files", "fastcgi_pass",
	"ssl_certificate", "ssl_certificate_key", "client_max_body_size", "proxy_http_version", "proxy_read_timeout", "error_page", "listen", "location"}

// swallowed tells of a directive among the arguments of another: the semicolon
// before it is missing.
func (c *Config) swallowed(d *Directive) {
	for _, a := range d.Args {
		if slices.Contains(unmistakable, a) && !quoted(d) {
			c.warn(mesh.Finding{Severity: mesh.Error, Rule: "nginx-strict", File: d.File, Line: d.Line,
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
