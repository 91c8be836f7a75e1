# What the login of a Strongroom host needs to run agents. The policy `default`, which every token has, lets it look at, renew and end itself.

# Secrets of all agents that this host runs; name single agents to give it less.
path "secret/data/agents/*" {
  capabilities = ["read"]
}

# Credentials that are made for each run (`leased` in the configuration), prolonged while it lasts, and ended after it.
path "database/creds/*" {
  capabilities = ["read"]
}

path "sys/leases/renew" {
  capabilities = ["update"]
}

path "sys/leases/revoke" {
  capabilities = ["update"]
}

# Only where the host replaces its own secret id (`renew` in the configuration): of its own role, and of no other. Take the `#: ` away.
#: path "auth/approle/role/strongroom/secret-id" {
#:   capabilities = ["update"]
#: }
#: path "auth/approle/role/strongroom/secret-id/lookup" {
#:   capabilities = ["update"]
#: }
#: path "auth/approle/role/strongroom/secret-id/destroy" {
#:   capabilities = ["update"]
#: }
