// Package mesh holds the model that everything else works on: Envoy's own v3
// resources, their names, how they refer to each other and how two sets of
// them differ.
//
// A Resource is one Listener, RouteConfiguration, Cluster,
// ClusterLoadAssignment or Secret with the YAML text that it came from. A Mesh
// is an immutable set of them. Nothing here reads files, knows a network or a
// screen; the package imports nothing else of this module.
//
// A field path, wherever one appears in this module, is written in the proto's
// own snake_case names with list indexes in brackets and without a leading dot:
//
//	filter_chains[0].filters[0].typed_config.rds.route_config_name
//
// It steps through a google.protobuf.Any as if the packed message stood there,
// exactly as the YAML does. A map key that holds a dot or a bracket is quoted in
// brackets: typed_extension_protocol_options["envoy…HttpProtocolOptions"].
package mesh
