module github.com/seed-d124fa34/socketio/bench

go 1.26.0

ignore node_modules

require (
	github.com/coder/websocket v1.8.15
	github.com/redis/go-redis/v9 v9.23.0
	github.com/seed-d124fa34/socketio v0.0.0
	github.com/seed-d124fa34/socketio/brokers/redis v0.0.0
	github.com/stretchr/testify v1.12.1
	golang.org/x/sys v0.48.0
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)

replace (
	github.com/seed-d124fa34/socketio => ../
	github.com/seed-d124fa34/socketio/brokers/redis => ../brokers/redis
)
