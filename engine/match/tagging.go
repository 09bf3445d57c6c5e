package match

import (
	"net/netip"
	"strings"

	taggingv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ip_tagging/v3"
)

const taggingType = httpFilters + "ip_tagging.v3.IPTagging"

// tag does what the filters do that name the networks a client is of. Envoy has
// the route chosen anew when they change a header: then it answers true.
func (t *trip) tag() (anew bool) {
	var p *passage
	for i := range t.before {
		f := &t.before[i]
		if f.kind != taggingType || f.remote {
			continue
		}
		if p == nil { // which filters are on, the first route says for all
			first := t.table.compiled().Act(t.hit, &t.way.Seen)
			p = t.passage(&first)
		}
		if p.skips(f) {
			continue
		}
		if c, ok := unpack(f.config).(*taggingv3.IPTagging); ok && t.tagBy(c) {
			anew = true
		}
	}
	t.way.Seen.Headers = t.headers.list
	return anew
}

func (t *trip) tagBy(c *taggingv3.IPTagging) (changed bool) {
	internal := t.headers.value("x-envoy-internal") == "true"
	switch c.GetRequestType() {
	case taggingv3.IPTagging_INTERNAL:
		if !internal {
			return false
		}
	case taggingv3.IPTagging_EXTERNAL:
		if internal {
			return false
		}
	}
	if c.GetIpTagsDatasource() != nil {
		t.caveat("ip_tagging reads its networks from elsewhere (ip_tags_datasource), and they are not known here")
		return false
	}
	tags := tagsOf(c, t.remote)
	header := c.GetIpTagHeader()
	sanitize := header.GetAction() == taggingv3.IPTagging_IpTagHeader_SANITIZE
	if len(tags) == 0 {
		if changed = header != nil && sanitize && t.headers.has(header.GetHeader()); changed {
			t.headers.remove(header.GetHeader())
		}
		return changed
	}
	if len(tags) > 1 {
		t.caveat("the client is of " + list(tags) + ", which ip_tagging joins in no certain order")
	}
	joined := strings.Join(tags, ",")
	switch {
	case header == nil:
		appendTo(t.headers, "x-envoy-ip-tags", joined, ",")
	case sanitize:
		t.headers.set(header.GetHeader(), joined)
	default:
		appendTo(t.headers, header.GetHeader(), joined, ",")
	}
	return true
}

// tagsOf are the names of the networks that an address is of, in the order of
// the configuration.
func tagsOf(c *taggingv3.IPTagging, client netip.Addr) []string {
	var tags []string
	for _, tag := range c.GetIpTags() {
		for _, cidr := range tag.GetIpList() {
			if p, ok := prefix(cidr); ok && p.Contains(client) {
				tags = append(tags, tag.GetIpTagName())
				break
			}
		}
	}
	return tags
}
