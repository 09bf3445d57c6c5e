package importer

import (
	"strconv"
	"strings"

	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
)

// refusers are directives that turn requests away, which no other location can be
// trusted to do. Modules of others are known by their names.
var refusers = set("deny", "internal", "limit_except", "auth_basic", "auth_request", "auth_jwt", "auth_digest", "auth_ldap", "auth_pam",
	"auth_gss", "auth_spnego", "auth_oidc", "access_by_lua", "access_by_lua_block", "access_by_lua_file", "secure_link_secret", "js_access")

// refuses reports whether nginx turns requests away in a block, or in one within
// it: what is not carried over of such a block must not be open in Envoy.
func (im *importer) refuses(block *conf.Directive) bool {
	for _, name := range []string{"deny", "auth_basic", "auth_request", "auth_jwt"} {
		for _, d := range im.inherited(block, name) {
			if d.Arg(0) != "off" {
				return true
			}
		}
	}
	return refusing(block)
}

// refusing is refuses for what stands within the braces themselves.
func refusing(block *conf.Directive) bool {
	for _, d := range block.Block {
		switch {
		case refusers[d.Name] && d.Arg(0) != "off", d.Name == "return" && denial(d), d.IsBlock && refusing(d):
			return true
		}
	}
	return false
}

// denial reports whether a return turns the client away: the codes from 400 to
// 499, 444 among them. A 503 is a server that rests.
func denial(d *conf.Directive) bool {
	code, err := strconv.Atoi(strings.TrimSpace(d.Arg(0)))
	return err == nil && code >= 400 && code < 500
}

// closedToAll reports whether the access rules of a block let nobody in.
func (im *importer) closedToAll(block *conf.Directive) bool {
	rules := im.accessRules(block)
	return len(rules) > 0 && rules[0].Name == "deny" && rules[0].Arg(0) == "all"
}

// spelledTwice are the bytes of a location's name that a client may send as they
// are or as %XX, and Envoy tells apart: what RFC 3986 reserves, and all beyond
// ASCII, whose escapes may be in small letters.
const spelledTwice = "!$&'()*+,;=:@[]^|"

// otherSpellings tells of a location that refuses, and has a name which a client
// can spell so that Envoy does not know it.
func (w *writer) otherSpellings(l *location) {
	special := strings.ContainsAny(l.text, spelledTwice) || strings.ContainsFunc(l.text, func(r rune) bool { return r > 0x7e })
	if l.form == byRegex || !special || strings.HasPrefix(l.text, "@") || !w.refuses(l.d) {
		return
	}
	w.say(nginx.None, l.d, "requests that nginx refuses here go on when their path spells the name with other escapes (%40 for @, small letters in %c3): nginx decodes it, Envoy compares it as it was sent",
		"give the location a name of plain letters, or refuse these spellings with a route of their own before all others", place{})
}

// refusing is the first location of a server that refuses requests and has a
// slash within its name; nil for none.
func (im *importer) refusing(server *conf.Directive) *conf.Directive {
	for _, d := range server.Block {
		if d.Name != "location" || len(d.Args) == 0 {
			continue
		}
		if name := d.Args[len(d.Args)-1]; strings.LastIndexByte(name, '/') > 0 && im.refuses(d) {
			return d
		}
	}
	return nil
}
