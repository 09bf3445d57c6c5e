package envoy

import (
	"bytes"
	"fmt"
	"time"

	outlierv3 "github.com/envoyproxy/go-control-plane/envoy/data/cluster/v3"
	checkv3 "github.com/envoyproxy/go-control-plane/envoy/data/core/v3"
	"google.golang.org/protobuf/encoding/protojson"

	"example.com/meshtui/engine/mesh"
)

// EventKind is what happened.
type EventKind uint8

// The kinds of events.
const (
	EventStarted   EventKind = iota + 1 // the Envoy process was started anew: what was known of its endpoints is void
	CheckHealthy                        // an active check made the endpoint healthy
	CheckUnhealthy                      // active checks made it unhealthy
	CheckFailure                        // one active check failed; the endpoint's state need not have changed
	OutlierEject
	OutlierUneject
)

// Event is something that one Envoy told through its pipe as it happened.
type Event struct {
	Node    string
	Time    time.Time // as Envoy says; for EventStarted ours
	Kind    EventKind
	Cluster string
	Address string // as in Endpoint
	First   bool   // of a check: it was the endpoint's first
	Timeout bool   // of a failed check: no answer in time
	Why     string // in words: "HTTP 503", "consecutive 5xx"; "" for good news
}

// parseEvent reads one line of the pipe. ok is false for what is none of the
// events that are known.
func parseEvent(node string, line []byte) (Event, bool) {
	lenient := protojson.UnmarshalOptions{DiscardUnknown: true}
	if bytes.Contains(line, []byte(`"upstream_url"`)) {
		var e outlierv3.OutlierDetectionEvent
		if lenient.Unmarshal(line, &e) != nil {
			return Event{}, false
		}
		return outlierEvent(node, &e)
	}
	var e checkv3.HealthCheckEvent
	if lenient.Unmarshal(line, &e) != nil {
		return Event{}, false
	}
	return checkEvent(node, &e)
}

func checkEvent(node string, e *checkv3.HealthCheckEvent) (Event, bool) {
	out := Event{Node: node, Time: e.GetTimestamp().AsTime(), Cluster: e.GetClusterName(), Address: mesh.Address(e.GetHost())}
	switch what := e.GetEvent().(type) {
	case *checkv3.HealthCheckEvent_AddHealthyEvent:
		out.Kind, out.First = CheckHealthy, what.AddHealthyEvent.GetFirstCheck()
	case *checkv3.HealthCheckEvent_EjectUnhealthyEvent:
		out.Kind = CheckUnhealthy
		out.failure(what.EjectUnhealthyEvent.GetFailureType(), what.EjectUnhealthyEvent.GetHttpStatusCode())
	case *checkv3.HealthCheckEvent_HealthCheckFailureEvent:
		out.Kind, out.First = CheckFailure, what.HealthCheckFailureEvent.GetFirstCheck()
		out.failure(what.HealthCheckFailureEvent.GetFailureType(), what.HealthCheckFailureEvent.GetHttpStatusCode())
	default:
		return Event{}, false
	}
	return out, true
}

// failure says in words why a check failed.
func (e *Event) failure(t checkv3.HealthCheckFailureType, status uint32) {
	switch t {
	case checkv3.HealthCheckFailureType_NETWORK:
		e.Why = "connection refused or cut"
	case checkv3.HealthCheckFailureType_NETWORK_TIMEOUT:
		e.Why, e.Timeout = "no answer in time", true
	case checkv3.HealthCheckFailureType_PASSIVE:
		e.Why = "the endpoint itself asked not to be used"
	default:
		e.Why = "wrong answer"
		if status != 0 {
			e.Why = fmt.Sprintf("HTTP %d", status)
		}
	}
}

func outlierEvent(node string, e *outlierv3.OutlierDetectionEvent) (Event, bool) {
	out := Event{Node: node, Time: e.GetTimestamp().AsTime(), Cluster: e.GetClusterName(), Address: e.GetUpstreamUrl()}
	if e.GetAction() == outlierv3.Action_UNEJECT {
		out.Kind = OutlierUneject
		return out, true
	}
	if !e.GetEnforced() { // noticed, but left in
		return Event{}, false
	}
	out.Kind, out.Why = OutlierEject, ejection(e)
	return out, true
}

// The kinds of ejection that count to a number set in the cluster.
const (
	consecutive5xx     = "consecutive 5xx"
	consecutiveGateway = "consecutive gateway failures"
	consecutiveLocal   = "consecutive failures to connect"
)

// ejection says in words why an endpoint was ejected.
func ejection(e *outlierv3.OutlierDetectionEvent) string {
	switch e.GetType() {
	case outlierv3.OutlierEjectionType_CONSECUTIVE_5XX:
		return consecutive5xx
	case outlierv3.OutlierEjectionType_CONSECUTIVE_GATEWAY_FAILURE:
		return consecutiveGateway
	case outlierv3.OutlierEjectionType_CONSECUTIVE_LOCAL_ORIGIN_FAILURE:
		return consecutiveLocal
	case outlierv3.OutlierEjectionType_SUCCESS_RATE, outlierv3.OutlierEjectionType_SUCCESS_RATE_LOCAL_ORIGIN:
		rate := e.GetEjectSuccessRateEvent()
		return fmt.Sprintf("success rate %d%%, the cluster's is %d%%", rate.GetHostSuccessRate(), rate.GetClusterAverageSuccessRate())
	case outlierv3.OutlierEjectionType_FAILURE_PERCENTAGE, outlierv3.OutlierEjectionType_FAILURE_PERCENTAGE_LOCAL_ORIGIN:
		return fmt.Sprintf("failure percentage, %d%% succeed", e.GetEjectFailurePercentageEvent().GetHostSuccessRate())
	}
	return "outlier detection"
}
