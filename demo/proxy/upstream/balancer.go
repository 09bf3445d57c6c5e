package upstream

import (
	"fmt"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	commonv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/common/v3"
	leastv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/least_request/v3"
	maglevv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/maglev/v3"
	randomv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/random/v3"
	ringv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/ring_hash/v3"
	roundv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/round_robin/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// balancerKind is a way to choose among equally good hosts.
type balancerKind uint8

const (
	roundRobin balancerKind = iota
	leastRequest
	randomHost
	ringHash
	maglev
)

// balancerSettings say how a host is chosen.
type balancerSettings struct {
	kind             balancerKind
	choices          int     // of least request: how many hosts are compared
	fullScan         bool    // of least request: all are
	bias             float64 // of least request with weights: how much active requests count
	ringMin, ringMax uint64
	tableSize        uint64 // of maglev
	byHostname       bool   // hash the host's name in place of its address
	localityWeights  bool
}

// The defaults of the balancers' own settings.
const (
	defaultRingMin   = 1024
	defaultRingMax   = 8 << 20
	defaultTableSize = 65537
)

func newBalancerSettings(kind balancerKind) balancerSettings {
	return balancerSettings{
		kind: kind, choices: 2, bias: 1, ringMin: defaultRingMin, ringMax: defaultRingMax, tableSize: defaultTableSize,
	}
}

// readBalancer reads lb_policy, or load_balancing_policy, which takes its place.
func readBalancer(c *clusterv3.Cluster) balancerSettings {
	if c.GetLoadBalancingPolicy() != nil {
		b, err := readPolicies(c.GetLoadBalancingPolicy())
		if err != nil {
			return newBalancerSettings(roundRobin) // Check has refused it
		}
		return b
	}
	b := newBalancerSettings(roundRobin)
	switch c.GetLbPolicy() {
	case clusterv3.Cluster_LEAST_REQUEST:
		b.kind = leastRequest
		b.readLeast(c.GetLeastRequestLbConfig().GetChoiceCount(), c.GetLeastRequestLbConfig().GetActiveRequestBias().GetDefaultValue())
	case clusterv3.Cluster_RANDOM:
		b.kind = randomHost
	case clusterv3.Cluster_RING_HASH:
		b.kind = ringHash
		b.ringMin = uint64Or(c.GetRingHashLbConfig().GetMinimumRingSize(), defaultRingMin)
		b.ringMax = uint64Or(c.GetRingHashLbConfig().GetMaximumRingSize(), defaultRingMax)
	case clusterv3.Cluster_MAGLEV:
		b.kind = maglev
		b.tableSize = uint64Or(c.GetMaglevLbConfig().GetTableSize(), defaultTableSize)
	}
	b.byHostname = c.GetCommonLbConfig().GetConsistentHashingLbConfig().GetUseHostnameForHashing()
	return b
}

func (b *balancerSettings) readLeast(choices *wrapperspb.UInt32Value, bias float64) {
	b.choices = int(uint32Or(choices, 2))
	if bias > 0 {
		b.bias = bias
	}
}

// readPolicies takes the first policy of the list that is known, as Envoy does.
func readPolicies(p *clusterv3.LoadBalancingPolicy) (balancerSettings, error) {
	var names []string
	for _, policy := range p.GetPolicies() {
		m, err := policy.GetTypedExtensionConfig().GetTypedConfig().UnmarshalNew()
		if err == nil { // else it is of a type that is not known here
			if b, ok := readPolicy(m); ok {
				return b, undone(m.ProtoReflect(), "load_balancing_policy")
			}
		}
		names = append(names, policy.GetTypedExtensionConfig().GetName())
	}
	return balancerSettings{}, fmt.Errorf("load_balancing_policy: none of %v is done by the built-in proxy", names)
}

func readPolicy(m proto.Message) (balancerSettings, bool) {
	switch p := m.(type) {
	case *roundv3.RoundRobin:
		b := newBalancerSettings(roundRobin)
		b.localityWeights = p.GetLocalityLbConfig().GetLocalityWeightedLbConfig() != nil
		return b, true
	case *leastv3.LeastRequest:
		b := newBalancerSettings(leastRequest)
		b.readLeast(p.GetChoiceCount(), p.GetActiveRequestBias().GetDefaultValue())
		b.fullScan = p.GetSelectionMethod() == leastv3.LeastRequest_FULL_SCAN
		b.localityWeights = p.GetLocalityLbConfig().GetLocalityWeightedLbConfig() != nil
		return b, true
	case *randomv3.Random:
		b := newBalancerSettings(randomHost)
		b.localityWeights = p.GetLocalityLbConfig().GetLocalityWeightedLbConfig() != nil
		return b, true
	case *ringv3.RingHash:
		b := newBalancerSettings(ringHash)
		b.ringMin = uint64Or(p.GetMinimumRingSize(), defaultRingMin)
		b.ringMax = uint64Or(p.GetMaximumRingSize(), defaultRingMax)
		b.readHashing(p.GetConsistentHashingLbConfig(), p.GetLocalityWeightedLbConfig())
		return b, true
	case *maglevv3.Maglev:
		b := newBalancerSettings(maglev)
		b.tableSize = uint64Or(p.GetTableSize(), defaultTableSize)
		b.readHashing(p.GetConsistentHashingLbConfig(), p.GetLocalityWeightedLbConfig())
		return b, true
	}
	return balancerSettings{}, false
}

func (b *balancerSettings) readHashing(h *commonv3.ConsistentHashingLbConfig, l *commonv3.LocalityLbConfig_LocalityWeightedLbConfig) {
	b.byHostname = h.GetUseHostnameForHashing()
	b.localityWeights = l != nil
}

// checkBalancer refuses what readBalancer cannot read.
func checkBalancer(c *clusterv3.Cluster) error {
	if c.GetLoadBalancingPolicy() != nil {
		b, err := readPolicies(c.GetLoadBalancingPolicy())
		if err != nil {
			return err
		}
		return b.check("load_balancing_policy")
	}
	switch c.GetLbPolicy() {
	case clusterv3.Cluster_ROUND_ROBIN, clusterv3.Cluster_LEAST_REQUEST, clusterv3.Cluster_RANDOM, clusterv3.Cluster_MAGLEV:
	case clusterv3.Cluster_RING_HASH:
		if f := c.GetRingHashLbConfig().GetHashFunction(); f != clusterv3.Cluster_RingHashLbConfig_XX_HASH {
			return fmt.Errorf("ring_hash_lb_config.hash_function %s is not done by the built-in proxy, only XX_HASH", f)
		}
	default:
		return fmt.Errorf("lb_policy %s is not done by the built-in proxy", c.GetLbPolicy())
	}
	b := readBalancer(c)
	return b.check(fmt.Sprintf("lb_policy %s", c.GetLbPolicy()))
}

func (b *balancerSettings) check(at string) error {
	switch {
	case b.kind == ringHash && b.ringMin > b.ringMax:
		return fmt.Errorf("%s: minimum_ring_size %d is more than maximum_ring_size %d", at, b.ringMin, b.ringMax)
	case b.kind == ringHash && b.ringMax > defaultRingMax:
		return fmt.Errorf("%s: maximum_ring_size %d is more than %d", at, b.ringMax, defaultRingMax)
	case b.kind == maglev && (b.tableSize > 5000011 || !prime(b.tableSize)):
		return fmt.Errorf("%s: table_size %d is not a prime number up to 5000011", at, b.tableSize)
	}
	return nil
}

func prime(n uint64) bool {
	for d := uint64(2); d*d <= n; d++ {
		if n%d == 0 {
			return false
		}
	}
	return n > 1
}

func uint64Or(v *wrapperspb.UInt64Value, fallback uint64) uint64 {
	if v == nil {
		return fallback
	}
	return v.GetValue()
}

// entry is a host as one view of the cluster sees it.
type entry struct {
	*host
	weight uint32 // at least 1
}

// picker chooses one of the hosts that it was made of. It is safe for any
// number of goroutines.
type picker interface {
	// pick chooses a host for a hash, which is random when the request has none.
	// attempt is 0, then 1, 2 … for further hosts of the same hash.
	pick(hash uint64, attempt int) *host
}

// newPicker makes the picker of one set of hosts; nil for an empty one. seed
// decides where a round begins.
func (b *balancerSettings) newPicker(hosts []entry, seed uint64) picker {
	switch {
	case len(hosts) == 0:
		return nil
	case b.kind == randomHost:
		return randomPicker(hosts)
	case b.kind == leastRequest:
		return newLeast(b, hosts)
	case b.kind == ringHash:
		return newRing(b, hosts)
	case b.kind == maglev:
		return newTable(b, hosts)
	}
	return newRound(hosts, seed)
}

// equalWeights reports whether no host shall get more than another.
func equalWeights(hosts []entry) bool {
	for _, h := range hosts[1:] {
		if h.weight != hosts[0].weight {
			return false
		}
	}
	return true
}

// hashing reports whether the picker looks at the request's hash.
func (b *balancerSettings) hashing() bool { return b.kind == ringHash || b.kind == maglev }
