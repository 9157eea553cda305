//go:build !goexperiment.jsonv2

package parser

const jsonV2 = false
