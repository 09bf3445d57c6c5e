// Package task starts goroutines that report a panic to their owner instead of
// taking the process, and with it the operator's terminal, down.
//
// It also holds the one-slot wake channels by which those who show state tell
// those who watch it to look again.
//
// Every goroutine of this module that is not a library's own starts through a
// Group: the owner makes one, gives its parts to it, and waits for it at the
// end. A panic in one part cancels the group's context and comes back from
// Wait as an error with the stack.
package task

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// PanicError is a panic that a goroutine of a Group ended with.
type PanicError struct {
	Name  string // the task's name as given to Go
	Value any    // what was passed to panic
	Stack []byte
}

// Error names the task and the panic; the stack is in Stack.
func (e *PanicError) Error() string {
	return fmt.Sprintf("%s stopped unexpectedly: %v", e.Name, e.Value)
}

// Group owns goroutines. Make one with New; the zero Group is not usable.
type Group struct {
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup

	mu   sync.Mutex
	errs []error
}

// New returns a group and the context that its tasks run under. It ends when
// parent does, when a task fails, or when Stop is called.
func New(parent context.Context) (*Group, context.Context) {
	ctx, cancel := context.WithCancelCause(parent)
	return &Group{cancel: cancel}, ctx
}

// Go runs fn in a goroutine of the group. A non-nil error, or a panic, ends the
// group's context; an error that only says that the context ended is no failure.
func (g *Group) Go(name string, fn func() error) {
	g.wg.Go(func() {
		err := Run(name, fn)
		if err == nil || errors.Is(err, context.Canceled) {
			return
		}
		g.mu.Lock()
		g.errs = append(g.errs, err)
		g.mu.Unlock()
		g.cancel(err)
	})
}

// Stop asks all tasks to end; it does not wait.
func (g *Group) Stop() { g.cancel(context.Canceled) }

// Wait blocks until every task has ended, and returns what went wrong, joined.
func (g *Group) Wait() error {
	g.wg.Wait()
	g.cancel(context.Canceled)
	g.mu.Lock()
	defer g.mu.Unlock()
	return errors.Join(g.errs...)
}

// Run calls fn in this goroutine and turns a panic into a *PanicError.
func Run(name string, fn func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Name: name, Value: v, Stack: debug.Stack()}
		}
	}()
	return fn()
}
