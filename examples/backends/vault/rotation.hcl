# What the login of a Strongroom host needs beside agents.hcl to replace keys (`[rotations.NAME]`), and to keep refresh tokens
# (`oauth2`) and the host's name with keys that count nonces (`hmac`).

# Puts the new key in the place of the old one, and removes the versions that hold the old one; name single agents to give it less.
path "secret/data/agents/*" {
  capabilities = ["create", "read", "update"]
}

path "secret/metadata/agents/*" {
  capabilities = ["read"]
}

path "secret/destroy/agents/*" {
  capabilities = ["update"]
}

# The journals of its rotations, and what is noted beside refresh tokens and nonces. They hold keys; no manifest can name them.
path "secret/data/strongroom/rotation/*" {
  capabilities = ["create", "read", "update"]
}

path "secret/metadata/strongroom/rotation/*" {
  capabilities = ["read"]
}
