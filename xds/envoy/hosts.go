package envoy

import (
	"context"
	"time"
)

// hostsTimeout bounds one look at the counters: 10,000 endpoints take a tenth
// of a second.
const hostsTimeout = 2 * time.Second

// Hosts reads the endpoints of all clusters, with their counters of this very
// moment, from the admin interface at "host:port" or "unix:/path", by cluster and
// priority. Health is what /clusters alone tells. It fails when the interface
// is not local, does not answer, or is none.
func Hosts(ctx context.Context, adminAddress string) ([]Endpoint, error) {
	client, err := newAdmin(adminAddress, hostsTimeout)
	if err != nil {
		return nil, err
	}
	defer client.close()
	body, err := client.must(ctx, "/clusters?format=json")
	if err != nil {
		return nil, err
	}
	all, err := readClusters(body)
	if err != nil {
		return nil, err
	}
	byName := make(map[string]clusterStatus, len(all))
	for _, c := range all {
		byName[c.Name] = c
	}
	endpoints, _ := join(byName, nil, nil, func(string, string) history { return history{} })
	return endpoints, nil
}
