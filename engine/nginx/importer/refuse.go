package importer

import (
	"strconv"
	"strings"

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
