package adapter

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"
)

// The names of the suite's messages, and of their fields in so far as code reads
// them. On the wire only the numbers count.
const (
	setStateRequest = "SetStateRequest"
	clearRequest    = "clearStateRequest"
	resourceRequest = "ResourceRequest"
	clearResponse   = "clearStateResponse"
	// successResponse stands for the answers to all other calls, which are alike.
	successResponse = "SetStateResponse"

	nodeField      = "node"
	versionField   = "version"
	resourcesField = "resources"
	typeURLField   = "typeUrl"
	nameField      = "resourceName"
	successField   = "success"
	responseField  = "response"
)

// schema describes the messages of the service adapter.Adapter.
type schema struct{ file protoreflect.FileDescriptor }

func newSchema() (schema, error) {
	text, yes := descriptorpb.FieldDescriptorProto_TYPE_STRING, descriptorpb.FieldDescriptorProto_TYPE_BOOL
	resources := field(resourcesField, 3, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE)
	resources.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	resources.TypeName = proto.String(".google.protobuf.Any")
	file := &descriptorpb.FileDescriptorProto{
		Name: proto.String("adapter.proto"), Package: proto.String("adapter"), Syntax: proto.String("proto3"),
		Dependency: []string{anypb.File_google_protobuf_any_proto.Path()},
		MessageType: []*descriptorpb.DescriptorProto{
			message(setStateRequest, field(nodeField, 1, text), field(versionField, 2, text), resources),
			message(clearRequest, field(nodeField, 1, text)),
			message(resourceRequest, field(nodeField, 1, text), field(typeURLField, 2, text), field(nameField, 3, text), field(versionField, 4, text)),
			message(successResponse, field(successField, 1, yes)),
			message(clearResponse, field(responseField, 1, text)),
		},
	}
	built, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		return schema{}, fmt.Errorf("describe the service adapter.Adapter: %w", err)
	}
	return schema{built}, nil
}

func message(name string, fields ...*descriptorpb.FieldDescriptorProto) *descriptorpb.DescriptorProto {
	return &descriptorpb.DescriptorProto{Name: proto.String(name), Field: fields}
}

func field(name string, number int32, kind descriptorpb.FieldDescriptorProto_Type) *descriptorpb.FieldDescriptorProto {
	return &descriptorpb.FieldDescriptorProto{
		Name: proto.String(name), Number: proto.Int32(number), Type: kind.Enum(),
		Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
	}
}

// new is an empty message of that name.
func (s schema) new(name string) *dynamicpb.Message {
	return dynamicpb.NewMessage(s.file.Messages().ByName(protoreflect.Name(name)))
}

// text is the string in a message's field.
func text(m *dynamicpb.Message, field string) string { return m.Get(fieldOf(m, field)).String() }

// with sets strings, and booleans, in a new message: field, value, field, value.
func (s schema) with(name string, pairs ...any) *dynamicpb.Message {
	m := s.new(name)
	for i := 0; i < len(pairs); i += 2 {
		m.Set(fieldOf(m, pairs[i].(string)), protoreflect.ValueOf(pairs[i+1]))
	}
	return m
}

func fieldOf(m *dynamicpb.Message, name string) protoreflect.FieldDescriptor {
	return m.Descriptor().Fields().ByName(protoreflect.Name(name))
}

// resources lists what a SetStateRequest carries.
func resources(m *dynamicpb.Message) ([]*anypb.Any, error) {
	list := m.Get(fieldOf(m, resourcesField)).List()
	out := make([]*anypb.Any, list.Len())
	for i := range out {
		out[i] = &anypb.Any{}
		if err := move(out[i], list.Get(i).Message().Interface()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// addResources puts resources into a SetStateRequest.
func addResources(m *dynamicpb.Message, all []*anypb.Any) error {
	list := m.Mutable(fieldOf(m, resourcesField)).List()
	for _, a := range all {
		if err := move(list.AppendMutable().Message().Interface(), a); err != nil {
			return err
		}
	}
	return nil
}

// move takes over a message into another Go type for the same message.
func move(to, from proto.Message) error {
	b, err := proto.Marshal(from)
	if err != nil {
		return err
	}
	return proto.Unmarshal(b, to)
}
