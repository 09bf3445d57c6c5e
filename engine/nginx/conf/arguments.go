package conf

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"example.com/meshtui/engine/mesh"
)

// impossible reports arguments that nginx refuses the whole file for, of the
// directives that decide who is let in: what is left out with them would let
// everybody in.
func (c *Config) impossible(d *Directive) {
	if d.Name == "return" && d.within("stream") {
		return // there it takes any text
	}
	for _, a := range d.Args {
		if why := wrongArgument(d.Name, a, len(d.Args)); why != "" {
			c.warn(mesh.Finding{Severity: mesh.Error, Rule: "nginx-strict", File: d.File, Line: d.Line,
				Message: d.Name + " " + a + ": " + why, Hint: "nginx -t refuses the file"})
			return
		}
	}
	if d.Name != "geo" || slices.ContainsFunc(d.Block, func(in *Directive) bool { return in.Name == "ranges" }) {
		return
	}
	for _, in := range d.Block {
		if _, ok := Network(in.Name); !ok && !slices.Contains([]string{"default", "delete", "proxy", "proxy_recursive", "include"}, in.Name) {
			c.warn(mesh.Finding{Severity: mesh.Error, Rule: "nginx-strict", File: in.File, Line: in.Line,
				Message: in.Name + " is no network", Hint: "nginx -t refuses the file"})
		}
	}
}

// within reports whether a block of that name is around the directive.
func (d *Directive) within(block string) bool {
	for d = d.Parent; d != nil; d = d.Parent {
		if d.Name == block {
			return true
		}
	}
	return false
}

// wrongArgument says why nginx does not take an argument of a directive that has so
// many; "" where it does, or where it is not known here.
func wrongArgument(name, a string, of int) string {
	oneOf := func(words ...string) string {
		if slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, a) }) {
			return ""
		}
		return "it takes one of " + strings.Join(words, ", ")
	}
	switch name {
	case "allow", "deny":
		if _, ok := Network(a); a != "all" && a != "unix:" && !ok {
			return "it takes all, unix:, an address or a network"
		}
	case "satisfy":
		return oneOf("all", "any")
	case "ssl_verify_client":
		return oneOf("on", "off", "optional", "optional_no_ca")
	case "limit_except":
		return oneOf("GET", "HEAD", "POST", "PUT", "DELETE", "MKCOL", "COPY", "MOVE", "OPTIONS", "PROPFIND", "PROPPATCH", "LOCK", "UNLOCK", "PATCH")
	case "return":
		if status, err := strconv.Atoi(a); of == 1 && !strings.Contains(a, "$") && !strings.HasPrefix(a, "http://") && !strings.HasPrefix(a, "https://") && (err != nil || status < 0 || status > 999) {
			return "it takes a status, or an address"
		}
	}
	return ""
}

// fold writes the words that nginx compares without case as the rest of the program
// compares them. What is no directive but a line of a table stays.
func (d *Directive) fold() {
	if d.Parent != nil && slices.Contains([]string{"map", "geo", "split_clients", "types", "charset_map"}, d.Parent.Name) {
		return
	}
	switch {
	case d.Name == "limit_except":
		for i, a := range d.Args {
			d.Args[i] = strings.ToUpper(a)
		}
	case len(d.Args) == 1 && (d.Name == "satisfy" || d.Name == "ssl_verify_client" || strings.EqualFold(d.Args[0], "on") || strings.EqualFold(d.Args[0], "off")):
		d.Args[0] = strings.ToLower(d.Args[0])
	}
}

// Network is an address (a network of one) or a network, as allow, deny and geo have
// it; ok is false for what nginx takes for neither. Zeros may stand before a number.
func Network(s string) (n netip.Prefix, ok bool) {
	address, bits, network := strings.Cut(s, "/")
	if !strings.Contains(address, ":") {
		parts := strings.Split(address, ".")
		for i, part := range parts {
			if part != "" {
				parts[i] = strings.TrimLeft(part[:len(part)-1], "0") + part[len(part)-1:]
			}
		}
		address = strings.Join(parts, ".")
	}
	a, err := netip.ParseAddr(address)
	if err != nil || a.Zone() != "" {
		return n, false
	}
	length := a.BitLen()
	if network {
		if length, err = strconv.Atoi(bits); err != nil || length < 0 || strings.ContainsAny(bits, "+-") {
			return n, false
		}
	}
	n = netip.PrefixFrom(a, length)
	return n, n.IsValid()
}
