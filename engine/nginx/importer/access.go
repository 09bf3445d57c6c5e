package importer

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"

	"example.com/meshtui/engine/nginx/conf"
)

// directPeer is who holds the other end of the connection.
func directPeer(c *corev3.CidrRange) *rbacv3.Principal {
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_DirectRemoteIp{DirectRemoteIp: c}}
}

// access is what allow and deny say that hold in block, nil where there are none.
// nginx takes the first that fits, and lets in whom none fits. from are the
// directives that it is made of; what cannot be said is reported. peer says
// which address is meant.
func (im *importer) access(block *conf.Directive, peer func(*corev3.CidrRange) *rbacv3.Principal) (rules *rbacv3.RBAC, from []*conf.Directive) {
	var listed []rule
	var denied []*rbacv3.Principal
	open := true // whom no rule fits
	only := true // nothing but denials so far
	for _, d := range im.accessRules(block) {
		who := &rbacv3.Principal{Identifier: &rbacv3.Principal_Any{Any: true}}
		if d.Arg(0) != "all" {
			c := cidrOf(d.Arg(0))
			if c == nil {
				im.none(d, "Envoy tells clients by addresses and networks alone", "")
				continue
			}
			who = peer(c)
		}
		from = append(from, d)
		switch all := d.Arg(0) == "all"; {
		case !open: // an earlier rule fits everybody
		case all && d.Name == "deny":
			open, only = false, false
		case all:
			listed, open = append(listed, rule{who, true}), false
		case d.Name == "deny":
			listed, denied = append(listed, rule{who, false}), append(denied, who)
		default:
			listed, only = append(listed, rule{who, true}), false
		}
	}
	switch {
	case from == nil:
		return nil, nil
	case only && len(denied) == 0: // allow all
		return nil, from
	case only:
		return policy(rbacv3.RBAC_DENY, denied), from
	case open:
		listed = append(listed, rule{anybody(), true})
	}
	allowed := letIn(listed)
	if len(allowed) == 0 { // deny all
		return closed(), from
	}
	return policy(rbacv3.RBAC_ALLOW, allowed), from
}

// rule is one allow or deny.
type rule struct {
	who   *rbacv3.Principal
	allow bool
}

// fewRules is how many rules are said with the denials before each allow written
// out.
const fewRules = 32

// letIn is whom the rules allow, the first that fits decides. Many are halved: whom
// the first half allows, and those of the second half whom the first does not
// know. Written out they would grow with the square of their number, and nested
// one in the other they would be deeper than Envoy reads.
func letIn(rules []rule) (allowed []*rbacv3.Principal) {
	if len(rules) > fewRules {
		half := len(rules) / 2
		var known []*rbacv3.Principal
		for _, r := range rules[:half] {
			known = append(known, r.who)
		}
		allowed = letIn(rules[:half])
		if rest := letIn(rules[half:]); len(rest) > 0 {
			allowed = append(allowed, but(anyOf(rest), known))
		}
		return allowed
	}
	var denied []*rbacv3.Principal
	for _, r := range rules {
		if r.allow {
			allowed = append(allowed, but(r.who, denied))
		} else {
			denied = append(denied, r.who)
		}
	}
	return allowed
}

// accessRules are allow and deny in the order of the file: nginx inherits them
// where a block has none of either.
func (im *importer) accessRules(block *conf.Directive) (out []*conf.Directive) {
	for b := block; b != nil && out == nil; b = b.Parent {
		if in := im.children(b); len(in["allow"])+len(in["deny"]) == 0 {
			continue
		}
		for _, d := range b.Block {
			if d.Name == "allow" || d.Name == "deny" {
				out = append(out, d)
			}
		}
	}
	return out
}

// but is who, less those that are denied before.
func but(who *rbacv3.Principal, denied []*rbacv3.Principal) *rbacv3.Principal {
	if len(denied) == 0 {
		return who
	}
	not := &rbacv3.Principal{Identifier: &rbacv3.Principal_NotId{NotId: &rbacv3.Principal{Identifier: &rbacv3.Principal_OrIds{OrIds: &rbacv3.Principal_Set{Ids: append([]*rbacv3.Principal(nil), denied...)}}}}}
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_AndIds{AndIds: &rbacv3.Principal_Set{Ids: []*rbacv3.Principal{who, not}}}}
}

func policy(action rbacv3.RBAC_Action, who []*rbacv3.Principal) *rbacv3.RBAC {
	return &rbacv3.RBAC{Action: action, Policies: map[string]*rbacv3.Policy{"access": {
		Permissions: []*rbacv3.Permission{{Rule: &rbacv3.Permission_Any{Any: true}}}, Principals: who}}}
}
