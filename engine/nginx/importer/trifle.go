package importer

import (
	"strings"

	"example.com/meshtui/engine/nginx/conf"
)

// trifles is what else a location says of its upstream: little of it is
// anything to Envoy.
func (im *importer) trifles(f *forwarding) {
	if d := im.of(f, "http_version"); d != nil {
		if d.Arg(0) == "1.0" {
			im.none(d, "Envoy speaks HTTP/1.1 with its upstreams", "few servers mind")
		} else {
			im.moot(d) // what Envoy speaks anyway
		}
	}
	if d := im.of(f, "buffering"); d != nil && d.Arg(0) == "off" {
		im.moot(d) // Envoy never holds an answer back
	} else if d != nil {
		im.none(d, "nginx takes the answer off the upstream as fast as it can and keeps it for a slow client; Envoy reads no faster than the client does", "")
	}
	if d := im.of(f, "request_buffering"); d != nil {
		im.requestBuffering(f, d)
	}
	im.cookies(f)
	im.locations(f)
	if d := im.of(f, "pass_request_body"); d != nil && d.Arg(0) == "off" {
		im.none(d, "Envoy passes the body on", "")
	} else if d != nil {
		im.moot(d)
	}
	if d := im.of(f, "pass_request_headers"); d != nil && d.Arg(0) == "off" {
		im.none(d, "Envoy passes the headers on", "name those to take away in request_headers_to_remove")
	} else if d != nil {
		im.moot(d)
	}
	if d := im.of(f, "method"); d != nil {
		im.none(d, "Envoy's routes change no method", "the header_mutation filter sets :method")
	}
	if d := im.of(f, "intercept_errors"); d != nil && d.Arg(0) == "on" {
		im.none(d, "Envoy's own answers can be mapped, an upstream's cannot", "the custom_response filter replaces answers of an upstream")
	} else if d != nil {
		im.moot(d)
	}
	if d := im.of(f, "ignore_client_abort"); d != nil && d.Arg(0) == "on" {
		im.none(d, "Envoy drops the upstream's request when the client is gone", "")
	} else if d != nil {
		im.moot(d)
	}
}

// requestBuffering: the buffer filter, which holds the size limit, takes the body
// in before the upstream hears of it, as nginx does by itself.
func (im *importer) requestBuffering(f *forwarding, d *conf.Directive) {
	if d.Arg(0) != "off" {
		im.moot(d)
		return
	}
	if limit, _ := im.bodyLimit(f.loc); limit == 0 {
		im.moot(d) // there is no buffer in the way
		return
	}
	im.none(d, "the buffer filter, which holds client_max_body_size, takes the whole body in first", "take the filter off this route (BufferPerRoute disabled: true) if the upstream bounds its bodies itself")
}

// cookies and locations are what nginx rewrites in an answer. Where it only
// follows a rewritten path, Envoy has no such thing.
func (im *importer) cookies(f *forwarding) {
	for _, name := range []string{"cookie_domain", "cookie_path", "cookie_flags"} {
		for _, d := range im.inherited(f.loc, f.family+"_"+name) {
			if d.Arg(0) == "off" {
				im.moot(d)
				continue
			}
			im.none(d, "Envoy does not look into Set-Cookie", "let the upstream set it; or the lua filter")
		}
	}
}

func (im *importer) locations(f *forwarding) {
	ds := im.inherited(f.loc, f.family+"_redirect")
	if len(ds) == 0 {
		im.ownLocations(f)
	}
	for _, d := range ds {
		if d.Arg(0) == "off" {
			im.moot(d)
			continue
		}
		if d.Arg(0) == "default" && f.action.GetPrefixRewrite() == "" && f.action.GetRegexRewrite() == nil && f.action.GetHostRewriteLiteral() == "" {
			im.moot(d)
			continue
		}
		im.none(d, "Envoy does not rewrite the Location of an answer", "let the upstream answer with the outer address (X-Forwarded-Host tells it); or the lua filter")
	}
}

// ownLocations is proxy_redirect by itself: an upstream that hears its own name as
// Host answers with it in Location, and nginx writes the outer path instead. One
// that hears the client's Host does not.
func (im *importer) ownLocations(f *forwarding) {
	if f.family != "proxy" || strings.Contains(f.pass.Arg(0), "$") || f.action.GetHostRewriteLiteral() == "" {
		return
	}
	instead := "pass the client's Host on (proxy_set_header Host $host), and let the upstream answer with the outer path; or the lua filter"
	if rewritten := f.action.GetPrefixRewrite(); rewritten != "" {
		im.approx(f.pass, at(f.action, "prefix_rewrite"), "of a Location in the upstream's answer nginx turns "+f.pass.Arg(0)+" into the location's name; Envoy lets the inner address through to the client", instead)
		return
	}
	if !im.relocated {
		im.relocated = true
		im.approx(f.pass, at(f.action, "host_rewrite_literal"), "of a Location in the upstream's answer nginx takes "+f.pass.Arg(0)+" off; Envoy lets the inner address through to the client, here and wherever the upstream hears its own name as Host", instead)
	}
}
