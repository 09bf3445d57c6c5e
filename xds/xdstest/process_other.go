//go:build !linux

package xdstest

import "syscall"

// DieWithUs gives the child a process group of its own; more cannot be had here.
func DieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
