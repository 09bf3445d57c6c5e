package importer

import (
	"slices"
	"strconv"
	"strings"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/nginx/conf"
)

// ownAnswers are what Envoy answers by itself. An upstream that cannot be reached,
// or goes away, is a 502 to nginx where Envoy says 503. Envoy takes the first
// mapper that fits, so that this one stands before those for a status.
func (im *importer) ownAnswers(s *site) {
	lost := &hcmv3.ResponseMapper{
		Filter: &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ResponseFlagFilter{
			ResponseFlagFilter: &accesslogv3.ResponseFlagFilter{Flags: []string{"UF", "UC", "UR", "UH", "LR"}}}},
		StatusCode: wrapperspb.UInt32(502)}
	s.manager.LocalReplyConfig = &hcmv3.LocalReplyConfig{Mappers: []*hcmv3.ResponseMapper{lost}}
	im.errorPages(s, lost)
}

// errorPages is error_page where it changes the status of such an answer. Its
// pages are files, or other locations, which Envoy's answers do not come from.
// lost is the answer for an upstream that is not there.
func (im *importer) errorPages(s *site, lost *hcmv3.ResponseMapper) {
	for _, v := range s.servers {
		for _, d := range im.inherited(v.d, "error_page") {
			n := len(d.Args) - 1
			if n < 1 {
				continue
			}
			change, codes := "", d.Args[:n]
			if strings.HasPrefix(codes[len(codes)-1], "=") {
				change, codes = strings.TrimPrefix(codes[len(codes)-1], "="), codes[:len(codes)-1]
			}
			to, err := strconv.ParseUint(change, 10, 32)
			if err != nil || to < 400 || to > 599 || !im.everywhere(s, d) {
				im.none(d, "Envoy has no file and no other location to answer with: its own answer stays", "give local_reply_config.mappers a body (inline_string, or a file) for these statuses")
				continue
			}
			for _, code := range codes {
				from, err := strconv.ParseUint(code, 10, 32)
				if err != nil {
					continue
				}
				if from == 502 && lost.GetStatusCode().GetValue() == 502 {
					lost.StatusCode = wrapperspb.UInt32(uint32(to))
				}
				m := statusMapper(uint32(from), uint32(to))
				s.manager.LocalReplyConfig.Mappers = append(s.manager.LocalReplyConfig.Mappers, m)
				im.approx(d, at(m, "status_code"), "the status changes; the page does not come", "give the mapper a body")
			}
		}
	}
}

// everywhere reports whether an error_page holds in all servers of an address: a
// mapper does.
func (im *importer) everywhere(s *site, d *conf.Directive) bool {
	return !slices.ContainsFunc(s.servers, func(v *server) bool {
		return !slices.ContainsFunc(im.inherited(v.d, "error_page"), func(o *conf.Directive) bool { return o.String() == d.String() })
	})
}

func statusMapper(from, to uint32) *hcmv3.ResponseMapper {
	return &hcmv3.ResponseMapper{StatusCode: wrapperspb.UInt32(to),
		Filter: &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_StatusCodeFilter{StatusCodeFilter: &accesslogv3.StatusCodeFilter{
			Comparison: &accesslogv3.ComparisonFilter{Op: accesslogv3.ComparisonFilter_EQ, Value: &corev3.RuntimeUInt32{DefaultValue: from, RuntimeKey: "error_page." + strconv.Itoa(int(from))}}}}}}
}

func internalError() *typev3.HttpStatus {
	return &typev3.HttpStatus{Code: typev3.StatusCode_InternalServerError}
}

// also is a list of header names with one more.
func also(l *matcherv3.ListStringMatcher, name string) *matcherv3.ListStringMatcher {
	if l == nil {
		l = &matcherv3.ListStringMatcher{}
	}
	l.Patterns = append(l.Patterns, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: name}, IgnoreCase: true})
	return l
}
