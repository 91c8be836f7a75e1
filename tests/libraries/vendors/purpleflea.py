import os

from purpleflea import CasinoClient, PurpleFleaClient

KEY = os.environ["PURPLEFLEA_API_KEY"]

client = PurpleFleaClient(KEY, max_retries=1)
client.get("/v1/price", pair="ETH-USD")
client.get("/v1/me")
client.post("/v1/orders", pair="ETH-USD", side="buy", amount="0.1")

# What the manifest is not for.
CasinoClient(KEY, base_url=client.base_url).withdraw(10)
client.post("/api/keys/rotate")
client.delete("/v1/orders")
