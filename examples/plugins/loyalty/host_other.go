//go:build !wasip1

package main

import "errors"

// host is not there where the plugin is tested by itself.
func host([]byte) ([]byte, error) { return nil, errors.New("there is no host outside of Colonnade") }
