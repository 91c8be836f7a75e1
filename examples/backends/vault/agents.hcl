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
