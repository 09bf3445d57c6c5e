package check

// rule is one thing that is looked for.
type rule struct {
	id  string // stands in Finding.Rule, and stays
	run func(*checker)
}

// rules are all of them, by theme. Mesh runs them in this order; the order of
// findings does not depend on it.
var rules = []rule{
	// validate.go
	{"validation", validation},
	{"unchecked-extension", unchecked},

	// references.go
	{"dangling-reference", danglingReferences},
	{ForeignReference, foreignReferences},
	{"unused", unused},

	// vhds.go, scopes.go, extensions.go
	{"virtual-host-name", virtualHostName},
	{"no-joined-host", noJoinedHost},
	{"no-scopes", noScopes},
	{"scope-route", scopeRoute},
	{"duplicate-scope", duplicateScope},
	{"scope-key", scopeKey},
	{"extension-type", extensionType},
	{"default-config", defaultConfig},

	// listeners.go
	{"resource-name", resourceName},
	{"listener-address", listenerAddress},
	{"listener-ip", listenerIP},
	{"filter-chains", filterChains},
	{"empty-filter-chain", emptyFilterChain},
	{"duplicate-chain-match", duplicateChainMatch},
	{"missing-inspector", missingInspector},
	{"duplicate-address", duplicateAddress},
	{"privileged-port", privilegedPort},
	{"pipe-path", pipePath},
	{"api-listener", apiListener},

	// grpc.go
	{"grpc-listener", grpcListener},
	{"grpc-route", grpcRoute},
	{"grpc-cluster", grpcCluster},
	{"grpc-endpoints", grpcEndpoints},

	// certificates.go
	{"missing-file", missingFile},
	{"certificate-pair", certificatePair},
	{"certificate-expiry", certificateExpiry},

	// filters.go
	{"missing-router", missingRouter},
	{"router-not-last", routerNotLast},
	{"untyped-filter", untypedFilter},
	{"terminal-not-last", terminalNotLast},
	{"server-certificate", serverCertificate},
	{"peer-unverified", peerUnverified},
	{"bad-regex", badRegex},

	// routes.go, shadow.go
	{"no-virtual-host", noVirtualHost},
	{"duplicate-domain", duplicateDomain},
	{"duplicate-virtual-host", duplicateVirtualHost},
	{"domain-pattern", domainPattern},
	{"domain-port", domainPort},
	{"domain-host", domainHost},
	{"cluster-weights", clusterWeights},
	{"route-path", routePath},
	{"route-timeout", routeTimeout},
	{"retry-on", retryWithoutReason},
	{"shadowed-route", shadowedRoute},
	{"regex-path", regexPath},
	{"path-template", pathTemplate},
	{"rewrite-group", rewriteGroup},
	{"rewrite-conflict", rewriteConflict},

	// clusters.go
	{"eds-config", edsConfig},
	{"logical-dns", inlineEndpoints},
	{"original-dst", originalDestination},
	{"idle-health-check", idleHealthCheck},

	// endpoints.go
	{"no-endpoints", noEndpoints},
	{"all-unhealthy", allUnhealthy},
	{"host-name", hostName},
	{"duplicate-endpoint", duplicateEndpoint},
	{"endpoint-port", endpointPort},
	{"priority-gap", priorityGap},
}
