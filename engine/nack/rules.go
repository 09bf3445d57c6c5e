package nack

import "regexp"

// rules are what is known of Envoy's words, of those of gRPC's xDS client and of
// those of the built-in proxy, the more telling first.
var rules = []rule{
	// every type
	{regexp.MustCompile(`Proto constraint validation failed \((.*)\)`), brokenRules},
	{regexp.MustCompile(`Expected positive duration|Invalid duration`), negativeDuration},
	{regexp.MustCompile(`[Dd]idn't find a registered [\w ]*implementation for (?:name: )?'([^']*)'(?: with type URL: '([^']*)')?`), unknownExtension},
	{regexp.MustCompile(`didn't find a registered load balancer factory implementation for cluster: '[^']*' with names from \[([^\],]*)()`), unknownExtension},
	{regexp.MustCompile(`no filter implementation found for ()"([^"]*)"`), unknownExtension},
	{regexp.MustCompile(`(?:[Ii]nvalid name |[Nn]o such field: '?|Cannot find field: '?)(\w+)`), unknownField},
	{regexp.MustCompile(`(?:Invalid path: |[Uu]nable to read file: |[Ff]ile not found: |^file |existing path in the system: '|filesystem watch for file |from(?: path:)? )(/[^\s']*[^\s',.:])`), missingFile},
	{regexp.MustCompile(`Path "([^"]*)" exceeds maximum UNIX domain socket path size of (\d+)`), longPath},
	{regexp.MustCompile(`malformed IP address: (\S+)`), nameForIP},
	{regexp.MustCompile(`^(?:missing [\])]:|unexpected \)|no argument for repetition operator|invalid repetition size|bad repetition operator|invalid escape sequence|invalid character class|invalid perl operator|invalid named capture group|invalid UTF-8|trailing \\)|invalid regex`), badRegex},

	// listeners
	{regexp.MustCompile(`'([^']*)' has duplicate address '([^']*)'`), duplicateAddress},
	{regexp.MustCompile(`cannot bind '([^']*)': (.*)$`), cannotBind},
	{regexp.MustCompile(`no filter chains specified|no supported filter chains and no default filter chain`), noFilterChains},
	{regexp.MustCompile(`address is necessary|no address field in LDS response`), noAddress},
	{regexp.MustCompile(`filter chain '([^']*)' has the same matching rules defined as '([^']*)'`), duplicateChain},
	{regexp.MustCompile(`multiple filter chains with (?:the same|overlapping) matching rules are defined()()`), duplicateChain},
	{regexp.MustCompile(`non-terminal filter named (\S+)(?: of type \S+)? is the last filter in a (http|network) filter chain`), noTerminalFilter},
	{regexp.MustCompile(`http filter "([^"]*)" is not a (terminal) filter`), noTerminalFilter},
	{regexp.MustCompile(`http filters list is empty()()|http_filters: there is no filter()()`), noTerminalFilter},
	{regexp.MustCompile(`terminal filter named (\S+)(?: of type \S+)? must be the last filter in a (http|network) filter chain`), terminalNotLast},
	{regexp.MustCompile(`http filter "([^"]*)" is a terminal filter but it is not last`), terminalNotLast},

	// routes
	{regexp.MustCompile(`unknown (?:\w+ )?cluster '([^']*)'`), unknownCluster},
	{regexp.MustCompile(`Duplicate entry of domain (\S+) in route (\S*)`), duplicateDomain},
	{regexp.MustCompile(`Only a single (wildcard) domain is permitted in route (\S*)`), duplicateDomain},
	{regexp.MustCompile(`Sum of weights in the weighted_cluster must be greater than 0|has no valid cluster in WeightedCluster action`), noWeight},
	{regexp.MustCompile(`Field '(\w+)' is missing(?: in: (.*))?`), missingField},

	// clusters and endpoints
	{regexp.MustCompile(`cannot create an EDS cluster without an EDS config|EDS config source is not ADS`), noEDSConfig},
	{regexp.MustCompile(`duplicate cluster (\S+) found`), duplicateCluster},
	{regexp.MustCompile(`duplicate endpoint with the same address \[?([^\]\s]+)\]?`), duplicateEndpoint},
	{regexp.MustCompile(`EDS response contains an endpoint with zero weight`), zeroWeight},
	{regexp.MustCompile(`EDS response contains a locality without ID`), noLocality},
	{regexp.MustCompile(`priority (\d+) missing \(with different priorities`), priorityGap},
	{regexp.MustCompile(`unexpected lbPolicy (\w+)|lb_policy (\w+) is not done`), lbPolicy},
	{regexp.MustCompile(`unsupported cluster type \((\w+)`), clusterType},

	// what gRPC's xDS client asks for
	{regexp.MustCompile(`; must be (<=|>=|>) (\d+)$`), outOfBounds},
	{regexp.MustCompile(`RDS configSource is not ADS|ConfigSource is not ADS`), routesNotByADS},
	{regexp.MustCompile(`no RouteSpecifier`), noRouteSpecifier},
	{regexp.MustCompile(`empty route_config_name`), noRouteName},
	{regexp.MustCompile(`doesn't have a (match|path specifier)`), noMatch},
}
