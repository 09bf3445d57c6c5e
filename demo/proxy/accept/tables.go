package accept

import (
	"maps"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// asTheyAre are messages that are taken as they are: all of them is done, or
// nothing in them can change an answer where they are let in.
var asTheyAre = map[protoreflect.FullName]bool{
	"google.protobuf.BoolValue": true, "google.protobuf.UInt32Value": true, "google.protobuf.UInt64Value": true,

	"envoy.config.core.v3.RuntimeFractionalPercent":                     true, // there is no runtime: the default counts
	"envoy.config.listener.v3.ListenerFilterChainMatchPredicate":        true,
	"envoy.config.route.v3.RouteMatch.GrpcRouteMatchOptions":            true,
	"envoy.config.route.v3.RouteMatch.TlsContextMatchOptions":           true,
	"envoy.config.route.v3.RouteAction.MaxStreamDuration":               true,
	"envoy.config.route.v3.RouteAction.HashPolicy.ConnectionProperties": true,
	"envoy.config.route.v3.RouteAction.HashPolicy.QueryParameter":       true,
	"envoy.config.route.v3.RouteAction.HashPolicy.Cookie":               true,
	"envoy.type.matcher.v3.RegexMatcher":                                true,
	"envoy.type.matcher.v3.RegexMatchAndSubstitute":                     true,
	"envoy.type.v3.Int64Range":                                          true,

	"envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig":     true,
	"envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig": true,
}

// supported is what is known of each message that a listener or a route
// configuration is made of.
var supported = together(listenerTables(), managerTables(), routeTables())

func together(all ...map[protoreflect.FullName]fields) map[protoreflect.FullName]fields {
	out := map[protoreflect.FullName]fields{}
	for _, each := range all {
		maps.Copy(out, each)
	}
	return out
}
