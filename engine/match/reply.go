package match

import (
	"strconv"
	"strings"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"example.com/meshtui/engine/match/routes"
)

// answered is what may still change an answer that Envoy gives itself:
// local_reply_config, and response headers that say where a redirect goes.
func (t *trip) answered() {
	w := &t.way
	if w.Manager == nil || w.Status == 0 && len(w.Fates) == 0 {
		return
	}
	t.located()
	config := w.Manager.GetLocalReplyConfig()
	for i := range w.Fates {
		if f := &w.Fates[i]; f.Status != 0 {
			if m, _, sure := t.mapper(config, f.Status); sure && m.GetStatusCode() != nil {
				f.Status = int(m.GetStatusCode().GetValue())
			}
		}
	}
	if w.Status != 0 {
		t.rewritten(config)
	}
}

// rewritten gives the answer the form that local_reply_config has for it.
func (t *trip) rewritten(config *hcmv3.LocalReplyConfig) {
	w := &t.way
	m, at, sure := t.mapper(config, w.Status)
	name := "local_reply_config.mappers[" + strconv.Itoa(at) + "]"
	if !sure {
		t.caveat(name + " may give this answer another status or body: its filter is not followed here")
		return
	}
	if m.GetStatusCode() != nil && int(m.GetStatusCode().GetValue()) != w.Status {
		why := name + " makes " + itoa(m.GetStatusCode().GetValue()) + " of " + strconv.Itoa(w.Status)
		if w.Reason != "" {
			why = w.Reason + "; " + why
		}
		w.Status, w.Reason = int(m.GetStatusCode().GetValue()), why
	}
	if w.Location != "" && sets(m.GetHeadersToAdd(), "location") {
		t.caveat(name + " sets the header Location over the one that is told here")
	}
	if m.GetBody() != nil {
		w.Body = m.GetBody().GetInlineString() + string(m.GetBody().GetInlineBytes())
		if w.Body == "" {
			t.caveat("the body that " + name + " gives the answer is not known here")
		}
	}
	if m.GetBodyFormatOverride() != nil || config.GetBodyFormat() != nil {
		w.Body = ""
		t.caveat("local_reply_config gives the answer a body by a format that is not followed here")
	}
}

// mapper is the first one whose filter takes an answer with this status; nil when
// none does. Where it cannot be told whether one does, it is that one and not sure.
func (t *trip) mapper(config *hcmv3.LocalReplyConfig, status int) (m *hcmv3.ResponseMapper, at int, sure bool) {
	for i, m := range config.GetMappers() {
		switch t.logs(m.GetFilter(), status) {
		case yes:
			return m, i, true
		case maybe:
			return m, i, false
		}
	}
	return nil, 0, true
}

// verdict is an answer to a question that may be out of reach here.
type verdict uint8

const (
	no verdict = iota
	yes
	maybe
)

func verdictOf(holds bool) verdict {
	if holds {
		return yes
	}
	return no
}

// logs evaluates an access log filter, by which mappers choose answers.
func (t *trip) logs(f *accesslogv3.AccessLogFilter, status int) verdict {
	switch by := f.GetFilterSpecifier().(type) {
	case *accesslogv3.AccessLogFilter_StatusCodeFilter:
		return t.compares(by.StatusCodeFilter.GetComparison(), status)
	case *accesslogv3.AccessLogFilter_NotHealthCheckFilter:
		return yes
	case *accesslogv3.AccessLogFilter_HeaderFilter:
		return verdictOf(asks([]*routev3.HeaderMatcher{by.HeaderFilter.GetHeader()}, t.heard()))
	case *accesslogv3.AccessLogFilter_AndFilter:
		out := yes
		for _, each := range by.AndFilter.GetFilters() {
			switch t.logs(each, status) {
			case no:
				return no
			case maybe:
				out = maybe
			}
		}
		return out
	case *accesslogv3.AccessLogFilter_OrFilter:
		out := no
		for _, each := range by.OrFilter.GetFilters() {
			switch t.logs(each, status) {
			case yes:
				return yes
			case maybe:
				out = maybe
			}
		}
		return out
	}
	return maybe
}

// heard is the request as local_reply_config sees it: of one that the HTTP/1 codec
// refused there are no headers.
func (t *trip) heard() *routes.Request {
	if t.way.Action == Refused && strings.HasPrefix(t.way.Detail, "http1.") {
		return &routes.Request{Path: "/"}
	}
	return &t.way.Seen
}

func (t *trip) compares(c *accesslogv3.ComparisonFilter, status int) verdict {
	with := float64(c.GetValue().GetDefaultValue())
	if v, set := t.runtime[c.GetValue().GetRuntimeKey()]; set {
		with = v
	}
	switch has := float64(status); c.GetOp() {
	case accesslogv3.ComparisonFilter_EQ:
		return verdictOf(has == with)
	case accesslogv3.ComparisonFilter_GE:
		return verdictOf(has >= with)
	case accesslogv3.ComparisonFilter_LE:
		return verdictOf(has <= with)
	case accesslogv3.ComparisonFilter_NE:
		return verdictOf(has != with)
	}
	return maybe
}

// responders are the levels of a route table that change the headers of answers.
type responder interface {
	GetResponseHeadersToAdd() []*corev3.HeaderValueOption
	GetResponseHeadersToRemove() []string
}

// located notes where a route's response headers change the Location that Envoy
// itself gives. The redirect of require_tls is none of a route's.
func (t *trip) located() {
	w := &t.way
	if w.Location == "" || !w.Matched || t.hit.TLSRequired {
		return
	}
	for _, level := range []responder{w.Entry, w.VHost, w.Config} {
		removes := false
		for _, name := range level.GetResponseHeadersToRemove() {
			removes = removes || strings.EqualFold(name, "location")
		}
		if removes || sets(level.GetResponseHeadersToAdd(), "location") {
			t.caveat("response_headers_to_add or _to_remove changes the header Location, which is not followed here")
			return
		}
	}
}

// sets reports whether a header is changed that an answer has already.
func sets(add []*corev3.HeaderValueOption, name string) bool {
	for _, o := range add {
		if strings.EqualFold(o.GetHeader().GetKey(), name) && o.GetAppendAction() != corev3.HeaderValueOption_ADD_IF_ABSENT {
			return true
		}
	}
	return false
}
