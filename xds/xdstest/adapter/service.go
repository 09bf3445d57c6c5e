package adapter

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"
)

const (
	serviceName = "adapter.Adapter"

	setStateMethod = "SetState"
	clearMethod    = "ClearState"
	updateMethod   = "UpdateResource"
	addMethod      = "AddResource"
	removeMethod   = "RemoveResource"
)

// Register puts the service adapter.Adapter on a gRPC server.
func Register(g grpc.ServiceRegistrar, a *Adapter) error {
	s, err := newSchema()
	if err != nil {
		return err
	}
	one := func(name string, do func(node, typeURL, name, version string) error) grpc.MethodDesc {
		return s.method(name, resourceRequest, func(m *dynamicpb.Message) (*dynamicpb.Message, error) {
			err := do(text(m, nodeField), text(m, typeURLField), text(m, nameField), text(m, versionField))
			return s.with(successResponse, successField, err == nil), err
		})
	}
	g.RegisterService(&grpc.ServiceDesc{
		ServiceName: serviceName, HandlerType: (*any)(nil), Metadata: s.file.Path(),
		Methods: []grpc.MethodDesc{
			s.method(setStateMethod, setStateRequest, func(m *dynamicpb.Message) (*dynamicpb.Message, error) {
				all, err := resources(m)
				if err != nil {
					return nil, status.Errorf(codes.InvalidArgument, "the resources cannot be read: %v", err)
				}
				err = a.SetState(text(m, nodeField), text(m, versionField), all)
				return s.with(successResponse, successField, err == nil), err
			}),
			s.method(clearMethod, clearRequest, func(m *dynamicpb.Message) (*dynamicpb.Message, error) {
				a.ClearState(text(m, nodeField))
				return s.with(clearResponse, responseField, "cleared"), nil
			}),
			one(updateMethod, a.UpdateResource), one(addMethod, a.AddResource), one(removeMethod, a.RemoveResource),
		},
	}, a)
	return nil
}

// method is one call of the service: it reads a message of that name.
func (s schema) method(name, request string, do func(*dynamicpb.Message) (*dynamicpb.Message, error)) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: name, Handler: func(_ any, _ context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		m := s.new(request)
		if err := read(m); err != nil {
			return nil, err
		}
		return do(m)
	}}
}

// Client calls the service as the suite does.
type Client struct {
	conn   grpc.ClientConnInterface
	schema schema
}

// NewClient makes a client on a connection, which stays the caller's.
func NewClient(conn grpc.ClientConnInterface) (*Client, error) {
	s, err := newSchema()
	return &Client{conn: conn, schema: s}, err
}

// SetState gives a node resources under a version, in place of all it has.
func (c *Client) SetState(ctx context.Context, node, version string, all ...*anypb.Any) error {
	m := c.schema.with(setStateRequest, nodeField, node, versionField, version)
	if err := addResources(m, all); err != nil {
		return err
	}
	return c.call(ctx, setStateMethod, m, successResponse)
}

// ClearState takes everything from a node.
func (c *Client) ClearState(ctx context.Context, node string) error {
	return c.call(ctx, clearMethod, c.schema.with(clearRequest, nodeField, node), clearResponse)
}

// UpdateResource changes one resource of a node.
func (c *Client) UpdateResource(ctx context.Context, node, typeURL, name, version string) error {
	return c.one(ctx, updateMethod, node, typeURL, name, version)
}

// AddResource adds one resource to a node's.
func (c *Client) AddResource(ctx context.Context, node, typeURL, name, version string) error {
	return c.one(ctx, addMethod, node, typeURL, name, version)
}

// RemoveResource removes one resource from a node's.
func (c *Client) RemoveResource(ctx context.Context, node, typeURL, name, version string) error {
	return c.one(ctx, removeMethod, node, typeURL, name, version)
}

func (c *Client) one(ctx context.Context, method, node, typeURL, name, version string) error {
	return c.call(ctx, method, c.schema.with(resourceRequest, nodeField, node, typeURLField, typeURL, nameField, name, versionField, version), successResponse)
}

func (c *Client) call(ctx context.Context, method string, in *dynamicpb.Message, response string) error {
	out := c.schema.new(response)
	if err := c.conn.Invoke(ctx, "/"+serviceName+"/"+method, in, out); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if response == successResponse && !out.Get(fieldOf(out, successField)).Bool() {
		return fmt.Errorf("%s: the adapter says that it did not succeed", method)
	}
	return nil
}
