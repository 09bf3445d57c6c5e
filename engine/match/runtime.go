package match

import (
	"maps"
	"strconv"
	"strings"

	runtimev3 "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"example.com/meshtui/engine/mesh"
)

// runtimeOf is the runtime that the mesh brings: the layer that an Envoy of ours
// asks for. Keys that are neither a number, a truth value nor a share stay out.
func runtimeOf(m *mesh.Mesh) map[string]float64 {
	r := m.Get(mesh.Key{Type: mesh.Runtime, Name: mesh.RuntimeLayer})
	if r == nil {
		return nil
	}
	layer, _ := r.Message.(*runtimev3.Runtime)
	out := map[string]float64{}
	for key, v := range layer.GetLayer().GetFields() {
		flatten(out, key, v)
	}
	return out
}

// flatten takes a value in under its key, and what a struct holds under the keys
// joined by dots, as Envoy does. A share is in percent, as runtime keys have it.
func flatten(into map[string]float64, key string, v *structpb.Value) {
	switch k := v.GetKind().(type) {
	case *structpb.Value_NumberValue:
		into[key] = k.NumberValue
	case *structpb.Value_BoolValue:
		into[key] = truth(k.BoolValue)
	case *structpb.Value_StringValue:
		if n, err := strconv.ParseFloat(k.StringValue, 64); err == nil {
			into[key] = n
		} else if yes := strings.EqualFold(k.StringValue, "true"); yes || strings.EqualFold(k.StringValue, "false") {
			into[key] = truth(yes)
		}
	case *structpb.Value_StructValue:
		fields := k.StructValue.GetFields()
		_, share := fields["numerator"]
		if _, of := fields["denominator"]; share || of {
			into[key] = fields["numerator"].GetNumberValue() * perPercent[fields["denominator"].GetStringValue()]
			return
		}
		for name, each := range fields {
			flatten(into, key+"."+name, each)
		}
	}
}

// perPercent is what one of a share's denominator is in percent.
var perPercent = map[string]float64{"": 1, "HUNDRED": 1, "TEN_THOUSAND": 0.01, "MILLION": 0.0001}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// runtimeFor is the runtime for one request: what it says itself goes before what
// the mesh says, as the layers do that an operator sets on an Envoy.
func (m *Matcher) runtimeFor(r *Request) map[string]float64 {
	switch {
	case len(r.Runtime) == 0:
		return m.runtime
	case len(m.runtime) == 0:
		return r.Runtime
	}
	out := maps.Clone(m.runtime)
	maps.Copy(out, r.Runtime)
	return out
}
