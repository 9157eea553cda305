.PHONY: test check e2e demo bench baseline churn fmt api release

test: ## all that Go alone can check
	go test ./...

check: ## linters, and the tests of every module with the race detector
	.ci/static
	.ci/tests

e2e: ## official clients and a browser; installs what is missing
	.ci/tools
	cd e2e && E2E=1 go test ./...

demo: ## the rooms demo, with the client installed: it works without network access
	cd examples/app && npm ci
	go run ./examples/app

bench: ## benchmarks of the hot paths
	go test -run '^$$' -bench . -benchmem ./...

baseline: ## what the hot paths cost, for CI to compare with; on a machine that does nothing else
	go run ./bench/cmd/baseline -update

churn: ## 100,000 clients of every kind come and go, and nothing is left of them
	CHURN=100000 go test -run TestChurn -v -timeout 30m ./internal/behaviour/lifecycle

fmt:
	find . -name '*.go' -not -path '*/node_modules/*' | xargs gofmt -w

api: ## what of the exported API has changed since the last release
	go run ./tools/release api

CHECKS = .ci/run
release: ## two commits and the tags of all modules: VERSION=v0.1.0; DRY=1 says what would be done: docs/releasing.md
	go run ./tools/release $(if $(DRY),-n) -checks '$(CHECKS)' '$(VERSION)'
