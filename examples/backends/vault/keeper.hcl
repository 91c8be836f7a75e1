# What `strongroom secrets` needs beyond `agents.hcl`: for people who keep the secrets, not for hosts that run agents.

path "secret/data/agents/*" {
  capabilities = ["create", "read", "update"]
}

path "secret/metadata/agents/*" {
  capabilities = ["read", "list"]
}

path "secret/delete/agents/*" {
  capabilities = ["update"]
}

path "secret/undelete/agents/*" {
  capabilities = ["update"]
}

path "secret/destroy/agents/*" {
  capabilities = ["update"]
}
